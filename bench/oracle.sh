#!/usr/bin/env bash
# oracle.sh captures|probe: replay the public captures, each in a world of its own,
# and hold the alerts against those of Suricata. TOP says how many differences to list.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1
shared=${SHARED:-../shared}
case $kind in
captures) rules=$shared/data/etopen/composite-2025-07.rules ;;
probe) rules=$shared/data/probe/probe.rules ;;
*) echo "usage: oracle.sh captures|probe" >&2; exit 64 ;;
esac
if [ ! -f "$rules" ]; then
  echo "$kind: SKIPPED, $rules is not here"
  exit 0
fi
mkdir -p out
rm -rf "out/$kind"
# The settings of the oracle: see the README of the captures.
bin/mirador replay --each -k none --rules "$rules" --rules-errors=warn --set vars.address-groups.EXTERNAL_NET=any \
  --set app-layer.protocols.modbus.enabled=true --set packet-alert-max=1024 --out "out/$kind" -o none "$shared/data/captures" >"out/$kind.log" 2>&1 || true
bench/oracle.py "$kind" "$shared" "out/$kind"
