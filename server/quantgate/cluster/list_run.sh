# Lists the directories of a run and those of its files that are asked for by name.
# Sent to `sh -s -- ROOT START NAME…` by listing.py, which reads what it prints: records that end with a NUL.
# ROOT is the run's directory, START the part of it that is listed ("." for all of it).
LC_ALL=C
export LC_ALL
unset CDPATH

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 15 "$@"; else "$@"; fi
}

main() {
    asked=$1
    start=$2
    shift 2
    if ! cd -- "$asked" 2>/dev/null; then
        # A parent that can be listed proves the absence; one that cannot be reached proves nothing.
        if [ -e "$asked" ]; then kind=closed; elif ls -- "${asked%/*}/" >/dev/null 2>&1; then kind=absent; else kind=unseen; fi
        printf '@%s\0@end' "$kind"
        exit
    fi
    root=$(pwd -P)
    for mark in "$start"/*.[0-9]* "$start/logs" "$start/artifacts" "$start/results.yml" "$start/run_config.yml" \
        "$start/eval_factory_metrics.json"; do
        [ -e "$mark" ] && break
    done
    if [ ! -e "$mark" ]; then
        printf '@other\0@end'
        exit
    fi
    printf '@root\t%s\0' "$root"

    bounded find . -mindepth 1 -maxdepth 2 -type d \( -name '*.[0-9]*' -o -name logs -o -name artifacts \) -printf 'd\t0\t0\t%p\0'
    for name in "$@"; do
        set -- "$@" -o -name "$name"
        shift
    done
    shift
    files() {
        bounded find "$@" -type f -printf 'f\t%s\t%T@\t%p\0'
    }
    # Beside a part that is listed alone, the run's own files are.
    [ "$start" = . ] || files . -maxdepth 1 \( "$@" \)
    files "$start" -mindepth 1 -maxdepth 8 \( -type d -name '*cache*' -prune \) -o \( "$@" \)
    printf '@code %s\0' $?
    # A link counts as the file that it leads to, when that one lies in the run.
    bounded find "$start" -mindepth 1 -maxdepth 8 \( -type d -name '*cache*' -prune \) -o -type l \( -name '*.[0-9]*' -o -name logs \
        -o -name artifacts -o "$@" \) -exec sh -c '
        root=$1
        shift
        for link; do
            target=$(readlink -f -- "$link")
            case $target in
            "$root"/*) facts=$(find "$target" -maxdepth 0 -type f -printf "%s\t%T@") ;;
            *) facts= ;;
            esac
            if [ -n "$facts" ]; then printf "f\t%s\t%s\0" "$facts" "$link"; else printf "x\t0\t0\t%s\0" "$link"; fi
        done' sh "$root" {} +
    printf '@end'
}
main "$@" </dev/null
