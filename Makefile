# Mirador. `make demo` shows it, `make test` tests it, `make check` is the gate before a commit.
GO ?= go
SHARED ?= ../shared
OUT ?= out
ETOPEN ?= $(SHARED)/data/etopen/composite-2025-07.rules

.PHONY: build demo test check race bench fuzz suite rules-check captures probe probe-table compare bench-mirror clean

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
	$(GO) test -race -short ./internal/sensor/... ./internal/capture/... ./internal/agent/... ./internal/web/... ./internal/detect/... ./internal/ec2api ./internal/vpc ./cmd/...

bench:
	$(GO) test -run '^$$' -bench . -benchtime 1x ./...

# Each fuzz target for FUZZTIME.
FUZZTIME ?= 60s
fuzz:
	bench/fuzz.sh $(FUZZTIME)

# Suricata's own tests (suricata-verify) on our engine, as far as they are in SHARED.
suite: build
	bench/suite.sh

# ET Open: what loads, what is refused and why.
rules-check: build
	@test -f $(ETOPEN) || { echo "rules-check: SKIPPED, $(ETOPEN) is not here"; exit 0; }; \
	bin/mirador rules check $(ETOPEN) || test $$? = 2

# Public captures with the alerts that Suricata raises on them, and probe rules with exact counts.
captures probe: build
	bench/oracle.sh $@

# The pairs of probe rules and captures that differ, with their causes.
probe-table: build
	TABLE=docs/reference/probe-differences.md bench/oracle.sh probe

# Packets/s, memory and load time; a real Suricata beside ours where one is installed.
compare: build
	bench/compare.py --shared $(SHARED)

# The software mirror beside tc with mirred into a VXLAN device, in namespaces (root).
bench-mirror:
	$(GO) test ./bench/mirror -run '^$$' -bench . -benchtime 60x

clean:
	rm -rf bin $(OUT)
