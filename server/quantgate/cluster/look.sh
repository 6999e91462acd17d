# Tells in one answer what a cluster knows of some runs: their directories, the queue and the accounting.
# Sent to `sh -s -- IDS PLACE…` by scheduler.py, which reads what it prints. IDS are job ids with commas between, "-" for none.
# A PLACE is a task's directory; one that ends with "/" is an invocation's, and its tasks are meant. Programs are started once
# for all of them, not once for each. A line that begins with "@" is ours: of files and of Slurm none is let through.
LC_ALL=C
export LC_ALL
SLURM_TIME_FORMAT=%s
export SLURM_TIME_FORMAT
sep=$(printf '\037')
limit=20

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 "$limit" "$@"; else "$@"; fi
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
    for directory in "$@"; do
        shift
        [ -f "$directory/artifacts/response_stats_cache/cache.db" ] && set -- "$@" "$directory"
    done
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
    for directory in "$@"; do
        shift
        set -- "$@" "$directory" "$directory/artifacts"
    done
    [ $# -gt 0 ] && bounded ls -f -- "$@" >/dev/null 2>&1
}

main() {
    ids=$1
    shift
    [ "$ids" = - ] && ids=
    printf '@clock %s %s %s\n' "$(date +%s)" "$(id -u)" "$(id -un)"
    held=$(mktemp 2>/dev/null) || held=
    if [ -n "$held" ]; then
        trap 'rm -f "$held" "$held.answers"' EXIT
        queue -u "$(id -un)" >"$held" &
    fi

    # The tasks of the invocations that are meant.
    left=$#
    while [ "$left" -gt 0 ]; do
        place=$1
        shift
        left=$((left - 1))
        case $place in
        */)
            place=${place%/}
            found=
            for directory in "$place"/*.[0-9]*; do
                [ -d "$directory" ] || continue
                case ${directory##*/} in *[!A-Za-z0-9._+=@,:-]*) continue ;; esac
                set -- "$@" "$directory"
                found=1
            done
            [ -n "$found" ] || set -- "$@" "$place"
            ;;
        *) set -- "$@" "$place" ;;
        esac
    done

    limit=5
    listed "$@"
    limit=20
    of_others=
    for directory in "$@"; do
        shift
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
        set -- "$@" "$directory"
    done

    # Everything below is asked of all directories at once.
    for directory in "$@"; do
        shift
        set -- "$@" "$directory/.slurm_job_id.list"
    done
    if [ $# -gt 0 ]; then
        lists=$(beginnings "$@")
        if [ $? -ge 124 ]; then
            # Without the ids of its jobs a run would look as if it never had one.
            echo "its file system does not answer within $limit s" >&2
            exit 1
        fi
        printf '@chains\n%s\n' "$lists"
        while read -r line; do
            case $line in '' | *[!0-9]* | ?????????????*) ;; *) ids="$ids,$line" ;; esac
        done <<END
$lists
END
        for list in "$@"; do
            shift
            directory=${list%/.slurm_job_id.list}
            [ -e "$directory/artifacts/results.yml" ] || set -- "$@" "$directory"
        done
    fi
    if [ $# -gt 0 ]; then
        [ -n "$held" ] && answers "$@" >"$held.answers" &
        # Only of what has not succeeded: when something was written last, the progress, and what Slurm and NEL said of the jobs.
        printf '@changes\n'
        bounded find "$@" -maxdepth 2 -type f \( -path '*/logs/*' -o -path '*/artifacts/*' \) ! -name '*[![:print:]]*' \
            -printf '%T@ %p\n' 2>/dev/null | head -n 20000
        for directory in "$@"; do
            shift
            set -- "$@" "$directory/artifacts/progress" "$directory/.accumulated_walltime"
        done
        printf '@contents\n'
        beginnings "$@"
        for file in "$@"; do
            shift
            directory=${file%/.accumulated_walltime}
            [ "$directory" = "$file" ] && continue
            for log in "$directory"/logs/slurm-*.log; do
                case ${log##*/} in *[!0-9A-Za-z._-]*) continue ;; esac
                [ -f "$log" ] && set -- "$@" "$log"
            done
        done
        printf '\n@said\n'
        if [ $# -gt 0 ]; then
            limit=5
            ended='slurmstepd[^:]*: error: (\*\*\* JOB [0-9]+ |.*([Ee]xceeded (job )?memory limit|oom[_-]kill))'
            bounded grep -HaE -m 20 "^(ERROR: Maximum total walltime|previous SLURM_JOB_ID [0-9]+ finished|$ended)" "$@" 2>/dev/null | cut -c 1-600
            limit=20
        fi
    fi

    clean=$(printf '%s' "$ids" | tr -s , | sed 's/^,//; s/,$//')
    printf '@accounting\n'
    if [ -z "$clean" ]; then
        echo '@code 0'
    else
        rows=$(bounded sacct -X -n -P --delimiter="$sep" -j "$clean" \
            -o JobID,JobIDRaw,State%60,ExitCode,Reason%60,Submit,Start,End,ElapsedRaw,TimelimitRaw,JobName%200,User 2>&1)
        code=$?
        printf '%s\n' "$rows" | sed 's/^@/ /'
        printf '@code %s\n' "$code"
        case $rows in
        *'CANCELLED by '*)
            limit=3
            users=$(printf '%s\n' "$rows" | sed -n "s/.*CANCELLED by \([0-9][0-9]*\).*/\1/p" | sort -u | head -n 20)
            printf '@users\n'
            # shellcheck disable=SC2086 # numbers, one argument each
            bounded getent passwd $users | cut -d : -f 1,3
            limit=20
            ;;
        esac
    fi
    if [ -n "$held" ]; then
        wait
        printf '@answers\n'
        [ -f "$held.answers" ] && cat "$held.answers"
    fi
    printf '@queue\n'
    if [ -n "$held" ]; then
        cat "$held"
    else
        queue -u "$(id -un)"
    fi
    # Jobs of somebody else are not among ours; asked for by their ids, of which one that the queue has forgotten is an error.
    if [ -n "$of_others" ] && [ -n "$clean" ]; then
        queue -j "$clean,$clean" | grep -v '^@code'
    fi
    printf '@end\n'
}
main "$@" </dev/null
