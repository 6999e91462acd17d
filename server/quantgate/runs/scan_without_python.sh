# The log scan where a cluster's login node has no python3: lines of each class are counted, and benign ones among them are not told apart.
# Sent to `sh -s -- PREFILTER CLASSES ROLES FILE SECONDS OWN RUN TASK` by remote_scan.py, which reads what it prints. CLASSES holds lines of
# a name, a tab and an extended regular expression in lower case; ROLES has commas around each, or is "-"; FILE, OWN and TASK may
# be "-"; RUN is the run's directory.
LC_ALL=C
export LC_ALL
prefilter=$1 CLASSES=$2 roles=$3 only=$4 seconds=$5 own=$6 run=$7 task=$8
export CLASSES
tab=$(printf '\t')

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 "$seconds" "$@"; else "$@"; fi
}

role_of() {
    case $1 in
        client.log | client_stdout.log | client-*.log) echo client ;;
        server.log | server_stdout.log | server-*.log) echo server ;;
        slurm-*.log | slurm-*.out) echo slurm ;;
        proxy*.log) echo proxy ;;
        export*.log) echo export ;;
        install.log) echo install ;;
        *.log) echo runner ;;
    esac
}

one_file() {
    printf '@file%s%s%s%s\n' "$tab" "$1" "$tab" "$(wc -c <"$2")"
    (ulimit -v 1500000; bounded grep -aniE -e "$prefilter"; [ $? -le 1 ] || printf '@cut\n') <"$2" 2>/dev/null | awk '
        BEGIN { rows = split(ENVIRON["CLASSES"], row, "\n"); for (i = 1; i <= rows; i++) { split(row[i], part, "\t"); name[i] = part[1]; ere[i] = part[2] } }
        $0 == "@cut" { print; next }
        {
            at = index($0, ":"); number = substr($0, 1, at - 1); text = substr($0, at + 1); folded = tolower(text)
            for (i = 1; i <= rows; i++) if (folded ~ ere[i]) {
                if (++count[i] <= 3) printf "@sample\t%s\t%s\t%s\n", name[i], number, substr(text, 1, 2000)
            }
        }
        END { for (i = 1; i <= rows; i++) if (count[i]) printf "@count\t%s\t%d\n", name[i], count[i] }'
    if [ "$own" != - ]; then
        (ulimit -v 1500000; bounded grep -aniE -m 10000 -e "$own") <"$2" 2>/dev/null | awk '
            { at = index($0, ":"); if (++count <= 3) printf "@sample\tpattern\t%s\t%s\n", substr($0, 1, at - 1), substr($0, at + 1, 2000) }
            END { if (count) printf "@count\tpattern\t%d\n", count }'
    fi
}

[ -d "$run" ] || printf '@gone\n'
for directory in "$run"/*.[0-9] "$run"/*.[0-9][0-9] "$run"/*.[0-9][0-9][0-9]; do
    [ -d "$directory" ] || continue
    label=${directory##*/} logs=$directory/logs
    case $task in - | "$label" | "${label%.*}") ;; *) continue ;; esac
    printf '@task%s%s\n' "$tab" "$label"
    [ -f "$directory/.slurm_job_id.list" ] && printf '@chain%s%s\n' "$tab" "$(head -c 65536 "$directory/.slurm_job_id.list" | tr -cs 0-9 ' ')"
    [ -d "$logs" ] || { printf '@absent%s%s\n' "$tab" "$label"; continue; }
    [ -L "$logs" ] && { printf '@outside%s%s/logs\n' "$tab" "$label"; continue; }
    for path in "$logs"/*; do
        name=${path##*/}
        role=$(role_of "$name")
        [ -n "$role" ] || continue
        [ "$only" = - ] || [ "$only" = "$name" ] || continue
        case $roles in -) ;; *",$role,"*) ;; *) continue ;; esac
        if [ -L "$path" ]; then
            # Without python3 there may be nothing that tells where a link leads.
            printf '@outside%s%s/%s\n' "$tab" "$label" "$name"
        elif [ -f "$path" ] && [ -r "$path" ]; then
            one_file "$label/$name" "$path"
        fi
    done
done
printf '@end\n'
