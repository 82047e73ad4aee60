# Mirador. `make demo` shows it, `make test` tests it, `make check` is the gate before a commit.
GO ?= go
SHARED ?= ../shared
OUT ?= out
ENGINE = bin/mirador replay [[?rules:--rules {rules}]] [[?config:--suricata-config {config}]] --out {out} {args} {pcap}

.PHONY: build demo test check race bench fuzz suite rules-check compare clean

build:
	$(GO) build -o bin/mirador ./cmd/mirador

demo:
	$(GO) run ./cmd/mirador demo

test:
	$(GO) test ./...

check: build
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test ./...

# The rooms with goroutines.
race:
	$(GO) test -race -short ./internal/sensor/... ./internal/capture/... ./internal/web/... ./internal/detect/... ./cmd/...

bench:
	$(GO) test -run '^$$' -bench . -benchtime 1x ./...

# Each fuzz target for FUZZTIME.
FUZZTIME ?= 60s
fuzz:
	bench/fuzz.sh $(FUZZTIME)

# The peer's suite, developers' part, on our engine.
suite: build
	bench/suite.sh

clean:
	rm -rf bin $(OUT)
