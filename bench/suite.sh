#!/usr/bin/env bash
# Runs the developers' part of the peer's suite on bin/mirador, prints tier 1,
# tier 2, http-evader and vacuous tests apart, and fails when fewer tests pass
# than bench/record/suite-floor.txt says. SUITE_ARGS adds arguments for svrun.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
shared=$(cd "${SHARED:-../shared}" 2>/dev/null && pwd || true)
suite=$shared/data/suricata-verify
if [ -z "$shared" ] || [ ! -f "$suite/dev.json" ]; then
  echo "suite: SKIPPED, the peer's suite is not here (../shared)"
  exit 0
fi
mkdir -p out
cd out # svrun leaves its work folder where it runs
engine="$root/bin/mirador replay [[?rules:--rules {rules}]] [[?config:--suricata-config {config}]] --out {out} {args} {pcap}"
python3 "$shared/tools/svrun.py" --tests "$suite/tests" --list "$suite/dev.json" --engine "$engine" \
  --compat 8.0.7 --features HAVE_JA3,HAVE_JA4,MAGIC,GeoIP2,LIBNET1.1 --commands --meta "$suite/dev-index.json" \
  --json verdicts.json --clean -q -j"${JOBS:-2}" ${SUITE_ARGS:-} >suite.log 2>&1 || true
python3 "$root/bench/suite.py" "$suite/dev-index.json" verdicts.json "$root/bench/record/suite-floor.txt"
