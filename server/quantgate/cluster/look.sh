# Tells in one answer what a cluster knows of some runs: their directories, the queue and the accounting.
# Sent to `sh -s -- IDS PLACE…` by scheduler.py, which reads what it prints. IDS are job ids with commas between, "-" for none.
# A PLACE is a task's directory; one that ends with "/" is an invocation's, and its tasks are meant. Programs are started once
# for BATCH of them, not once for each. A line that begins with "@" is ours: of files and of Slurm none is let through.
# Lists are lines of text that become words at once: to add one word a shell copies all others, which takes a minute for a sweep of
# some thousand. No path that is looked at holds a line break.
LC_ALL=C
export LC_ALL
SLURM_TIME_FORMAT=%s
export SLURM_TIME_FORMAT
sep=$(printf '\037')
newline='
'
limit=20
# Directories at a time, and job ids in one word: Linux takes 2 MB of words, and 128 KB in each.
BATCH=200
IDS=2500

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 "$limit" "$@"; else "$@"; fi
}

# Calls a function with the lines of $lines as its words.
called() {
    set -f
    IFS=$newline
    # shellcheck disable=SC2086 # a word for each line
    set -- "$1" $lines
    unset IFS
    set +f
    "$@"
}

# The first lines of small regular files, each after a line of ours with its path: no line of a file begins with "@". A pipe or
# a device is not opened; a file system that does not answer ends it with the code of `timeout`.
beginnings() {
    names=$(bounded find "$@" -maxdepth 0 -type f -size -65536c -print 2>/dev/null)
    [ $? -lt 124 ] || return 124
    # shellcheck disable=SC2016 # awk's own names
    printf '%s\n' "$names" | bounded awk '
        $0 != "" {
            file = $0
            left = 8000
            print "@file " file
            while (left > 0 && (getline line < file) > 0) {
                left -= length(line) + 1
                line = substr(line, 1, 100)
                sub(/^@/, " ", line)
                print line
            }
            close(file)
        }' 2>/dev/null
}

# Wide columns: what is longer is cut. The output file's name holds the task's directory, for every job of a chain.
columns=
for column in JobArrayID:60 State:40 Reason:120 Dependency:600 Comment:600 StartTime:40 SubmitTime:40 Name:300 Command:1200 \
    StdOut:1200 UserName:80; do
    columns="$columns$column$sep,"
done
queue() {
    rows=$(bounded squeue "$@" -h -O "${columns%,}" 2>&1)
    code=$?
    case $rows in
    *nvalid*format*)
        rows=$(bounded squeue "$@" -h -o "%i$sep%T$sep%r$sep%E$sep%k$sep%S$sep%V$sep%j$sep%o$sep%u" 2>&1)
        code=$?
        ;;
    esac
    printf '%s\n' "$rows" | sed "s/^@/ /; s/  *$sep/$sep/g"
    printf '@code %s\n' "$code"
}

