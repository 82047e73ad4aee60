package main

import (
	"os"

	"mirador/internal/config"
	"mirador/internal/eve"
	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/dns"
	"mirador/internal/proto/http"
	"mirador/internal/proto/smb"
	"mirador/internal/proto/smtp"
	"mirador/internal/proto/tls"
)

// loggers returns how the i-th EVE output logs the protocols that have options of
// their own there.
func loggers(flat *config.Flat, i int) []eve.Logger {
	d := dnsOptions(flat.EVEType(i, "dns"))
	return append([]eve.Logger{
		{Name: "dns", Log: dns.Logger(d), ByFlow: d.Version == 2},
		{Name: "tls", Log: tls.Logger(tlsOptions(flat.EVEType(i, "tls")))},
		{Name: "smtp", Log: smtp.Logger(smtpOptions(flat.EVEType(i, "smtp")))},
		smbLogger(flat.EVEType(i, "smb")),
	}, httpLoggers(flat, i)...)
}

// smbLogger reads the options of the EVE type smb. Its types choose among the
// transactions; alerts show those of every type.
func smbLogger(s proto.Settings) eve.Logger {
	types, ok := s.Strings("types")
	if !ok || len(types) == 0 {
		return eve.Logger{Name: "smb"}
	}
	all := smb.Logger(smb.LogOptions{})
	return eve.Logger{
		Name: "smb",
		Log:  smb.Logger(smb.LogOptions{Types: types}),
		LogAlert: func(c *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
			w.Object("smb")
			all(c, tx, w)
			w.Close()
		},
	}
}

// dnsOptions reads the options of the EVE type dns.
func dnsOptions(s proto.Settings) dns.LogOptions {
	var o dns.LogOptions
	if n, ok := s.Int("version"); ok {
		o.Version = int(n)
	} else if os.Getenv("SURICATA_EVE_DNS_VERSION") == "2" {
		// Suricata lets the environment choose where the configuration does not.
		o.Version = 2
	}
	if v, ok := s.Bool("requests"); ok {
		o.NoRequests = !v
	}
	if v, ok := s.Bool("responses"); ok {
		o.NoResponses = !v
	}
	if list, ok := s.Strings("formats"); ok {
		o.NoDetailed, o.NoGrouped = true, true
		for _, f := range list {
			switch f {
			case "detailed":
				o.NoDetailed = false
			case "grouped":
				o.NoGrouped = false
			}
		}
	}
	o.Types, _ = s.Strings("types")
	return o
}

// smtpOptions reads the options of the EVE type smtp.
func smtpOptions(s proto.Settings) smtp.LogOptions {
	var o smtp.LogOptions
	o.Extended, _ = s.Bool("extended")
	o.Custom, _ = s.Strings("custom")
	o.MD5, _ = s.Strings("md5")
	return o
}

// tlsOptions reads the options of the EVE type tls.
func tlsOptions(s proto.Settings) tls.LogOptions {
	var o tls.LogOptions
	if v, ok := s.Bool("extended"); ok {
		o.Basic = !v
	}
	if v, ok := s.Bool("session-resumption"); ok {
		o.NoResumption = !v
	}
	o.Custom, _ = s.Strings("custom")
	return o
}

// httpLoggers reads the options of the EVE types http and alert.
func httpLoggers(flat *config.Flat, i int) []eve.Logger {
	s, a := flat.EVEType(i, "http"), flat.EVEType(i, "alert")
	var o http.LogOptions // short unless the configuration says extended, as the stock one does
	o.Extended, _ = s.Bool("extended")
	o.Custom, _ = s.Strings("custom")
	switch v, _ := s.String("dump-all-headers"); v {
	case "both":
		o.Dump = http.DumpRequest | http.DumpResponse
	case "request":
		o.Dump = http.DumpRequest
	case "response":
		o.Dump = http.DumpResponse
	}
	var body http.AlertOptions
	body.Body, _ = a.Bool("http-body")
	body.BodyPrintable, _ = a.Bool("http-body-printable")
	return []eve.Logger{{Name: "http", Log: http.Logger(o), LogAlert: http.AlertLogger(body)}}
}
