#!/usr/bin/env python3
"""differences.py INDEX VERDICTS > docs/reference/suricata-differences.md: the tests of the peer's suite that do not pass, one by one."""
import json
import sys

# Why, for tests whose cause is known and is not simply work left.
WHY = {
    "bug-6875-01": "the capture's last record is impossible: what is readable is processed, then exit code 1 (on purpose)",
    "bug-1450-02": "as bug-6875-01: a corrupt last record gives exit code 1",
    "bug-1450-05": "as bug-6875-01: a corrupt last record gives exit code 1",
    "http-mime-truncated": "the capture is cut: processed, then exit code 1 (on purpose)",
    "pgsql/pgsql-5000-query-results": "the capture is cut: processed, then exit code 1 (on purpose)",
    "security-8550": "the capture is corrupt: processed, then exit code 1 (on purpose)",
    "eve-alert-metadata-defaults": "the test looks into the peer's source tree before it runs",
    "eve-alert-metadata-enable-rule": "the test looks into the peer's source tree before it runs",
    "eve-alert-metadata-off": "the test looks into the peer's source tree before it runs",
    "ipopts-esec": "the test looks into the peer's source tree before it runs",
    "filestore-v2.8-stream-depth": "the test greps the peer's log wording",
    "filestore-v2.7-stream-depth": "open: the size of a file of FTP data that the reassembly depth cuts",
    "smtp-to-comma": "as bug-6875-01: an impossible last record gives exit code 1",
    "tcp-rst-unacked-stream-12": "the hash is of bytes whose response header was lost; not reproduced",
}

index = {t["test"]: t for t in json.load(open(sys.argv[1]))["tests"]}
verdicts = json.load(open(sys.argv[2]))
failed = sorted(k for k, r in verdicts.items() if r["verdict"] != "pass" and k in index)
print("""# What differs from Suricata

Made by `bench/differences.py` from a run of the developers' part of the peer's test suite. %d of %d tests pass; these do not, each with the
reason or, where it is work left, with the first check that is not met.

| test | protocol | why |
|---|---|---|""" % (len(verdicts) - len(failed), len(verdicts)))
for k in failed:
    why = WHY.get(k) or "open: " + (verdicts[k].get("why") or "?")
    why = why.replace("|", "\\|").replace("\n", " ")
    if "/shared/" in why:
        why = "open: an expected file was not written"
    print("| %s | %s | %s |" % (k, index[k]["primary"], why[:200]))
print("""
## Captures with an alert beyond

Of 1,161 public captures with all ET Open rules, 238 of 238 expected pairs are met, and ten captures have an alert that neither 7.0.10 nor 8.0.7 raised:

| captures | sid | why |
|---|---|---|
| 8 pcapng files of gopacket (`be/` and `le/`) | 2012648 | libpcap refuses them after the first packets; they are read to the end here |
| `modbus-and-non-modbus-p502.pcap` | 2029054 | an HTTP request on port 502; to Suricata the flow stays unknown |
| `mimikatz_CVE-2020-1472_Unauthenticated_NetrServerAuthenticate2` | 2035258 | Zerologon; with the eight Zerologon rules alone 8.0.7 raises it at the same packet, with all rules it does not |

## By choice

- A capture that is cut or corrupt ends with exit code 1 after everything readable was processed.
- The outer packets of VXLAN and GENEVE mirror tunnels make no flow; `--no-mirror` treats the tunnels as traffic.
- The second copy of a packet mirrored at both ends is dropped and counted; `--no-dedup` keeps it.
- pcapng files that libpcap refuses (mixed link types, odd blocks) are read.
- Protocols are recognised by content on every port; Suricata asks some probes only on their ports.
- Protocol `mysql` (rule headers, `app_proto`, event type, keywords `mysql.*`) exists here only; see mysql.md. Such flows are `failed` in Suricata,
  and sessions that change to TLS are not seen as `tls` there.
- Match limits of `pcre` count our engine's steps; Suricata's JIT gives up on some matches that we find.
- POP3 is followed behind the first mail that is fetched, through SASL exchanges and lines that are no response; Suricata ends there
  (`app_layer_error`). Encrypted bytes behind FTP's AUTH TLS
  are not shown as replies. SOCKS is not taken for DCERPC.
- Flows end by the clock of the capture: `flow.reason` is `timeout` where Suricata, which reads a short capture in less time than its flow
  manager needs, often says `shutdown`; the time stamps of these records differ with it.
- `smtp.extended` shows subject, message id and the like (8.0.7 shows them only with `custom`).
- `metadata: {}`, which Suricata writes when a rule counts by flow and there is nothing to show, is left out.
- Records of SIP over TCP go from the sender of the message; 8.0.7 shows them in the direction of the packet that acknowledged it. SIP over TCP honours Content-Length; MQTT `will` and `will_retain` are not swapped; RFB 3.8 without a password is followed.
- `http.response_header` is HTTP/1's alone, `http2.header_name` the request's: 8.0.7 finds them in responses of HTTP/2 only where the server pushed them.
- Each pair of capture and probe rule whose count differs is in [probe-differences.md](probe-differences.md), with its cause.
- Mirrored frames cut by packet length or MTU are decoded as far as they go and marked, not dropped as truncated.
- Keywords that 8.0.7 refuses and that are taken here, because Suricata 9 has them: casechange, ether.hdr, flow.elephant, igmp-csum, igmp.hdr, igmp.type,
  llmnr.*, sctp.*, subslice, vxlan_vni; the spellings dnp3.func, dnp3.ind, dnp3.obj and dnp3_data beside those of 8.0.7; and `mysql.*`.
- Hooks `pre_flow` and `pre_stream` match twice where 8.0.7 does (it looks at the packet before the flow, or the stream, and once more with the
  other rules); but `flow:to_server` and `to_client` do not hold for packets of the other side at the first look, nor does `stream_size` fail there.
- `websocket.flags` and `mqtt.flags` refuse names that are no flags behind one that is (`fin,nosuch`, `fin&comp`), which 8.0.7 leaves out; `websocket.opcode`
  takes a list of names.
- Values with garbage behind them, which Suricata reads up to the garbage (`rev:1x`, `fragoffset:5abc`, `urilen:1,2`, `dnp3_obj:x`, dates of year 1), are refused.
- `xbits:set,name` without track, `flowbits:set,a|b`, and contents that cannot fit `urilen` or `bsize:<=N` load in Suricata and can never do what they say; here they are refused.
- Two thresholds in one rule (which Suricata takes when a sticky buffer stands before them) have a counter each; Suricata lets them share one.
- `template2` is a left-over of Suricata's examples and is not known here.""")
