# Tells in one answer what a cluster has for a config: paths, space, programs, partitions, accounts, registries. It changes nothing.
# Sent to `sh -s -- [KIND PATH]…` by preflight.py, which reads what it prints.
# KIND is d (a directory), f (a file), c (a checkpoint) or o (the output directory, which need not exist yet).
LC_ALL=C
export LC_ALL
unset CDPATH
sep=$(printf '\037')

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 10 "$@"; else "$@"; fi
}

main() {
    printf '@clock %s %s %s\n' "$(date +%s)" "$(id -u)" "$(id -un)"
    number=0
    while [ $# -ge 2 ]; do
        kind=$1
        path=$2
        shift 2
        if [ -d "$path" ]; then is=directory; elif [ -f "$path" ]; then is=file; elif [ -e "$path" ]; then is=other; else is=absent; fi
        up=$path
        # Of a relative path, whose last part has no slash to go up to, the directory above is the one we are in.
        while [ ! -d "$up/" ] && [ -n "$up" ]; do case $up in */*) up=${up%/*} ;; *) up=. ;; esac; done
        up=${up:-/}
        # Of a path that is not there, a directory above it that can be searched proves the absence.
        [ $is = absent ] && [ ! -x "$up" ] && is=unseen
        can=
        [ $is = directory ] && [ -r "$path" ] && [ -x "$path" ] && can="${can}r"
        [ $is = file ] && [ -r "$path" ] && can="${can}r"
        [ -w "$up" ] && [ -x "$up" ] && can="${can}w"
        [ "$kind" = c ] && [ -e "$path/config.json" ] && can="${can}c"
        printf '@path %s %s %s- %s\n' "$number" "$is" "$can" "$up"
        if [ "$kind" = o ]; then
            printf '@free %s\n' "$(bounded df -Pk -- "$up" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)"
            printf '@inodes %s\n' "$(bounded df -Pi -- "$up" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)"
        fi
        number=$((number + 1))
    done
    for program in rsync python3 sbatch srun squeue sacct scancel enroot; do
        command -v "$program" >/dev/null 2>&1 && printf '@program %s\n' "$program"
    done

    # Of the file with the passwords of registries, the names of its hosts and not one character more.
    file=${ENROOT_CONFIG_PATH:-${XDG_CONFIG_HOME:-$HOME/.config}/enroot}/.credentials
    if [ -r "$file" ]; then
        printf '@registries read\n'
        head -c 1000000 -- "$file" | grep -oE '^[[:space:]]*machine[[:space:]]+[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[0-9]{1,5})?([[:space:]]|$)' |
            head -n 100 | while read -r _ host; do printf '@registry %s\n' "$host"; done
    elif [ -e "$file" ]; then
        printf '@registries closed\n'
    else
        printf '@registries absent\n'
    fi

    tell() {
        name=$1
        shift
        out=$(bounded "$@" 2>&1)
        code=$?
        printf '@%s\n' "$name"
        printf '%s\n' "$out" | head -n 5000
        printf '@code %s\n' "$code"
    }
    tell controller scontrol show config
    if [ "$code" = 0 ]; then
        tell nodes sinfo -a -h -o "%R$sep%a$sep%l$sep%D$sep%G$sep%t"
        tell partitions scontrol -a -o show partition
    else
        # Each of them would wait as long for the same answer.
        for name in nodes partitions; do printf '@%s\nthe controller does not answer\n@code 1\n' "$name"; done
    fi
    tell associations sacctmgr -n -P show assoc user="$(id -un)" format=Cluster,Account,Partition,MaxWall
    printf '@end\n'
}
main "$@" </dev/null
