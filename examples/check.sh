#!/usr/bin/env bash
# Runs each example as its README says, against a built server, and waits for its run to complete.
#
#   examples/check.sh [go|typescript|python]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export INNGEST_DEV=1

# Ports of the apps, as the examples have them.
declare -A ports=([go]=8080 [typescript]=3000 [python]=8000)
server=""
app=""
data="$(mktemp -d)"
stop() {
	# An app may have children of its own; each was started as a group.
	for pid in $app $server; do kill -- "-$pid" 2>/dev/null || true; done
	for pid in $app $server; do wait "$pid" 2>/dev/null || true; done
	app="" server=""
}
trap 'stop; rm -rf "$data"' EXIT
set -m

fail() {
	echo "FAIL example $1: $2" >&2
	sed 's/^/  server: /' "$data/server.log" >&2
	sed 's/^/  app: /' "$data/app.log" >&2
	exit 1
}

# wait_for runs a command until it succeeds, for at most a minute.
wait_for() {
	local deadline=$((SECONDS + 60))
	until "$@"; do
		((SECONDS < deadline)) || return 1
		sleep 0.2
	done
}

check() {
	local name=$1 began=$SECONDS url="http://localhost:${ports[$1]}/api/inngest" id
	(cd "$data" && exec "$OLDPWD/../bin/server" dev --host 127.0.0.1 --port 8288 --poll-interval 1 -u "$url") >"$data/server.log" 2>&1 &
	server=$!
	case $name in
	go) (cd go && exec go run .) ;;
	typescript) (cd typescript && npm ci --silent --no-audit --no-fund && exec npm start) ;;
	python) (cd python && python3 -m venv .venv && .venv/bin/pip install -q --disable-pip-version-check -r requirements.txt && exec .venv/bin/python app.py) ;;
	esac >"$data/app.log" 2>&1 &
	app=$!

	synced() { curl -sf localhost:8288/dev | grep -q "example-$name-welcome"; }
	wait_for synced || fail "$name" "the app was not synced"
	id="$(curl -sf localhost:8288/e/test -d '{"name":"user/signed.up","data":{"email":"ada@example.com"}}' | sed -E 's/.*"ids":\["([^"]+)".*/\1/')"
	completed() { curl -sf "localhost:8288/v1/events/$id/runs" | grep -q '"status":"Completed"'; }
	wait_for completed || fail "$name" "the run did not complete: $(curl -s "localhost:8288/v1/events/$id/runs")"
	curl -sf "localhost:8288/v1/events/$id/runs" | grep -q 'Welcome, ada@example.com. How is it going?' || fail "$name" "the output is wrong"
	if [[ $name == go ]]; then check_api; fi
	echo "ok  	examples/$name	$((SECONDS - began))s"
	stop
}

# check_api runs the example of the API against the server and the app of the Go example.
check_api() {
	(cd api && go run .) >"$data/api.log" 2>&1 || fail api "$(cat "$data/api.log")"
	for line in 'app example-go has 1 functions' 'started before: true' 'COMPLETED: .*Welcome, ada@example.com. How is it going?'; do
		grep -q "$line" "$data/api.log" || fail api "no \"$line\" in $(cat "$data/api.log")"
	done
	../bin/server api get-runs --app-id example-go --include-output | grep -q '"status": "COMPLETED"' || fail api "the command line shows no run"
}

(($# > 0)) || set -- go typescript python
for name in "$@"; do check "$name"; done
