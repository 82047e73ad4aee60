package ike_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/ike"
	"mirador/internal/proto/prototest"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

// message puts a header in front of payloads.
func message(version, exchange, flags, next byte, responder string, payloads string) []byte {
	b := []byte("\x11\x11\x11\x11\x11\x11\x11\x11" + responder)
	b = append(b, next, version, exchange, flags, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(28+len(payloads)))
	return append(b, payloads...)
}

func payload(next byte, body string) string {
	return string([]byte{next, 0, 0, byte(4 + len(body))}) + body
}

const (
	none      = "\x00\x00\x00\x00\x00\x00\x00\x00"
	responder = "\x22\x22\x22\x22\x22\x22\x22\x22"
	attrs     = "\x80\x01\x00\x07\x80\x02\x00\x02\x80\x04\x00\x02\x80\x03\x00\x01\x80\x0b\x00\x01\x00\x0c\x00\x04\x00\x01\x51\x80"
)

func sa1(next byte) string {
	return payload(next, "\x00\x00\x00\x01\x00\x00\x00\x01"+payload(0, "\x01\x01\x00\x01"+payload(0, "\x01\x01\x00\x00"+attrs)))
}

func sa2(next, protocol byte, transforms ...string) string {
	list := ""
	for i, t := range transforms {
		last := byte(3)
		if i == len(transforms)-1 {
			last = 0
		}
		list += payload(last, t)
	}
	return payload(next, payload(0, string([]byte{1, protocol, 0, byte(len(transforms))})+list))
}

type piece struct {
	dir  proto.Dir
	data []byte
}

func run(tb testing.TB, ps ...piece) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, nil, ike.Protocol()), proto.Hint{SrcPort: 500, DstPort: 500, UDP: true})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: p.data}, 0)
	}
	r.Finish()
	return r
}

// The expectations are what Suricata 8.0.7 does with the same bytes.
func TestVersion1(t *testing.T) {
	ke := payload(10, "KKKK") + payload(13, "NN") + payload(0, "VID")
	r := run(t,
		piece{up, message(0x10, 2, 0, 1, none, sa1(0))},
		piece{down, message(0x10, 2, 0, 1, responder, sa1(0))},
		piece{up, message(0x10, 2, 0, 4, responder, ke)},
		piece{up, message(0x10, 2, 1, 5, responder, "encrypted")},
		piece{up, message(0x10, 2, 0, 1, none, "\x00\x00\x00\x07abc")},
	)
	const chosen = `"alg_enc":"EncAesCbc","alg_enc_raw":7,"alg_hash":"HashSha","alg_hash_raw":2,"alg_dh":"GroupAlternate1024BitModpGroup","alg_dh_raw":2,` +
		`"alg_auth":"AuthPreSharedKey","alg_auth_raw":1,"sa_life_type":"LifeTypeSeconds","sa_life_type_raw":1,"sa_life_duration":"Unknown","sa_life_duration_raw":86400`
	const head = `{"version_major":1,"version_minor":0,"init_spi":"1111111111111111","resp_spi":"`
	want := []string{
		head + `0000000000000000","message_id":0,"exchange_type":2,"payload":["SecurityAssociation","Proposal","Transform"],` +
			`"ikev1":{"doi":1,"encrypted_payloads":false,"client":{"proposals":[{` + chosen + `}]},"server":{}}}`,
		head + `2222222222222222","message_id":0,"exchange_type":2,` + chosen + `,"payload":["SecurityAssociation","Proposal","Transform"],` +
			`"ikev1":{"doi":1,"encrypted_payloads":false,"client":{},"server":{}}}`,
		head + `2222222222222222","message_id":0,"exchange_type":2,` + chosen + `,"payload":["KeyExchange","Nonce","VendorID"],` +
			`"ikev1":{"doi":1,"encrypted_payloads":false,"client":{"key_exchange_payload":"4b4b4b4b","key_exchange_payload_length":4,` +
			`"nonce_payload":"4e4e","nonce_payload_length":2},"server":{},"vendor_ids":["564944"]}}`,
		head + `2222222222222222","message_id":0,"exchange_type":2,` + chosen + `,"payload":["Identification"],"ikev1":{"doi":1,"encrypted_payloads":true}}`,
	}
	if len(r.Records) != len(want) {
		t.Fatalf("%d records, want %d", len(r.Records), len(want))
	}
	for i := range want {
		if r.Records[i].JSON != want[i] {
			t.Errorf("record %d:\n got %s\nwant %s", i, r.Records[i].JSON, want[i])
		}
	}
	p := ike.Protocol()
	m, err := prototest.Field(p, "ike.chosen_sa_attribute").Compile("alg_enc = 7")
	if err != nil || !m(nil, r.Records[1].Tx, down) || m(nil, r.Records[2].Tx, up) {
		t.Errorf("ike.chosen_sa_attribute: %v", err)
	}
	for _, arg := range []string{"alg_enc", "alg_enc>6", "alg_esn=1", "foo=1"} {
		if _, err := prototest.Field(p, "ike.chosen_sa_attribute").Compile(arg); err == nil {
			t.Errorf("ike.chosen_sa_attribute:%s is accepted", arg)
		}
	}
	if b, _ := prototest.Field(p, "ike.nonce_payload").Get(nil, r.Records[2].Tx, up, 0); string(b) != "NN" {
		t.Errorf("ike.nonce_payload: %q", b)
	}
	if b, _ := prototest.Field(p, "ike.vendor").Get(nil, r.Records[2].Tx, up, 0); string(b) != "564944" {
		t.Errorf("ike.vendor: %q", b)
	}
	if n, _ := prototest.Field(p, "ike.key_exchange_payload_length").Uint(nil, r.Records[2].Tx, up, 0); n != 4 {
		t.Errorf("ike.key_exchange_payload_length: %d", n)
	}
}

