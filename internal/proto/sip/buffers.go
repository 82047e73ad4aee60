package sip

import "mirador/internal/proto"

type getter = func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool)

// one makes a Get of a function of a message; nil means there is no value.
func one(f func(t *Tx) []byte) getter {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || i > 0 || t.Dir != dir {
			return nil, false
		}
		b := f(t)
		return b, b != nil
	}
}

func header(long, compact string) getter {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || t.Dir != dir {
			return nil, false
		}
		return t.value(long, compact, i)
	}
}

// fields are the keywords of SIP.
func fields() []proto.Field {
	field := func(name, doc string, server, client bool, get getter) proto.Field {
		return proto.Field{Name: name, ToServer: server, ToClient: client, Get: get, Doc: doc}
	}
	head := func(name, long, compact string) proto.Field {
		return proto.Field{Name: name, ToServer: true, ToClient: true, Multi: true, Get: header(long, compact), Doc: "value of header " + long}
	}
	return []proto.Field{
		field("sip.method", "method of a request", true, false, one(func(t *Tx) []byte { return t.Method })),
		field("sip.uri", "URI of a request", true, false, one(func(t *Tx) []byte { return t.URI })),
		field("sip.request_line", "first line of a request", true, false, one(func(t *Tx) []byte {
			if !t.Request {
				return nil
			}
			return t.Line
		})),
		field("sip.stat_code", "status code of a response", false, true, one(func(t *Tx) []byte { return t.Code })),
		field("sip.stat_msg", "reason phrase of a response", false, true, one(func(t *Tx) []byte { return t.Reason })),
		field("sip.response_line", "first line of a response", false, true, one(func(t *Tx) []byte {
			if t.Request {
				return nil
			}
			return t.Line
		})),
		field("sip.protocol", "version of a message", true, true, one(func(t *Tx) []byte { return t.Version })),
		head("sip.from", "From", "f"), head("sip.to", "To", "t"), head("sip.via", "Via", "v"),
		head("sip.user_agent", "User-Agent", ""), head("sip.content_type", "Content-Type", "c"),
		head("sip.content_length", "Content-Length", "l"),
	}
}

// sdpValue makes a Get of a function of a session description.
func sdpValue(f func(s *SDP, i int) ([]byte, bool)) getter {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || t.Dir != dir || t.SDP == nil {
			return nil, false
		}
		return f(t.SDP, i)
	}
}

func at(list [][]byte, i int) ([]byte, bool) {
	if i >= len(list) {
		return nil, false
	}
	return list[i], true
}

// repeat returns the i-th repetition of all times.
func (s *SDP) repeat(i int) ([]byte, bool) {
	for j := range s.Times {
		if r := s.Times[j].Repeat; r != nil {
			if i == 0 {
				return r, true
			}
			i--
		}
	}
	return nil, false
}

// media returns the i-th value that f gives of the media descriptions; nil values
// do not count.
func (s *SDP) media(i int, f func(m *Media) []byte) ([]byte, bool) {
	for j := range s.Media {
		if v := f(&s.Media[j]); v != nil {
			if i == 0 {
				return v, true
			}
			i--
		}
	}
	return nil, false
}

// sdpFields are the keywords of session descriptions.
func sdpFields() []proto.Field {
	field := func(name, doc string, multi bool, f func(s *SDP, i int) ([]byte, bool)) proto.Field {
		return proto.Field{Name: name, ToServer: true, ToClient: true, Multi: multi, Get: sdpValue(f), Doc: doc}
	}
	line := func(name, doc string, f func(s *SDP) []byte) proto.Field {
		return field(name, doc, false, func(s *SDP, i int) ([]byte, bool) { v := f(s); return v, v != nil && i == 0 })
	}
	media := func(name, doc string, f func(m *Media) []byte) proto.Field {
		return field(name, doc, true, func(s *SDP, i int) ([]byte, bool) { return s.media(i, f) })
	}
	return []proto.Field{
		line("sdp.origin", "origin of a session (o=)", func(s *SDP) []byte { return s.Origin }),
		line("sdp.session_name", "name of a session (s=)", func(s *SDP) []byte { return s.Name }),
		line("sdp.session_info", "information on a session (i=)", func(s *SDP) []byte { return s.Info }),
		line("sdp.uri", "URI of a session (u=)", func(s *SDP) []byte { return s.URI }),
		line("sdp.email", "email address of a session (e=)", func(s *SDP) []byte { return s.Email }),
		line("sdp.phone_number", "phone number of a session (p=)", func(s *SDP) []byte { return s.Phone }),
		line("sdp.connection_data", "connection data of a session (c=)", func(s *SDP) []byte { return s.Connection }),
		line("sdp.timezone", "time zones of a session (z=)", func(s *SDP) []byte { return s.Zone }),
		line("sdp.encryption_key", "encryption key of a session (k=)", func(s *SDP) []byte { return s.Key }),
		field("sdp.bandwidth", "bandwidth of a session (b=)", true, func(s *SDP, i int) ([]byte, bool) { return at(s.Bandwidths, i) }),
		field("sdp.attribute", "attribute of a session (a=)", true, func(s *SDP, i int) ([]byte, bool) { return at(s.Attributes, i) }),
		field("sdp.time", "time of a session (t=)", true, func(s *SDP, i int) ([]byte, bool) {
			if i >= len(s.Times) {
				return nil, false
			}
			return s.Times[i].Time, true
		}),
		field("sdp.repeat_time", "repetition of a session (r=)", true, (*SDP).repeat),
		media("sdp.media.media", "media of a media description (m=)", func(m *Media) []byte { return m.Media }),
		media("sdp.media.media_info", "title of a media description (i=)", func(m *Media) []byte { return m.Info }),
		media("sdp.media.connection_data", "connection data of a media description (c=)", func(m *Media) []byte { return m.Connection }),
		media("sdp.media.encryption_key", "encryption key of a media description (k=)", func(m *Media) []byte { return m.Key }),
	}
}
