#!/usr/bin/env python3
"""suite.py INDEX VERDICTS FLOOR: count the suite's verdicts by group and hold them against the recorded floor."""
import json
import sys

index = {t["test"]: t for t in json.load(open(sys.argv[1]))["tests"]}
got = json.load(open(sys.argv[2]))
rows = got["tests"] if isinstance(got, dict) and "tests" in got else got
verdict = {}
for r in rows if isinstance(rows, list) else [dict(v, test=k) for k, v in rows.items()]:
    verdict[r.get("test") or r.get("name")] = r.get("verdict") or r.get("result") or r.get("status")


def group(t):
    if t["vacuous"]:
        return "vacuous"
    if t["test"].startswith("http-evader/"):
        return "http-evader"
    return "tier %d" % t["tier"]


count = {}
for name, v in verdict.items():
    if name not in index:
        continue
    g = count.setdefault(group(index[name]), [0, 0])
    g[0] += v == "pass"
    g[1] += 1
for g in sorted(count):
    print("suite: %-12s %4d of %4d" % (g, *count[g]))
passed = sum(g[0] for g in count.values())
total = sum(g[1] for g in count.values())
floor = int(open(sys.argv[3]).read().split()[0])
print("suite: %d of %d pass, floor %d" % (passed, total, floor))
if passed < floor:
    sys.exit("suite: below the recorded floor")
