#!/bin/sh
# Installs the TypeScript SDKs and runs their suites against the server binary and that with a clock to move (INGOT_BIN and
# INGOT_CLOCK_BIN, else built here).
# Quiet on success but for one line; needs Node 20 or newer.
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
cd sdkts
# An unchanged lock file needs no new install.
if ! cmp -s package-lock.json node_modules/.installed-lock; then
    if ! timeout 300 npm ci --no-audit --no-fund >"$work/install" 2>&1; then
        cat "$work/install"
        exit 1
    fi
    cp package-lock.json node_modules/.installed-lock
fi
# Realtime needs the WebSocket of the platform, which Node 20 has behind a flag.
if ! NODE_OPTIONS=--experimental-websocket timeout 900 node --test --test-concurrency=1 --test-timeout=300000 >"$work/log" 2>&1; then
    cat "$work/log"
    exit 1
fi
tests=$(sed -n 's/^. tests //p;s/^# tests //p' "$work/log")
if [ "${tests:-0}" -lt 512 ]; then
    cat "$work/log"
    echo "run-ts: only ${tests:-0} tests ran"
    exit 1
fi
echo "sdkts: $tests passed, 0 failed"
