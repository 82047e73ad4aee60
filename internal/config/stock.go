package config

// stockYAML are the settings that apply when no suricata.yaml is given: those
// that Suricata 8.0's own configuration file makes, as far as something in
// Mirador reads them. The order of outputs and of eve-log types is theirs,
// because --set names them by number.
const stockYAML = `
vars:
  address-groups: {HOME_NET: "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]", EXTERNAL_NET: "!$HOME_NET",
    HTTP_SERVERS: $HOME_NET, SMTP_SERVERS: $HOME_NET, SQL_SERVERS: $HOME_NET, DNS_SERVERS: $HOME_NET,
    TELNET_SERVERS: $HOME_NET, AIM_SERVERS: $EXTERNAL_NET, DC_SERVERS: $HOME_NET, DNP3_SERVER: $HOME_NET,
    DNP3_CLIENT: $HOME_NET, MODBUS_CLIENT: $HOME_NET, MODBUS_SERVER: $HOME_NET, ENIP_CLIENT: $HOME_NET,
    ENIP_SERVER: $HOME_NET}
  port-groups: {HTTP_PORTS: 80, SHELLCODE_PORTS: "!80", ORACLE_PORTS: 1521, SSH_PORTS: 22, DNP3_PORTS: 20000,
    MODBUS_PORTS: 502, FILE_DATA_PORTS: "[$HTTP_PORTS,110,143]", FTP_PORTS: 21, GENEVE_PORTS: 6081,
    VXLAN_PORTS: 4789, TEREDO_PORTS: 3544, SIP_PORTS: "[5060, 5061]"}
stats: {enabled: yes, interval: 8}
outputs:
  - fast: {enabled: yes, filename: fast.log, append: yes}
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      pcap-file: false
      community-id: false
      community-id-seed: 0
      xff: {enabled: no, mode: extra-data, deployment: reverse, header: X-Forwarded-For}
      types:
        - alert: {tagged-packets: yes}
        - frame: {enabled: no}
        - anomaly: {enabled: yes, types: }
        - http: {extended: yes}
        - dns:
        - mdns:
        - tls: {extended: yes}
        - files: {force-magic: no}
        - smtp:
        - websocket
        - ftp
        - rdp
        - nfs
        - smb:
        - tftp
        - ike
        - dcerpc
        - krb5
        - bittorrent-dht
        - snmp
        - rfb
        - sip
        - quic
        - ldap
        - pop3
        - arp: {enabled: no}
        - dhcp: {enabled: yes, extended: no}
        - ssh
        - mqtt:
        - http2
        - doh2
        - pgsql: {enabled: no}
        - stats: {totals: yes, threads: no, deltas: no}
        - flow
        - mysql
  - tls-store: {enabled: no}
  - pcap-log: {enabled: no}
  - alert-debug: {enabled: no}
  - stats: {enabled: yes, filename: stats.log, append: yes, totals: yes, threads: no}
  - file-store: {version: 2, enabled: no}
  - tcp-data: {enabled: no}
  - http-body-data: {enabled: no}
  - lua: {enabled: no}
pcap-file: {checksum-checks: auto}
app-layer:
  protocols:
    telnet: {enabled: yes}
    rfb: {enabled: yes, detection-ports: {dp: "5900, 5901, 5902, 5903, 5904, 5905, 5906, 5907, 5908, 5909"}}
    mqtt: {enabled: yes}
    krb5: {enabled: yes}
    bittorrent-dht: {enabled: yes}
    snmp: {enabled: yes}
    ike: {enabled: yes}
    tls: {enabled: yes, detection-ports: {dp: 443}}
    pgsql: {enabled: no, stream-depth: 0}
    mysql: {enabled: yes, stream-depth: 0}
    dcerpc: {enabled: yes}
    ftp: {enabled: yes}
    websocket:
    rdp:
    ssh: {enabled: yes}
    doh2: {enabled: yes}
    http2: {enabled: yes}
    smtp:
      enabled: yes
      raw-extraction: no
      mime: {decode-mime: yes, decode-base64: yes, decode-quoted-printable: yes, header-value-depth: 2000, extract-urls: yes}
      inspected-tracker: {content-limit: 100000, content-inspect-min-size: 32768, content-inspect-window: 4096}
    imap: {enabled: detection-only}
    pop3: {enabled: yes, detection-ports: {dp: 110}, stream-depth: 0}
    smb: {enabled: yes, detection-ports: {dp: "139, 445"}}
    nfs: {enabled: yes}
    tftp: {enabled: yes}
    dns:
      tcp: {enabled: yes, detection-ports: {dp: 53}}
      udp: {enabled: yes, detection-ports: {dp: 53}}
    http:
      enabled: yes
      libhtp:
        default-config:
          personality: IDS
          request-body-limit: 100 KiB
          response-body-limit: 100 KiB
          request-body-minimal-inspect-size: 32 KiB
          request-body-inspect-window: 4 KiB
          response-body-minimal-inspect-size: 40 KiB
          response-body-inspect-window: 16 KiB
          response-body-decompress-layer-limit: 2
          http-body-inline: auto
          swf-decompression: {enabled: no, type: both, compress-depth: 100 KiB, decompress-depth: 100 KiB}
          double-decode-path: no
          double-decode-query: no
        server-config:
    modbus: {enabled: no, detection-ports: {dp: 502}, stream-depth: 0}
    dnp3: {enabled: no, detection-ports: {dp: 20000}}
    enip: {enabled: no, detection-ports: {dp: 44818, sp: 44818}}
    ntp: {enabled: yes}
    quic: {enabled: yes}
    dhcp: {enabled: yes}
    sip: {enabled: yes}
    ldap:
      tcp: {enabled: yes, detection-ports: {dp: "389, 3268"}}
      udp: {enabled: yes, detection-ports: {dp: "389, 3268"}}
    mdns: {enabled: yes}
asn1-max-frames: 256
exception-policy: auto
pcre: {match-limit: 3500, match-limit-recursion: 1500}
host-os-policy: {windows: [0.0.0.0/0]}
defrag: {memcap: 32 MiB, hash-size: 65536, trackers: 65535, max-frags: 65535, prealloc: yes, timeout: 60}
flow: {memcap: 128 MiB, hash-size: 65536, prealloc: 10000, emergency-recovery: 30}
vlan: {use-for-tracking: true}
livedev: {use-for-tracking: true}
flow-timeouts:
  default: {new: 30, established: 300, closed: 0, bypassed: 100, emergency-new: 10, emergency-established: 100, emergency-closed: 0, emergency-bypassed: 50}
  tcp: {new: 60, established: 600, closed: 60, bypassed: 100, emergency-new: 5, emergency-established: 100, emergency-closed: 10, emergency-bypassed: 50}
  udp: {new: 30, established: 300, bypassed: 100, emergency-new: 10, emergency-established: 100, emergency-bypassed: 50}
  icmp: {new: 30, established: 300, bypassed: 100, emergency-new: 10, emergency-established: 100, emergency-bypassed: 50}
stream:
  memcap: 64 MiB
  checksum-validation: yes
  inline: auto
  reassembly:
    urgent: {policy: oob, oob-limit-policy: drop}
    memcap: 256 MiB
    toserver-chunk-size: 2560
    toclient-chunk-size: 2560
    randomize-chunk-size: yes
host: {hash-size: 4096, prealloc: 1000, memcap: 32 MiB}
decoder:
  teredo: {enabled: true, ports: $TEREDO_PORTS}
  vxlan: {enabled: true, ports: $VXLAN_PORTS}
  geneve: {enabled: true, ports: $GENEVE_PORTS}
  recursion-level: {use-for-tracking: true}
detect:
  profile: medium
  prefilter: {default: mpm}
  thresholds: {hash-size: 16384, memcap: 16 MiB}
`

// Stock returns the settings that apply without a suricata.yaml. Every call
// makes a new one, so that Set can be used on it.
func Stock() *Flat {
	f, err := ParseFlat([]byte(stockYAML), "built-in configuration")
	if err != nil {
		panic(err) // a constant of ours; TestStock reads it
	}
	return f
}
