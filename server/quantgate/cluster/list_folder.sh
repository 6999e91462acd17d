# Lists one directory, the files behind its links included.
# Sent to `sh -s -- PATH` by folder.py, which reads what it prints: records that end with a NUL.
LC_ALL=C
export LC_ALL
unset CDPATH

bounded() {
    if command -v timeout >/dev/null 2>&1; then timeout -k 2 15 "$@"; else "$@"; fi
}

main() {
    asked=$1
    if ! cd -- "$asked" 2>/dev/null; then
        # A directory above that can be searched proves the absence; one that cannot be reached proves nothing.
        if [ -d "$asked" ]; then
            kind=closed
        elif [ -e "$asked" ]; then
            kind=file
        else
            kind=unseen
            up=$asked
            # Every round takes a part away: what has no slash left would stay as it is for ever.
            while case $up in */*) true ;; *) false ;; esac; do
                up=${up%/*}
                if [ -e "$up/" ]; then
                    [ -x "$up/" ] && kind=absent
                    break
                fi
            done
        fi
        printf '@%s\0@end' "$kind"
        exit
    fi
    printf '@root\t%s\0' "$(pwd -P)"
    bounded find -L . -mindepth 1 -maxdepth 1 -printf '%y\t%s\t%T@\t%f\0'
    printf '@code %s\0' $?
    # Which links lead nowhere, or in a circle: the list above cannot say it of all of them.
    bounded find . -mindepth 1 -maxdepth 1 -type l -printf 'link %Y\t0\t0\t%f\0'
    printf '@code %s\0' $?
    printf '@end'
}
main "$@" </dev/null
