# Ends the jobs of a run, or submits its tasks again, and tells what was seen afterwards.
# Sent to `sh -s -- VERB SECONDS STAMP ROOT NAME…` by control.py, which reads what it prints.
# VERB is cancel or resume, STAMP a word in the comment of the run's jobs ("-" for none), ROOT the run's directory, NAME a task's
# directory in it (none: all). Nothing runs before the last line has arrived, and what runs goes on when the link breaks.
# A job gets the environment of its sbatch: what this script changes of its own goes back into it (`given`).
OURS='LC_ALL CDPATH ROOT OTHER STAMP CHAINS LOCK MARKER STALE ENDED WHICH SECONDS_GIVEN
    active age all began code ended fault id job last limit list listing looks name over place rows said script seen since token
    verb waiting'
for ours in $OURS; do eval "WAS_$ours=\${$ours+=\$$ours}; unset $ours"; done
LC_ALL=C
export LC_ALL
trap '' HUP PIPE
LOCK=.quantgate_resume
MARKER=stage.cancelled
STALE=300
ENDED=' BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT '

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 "$limit" "$@"; else "$@"; fi
}

words() { printf '%s' "$1" | tr '\n\t' '  ' | tail -c 400; }

nap() { sleep 0.4 2>/dev/null || sleep 1; }

# A path of the run as its jobs have it: they keep the one of the launch, which may lead here through a link.
other_root() {
    for script in "$ROOT"/*.[0-9]*/run.sub; do
        [ -r "$script" ] || continue
        place=$(sed -n 's/^TASK_DIR="\(.*\)"$/\1/p' "$script" | head -n 1)
        if [ "$place" -ef "${script%/run.sub}" ] && [ "${place%/*}" -ef "$ROOT" ]; then printf '%s' "${place%/*}"; fi
        return
    done
}

