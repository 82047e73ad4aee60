#!/usr/bin/env python3
"""oracle.py captures|probe SHARED OUT: hold the alerts of `mirador replay --each` over the captures against the expected ones.

OUT has one folder per capture with eve.json. Prints the share of pairs met, surplus, and the sids that differ most. With TABLE=FILE, probe
also writes each pair that differs with its cause (probe-causes.json) there.
"""
import collections
import json
import os
import re
import sys


def alerts(path):
    got = collections.Counter()
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                if '"event_type":"alert"' in line:
                    got[str(json.loads(line)["alert"]["signature_id"])] += 1
    except FileNotFoundError:
        return None
    return got


def table(path, pairs, total):
    """Writes the pairs that differ, grouped by their causes."""
    here = os.path.dirname(os.path.abspath(__file__))
    causes = json.load(open(os.path.join(here, "probe-causes.json")))
    texts, groups = {}, collections.defaultdict(list)
    for c in causes:
        texts[c["cause"]] = texts.get(c["cause"]) or c["text"]
    for capture, sid, want, have in pairs:
        cause = next((c["cause"] for c in causes if re.search(c.get("captures", ""), capture) and re.search(c.get("sids", ""), sid)), "not explained")
        groups[cause].append((capture, sid, want, have))
    with open(path, "w", encoding="utf-8") as f:
        f.write("# Probe rules: what differs\n\nMade by `make probe-table`. 548 probe rules over the public captures: of %d pairs of capture and rule, on which Suricata 7.0.10 and 8.0.7\n"
                "agree, %d have the same count of alerts here. The others, with ours after theirs:\n" % (total, total - len(pairs)))
        for cause, rows in sorted(groups.items(), key=lambda g: -len(g[1])):
            f.write("\n## %s: %d\n\n%s\n\n| capture | sid: theirs / ours |\n|---|---|\n" % (cause, len(rows), texts.get(cause, "The cause is not known.")))
            by = collections.defaultdict(list)
            for capture, sid, want, have in rows:
                by[capture].append("%s: %d / %d" % (sid[4:], want, have))
            for capture, l in sorted(by.items()):
                f.write("| %s | %s |\n" % (capture.replace("|", "\\|"), ", ".join(sorted(l))))


def main():
    kind, shared, out = sys.argv[1:4]
    missing, extra = collections.Counter(), collections.Counter()
    example, pairs = {}, []
    met = total = surplus = files = 0
    if kind == "captures":
        for c in json.load(open(os.path.join(shared, "data/captures/manifest.json"))):
            got = alerts(os.path.join(out, c["file"], "eve.json"))
            if got is None:
                print("no output for", c["file"])
                got = {}
            files += 1
            must, may = set(c["must"]), set(c["may"])
            total += len(must)
            for sid in must:
                if sid in got:
                    met += 1
                else:
                    missing[sid] += 1
                    example.setdefault(sid, c["file"])
            wrong = set(got) - must - may
            surplus += bool(wrong)
            for sid in wrong:
                extra[sid] += 1
                example.setdefault(sid, c["file"])
        print("captures: %d of %d must pairs (%.2f %%), %d of %d captures with a surplus sid (%.2f %%)" %
              (met, total, 100 * met / total, surplus, files, 100 * surplus / files))
    else:
        for name, want in json.load(open(os.path.join(shared, "data/probe/oracle.json"))).items():
            got = alerts(os.path.join(out, name, "eve.json")) or {}
            for sid, n in want.items():
                total += 1
                if got.get(sid, 0) == n:
                    met += 1
                else:
                    pairs.append((name, sid, n, got.get(sid, 0)))
                    (missing if got.get(sid, 0) < n else extra)[sid] += 1
                    example.setdefault(sid, "%s: %d, not %d" % (name, got.get(sid, 0), n))
            for sid in set(got) - set(want):
                surplus += 1
        print("probe: %d of %d pairs with the exact count (%.2f %%), %d alerts beyond the list" % (met, total, 100 * met / total, surplus))
    if os.environ.get("TABLE"):
        table(os.environ["TABLE"], pairs, total)
    for title, what in (("missing", missing), ("extra", extra)):
        for sid, n in what.most_common(int(os.environ.get("TOP", "25"))):
            print("  %s %s x%d  e.g. %s" % (title, sid, n, example.get(sid)))


main()
