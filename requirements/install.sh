#!/bin/sh
# Makes or renews a virtual environment: install.sh VENV LOCK [only]
#
# Installs exactly what LOCK lists (every file checked against its hash; nothing is resolved anew, since a lock is
# complete, and some pips ask for the newest release of a package that another one names with an extra), then, unless told `only`, this project as
# editable, built by the locked backend without build isolation: the second step touches no network. Says nothing when all went well on an
# environment that was there; PYTHON picks the interpreter of a new one.
set -eu
export LC_ALL=C
venv=$1
lock=$2
only=${3:-}
wanted='import sys; sys.exit(sys.version_info < (3, 11))'

die() {
    printf 'btcbot: %s\n' "$*" >&2
    exit 1
}

pick_python() {
    if [ -n "${PYTHON:-}" ]; then
        "$PYTHON" -c "$wanted" 2>/dev/null || die "PYTHON=$PYTHON is not Python 3.11 or newer. Next: name one that is."
        printf '%s\n' "$PYTHON"
        return
    fi
    for python in python3 python3.13 python3.12 python3.11 python3.14; do
        if "$python" -c "$wanted" 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    die 'no Python 3.11 or newer found. Next: install one, or name it: make PYTHON=/path/to/python3.12 ...'
}

# An environment without a working pip is the rest of an interrupted attempt, or its interpreter has gone.
if ! "$venv/bin/python" -c "import pip; $wanted" 2>/dev/null; then
    python=$(pick_python)
    printf 'btcbot: making %s with %s\n' "$venv" "$("$python" --version)" >&2
    "$python" -m venv --clear "$venv" ||
        die "$python cannot make virtual environments. Next: install its venv module (Debian: python3-venv), or name another with PYTHON=."
fi

pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"
}

printf 'btcbot: installing from %s\n' "$lock" >&2
pip install --require-hashes --no-deps -r "$lock" ||
    die "could not install from $lock. Next: see pip's message above; a package registry must be reachable once."
[ "$only" = only ] || pip install --no-index --no-deps --no-build-isolation --editable . ||
    die 'could not install btcbot itself. Next: see the message above.'
