package rdp

import (
	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes a message.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	w.Uint("tx_id", t.ID+1)
	switch t.Kind {
	case InitialRequest:
		w.Str("event_type", "initial_request")
		if len(t.Cookie) > 0 {
			w.Text("cookie", t.Cookie)
		}
		if t.Nego == 1 {
			bits("flags", uint32(t.Flags), requestFlags(), w)
		}
	case InitialResponse:
		w.Str("event_type", "initial_response")
		t.response(w)
	case ConnectRequest:
		w.Str("event_type", "connect_request")
		if t.Client != nil {
			t.Client.write(w)
		}
		if len(t.Channels) > 0 {
			w.Array("channels")
			for _, c := range t.Channels {
				w.StrValue(c)
			}
			w.CloseArray()
		}
	case ConnectResponse:
		w.Str("event_type", "connect_response")
	case TLSHandshake:
		w.Str("event_type", "tls_handshake")
		w.Array("x509_serials")
		for _, s := range t.Serials {
			w.StrValue(hexText(s))
		}
		w.CloseArray()
	}
	return true
}

func hexText(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

func (t *Tx) response(w *jsonw.Writer) {
	switch t.Nego {
	case 2:
		bits("server_supports", uint32(t.Flags), responseFlags(), w)
		names := map[uint32]string{0: "rdp", 1: "ssl", 2: "hybrid", 4: "rds_tls", 8: "hybrid_ex"}
		if name, ok := names[t.Protocol]; ok {
			w.Str("protocol", name)
		}
	case 3:
		w.Uint("error_code", uint64(t.Protocol))
		reasons := [...]string{"", "ssl required by server", "ssl not allowed by server", "ssl cert not on server",
			"inconsistent flags", "hybrid required by server", "ssl with user auth required by server"}
		if t.Protocol > 0 && t.Protocol < uint32(len(reasons)) {
			w.Str("reason", reasons[t.Protocol])
		}
	}
}

// bit is a flag with its name.
type bit struct {
	mask uint32
	name string
}

func requestFlags() []bit {
	return []bit{{1, "restricted_admin_mode_req"}, {2, "redirected_authentication_mode_req"}, {8, "correlation_info_present"}}
}

func responseFlags() []bit {
	return []bit{{1, "extended_client_data"}, {2, "dynvc_gfx"}, {8, "restricted_admin"}, {0x10, "redirected_authentication"}}
}

func capabilityFlags() []bit {
	return []bit{{1, "support_errinfo_pdf"}, {2, "want_32bpp_session"}, {4, "support_statusinfo_pdu"}, {8, "strong_asymmetric_keys"},
		{0x20, "valid_connection_type"}, {0x40, "support_monitor_layout_pdu"}, {0x80, "support_netchar_autodetect"},
		{0x100, "support_dynvc_gfx_protocol"}, {0x200, "support_dynamic_time_zone"}, {0x400, "support_heartbeat_pdu"}}
}

// bits writes the names of the flags set in v, if any.
func bits(key string, v uint32, names []bit, w *jsonw.Writer) {
	open := false
	for _, b := range names {
		if v&b.mask == 0 {
			continue
		}
		if !open {
			w.Array(key)
			open = true
		}
		w.StrValue(b.name)
	}
	if open {
		w.CloseArray()
	}
}

func (c *Client) write(w *jsonw.Writer) {
	w.Object("client")
	w.Str("version", versionName(c.Version))
	w.Uint("desktop_width", uint64(c.Width))
	w.Uint("desktop_height", uint64(c.Height))
	w.Uint("color_depth", uint64(c.Depth))
	w.Str("keyboard_layout", layoutName(c.Layout))
	w.Str("build", buildName(c.Build))
	if c.Name != "" {
		w.Str("client_name", c.Name)
	}
	if name := pick(c.KeyType, "", "xt", "ico", "at", "enhanced", "1050", "9140", "jp"); name != "" {
		w.Str("keyboard_type", name)
	}
	if c.SubType != 0 {
		w.Uint("keyboard_subtype", uint64(c.SubType))
	}
	if c.FunctionKeys != 0 {
		w.Uint("function_keys", uint64(c.FunctionKeys))
	}
	if c.IME != "" {
		w.Str("ime", c.IME)
	}
	if c.HasProduct {
		w.Uint("product_id", uint64(c.Product))
	}
	if c.HasFlags {
		bits("capabilities", uint32(c.Capabilities), capabilityFlags(), w)
	}
	if c.ID != "" {
		w.Str("id", c.ID)
	}
	if name := pick(uint32(c.Hint), "", "modem", "low_broadband", "satellite", "high_broadband", "wan", "lan", "autodetect"); name != "" {
		w.Str("connection_hint", name)
	}
	w.Close()
}

// pick returns names[i], "" when there is none.
func pick(i uint32, names ...string) string {
	if i < uint32(len(names)) {
		return names[i]
	}
	return ""
}

// versionName names a client's version of RDP (MS-RDPBCGR section 2.2.1.3.2).
func versionName(v uint32) string {
	if v>>16 == 8 {
		if n := pick(v&0xffff, "", "v4", "", "", "v5", "v10.0", "v10.1", "v10.2", "v10.3", "v10.4", "v10.5", "v10.6", "v10.7"); n != "" {
			return n
		}
	}
	return "unknown"
}

// buildName names the build of Windows a client runs on.
func buildName(n uint32) string {
	switch n {
	case 2195:
		return "Windows 2000"
	case 2600:
		return "Windows XP"
	case 3790:
		return "Windows Server 2003"
	case 6000:
		return "Windows Vista RTM"
	case 6001:
		return "Windows Vista SP1"
	case 6002:
		return "Windows Vista SP2"
	case 7600:
		return "Windows 7 RTM"
	case 7601:
		return "Windows 7 SP1"
	case 9200:
		return "Windows 8 RTM"
	case 9600:
		return "Windows 8.1"
	case 10240:
		return "Windows 10 RTM"
	case 10586:
		return "Windows 10 TH2"
	case 14393:
		return "Windows 10 RS1"
	case 15063:
		return "Windows 10 RS2"
	case 16299:
		return "Windows 10 RS3"
	case 17134:
		return "Windows 10 RS4"
	case 17763:
		return "Windows 10 RS5"
	}
	return "unknown"
}

// layoutName names the language of a keyboard layout (MS-LCID); layouts are known by
// their plain language only.
func layoutName(n uint32) string {
	names := map[uint32]string{
		0x401: "ar-SA", 0x402: "bg-BG", 0x403: "ca-ES", 0x404: "zh-TW", 0x405: "cs-CZ", 0x406: "da-DK", 0x407: "de-DE", 0x408: "el-GR",
		0x409: "en-US", 0x40a: "es-ES", 0x40b: "fi-FI", 0x40c: "fr-FR", 0x40d: "he-IL", 0x40e: "hu-HU", 0x40f: "is-IS", 0x410: "it-IT",
		0x411: "ja-JP", 0x412: "ko-KR", 0x413: "nl-NL", 0x414: "nb-NO", 0x415: "pl-PL", 0x416: "pt-BR", 0x418: "ro-RO", 0x419: "ru-RU",
		0x41a: "hr-HR", 0x41b: "sk-SK", 0x41c: "sq-AL", 0x41d: "sv-SE", 0x41e: "th-TH", 0x41f: "tr-TR", 0x420: "ur-PK", 0x421: "id-ID",
		0x422: "uk-UA", 0x423: "be-BY", 0x424: "sl-SI", 0x425: "et-EE", 0x426: "lv-LV", 0x427: "lt-LT", 0x429: "fa-IR", 0x42a: "vi-VN",
		0x804: "zh-CN", 0x807: "de-CH", 0x809: "en-GB", 0x80a: "es-MX", 0x80c: "fr-BE", 0x810: "it-CH", 0x813: "nl-BE", 0x814: "nn-NO",
		0x816: "pt-PT", 0x81d: "sv-FI", 0xc04: "zh-HK", 0xc07: "de-AT", 0xc09: "en-AU", 0xc0a: "es-ES", 0xc0c: "fr-CA", 0x1004: "zh-SG",
		0x1009: "en-CA", 0x100c: "fr-CH", 0x1409: "en-NZ", 0x1809: "en-IE",
	}
	if name, ok := names[n]; ok {
		return name
	}
	return "unknown"
}
