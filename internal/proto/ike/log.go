package ike

import (
	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Attribute types of IKEv1. RFC 2409 appendix A.
const (
	attrEnc          = 1
	attrHash         = 2
	attrAuth         = 3
	attrDH           = 4
	attrGroupType    = 5
	attrLifeType     = 11
	attrLifeDuration = 12
	attrPRF          = 13
	attrKeyLength    = 14
	attrFieldSize    = 15
)

// attributeNames are EVE's names of the attributes, by type from 1.
func attributeNames() [17]string {
	return [...]string{
		"unknown", "alg_enc", "alg_hash", "alg_auth", "alg_dh", "sa_group_type", "sa_group_prime",
		"sa_group_generator_one", "sa_group_generator_two", "sa_group_curve_a", "sa_group_curve_b", "sa_life_type",
		"sa_life_duration", "alg_prf", "sa_key_length", "sa_field_size", "sa_group_order",
	}
}

// tables are the names records use.
type tables struct {
	attributes                   [17]string
	values                       [17]names
	payloads1, payloads2, notify names
	suite                        [esnTransform + 1]names
}

func newTables() *tables {
	t := &tables{attributes: attributeNames(), payloads1: payloads1(), payloads2: payloads2(), notify: notifies2()}
	t.values[attrEnc], t.values[attrHash], t.values[attrAuth] = encryption1(), hash1(), authentication1()
	t.values[attrDH], t.values[attrLifeType] = groups1(), lifeTypes1()
	t.suite = [...]names{encTransform: encryption2(), prfTransform: prf2(), integTransform: integrity2(), dhTransform: groups2(), esnTransform: esn2()}
	return t
}

// exchangeName returns the name of an IKEv1 exchange type, "" when it has none.
// RFC 2408 section 3.1, RFC 2409 appendix A.
func exchangeName(n byte) string {
	switch n {
	case 0:
		return "Unknown Exchange Type"
	case 1:
		return "Base"
	case 2:
		return "Identity Protection"
	case 3:
		return "Authentication Only"
	case 4:
		return "Aggressive"
	case 5:
		return "Informational"
	case 6:
		return "Transaction (Config Mode)"
	case 32:
		return "Quick Mode"
	case 33:
		return "New Group Mode"
	}
	return ""
}

// log writes the EVE object ike.
func (n *tables) log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	return n.write(tx, false, w)
}

// logAlert writes it for an alert, which names the exchange type, too.
func (n *tables) logAlert(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
	mark := w.Mark()
	w.Object("ike")
	if !n.write(tx, true, w) {
		w.Rollback(mark)
		return
	}
	w.Close()
}

func (n *tables) write(tx proto.Tx, alert bool, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	h := t.Header[:]
	w.Uint("version_major", uint64(h[offVersion]>>4))
	w.Uint("version_minor", uint64(h[offVersion]&15))
	w.Hex("init_spi", h[:8])
	w.Hex("resp_spi", h[8:16])
	w.Uint("message_id", uint64(h[offID])<<24|uint64(h[offID+1])<<16|uint64(h[offID+2])<<8|uint64(h[offID+3]))
	w.Uint("exchange_type", uint64(h[offExchange]))
	if t.Version() == 1 {
		if s := exchangeName(h[offExchange]); alert && s != "" {
			w.Str("exchange_type_verbose", s)
		}
		n.version1(t, w)
	} else {
		n.version2(t, w)
	}
	return true
}

func (n *tables) version1(t *Tx, w *jsonw.Writer) {
	n.attrs(t.Chosen, w)
	if t.Dir == proto.ToClient && len(t.Offered) > 0 {
		n.offers("server_proposals", t.Offered, w)
	}
	w.Array("payload")
	for _, p := range t.Payloads {
		if s := n.payloads1.find(uint16(p)); s != "" {
			w.StrValue(s)
		}
	}
	w.CloseArray()
	w.Object("ikev1")
	if t.HasDOI {
		w.Uint("doi", uint64(t.DOI))
	}
	w.Bool("encrypted_payloads", t.Encrypted())
	if !t.Encrypted() {
		w.Object("client")
		secrets(&t.Exchange[proto.ToServer], w)
		if t.Dir == proto.ToServer && len(t.Offered) > 0 {
			n.offers("proposals", t.Offered, w)
		}
		w.Close()
		w.Object("server")
		secrets(&t.Exchange[proto.ToClient], w)
		w.Close()
		if len(t.Vendors) > 0 {
			w.Array("vendor_ids")
			for _, v := range t.Vendors {
				w.BytesValue(v)
			}
			w.CloseArray()
		}
	}
	w.Close()
}

// offers writes a list of transforms.
func (n *tables) offers(key string, list [][]Attribute, w *jsonw.Writer) {
	w.Array(key)
	for _, attrs := range list {
		w.Open()
		n.attrs(attrs, w)
		w.Close()
	}
	w.CloseArray()
}

// attrs writes attributes, each with its name and as a number.
func (n *tables) attrs(list []Attribute, w *jsonw.Writer) {
	unknown := false
	for i := range list {
		a := &list[i]
		key, value := n.attributes[0], ""
		if int(a.Type) < len(n.attributes) {
			key = n.attributes[a.Type]
			if !a.HasLong && a.Value <= 0xffff {
				value = n.values[a.Type].find(uint16(a.Value))
			}
		}
		if key == n.attributes[0] {
			// Only the first of those without a name: they share the key.
			if unknown {
				continue
			}
			unknown = true
		}
		if value == "" {
			value = "Unknown"
		}
		w.Str(key, value)
		if a.HasLong {
			w.Bytes(key+"_raw", a.Long)
		} else {
			w.Uint(key+"_raw", uint64(a.Value))
		}
	}
}

func secrets(s *Secrets, w *jsonw.Writer) {
	if s.KE != nil {
		w.Bytes("key_exchange_payload", s.KE)
		w.Uint("key_exchange_payload_length", uint64(len(s.KE)/2))
	}
	if s.Nonce != nil {
		w.Bytes("nonce_payload", s.Nonce)
		w.Uint("nonce_payload_length", uint64(len(s.Nonce)/2))
	}
}

func (n *tables) version2(t *Tx, w *jsonw.Writer) {
	if t.Header[offFlags]&flagInitiator2 != 0 {
		w.Str("role", "initiator")
	} else {
		w.Str("role", "responder")
		w.Str("alg_enc", n.suite[encTransform].or("IkeTransformEncType", t.Suite[encTransform]))
		w.Str("alg_auth", n.suite[integTransform].or("IkeTransformAuthType", t.Suite[integTransform]))
		w.Str("alg_prf", n.suite[prfTransform].or("IkeTransformPRFType", t.Suite[prfTransform]))
		w.Str("alg_dh", n.suite[dhTransform].or("IkeTransformDHType", t.Suite[dhTransform]))
		w.Str("alg_esn", n.suite[esnTransform].or("IkeTransformESNType", t.Suite[esnTransform]))
	}
	w.Array("payload")
	for _, p := range t.Payloads {
		w.StrValue(n.payloads2.or("IkePayloadType", uint16(p)))
	}
	w.CloseArray()
	w.Object("ikev2")
	w.Uint("errors", uint64(t.Errors))
	if len(t.Notifies) > 0 {
		w.Array("notify")
		for _, x := range t.Notifies {
			w.StrValue(n.notify.or("NotifyType", x))
		}
		w.CloseArray()
	}
	w.Close()
}