# The statistics of the answers are a database that the job writes. It is read as a file that nobody writes: no lock is taken and
# none of its side files is touched or seen, so the newest answers may be missing. A torn read is an error and tells nothing.
answers() {
    lines=$(for directory in "$@"; do
        [ -f "$directory/artifacts/response_stats_cache/cache.db" ] && printf '%s\n' "$directory"
    done)
    called counted
}
counted() {
    [ $# -gt 0 ] && command -v python3 >/dev/null 2>&1 && bounded python3 -c '
import os, sqlite3, sys, urllib.parse
for directory in sys.argv[1:]:
    file = directory + "/artifacts/response_stats_cache/cache.db"
    try:
        when = int(os.stat(file).st_mtime)
        opened = sqlite3.connect("file:" + urllib.parse.quote(file) + "?mode=ro&immutable=1", uri=True)
        found = opened.execute("SELECT count(*) FROM Cache WHERE key != ? AND instr(CAST(value AS TEXT), ?) > 0",
                               ("interceptor_state", "\"status_code\": 200")).fetchone()[0]
        print(int(found), when, directory)
    except (sqlite3.Error, OSError):
        continue
' "$@" </dev/null 2>/dev/null
}

# A client of a file system on a network may remember that a file was absent: to list its directory asks the server again.
listed() {
    lines=$(for directory in "$@"; do printf '%s\n%s/artifacts\n' "$directory" "$directory"; done)
    called shown_to_nobody
}
shown_to_nobody() { [ $# -gt 0 ] && bounded ls -f -- "$@" >/dev/null 2>&1; }

# The tasks of the invocations that are meant, a line each.
expanded() {
    for place in "$@"; do
        case $place in
        */)
            place=${place%/}
            found=
            for directory in "$place"/*.[0-9]*; do
                [ -d "$directory" ] || continue
                case ${directory##*/} in *[!A-Za-z0-9._+=@,:-]*) continue ;; esac
                printf '%s\n' "$directory"
                found=1
            done
            [ -n "$found" ] || printf '%s\n' "$place"
            ;;
        *) printf '%s\n' "$place" ;;
        esac
    done
}

in_batches() {
    batch=
    count=0
    number=0
    for one in "$@"; do
        batch=$batch$one$newline
        count=$((count + 1))
        [ "$count" -lt "$BATCH" ] && continue
        lines=$batch
        called look_at
        batch=
        count=0
    done
    lines=$batch
    [ "$count" -eq 0 ] || called look_at
}

look_at() {
    number=$((number + 1))
    limit=5
    listed "$@"
    limit=20
    printf '@places\n'
    lines=
    for directory in "$@"; do
        printf '@directory %s\n' "$directory"
        if [ ! -d "$directory" ]; then
            # A parent that can be listed proves the absence; one that cannot be reached proves nothing.
            if [ -e "$directory" ]; then echo '@other'; elif ls "${directory%/*/*}" >/dev/null 2>&1; then echo '@absent'; else echo '@unseen'; fi
            continue
        fi
        if [ ! -x "$directory" ] || [ ! -r "$directory" ]; then
            echo '@unseen'
            continue
        fi
        # Markers that cannot be looked for are not absent; the list of its jobs is read all the same.
        artifacts=$directory/artifacts
        if [ -e "$artifacts" ] && { [ ! -x "$artifacts" ] || [ ! -r "$artifacts" ]; }; then echo '@unseen'; fi
        [ -O "$directory" ] || of_others=1
        for name in artifacts/results.yml artifacts/.nemo_evaluator_interrupted artifacts/.nemo_evaluator_server_error \
            logs/stage.cancelled run.sub; do
            [ -e "$directory/$name" ] && printf '@has %s\n' "$name"
        done
        lines=$lines$directory$newline
    done
    called jobs_of
}