chains() {
    for list in "$ROOT"/*.[0-9]*/.slurm_job_id.list; do
        [ -r "$list" ] || continue
        name=${list%/.slurm_job_id.list}
        case ${name##*.} in '' | *[!0-9]*) continue ;; esac
        tail -n 20 "$list" | tr -c '0-9\n' '\n' | TASK=${name##*/} awk -v OFS='\t' 'NF { print ENVIRON["TASK"], $1 }'
    done
}

# Which of the user's jobs are of this run: one line each, "id <tab> state <tab> task <tab> reason". Widths are in bytes.
WHICH='
function field(from, width,  value) {
    value = substr($0, from, width)
    sub(/ +$/, "", value)
    return value
}
function task_in(path,  r, rest, parts) {
    for (r = 1; r <= 2; r++) {
        if (root[r] == "" || index(path, root[r] "/") != 1) continue
        rest = substr(path, length(root[r]) + 2)
        split(rest, parts, "/")
        if (parts[1] !~ /.\.[0-9]+$/) continue # NEL ends the name of each task with its index.
        if (parts[2] == "logs" || rest == parts[1] "/run.sub") return parts[1]
    }
    return ""
}
BEGIN {
    root[1] = ENVIRON["ROOT"]
    root[2] = ENVIRON["OTHER"]
    stamp = ENVIRON["STAMP"]
    rows = split(ENVIRON["CHAINS"], row, "\n")
    for (i = 1; i <= rows; i++) { split(row[i], pair, "\t"); listed[pair[1], pair[2]] = 1; names[pair[1]] = 1 }
}
/^[0-9]+ / {
    id = field(1, 20); order[++count] = id
    state[id] = field(21, 20); reason[id] = field(41, 60); waits[id] = field(101, 400)
    command = field(501, 4200); out = field(4701, 4200); comment = " " substr($0, 8901) " "
    task[id] = task_in(out)
    if (task[id] == "") task[id] = task_in(command)
    if (stamp != "-" && index(comment, " " stamp " ")) stamped[id] = 1
    # NEL submits a follow-on from a copy of its script, with the id of the job before it.
    if (match(command, /slurm_script [0-9]+$/)) {
        before[id] = substr(command, RSTART + 13)
        if (task[id] == "" && out !~ /\/logs\/slurm-[^\/]*$/)
            for (name in names) if (((name, id) in listed) && ((name, before[id]) in listed)) task[id] = name
    }
}
END {
    do {
        changed = 0
        for (i = 1; i <= count; i++) {
            id = order[i]
            if (task[id] == "" && (id in before) && task[before[id]] != "") { task[id] = task[before[id]]; changed = 1 }
        }
    } while (changed)
    for (i = 1; i <= count; i++) {
        id = order[i]
        if (task[id] != "" || id in stamped) {
            if (task[id] == "") task[id] = "?"
            print id "\t" state[id] "\t" task[id] "\t" reason[id]
            mine[id] = 1
        }
    }
    for (i = 1; i <= count; i++) {
        id = order[i]
        if (id in mine) continue
        others = waits[id]
        gsub(/[^0-9]+/, " ", others)
        number = split(others, other, " ")
        for (j = 1; j <= number; j++) if (other[j] in mine) { print id "\tWAITS\t-\t" other[j]; break }
    }
}'

# Looks at the queue: 0 and $rows, or 1 and $fault. Jobs that ended in the last minutes are in it, too.
take() {
    limit=15
    listing=$(bounded squeue --me -h -t all -O JobID:20,State:20,Reason:60,Dependency:400,Command:4200,STDOUT:4200,Comment:4200 2>&1)
    code=$?
    if [ "$code" != 0 ]; then
        fault="squeue: $(words "$listing")"
        [ "$code" = 124 ] && fault="squeue: no answer within $limit s"
        return 1
    fi
    OTHER=$(other_root)
    CHAINS=$(chains)
    rows=$(printf '%s\n' "$listing" | ROOT=$ROOT OTHER=$OTHER STAMP=$STAMP CHAINS=$CHAINS awk "$WHICH")
    rows=$(printf '%s\n' "$rows" | asked "$@")
}

# Only the rows of the tasks that were asked for.
asked() {
    if [ $# = 0 ]; then cat; else NAMES=$(printf '%s\n' "$@") awk -F '\t' '
        BEGIN { n = split(ENVIRON["NAMES"], name, "\n"); for (i = 1; i <= n; i++) wanted[name[i]] = 1 }
        $3 in wanted || $2 == "WAITS" || $3 == "?"'; fi
}

of_states() {
    printf '%s\n' "$rows" | awk -F '\t' -v ended="$ENDED" -v kind="$1" '
        $1 == "" || $2 == "WAITS" || index(ended, " " $2 " ") { next }
        kind == "waiting" && $2 !~ /^(PENDING|REQUEUED|REQUEUE_HOLD|SPECIAL_EXIT|RESV_DEL_HOLD)$/ { next }
        kind == "active" && $2 ~ /^(PENDING|REQUEUED|REQUEUE_HOLD|SPECIAL_EXIT|RESV_DEL_HOLD|COMPLETING)$/ { next }
        { print $1 "\t" $3 }'
}

show() { printf '%s\n' "$rows" | awk -v kind="$1" '$0 != "" { print kind "\t" $0 }'; }

# Ends the jobs that are given as lines "id <tab> task", and leaves a marker for each that the scheduler took the order for.
end() {
    [ -z "$1" ] && return
    limit=10
    # shellcheck disable=SC2046 # ids are digits
    said=$(bounded scancel $(printf '%s\n' "$1" | cut -f 1) 2>&1)
    all=$?
    printf '%s\n' "$1" | while IFS='	' read -r id name; do
        if [ "$all" = 124 ] || [ "$all" = 137 ]; then
            printf '@refused\t%s\tno answer within %s s\n' "$id" "$limit" && continue
        elif [ "$all" != 0 ]; then
            said=$(bounded scancel "$id" 2>&1) || { printf '@refused\t%s\t%s\n' "$id" "$(words "$said")" && continue; }
        fi
        printf '@sent\t%s\t%s\n' "$id" "$name"
        mark "$id" "$name"
    done
}

mark() {
    [ -d "$ROOT/$2/logs" ] || return
    grep -qs "^$1 " "$ROOT/$2/logs/$MARKER" && return
    { printf '%s %s\n' "$1" "$(date +%s)" >>"$ROOT/$2/logs/$MARKER"; } 2>/dev/null || printf '@unmarked\t%s\n' "$2"
}

# A job can end by itself between the look and the order: its task was not cancelled.
unmark() {
    printf '%s\n' "$rows" | awk -F '\t' '
        $2 == "CANCELLED" { cancelled[$3] = 1 }
        $1 != "" && $3 != "?" && $3 != "-" { seen[$3] = 1 }
        END { for (name in seen) if (!(name in cancelled)) print name }' | while read -r name; do
        last=$(tail -n 1 "$ROOT/$name/logs/$MARKER" 2>/dev/null) || continue
        [ "${last##* }" -ge "$began" ] 2>/dev/null && rm -f -- "$ROOT/$name/logs/$MARKER"
    done
}

cancel() {
    began=$(date +%s)
    looks=0
    while :; do
        if ! take "$@"; then
            printf '@fault\t%s\n' "$fault"
            return
        fi
        [ "$looks" = 0 ] && show @before
        looks=$((looks + 1))
        # A job whose task is not known belongs to none of those that were asked for.
        [ $# = 0 ] || rows=$(printf '%s\n' "$rows" | awk -F '\t' '$3 != "?"')
        # However slow the first look was, the order is given once.
        over=$((looks > 1 && $(date +%s) - began >= SECONDS_GIVEN))
        if [ -z "$(of_states live)" ]; then
            # What is being submitted at this moment is not in the queue yet.
            submitting || break
            [ "$over" = 1 ] && printf '@fault\ta resume of this run is under way\n' && return
        elif [ "$over" = 1 ]; then
            break
        fi
        # What waits goes first: a follow-on would start when the job before it ends.
        waiting=$(of_states waiting)
        active=$(of_states active)
        end "$waiting"
        end "$active"
        { [ -n "$waiting" ] && [ "$looks" = 1 ]; } || nap
    done
    unmark
    show @after
}

# One resume at a time. The lock appears with its content; one that its owner left is moved aside once, by the time in it.
lock() {
    token=$(date +%s).$$.$(uname -n)
    mkdir -- "$ROOT/$LOCK.$token" 2>/dev/null && printf '%s\n' "$token" >"$ROOT/$LOCK.$token/owner" || return 2
    mv -T -- "$ROOT/$LOCK.$token" "$ROOT/$LOCK" 2>/dev/null && return 0
    taken_at || since=$(date +%s)
    age=$(($(date +%s) - since))
    if [ "$age" -gt "$STALE" ] && mv -T -- "$ROOT/$LOCK" "$ROOT/$LOCK.left.$since" 2>/dev/null; then
        printf '@note\ta resume that began %s s ago left its lock; it was set aside\n' "$age"
        mv -T -- "$ROOT/$LOCK.$token" "$ROOT/$LOCK" 2>/dev/null && return 0
    fi
    rm -rf -- "${ROOT:?}/$LOCK.$token"
    return 1
}

# When the lock was taken: 0 and $since. Anybody may have written the file, and a shell runs what arithmetic is given: digits only.
taken_at() {
    since=$(head -c 200 -- "$ROOT/$LOCK/owner" 2>/dev/null) || return 1
    since=${since%%.*}
    case $since in '' | 0* | *[!0-9]* | ????????????*) return 1 ;; esac
}

submitting() { taken_at && [ $(($(date +%s) - since)) -le "$STALE" ]; }

unlock() { [ "$(cat "$ROOT/$LOCK/owner" 2>/dev/null)" = "$token" ] && rm -rf -- "${ROOT:?}/$LOCK"; }

# Puts back what the environment held under the names of this script. Only in a subshell.
given() {
    for ours in $OURS; do eval "unset $ours; [ -z \"\$WAS_$ours\" ] || export $ours\"\$WAS_$ours\""; done
}

# As `bounded`, without a variable: the environment is the job's.
submitted() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 60 sbatch --parsable run.sub; else sbatch --parsable run.sub; fi
}

# Submits one task as `nel resume` (0.2.6) does, but keeps the list of its jobs: their logs stay attributed, and the new job is on it.
submit() {
    place=$ROOT/$1
    said=$(cd -- "$place" && given && submitted 2>&1)
    ended=$?
    job=$(printf '%s\n' "$said" | sed -n 's/^\([0-9][0-9]*\)\(;.*\)\{0,1\}$/\1/p' | tail -n 1)
    if [ "$ended" != 0 ] || [ -z "$job" ]; then
        # It may have been taken although its answer was lost.
        if take "$1"; then job=$(of_states live | head -n 1 | cut -f 1); else job='' ended=unseen said="$said; $fault"; fi
        [ -z "$job" ] && printf '@declined\t%s\t%s\t%s\n' "$1" "$ended" "$(words "$said")" && return
    fi
    printf '@queued\t%s\t%s\n' "$1" "$job"
    { printf '%s\n' "$job" >>"$place/.slurm_job_id.list"; } 2>/dev/null || printf '@unlisted\t%s\n' "$1"
    rm -f -- "$place/.accumulated_walltime" "$place/logs/$MARKER"
}

resume() {
    began=$(date +%s)
    if [ ! -d "$ROOT" ]; then
        if ls -- "${ROOT%/*}/" >/dev/null 2>&1; then echo '@absent'; else echo '@unseen'; fi
        return
    fi
    lock
    case $? in
    1) printf '@locked\t%s\n' "$age" && return ;;
    2) echo '@unwritable' && return ;;
    esac
    if ! take "$@"; then
        printf '@fault\t%s\n' "$fault"
        unlock
        return
    fi
    show @before
    seen=$rows
    for name in "$@"; do
        rows=$(printf '%s\n' "$seen" | asked "$name")
        if [ -n "$(of_states live)" ]; then
            printf '@live\t%s\n' "$name"
        elif [ ! -r "$ROOT/$name/run.sub" ]; then
            printf '@script\t%s\n' "$name"
        elif grep -q '^source ".*/\.secrets\.env"' "$ROOT/$name/run.sub" && [ ! -r "$ROOT/$name/.secrets.env" ]; then
            printf '@secrets\t%s\n' "$name"
        elif [ $(($(date +%s) - began)) -ge "$SECONDS_GIVEN" ]; then
            printf '@late\t%s\n' "$name"
        else
            submit "$name"
        fi
    done
    unlock
}

main() {
    verb=$1 SECONDS_GIVEN=$2 STAMP=$3 ROOT=$4
    shift 4
    printf '@clock\t%s\n' "$(date +%s)"
    case $verb in
    cancel) cancel "$@" ;;
    resume) resume "$@" ;;
    esac
    echo '@end'
}
main "$@" </dev/null