func TestVersion2(t *testing.T) {
	good := []string{"\x01\x00\x00\x0c", "\x02\x00\x00\x05", "\x03\x00\x00\x0c", "\x04\x00\x00\x0e"}
	for _, c := range []struct{ name, in, payloads, events string }{
		{"good", sa2(0, 1, good...), `["SecurityAssociation","NoNextPayload"]`, ""},
		{"weak", sa2(0, 1, "\x01\x00\x00\x02", "\x02\x00\x00\x01", "\x03\x00\x00\x02", "\x04\x00\x00\x02"),
			`["SecurityAssociation","NoNextPayload"]`, "weak_crypto_enc weak_crypto_prf weak_crypto_auth weak_crypto_dh"},
		{"missing", sa2(0, 1, good[0]), `["SecurityAssociation","NoNextPayload"]`, "weak_crypto_no_dh weak_crypto_no_auth"},
		{"none", sa2(0, 1, good[0], "\x02\x00\x00\x00", good[2], "\x04\x00\x00\x00", "\x07\x00\x00\x00"),
			`["SecurityAssociation","NoNextPayload"]`, "invalid_proposal unknown_proposal"},
		{"authenticating cipher", sa2(0, 1, "\x01\x00\x00\x14", good[1], good[3]), `["SecurityAssociation","NoNextPayload"]`, ""},
		{"AH", sa2(0, 2, good[2]), `["SecurityAssociation","NoNextPayload"]`, "weak_crypto_no_dh no_encryption"},
		{"cut", sa2(0, 1, good...) + "zz", `[]`, ""},
		{"nothing", "", `["SecurityAssociation"]`, ""},
	} {
		r := run(t, piece{up, message(0x20, 34, 8, 33, none, c.in)})
		if len(r.Records) != 1 || !strings.Contains(r.Records[0].JSON, `"payload":`+c.payloads) || strings.Join(r.Records[0].Events, " ") != c.events {
			t.Errorf("%s: %v", c.name, r.Records)
		}
	}
	r := run(t, piece{up, message(0x20, 34, 8, 33, none, sa2(0, 1, good...))}, piece{down, message(0x20, 34, 0x20, 33, responder, sa2(41, 1, good...)+payload(0, "\x01\x00\x00\x0e"))})
	want := `"role":"responder","alg_enc":"ENCR_AES_CBC","alg_auth":"AUTH_HMAC_SHA2_256_128","alg_prf":"PRF_HMAC_SHA2_256","alg_dh":"Modp2048","alg_esn":"NoESN",` +
		`"payload":["SecurityAssociation","Notify","NoNextPayload"],"ikev2":{"errors":1,"notify":["NO_PROPOSAL_CHOSEN"]}}`
	if got := r.Records[1].JSON; !strings.HasSuffix(got, want) {
		t.Errorf(" got %s\nwant %s", got, want)
	}
}

func TestProbe(t *testing.T) {
	good := message(0x20, 34, 8, 0, none, "")
	for _, c := range []struct {
		in   []byte
		port uint16
		want proto.Match
	}{
		{good, 500, proto.Yes}, {good, 4500, proto.No}, {good[:27], 500, proto.No}, {append(good[:28:28], 0), 500, proto.No},
		{message(0x20, 33, 8, 0, none, ""), 500, proto.No}, {message(0x30, 34, 8, 0, none, ""), 500, proto.No}, {message(0x10, 2, 0, 0, none, ""), 500, proto.Yes},
	} {
		if got := ike.Protocol().Probe(up, c.in, proto.Hint{DstPort: c.port}); got != c.want {
			t.Errorf("%x: %v, want %v", c.in, got, c.want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(byte(0x10), byte(1), []byte(sa1(0)), byte(1), []byte(sa1(0)))
	f.Add(byte(0x20), byte(33), []byte(sa2(41, 1, "\x01\x00\x00\x0c")+payload(0, "\x01\x00\x00\x0e")), byte(33), []byte(sa2(0, 1, "\x01\x00\x00\x0c")))
	tab := prototest.Table(f, nil, ike.Protocol())
	f.Fuzz(func(t *testing.T, version, next1 byte, a []byte, next2 byte, b []byte) {
		r := prototest.NewRunner(tab, proto.Hint{SrcPort: 500, DstPort: 500, UDP: true})
		r.Feed(prototest.Chunk{Dir: up, Data: message(version, 34, 8, next1, none, string(a))}, 0)
		r.Feed(prototest.Chunk{Dir: down, Data: message(version, 34, 0, next2, responder, string(b))}, 0)
		r.Finish()
		for i := range r.Records {
			r.Records[i].Map(t)
		}
	})
}
