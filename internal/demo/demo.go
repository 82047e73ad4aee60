// Package demo is a small pretend VPC: five instances, three of them mirrored, what
// goes on between them and the outside, and attacks on them. It makes the frames a
// mirror session would send, with real TLS and SSH handshakes, and sends them as AWS
// does: VXLAN with VNI 1169 over UDP, one source address a session.
//
// It is the load of "mirador demo" and of tests; it knows nothing of the sensor, and
// what is found in its traffic is found by rules (demo.rules). Its memory is one round
// of frames, some megabytes.
package demo

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sort"
	"time"

	"mirador/internal/packet"
)

// VNI is the VXLAN network identifier of all sessions of the pretend VPC.
const VNI = 1169

//go:embed demo.rules
var rulesText []byte

//go:embed sources.yaml
var sourcesText []byte

// Rules returns the rules that find the attacks, under Apache-2.0 as this program is.
func Rules() (name string, text []byte) { return "demo.rules", rulesText }

// Sources returns the sources file of the pretend VPC.
func Sources() (name string, text []byte) { return "demo-sources.yaml", sourcesText }

// host is an instance of the VPC or a machine outside.
type host struct {
	name  string
	ip    [4]byte
	mac   [6]byte
	outer netip.Addr // outer source address of its mirror session; the zero value: not mirrored
	ttl   uint8
	ipID  uint16
}

// cast are the machines of a story. On the loopback interface a session's outer
// address is 127 in place of the VPC's 10.
type cast struct {
	web, app, bastion, db, files   *host
	resolver                       *host // AmazonProvidedDNS, at the VPC's base plus two
	user, shop, mirrorSite, admin  *host // outside, harmless
	scanner, attacker, c2, dropper *host // outside, not harmless
}

func newCast(round int) *cast {
	vpc := func(name string, a, b byte, mirrored bool) *host {
		h := &host{name: name, ip: [4]byte{10, 20, a, b}, mac: [6]byte{0x06, 0x4b, 0x9c, 0, a, b}, ttl: 64}
		if mirrored {
			h.outer = netip.AddrFrom4([4]byte{127, 20, a, b})
		}
		return h
	}
	// The outside is behind the VPC's router, and another one in each round, so that
	// thresholds by address count each round for itself.
	far := func(name string, ip [4]byte, ttl uint8) *host {
		return &host{name: name, ip: ip, mac: [6]byte{0x06, 0x4b, 0x9c, 0xff, 0, 1}, ttl: ttl}
	}
	r := byte(round % 100)
	return &cast{
		web: vpc("web-1", 1, 10, true), app: vpc("app-1", 2, 20, true), bastion: vpc("bastion", 0, 5, true),
		db: vpc("db-1", 2, 30, false), files: vpc("files-1", 2, 40, false),
		resolver: far("resolver", [4]byte{10, 20, 0, 2}, 255),
		user:     far("user", [4]byte{198, 51, 100, 20 + r}, 52), shop: far("shop", [4]byte{192, 0, 2, 80}, 48),
		mirrorSite: far("packages", [4]byte{192, 0, 2, 90}, 50), admin: far("admin", [4]byte{198, 51, 100, 150}, 57),
		scanner: far("scanner", [4]byte{203, 0, 113, 10 + r}, 44), attacker: far("attacker", [4]byte{203, 0, 113, 120 + r}, 46),
		c2: far("c2", [4]byte{198, 18, 7, 1 + r}, 49), dropper: far("dropper", [4]byte{198, 18, 9, 1 + r}, 51),
	}
}

// Datagram is one mirrored frame on its way.
type Datagram struct {
	At    time.Duration // since the start of the story
	Outer netip.Addr    // the session's source address
	Port  uint16        // outer source port, as AWS makes it
	Data  []byte        // VXLAN header and mirrored frame
}

// Story is one round of what goes on in the VPC, in the order of time.
type Story struct {
	Datagrams []Datagram
	Span      time.Duration
}