# The lists of the tasks' jobs; then what is to be known of those that have not succeeded.
jobs_of() {
    [ $# -gt 0 ] || return 0
    lines=$(printf '%s/.slurm_job_id.list\n' "$@")
    lists=$(called beginnings)
    if [ $? -ge 124 ]; then
        # Without the ids of its jobs a run would look as if it never had one.
        echo "its file system does not answer within $limit s" >&2
        exit 1
    fi
    printf '@chains\n%s\n' "$lists"
    ids=$ids$(printf '%s\n' "$lists" | awk 'NF == 1 && $1 ~ /^[0-9]+$/ && length($1) <= 12 { printf ",%s", $1 }')
    lines=
    for directory in "$@"; do
        [ -e "$directory/artifacts/results.yml" ] || lines=$lines$directory$newline
    done
    called going_on
}

# When something was written last, the progress, and what Slurm and NEL said of the jobs.
going_on() {
    [ $# -gt 0 ] || return 0
    [ -n "$held" ] && answers "$@" >"$held.answers.$number" &
    # The newest of each folder: a task may write a file for every sample.
    printf '@changes\n'
    bounded find "$@" -maxdepth 2 -type f \( -path '*/logs/*' -o -path '*/artifacts/*' \) ! -name '*[![:print:]]*' \
        -printf '%T@ %p\n' 2>/dev/null | awk '
        {
            folder = substr($0, length($1) + 2)
            sub(/\/[^\/]*$/, "", folder)
            if (!(folder in newest) || $1 + 0 > when[folder]) { when[folder] = $1 + 0; newest[folder] = $0 }
        }
        END { for (folder in newest) print newest[folder] }'
    lines=$(for directory in "$@"; do printf '%s/artifacts/progress\n%s/.accumulated_walltime\n' "$directory" "$directory"; done)
    printf '@contents\n'
    called beginnings
    printf '\n@said\n'
    lines=$(for directory in "$@"; do
        for log in "$directory"/logs/slurm-*.log; do
            case ${log##*/} in *[!0-9A-Za-z._-]*) continue ;; esac
            [ -f "$log" ] && printf '%s\n' "$log"
        done
    done)
    limit=5
    ended='slurmstepd[^:]*: error: (\*\*\* JOB [0-9]+ |.*([Ee]xceeded (job )?memory limit|oom[_-]kill))'
    [ -n "$lines" ] && called told_by_logs
    limit=20
}
told_by_logs() {
    bounded grep -HaE -m 20 "^(ERROR: Maximum total walltime|previous SLURM_JOB_ID [0-9]+ finished|$ended)" "$@" 2>/dev/null | cut -c 1-600
}

# The accounting of so many jobs at a time; of several answers the first that is none counts.
accounting() {
    worst=0
    users=
    for part in $parts; do
        rows=$(bounded sacct -X -n -P --delimiter="$sep" -j "$part" \
            -o JobID,JobIDRaw,State%60,ExitCode,Reason%60,Submit,Start,End,ElapsedRaw,TimelimitRaw,JobName%200,User 2>&1)
        worst=$?
        printf '%s\n' "$rows" | sed 's/^@/ /'
        [ "$worst" -eq 0 ] || break
        case $rows in
        *'CANCELLED by '*)
            users="$users $(printf '%s\n' "$rows" | sed -n "s/.*CANCELLED by \([0-9][0-9]*\).*/\1/p" | sort -u | head -n 20)"
            ;;
        esac
    done
    printf '@code %s\n' "$worst"
    if [ -n "$users" ]; then
        limit=3
        printf '@users\n'
        # shellcheck disable=SC2086 # numbers, one argument each
        bounded getent passwd $users | cut -d : -f 1,3
        limit=20
    fi
}

main() {
    ids=$1
    shift
    [ "$ids" = - ] && ids=
    printf '@clock %s %s %s\n' "$(date +%s)" "$(id -u)" "$(id -un)"
    held=$(mktemp 2>/dev/null) || held=
    if [ -n "$held" ]; then
        trap 'rm -f "$held" "$held".answers.*' EXIT
        queue -u "$(id -un)" >"$held" &
    fi
    of_others=
    lines=$(expanded "$@")
    called in_batches
    parts=$(printf '%s' "$ids" | tr -s , '\n' | awk -v most="$IDS" '
        $0 != "" && !($0 in seen) { seen[$0]; printf "%s%s", (n % most ? "," : n ? "\n" : ""), $0; n++ }')
    printf '@accounting\n'
    accounting
    if [ -n "$held" ]; then
        wait
        printf '@answers\n'
        for file in "$held".answers.*; do [ -f "$file" ] && cat "$file"; done
    fi
    printf '@queue\n'
    if [ -n "$held" ]; then
        cat "$held"
    else
        queue -u "$(id -un)"
    fi
    # Jobs of somebody else are not among ours; asked for by their ids, of which one that the queue has forgotten is an error.
    if [ -n "$of_others" ]; then
        for part in $parts; do queue -j "$part,$part" | grep -v '^@code'; done
    fi
    printf '@end\n'
}
main "$@" </dev/null
