# Imports a container image as a squash file inside an allocation, or looks how an import goes.
# Sent to `sh -s -- VERB …` by squash_import.py, which reads what it prints. Nothing runs before the last line has arrived.
# The job works in a file of its own and renames it at the end: what has the final name is whole, and a job that uses an
# older file of that name keeps it.
LC_ALL=C
export LC_ALL
trap '' HUP PIPE

words() { printf '%s' "$1" | tr '\n\t' '  ' | tail -c 400; }

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 60 "$@"; else "$@"; fi
}

# begin FORCE TARGET SOURCE ACCOUNT PARTITION TIME
begin() {
    force=$1 target=$2 source=$3 account=$4 partition=$5 limit=$6
    if ! mkdir -p -- "${target%/*}" 2>/dev/null || [ ! -w "${target%/*}" ]; then
        printf '@unwritable\t%s\n' "${target%/*}"
        return
    fi
    if [ "$force" = 0 ] && [ -s "$target" ]; then
        # Another image can have the same file name; one that was put there by hand has no note.
        if [ ! -r "$target.image" ] || [ "$(head -c 600 -- "$target.image")" = "$source" ]; then
            echo '@present'
            return
        fi
    fi
    log=$target.import.log
    printf '%s\n' "$JOB" 2>/dev/null >"$target.import.sh" || { printf '@unwritable\t%s\n' "${target%/*}" && return; }
    find "$target".import.[0-9]* -prune -mtime +1 -exec rm -f -- {} + 2>/dev/null # notes of imports long over
    said=$(bounded sbatch --parsable --job-name=quantgate-squash --nodes=1 --ntasks=1 --time="$limit" \
        --output="$log" --open-mode=truncate ${account:+--account="$account"} ${partition:+--partition="$partition"} \
        "$target.import.sh" "$target" "$source" 2>&1)
    ended=$?
    job=$(printf '%s\n' "$said" | sed -n 's/^\([0-9][0-9]*\)\(;.*\)\{0,1\}$/\1/p' | tail -n 1)
    if [ "$ended" != 0 ] || [ -z "$job" ]; then
        printf '@declined\t%s\n' "$(words "$said")"
    else
        printf '@queued\t%s\n' "$job"
    fi
}

JOB='#!/bin/sh
target=$1 source=$2
part=$target.part.$SLURM_JOB_ID
trap "rm -f -- \"\$part\"" EXIT
trap "exit 143" TERM
rm -f -- "$target.import.$SLURM_JOB_ID"
if ! command -v enroot >/dev/null 2>&1; then
    echo "there is no enroot on $(uname -n)"
    code=127
else
    enroot import --output "$part" "$source"
    code=$?
    if [ "$code" = 0 ] && [ ! -s "$part" ]; then
        echo "enroot ended well and left no file"
        code=1
    fi
fi
if [ "$code" = 0 ]; then
    mv -f -- "$part" "$target" && printf "%s\n" "$source" >"$target.image" || code=1
fi
printf "%s\n" "$code" >"$target.import.$SLURM_JOB_ID"
exit "$code"'

# look TARGET JOB SOURCE
look() {
    # The note stays: a link may break before this answer has arrived, and the next look must find the same.
    target=$1 job=$2 source=$3
    if [ -r "$target.import.$job" ]; then
        code=$(head -c 10 -- "$target.import.$job" | tr -cd '0-9')
        printf '@ended\t%s\n' "${code:-1}"
        [ "$code" = 0 ] || show
        return
    fi
    state=$(bounded squeue -h -j "$job" -t all -o %T 2>&1)
    case $? in
    124 | 137) echo '@unseen' && return ;;
    esac
    case $state in
    PENDING | RUNNING | CONFIGURING | COMPLETING | REQUEUED | SUSPENDED | STAGE_OUT) printf '@state\t%s\n' "$state" ;;
    COMPLETED) echo '@settling' ;; # Its note may come a moment later over a network file system.
    '' | *nvalid*)
        # A file that is newer than the job's script, and is of this image, was made by it, whatever became of the note.
        if [ "$(head -c 600 -- "$target.image" 2>/dev/null)" = "$source" ] &&
            [ -n "$(find "$target" -prune -newer "$target.import.sh" 2>/dev/null)" ]; then
            printf '@ended\t0\n'
        else
            echo '@gone' && show
        fi
        ;;
    *' '*) echo '@unseen' ;;
    *) printf '@stopped\t%s\n' "$(words "$state")" && show ;;
    esac
}

show() { [ -r "$target.import.log" ] && tail -n 15 -- "$target.import.log" | tail -c 3000 | tr '\t' ' ' | sed 's/^/@log	/'; }

main() {
    verb=$1
    shift
    case $verb in
    begin) begin "$@" ;;
    look) look "$@" ;;
    esac
    echo '@end'
}
main "$@" </dev/null
