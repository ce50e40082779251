#!/bin/sh
# Installs the Python SDK into test/sdkpy/.venv and runs its suite against the server binary and that with a clock to move
# (INGOT_BIN and INGOT_CLOCK_BIN, else built here). Quiet on success but for one line; needs Python 3.11 or newer.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${INGOT_BIN:-}" ]; then
    (cd .. && go build -o "$work/server" ./cmd/server)
    INGOT_BIN=$work/server
fi
if [ -z "${INGOT_CLOCK_BIN:-}" ]; then
    (cd .. && go build -o "$work/clockserver" ./internal/tools/clockserver)
    INGOT_CLOCK_BIN=$work/clockserver
fi
INGOT_BIN=$(realpath "$INGOT_BIN")
INGOT_CLOCK_BIN=$(realpath "$INGOT_CLOCK_BIN")
export INGOT_BIN INGOT_CLOCK_BIN
cd sdkpy
# An unchanged list of versions needs no new install.
if ! cmp -s requirements.txt .venv/installed; then
    if ! { "${PYTHON:-python3}" -m venv .venv && timeout 300 .venv/bin/pip install -q --disable-pip-version-check -r requirements.txt; } >"$work/install" 2>&1; then
        cat "$work/install"
        exit 1
    fi
    cp requirements.txt .venv/installed
fi
if ! PYTHONDONTWRITEBYTECODE=1 timeout 600 .venv/bin/python -m pytest >"$work/log" 2>&1; then
    cat "$work/log"
    exit 1
fi
passed=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' "$work/log")
if [ "${passed:-0}" -lt 137 ]; then
    cat "$work/log"
    echo "run-py: only ${passed:-0} tests passed"
    exit 1
fi
echo "sdkpy: $(tail -n 1 "$work/log")"
