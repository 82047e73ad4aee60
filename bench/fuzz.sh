#!/usr/bin/env bash
# fuzz.sh TIME: run every fuzz target of the module for TIME (default 60s), one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-60s}
for dir in $(go list -f '{{.Dir}}' ./...); do
  for f in $(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go 2>/dev/null | sed 's/func //'); do
    echo "== ${dir#$PWD/} $f"
    go test "$dir" -run '^$' -fuzz "^$f\$" -fuzztime "$time" | tail -2
  done
done
