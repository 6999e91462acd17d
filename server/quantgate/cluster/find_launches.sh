# Tells what a cluster has of some launches: their directories, their jobs, and whether one is being submitted right now.
# Sent to `sh -s -- INVOCATION OUTPUT_DIRECTORY …` by launches.py, which reads what it prints.
LC_ALL=C
export LC_ALL
unset CDPATH
sep=$(printf '\037')
limit=20

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 "$limit" "$@"; else "$@"; fi
}

main() {
    printf '@clock %s\n' "$(date +%s)"
    while [ "$#" -gt 1 ]; do
        invocation=$1
        output=$2
        shift 2
        printf '@launch %s\n' "$invocation"
        # A file system that is away shows no directory either: its parent is asked too.
        if [ -d "$output" ]; then
            if ls -- "$output" >/dev/null 2>&1; then echo '@listed'; fi
        elif ls -- "${output%/*}/" >/dev/null 2>&1; then
            echo '@listed'
        fi
        for directory in "$output"/*-"$invocation"; do
            [ -d "$directory" ] || continue
            printf '@directory %s\n' "$directory"
            changed=$(find "$directory" -maxdepth 2 -printf '%C@\n' 2>/dev/null | sort -n | tail -n 1)
            printf '@changed %s\n' "${changed%%.*}"
            cat "$directory"/*/.slurm_job_id.list 2>/dev/null | tail -n 1000 | tr -c '0-9\n' '\n' | grep . | sort -un | sed 's/^/@ran /'
        done
        # This script gets the id too, but no name of a script that is submitted.
        if ps -u "$(id -u)" -ww -o args= 2>/dev/null | grep -F -e "-$invocation/" | grep -F -q '/run.sub'; then echo '@busy'; fi
    done

    printf '@queue\n'
    # Also those that ended a short while ago.
    bounded squeue --me -t all -h -o "%i$sep%k$sep%o" 2>&1
    printf '@code %s\n' $?
    printf '@end\n'
}
main "$@" </dev/null
