#!/usr/bin/env bash
# Calls the API of a server (INGOT_BIN, else built here) with clients that others have made: grpcurl for gRPC, buf for gRPC,
# gRPC-Web and Connect, curl for REST; with and without keys. Quiet on success but for one line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
server=""
stop() {
	[[ -z $server ]] || kill "$server" 2>/dev/null || true
	[[ -z $server ]] || wait "$server" 2>/dev/null || true
	server=""
}
trap 'stop; rm -rf "$work"' EXIT
export CGO_ENABLED=0
if [[ -z ${INGOT_BIN:-} ]]; then
	go build -o "$work/server" ./cmd/server
	INGOT_BIN=$work/server
fi
INGOT_BIN=$(realpath "$INGOT_BIN")
# Built once: "go tool" would look at all of their sources at each call.
go build -modfile=tools/grpcurl/go.mod -o "$work/grpcurl" github.com/fullstorydev/grpcurl/cmd/grpcurl
go build -modfile=tools/buf/go.mod -o "$work/buf" github.com/bufbuild/buf/cmd/buf

key=00112233445566778899aabbccddeeff
checks=0
fail() {
	echo "FAIL $1" >&2
	sed 's/^/  server: /' "$work/log" >&2
	exit 1
}

# expect NAME PATTERN COMMAND...: what the command says, to either stream, has the pattern.
expect() {
	local name=$1 pattern=$2 out
	shift 2
	out=$("$@" 2>&1) || true
	grep -q -- "$pattern" <<<"$out" || fail "$name: no \"$pattern\" in: $out"
	checks=$((checks + 1))
}

# begin MODE FLAGS...: a server on a port of its own.
begin() {
	local log=$work/log
	(cd "$work" && exec "$INGOT_BIN" "$@" --host 127.0.0.1 --port "$port") >"$log" 2>&1 &
	server=$!
	for _ in $(seq 100); do
		curl -sf "localhost:$port/health" >/dev/null && return
		sleep 0.1
	done
	fail "the server does not start"
}

grpc() { "$work/grpcurl" -plaintext -import-path proto -import-path third_party/googleapis -proto api/v2/service.proto "$@"; }
buf() {
	local protocol=$1 method=$2 data=$3
	shift 3
	"$work/buf" curl --schema . --protocol "$protocol" --http2-prior-knowledge --data "$data" "$@" "http://localhost:$port/api.v2.APIService/$method"
}

port=$((20000 + RANDOM % 10000))
begin dev --no-discovery
expect "grpcurl health" '"status": "ok"' grpc "localhost:$port" api.v2.APIService/Health
expect "grpcurl event" '"eventId"' grpc -d '{"name":"a/b","data":{"n":1}}' "localhost:$port" api.v2.APIService/SendEvent
expect "grpcurl refusal" 'Code: NotFound' grpc -d '{"appId":"nope"}' "localhost:$port" api.v2.APIService/GetApp
expect "grpcurl refusal, details" 'App not found' grpc -d '{"appId":"nope"}' "localhost:$port" api.v2.APIService/GetApp
expect "grpcurl describes" 'rpc InvokeFunction' "$work/grpcurl" -plaintext "localhost:$port" describe api.v2.APIService
for protocol in grpc grpcweb connect; do
	expect "buf health, $protocol" '"status": *"ok"' buf "$protocol" Health '{}'
	expect "buf event, $protocol" '"eventId"' buf "$protocol" SendEvent '{"name":"a/b","data":{"n":1}}'
	expect "buf refusal, $protocol" 'App not found' buf "$protocol" GetApp '{"appId":"nope"}'
	expect "buf runs, $protocol" '"limit": *20' buf "$protocol" ListRuns '{}'
done
for prefix in /api/v2 /v2; do
	expect "curl, $prefix" '"status": *"ok"' curl -s "localhost:$port$prefix/health"
	expect "curl openapi, $prefix" '"openapi"' curl -s "localhost:$port$prefix/openapi.json"
done
expect "curl Connect" '"status": *"ok"' curl -s -H 'Content-Type: application/json' -d '{}' "localhost:$port/api.v2.APIService/Health"
expect "curl over HTTP/2" '"status": *"ok"' curl -s --http2-prior-knowledge "localhost:$port/v2/health"
expect "api" '"status": "ok"' "$INGOT_BIN" api --api-port "$port" health
stop

port=$((port + 1))
begin start --signing-key "$key" --event-key k
expect "grpcurl without a key" 'Unauthenticated' grpc "localhost:$port" api.v2.APIService/Health
expect "grpcurl describes nothing without a key" '401' "$work/grpcurl" -plaintext "localhost:$port" list
expect "grpcurl with the key" '"status": "ok"' grpc -H "Authorization: Bearer $key" "localhost:$port" api.v2.APIService/Health
for protocol in grpc grpcweb connect; do
	expect "buf without a key, $protocol" 'unauthenticated' buf "$protocol" Health '{}'
	expect "buf with the key, $protocol" '"status": *"ok"' buf "$protocol" Health '{}' -H "Authorization: Bearer $key"
done
for path in health account openapi.json operations apps runs nope; do
	expect "curl $path without a key" 'Authentication failed' curl -s "localhost:$port/api/v2/$path"
done
expect "curl with the key" '"\*\*\*\*\*\*\*\*eeff"' curl -s -H "Authorization: Bearer $key" "localhost:$port/api/v2/keys/signing"
expect "api without a key" 'answered 401' "$INGOT_BIN" api --api-port "$port" health
expect "api with the key" '"status": "ok"' env INNGEST_SIGNING_KEY="$key" "$INGOT_BIN" api --api-port "$port" health
stop
echo "api: $checks calls passed, 0 failed"
