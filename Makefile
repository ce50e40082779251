# The targets of the project. CI calls the same ones (.ci/run).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Tools are pinned in modules of their own and built by go itself. None of them needs a C compiler.
TOOL := CGO_ENABLED=0 go tool -modfile=tools
BUF := $(TOOL)/buf/go.mod buf
LINT := $(TOOL)/golangci-lint/go.mod golangci-lint
SQLC := $(TOOL)/go.mod sqlc
WIRE := $(TOOL)/go.mod wire
BENCHSTAT := $(TOOL)/go.mod benchstat

# TESTFLAGS goes to every go test, for example TESTFLAGS=-count=1.
TESTFLAGS ?=
# The race detector watches all but SQLite itself, which is C that was translated to Go, and several times slower when it is watched.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false
FUZZTIME ?= 30s
SEEDS ?= 1000
BENCHFLAGS ?=

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

.PHONY: dev
dev: build ## build the server and serve in development mode
	bin/server dev

.PHONY: build
build: ## build bin/server
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/server ./cmd/server

.PHONY: build-clock
build-clock: ## build bin/clockserver, the server whose time tests move
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/clockserver ./internal/tools/clockserver

.PHONY: generate
generate: ## write all generated code again: protobuf, SQL, wiring, mocks, GraphQL
	$(BUF) generate
	go run ./internal/tools/openapi internal/adapters/apiv2/openapi.json
	$(SQLC) generate
	go generate ./internal/...
	$(WIRE) gen .

.PHONY: check-generate
check-generate: generate ## generate, and fail when that changed anything
	@if [ -n "$$(git status --porcelain)" ]; then \
		git --no-pager status --short; git --no-pager diff; \
		echo "make generate changes the tree: commit its output" >&2; exit 1; \
	fi

.PHONY: lint
lint: ## check formatting, vet, all linters, and the protobuf sources
	$(LINT) run ./...
	cd test && CGO_ENABLED=0 go tool -modfile=../tools/golangci-lint/go.mod golangci-lint run --config ../.golangci.yml ./...
	cd examples/go && go vet ./...
	cd examples/api && go vet ./...
	$(BUF) lint

# Coverage comes with the test run, so that nothing runs twice. A failed run leaves no profile behind.
.PHONY: test
test: ## run all tests that need only Go, with the race detector
	@rm -f coverage.out
	go test $(RACE) $(TESTFLAGS) -coverpkg=./internal/... -coverprofile=coverage.tmp ./...
	@mv coverage.tmp coverage.out
	cd test && go test $(RACE) $(TESTFLAGS) ./...

.PHONY: cover
cover: ## hold the coverage of the last test run against the limits
	@[ -f coverage.out ] || { echo "no coverage.out: run make test first" >&2; exit 1; }
	go run ./internal/tools/cover coverage.out

.PHONY: test-sdk
test-sdk: build build-clock ## run the TypeScript and Python SDKs against the built servers
	INGOT_BIN=$(CURDIR)/bin/server INGOT_CLOCK_BIN=$(CURDIR)/bin/clockserver test/run-ts.sh
	INGOT_BIN=$(CURDIR)/bin/server INGOT_CLOCK_BIN=$(CURDIR)/bin/clockserver test/run-py.sh

.PHONY: test-api
test-api: build ## call the built server with grpcurl, buf and curl, in every protocol of the API
	INGOT_BIN=$(CURDIR)/bin/server test/run-v2.sh

.PHONY: examples
examples: build ## run the examples as their READMEs say, and wait for their runs
	examples/check.sh

.PHONY: bench
bench: build ## measure the built server from outside: latency, throughput, CPU, memory
	go run ./bench -server bin/server $(BENCHFLAGS)

.PHONY: bench-go
bench-go: ## run the Go benchmarks; compare two outputs with make benchstat OLD=a NEW=b
	go test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

.PHONY: benchstat
benchstat: ## compare two outputs of bench-go: OLD=a NEW=b
	$(BENCHSTAT) $(OLD) $(NEW)

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@go test -list '^Fuzz' ./... | awk '/^Fuzz/ {names[++n] = $$1} /^ok/ {for (i = 1; i <= n; i++) print $$2, names[i]; n = 0}' | \
	while read -r package target; do \
		echo "== $$package $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package"; \
	done

.PHONY: sim
sim: ## run the simulation on SEEDS seeds
	go test -count=1 -timeout 0 -v -run "TestSeeds$$" ./internal/sim -sim.seeds=$(SEEDS)

.PHONY: verify
verify: check-generate lint test cover test-sdk test-api examples ## everything that CI checks
