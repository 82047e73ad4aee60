#!/usr/bin/env python3
"""records.py MANIFEST REF OUT: hold the EVE records of `mirador replay --each` (folders OUT/<capture>) against Suricata's.

REF has one folder per capture with Suricata's eve.json, named by its number in the manifest; without it ("-") only the
numbers of records per type are compared, with those of the manifest. Records that are equal but for what differs from run
to run (flow_id, and so on) are taken out in pairs; of the rest the most alike are compared field by field. Prints
the captures whose numbers differ by type, and the fields that differ most. TOP and EXAMPLES say how many of each; ONLY
names event types, CAPTURE picks captures by a part of their name.
"""
import collections
import json
import os
import sys

# What differs from run to run, or says which file was read.
LOOSE = {"flow_id", "pcap_filename", "parent_id", "in_iface", "host"}

# What tells a flow.
ENDS = ("src_ip", "src_port", "dest_ip", "dest_port", "proto")


def flat(prefix, v, into):
    """One entry per leaf: "http.status" -> 200."""
    if isinstance(v, dict) and v:
        for k, x in v.items():
            flat(prefix + "." + k if prefix else k, x, into)
    elif isinstance(v, list) and v:
        for i, x in enumerate(v):
            flat("%s[%d]" % (prefix, i), x, into)
    else:
        into[prefix] = v


def records(path):
    got = collections.defaultdict(list)
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                e = json.loads(line)
                kind = e["event_type"]
                if kind == "stats":
                    continue
                if kind == "anomaly":
                    kind += "/" + e["anomaly"]["type"]
                leaves = {}
                flat("", {k: v for k, v in e.items() if k not in LOOSE}, leaves)
                got[kind].append(leaves)
    except FileNotFoundError:
        return None
    return got


def key(e):
    return json.dumps(e, sort_keys=True)


def pair(ref, out):
    """Pairs what is left of two lists of records, the most alike first within a flow."""
    free = list(out)
    for r in ref:
        best, score = None, -1
        for o in free:
            n = sum(1 for k, v in r.items() if o.get(k, out) == v)
            n += 100 * sum(1 for k in ENDS if o.get(k) == r.get(k))
            if n > score:
                best, score = o, n
        if best is None:
            return
        free.remove(best)
        yield r, best


def bare(path):
    """A field's path without the numbers of arrays."""
    out, skip = [], False
    for c in path:
        skip = skip and c != "]" or c == "["
        if not skip and c != "]":
            out.append(c)
    return "".join(out)


def main():
    manifest, ref, out = sys.argv[1:4]
    only = set(filter(None, os.environ.get("ONLY", "").split(",")))
    pick = os.environ.get("CAPTURE", "")
    counts = collections.defaultdict(list)
    fields, seen = collections.Counter(), collections.defaultdict(list)
    same = collections.Counter()
    total = collections.Counter()
    for i, c in enumerate(json.load(open(manifest))):
        if pick not in c["file"]:
            continue
        ours = records(os.path.join(out, c["file"], "eve.json"))
        if ours is None:
            print("no output for", c["file"])
            ours = {}
        if ref == "-":
            got = collections.Counter()
            for k, v in ours.items():
                got[k.split("/")[0]] += len(v)
            for k in (set(got) | set(c["events8"])) - {"stats", "alert"}:
                if got[k] != c["events8"].get(k, 0):
                    counts[k].append((i, c["file"], c["events8"].get(k, 0), got[k]))
            continue
        theirs = records(os.path.join(ref, str(i), "eve.json"))
        if theirs is None:
            continue
        for k in set(ours) | set(theirs):
            if only and k not in only:
                continue
            a, b = theirs.get(k, []), ours.get(k, [])
            total[k] += len(a)
            if len(a) != len(b):
                counts[k].append((i, c["file"], len(a), len(b)))
            left = collections.Counter(map(key, b))
            rest = []
            for e in a:
                if left[key(e)] > 0:
                    left[key(e)] -= 1
                    same[k] += 1
                else:
                    rest.append(e)
            mine = [json.loads(s) for s, n in left.items() for _ in range(n)]
            for r, o in pair(rest[:200], mine[:200]):
                for p in set(r) | set(o):
                    kind = "lacks" if p not in o else "adds" if p not in r else "differs" if r[p] != o[p] else ""
                    if kind:
                        f = (k, kind, bare(p))
                        fields[f] += 1
                        if len(seen[f]) < 8:
                            seen[f].append((i, p, r.get(p), o.get(p)))
    top, examples = int(os.environ.get("TOP", "40")), int(os.environ.get("EXAMPLES", "2"))
    print("captures whose numbers of records differ:")
    for k, v in sorted(counts.items(), key=lambda x: -len(x[1])):
        print(" ", k, len(v))
        for x in v[:top]:
            print("     %d %s: %d, ours %d" % x)
    for k in sorted(total):
        print("%s: %d of %d records alike" % (k, same[k], total[k]))
    for f, n in fields.most_common(top * 3):
        print("%s %s %s x%d" % (*f, n))
        for x in seen[f][:examples]:
            print("     %d %s: %.100s | %.100s" % x)


main()