// NewStory makes round number round. seed chooses ports, sizes and pauses; keys and
// random numbers of handshakes are always new.
func NewStory(seed uint64, round int) (*Story, error) {
	s := &script{rnd: rand.New(rand.NewPCG(seed, uint64(round))), cast: newCast(round), dec: packet.NewDecoder(packet.Options{})}
	for _, scene := range [...]struct {
		name string
		at   time.Duration
		play func(*script) error
	}{
		{"web", 0, (*script).normalWeb},
		{"dns", 50 * time.Millisecond, (*script).normalDNS},
		{"tls", 200 * time.Millisecond, (*script).normalTLS},
		{"ssh", 400 * time.Millisecond, (*script).normalSSH},
		{"files", 700 * time.Millisecond, (*script).normalFiles},
		{"scan", 1200 * time.Millisecond, (*script).portScan},
		{"web", 2000 * time.Millisecond, (*script).normalWeb},
		{"exploit", 2600 * time.Millisecond, (*script).exploit},
		{"dropper", 3200 * time.Millisecond, (*script).malwareAgent},
		{"reverse shell", 3700 * time.Millisecond, (*script).reverseShell},
		{"dns", 4200 * time.Millisecond, (*script).normalDNS},
		{"tunnel", 4600 * time.Millisecond, (*script).dnsTunnel},
		{"beacon", 5400 * time.Millisecond, (*script).beacon},
		{"bad name", 5900 * time.Millisecond, (*script).badName},
		{"brute force", 6300 * time.Millisecond, (*script).bruteForce},
		{"web", 7000 * time.Millisecond, (*script).normalWeb},
		{"tls", 7300 * time.Millisecond, (*script).normalTLS},
	} {
		s.now = scene.at
		if err := scene.play(s); err != nil {
			return nil, fmt.Errorf("make scene %q: %w", scene.name, err)
		}
	}
	sort.SliceStable(s.out, func(i, j int) bool { return s.out[i].At < s.out[j].At })
	story := &Story{Datagrams: s.out}
	if n := len(s.out); n > 0 {
		story.Span = s.out[n-1].At
	}
	return story, nil
}

// script is a story being written.
type script struct {
	rnd  *rand.Rand
	cast *cast
	now  time.Duration
	out  []Datagram
	dec  *packet.Decoder
	ps   []packet.Parsed
}

// pause lets a little time go by.
func (s *script) pause(most time.Duration) {
	s.now += time.Duration(s.rnd.Int64N(int64(most))) + 50*time.Microsecond
}

// ephemeral returns a client port.
func (s *script) ephemeral() uint16 { return uint16(32768 + s.rnd.IntN(28000)) }

// frame sends one IP packet from a to b: each mirrored end sends a copy to the
// sensor, the sender first.
func (s *script) frame(a, b *host, proto uint8, l4 []byte) {
	a.ipID++
	ip := packet.AppendIPv4(nil, packet.IPv4{Src: a.ip, Dst: b.ip, ID: a.ipID, Frag: 0x4000, TTL: a.ttl, Proto: proto}, len(l4))
	ip = append(ip, l4...)
	packet.SetChecksums(ip)
	for _, end := range [...]*host{a, b} {
		if end.outer.IsValid() {
			s.mirror(end, a, b, ip)
		}
	}
}

// mirror wraps a packet as the session of end sends it.
func (s *script) mirror(end, a, b *host, ip []byte) {
	frame := packet.AppendEthernet(nil, b.mac, a.mac, packet.EtherTypeIPv4)
	frame = append(frame, ip...)
	s.ps = s.dec.Decode(s.ps[:0], packet.LinkEthernet, frame, len(frame), 0)
	s.out = append(s.out, Datagram{At: s.now, Outer: end.outer, Port: packet.MirrorPort(&s.ps[0]),
		Data: append(packet.AppendVXLAN(nil, VNI), frame...)})
	s.now += 30 * time.Microsecond
}

// udp sends one UDP datagram.
func (s *script) udp(a, b *host, src, dst uint16, body []byte) {
	s.frame(a, b, packet.ProtoUDP, append(packet.AppendUDP(nil, src, dst, len(body)), body...))
}
