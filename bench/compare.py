#!/usr/bin/env python3
"""compare.py [--shared DIR] [--root DIR] [--repeat N]: packets per CPU second of the whole worker on a mixed VXLAN
capture with all ET Open rules and EVE on, beside a real Suricata (one thread, stock settings) in the same run.

The mix is made by ../shared/tools (mixcaps.py, vxwrap.py). CPU time is user + system; what loading costs is measured with an
empty capture and taken off. --root names a folder with a Suricata installation (debootstrap --include=suricata sid DIR); without
it a suricata on the PATH is used; without that ours runs alone. Alternates the two, N rounds, and prints the median.
"""
import argparse
import json
import os
import re
import resource
import shutil
import statistics
import struct
import subprocess
import sys


def run(cmd):
    """(CPU seconds, peak RSS in MiB, wall-clock-free) of one command."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0), os.dup2(null, 1)
        err = os.open("out/compare.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(err, 2)
        os.execvp(cmd[0], cmd)
    _, status, use = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        sys.exit("failed: %s\n%s" % (" ".join(cmd), open("out/compare.err").read()[-2000:]))
    return use.ru_utime + use.ru_stime, use.ru_maxrss / 1024


def records(path):
    n, sids = {}, {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            m = re.search(r'"event_type":"(\w+)"', line)
            n[m.group(1)] = n.get(m.group(1), 0) + 1
            if m.group(1) == "alert":
                s = json.loads(line)["alert"]["signature_id"]
                sids[s] = sids.get(s, 0) + 1
    return n, sids


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--shared", default="../shared")
    ap.add_argument("--root", default=os.environ.get("SURICATA_ROOT", ""))
    ap.add_argument("--repeat", type=int, default=8, help="times the mix is repeated in the capture")
    ap.add_argument("--rounds", type=int, default=3)
    a = ap.parse_args()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    rules = os.path.join(a.shared, "data/etopen/composite-2025-07.rules")
    if not os.path.exists(rules):
        print("compare: SKIPPED,", rules, "is not here")
        return
    work = os.path.join(a.root, "mirador-compare") if a.root else "out/compare"
    os.makedirs(work, exist_ok=True)
    os.makedirs("out", exist_ok=True)
    tools = os.path.join(a.shared, "tools")
    mix = os.path.join(work, "mix.pcap")
    subprocess.run([sys.executable, os.path.join(tools, "mixcaps.py"), "out/plain.pcap", os.path.join(a.shared, "data/captures"),
                    "--repeat", str(a.repeat)], check=True)
    subprocess.run([sys.executable, os.path.join(tools, "vxwrap.py"), "out/plain.pcap", mix], check=True)
    os.remove("out/plain.pcap")
    empty = os.path.join(work, "one.pcap")  # a capture of one packet: what loading costs
    with open(empty, "wb") as f, open(mix, "rb") as g:
        head = g.read(40)
        f.write(head + g.read(struct.unpack("<I", head[32:36])[0]))
    shutil.copy(rules, os.path.join(work, "et.rules"))
    shutil.copy(os.path.join(a.shared, "data/etopen/classification.config"), work)
    packets = bytes_ = 0
    with open(mix, "rb") as f:
        f.seek(24)
        while len(h := f.read(16)) == 16:
            n = struct.unpack("<IIII", h)[2]
            f.seek(n, 1)
            packets, bytes_ = packets + 1, bytes_ + n

    def ours(pcap):
        return ["bin/mirador", "replay", pcap, "--rules", rules, "--rules-errors", "warn", "-k", "none", "--no-dedup", "-q", "-o", "none",
                "--out", "out/compare-ours"]

    def theirs(pcap):
        inside = "/mirador-compare" if a.root else work
        cmd = ["suricata", "-c", "/etc/suricata/suricata.yaml", "-S", inside + "/et.rules", "-r", inside + "/" + os.path.basename(pcap),
               "-l", inside + "/log", "-k", "none", "--runmode=single"]
        return ["chroot", a.root] + cmd if a.root else cmd

    engines = {"mirador": ours}
    if a.root or shutil.which("suricata"):
        engines["suricata"] = theirs
        os.makedirs(os.path.join(work, "log"), exist_ok=True)
    first = {name: run(cmd(empty))[0] for name, cmd in engines.items()}  # Suricata keeps compiled patterns for the next start
    rate, load, rss = {}, {}, {}
    for _ in range(a.rounds):
        for name, cmd in engines.items():
            log = os.path.join(work, "log", "eve.json")
            if name == "suricata" and os.path.exists(log):
                os.remove(log)
            base, _ = run(cmd(empty))
            if name == "suricata" and os.path.exists(log):
                os.remove(log)
            cpu, peak = run(cmd(mix))
            load.setdefault(name, []).append(base)
            rate.setdefault(name, []).append(packets / max(cpu - base, 1e-9))
            rss.setdefault(name, []).append(peak)
    print("capture: %d packets, %.1f MiB, VXLAN" % (packets, bytes_ / 2**20))
    med = statistics.median
    for name in engines:
        r = med(rate[name])
        print("%-9s %9.0f packets/s of CPU  %6.2f Gbit/s  load %5.2f s CPU  peak %4.0f MiB" %
              (name, r, r * bytes_ / packets * 8 / 1e9, med(load[name]), med(rss[name])))
    for name in engines:
        print("%-9s first start %.2f s CPU" % (name, first[name]))
    n, sids = records("out/compare-ours/eve.json")
    print("mirador records:", dict(sorted(n.items())))
    if "suricata" in engines:
        m, want = records(os.path.join(work, "log", "eve.json"))
        print("suricata records:", dict(sorted(m.items())))
        print("ratio: %.2fx packets/s, load time %.2fx, peak memory %.2fx" %
              (med(rate["mirador"]) / med(rate["suricata"]), med(load["mirador"]) / med(load["suricata"]), med(rss["mirador"]) / med(rss["suricata"])))
        same = sum(min(sids.get(s, 0), c) for s, c in want.items())
        print("alerts: %d of suricata's %d, %d of ours beyond" % (same, sum(want.values()), sum(sids.values()) - same))


main()
