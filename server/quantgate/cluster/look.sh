# Tells in one answer what a cluster knows of some runs: their directories, the queue and the accounting.
# Sent to `sh -s -- IDS DIRECTORY…` by scheduler.py, which reads what it prints. IDS are job ids with commas between, "-" for none.
LC_ALL=C
export LC_ALL
SLURM_TIME_FORMAT=%s
export SLURM_TIME_FORMAT
ids=$1
shift
[ "$ids" = - ] && ids=
sep=$(printf '\037')

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 "$limit" "$@"; else "$@"; fi
}

printf '@clock %s %s %s\n' "$(date +%s)" "$(id -u)" "$(id -un)"
for directory in "$@"; do
    printf '@directory %s\n' "$directory"
    if [ ! -d "$directory" ]; then
        # A parent that can be listed proves the absence; one that cannot be reached proves nothing.
        if [ -e "$directory" ]; then echo '@other'; elif ls "${directory%/*/*}" >/dev/null 2>&1; then echo '@absent'; else echo '@unseen'; fi
        continue
    fi
    if [ -f "$directory/.slurm_job_id.list" ]; then
        found=$(tail -n 100 "$directory/.slurm_job_id.list" | tr -c '0-9\n' '\n' | grep . | tr '\n' ',')
        printf '@chain %s\n' "$found"
        ids="$ids,$found"
    fi
    for name in artifacts/results.yml artifacts/.nemo_evaluator_interrupted artifacts/.nemo_evaluator_server_error; do
        [ -e "$directory/$name" ] && printf '@has %s\n' "$name"
    done
    [ -f "$directory/artifacts/progress" ] && printf '@progress %s\n' "$(head -c 20 "$directory/artifacts/progress" | tr -cd 0-9)"
    newest=$(find "$directory/logs" "$directory/artifacts" -maxdepth 1 -type f -printf '%T@\n' 2>/dev/null | sort -n | tail -n 1)
    [ -n "$newest" ] && printf '@changed %s\n' "${newest%%.*}"
done

limit=20
queue() {
    bounded squeue --me -h -o "%i$sep%T$sep%r$sep%E$sep%k$sep%S$sep%V$sep%j$sep%o$sep%u" 2>&1
    printf '@code %s\n' $?
}
accounts() {
    clean=$(printf '%s' "$ids" | tr -s , | sed 's/^,//; s/,$//')
    [ -z "$clean" ] && { echo '@code 0'; return; }
    bounded sacct -X -n -P --delimiter="$sep" -j "$clean" \
        -o JobID,JobIDRaw,State%60,ExitCode,Reason%60,Submit,Start,End,ElapsedRaw,TimelimitRaw,JobName%200,User 2>&1
    printf '@code %s\n' $?
}
held=$(mktemp 2>/dev/null) || held=
if [ -n "$held" ]; then
    trap 'rm -f "$held"' EXIT
    queue >"$held" &
    printf '@accounting\n'
    accounts
    wait
    printf '@queue\n'
    cat "$held"
else
    printf '@accounting\n'
    accounts
    printf '@queue\n'
    queue
fi
printf '@end\n'
