package http

import (
	"errors"

	"mirador/internal/proto"
)

// The part of a message that a field is in. It can be read as soon as the
// progress is beyond that part; a body while it is there.
var (
	atLine   = [2]uint8{RequestLine, ResponseLine}
	atHeader = [2]uint8{RequestHeaders, ResponseHeaders}
	atBody   = [2]uint8{RequestBody, ResponseBody}
	// atTrailer is the progress at which a trailer has been read.
	atTrailer = [2]uint8{RequestTrailer, ResponseTrailer}
)

// side says in which directions a field exists.
type side uint8

const (
	inRequest side = 1 << iota
	inResponse
	inBoth = inRequest | inResponse
)

func field(name, legacy, doc string, in side, at [2]uint8, get reader, aliases ...string) proto.Field {
	return proto.Field{
		Name: name, Legacy: legacy, Aliases: aliases, Doc: doc,
		ToServer: in&inRequest != 0, ToClient: in&inResponse != 0,
		MinProgress: at, Get: behind(at, get),
	}
}

func stream(name, legacy, doc string, in side, aliases ...string) proto.Field {
	f := field(name, legacy, doc, in, atBody, nil, aliases...)
	f.Stream, f.GetStream = true, getBody
	return f
}

// fields are the sticky buffers of HTTP/1.
func fields() []proto.Field {
	host := field("http.host", "http_host", "host of the request in lower case, without port", inRequest, atHeader, getHost)
	host.Validate = lowerOnly
	reqHdr := field("http.request_header", "", "each request header as Name: value", inRequest, atHeader, getHeaderLine)
	resHdr := field("http.response_header", "", "each response header as Name: value", inResponse, atHeader, getHeaderLine)
	reqHdr.Multi, resHdr.Multi = true, true
	// Chunked messages may bring more headers behind their body. Suricata alerts once
	// more when a rule's pattern is found in http.header then.
	hdr := field("http.header", "http_header", "headers without cookies, one per line", inBoth, atHeader, getHeader)
	raw := field("http.header.raw", "http_raw_header", "header block as sent", inBoth, atHeader, getRawHeader)
	hdr.Again, hdr.Changed, hdr.Repeats = atTrailer, hasTrailer, true
	raw.Again, raw.Changed = atTrailer, hasTrailer
	raw.OneWay = true
	protocol := field("http.protocol", "", "protocol of the first line", inBoth, atLine, getProtocol, "http_protocol")
	protocol.Validate = noBlanks
	method := field("http.method", "http_method", "method of the request", inRequest, atLine, getMethod)
	method.Validate = noBlankEnds
	file := stream("file.data", "", "files in requests, decoded bodies of responses", inBoth, "file_data")
	file.GetStream, file.Multi = getFileData, true
	return []proto.Field{
		field("http.uri", "http_uri", "normalised path and query", inRequest, atLine, getURI),
		field("http.uri.raw", "http_raw_uri", "target of the request as sent", inRequest, atLine, getRawURI),
		method,
		field("http.request_line", "", "first line of the request", inRequest, atLine, getLine, "http_request_line"),
		protocol,
		field("http.stat_code", "http_stat_code", "status of the response", inResponse, atLine, getStatus),
		field("http.stat_msg", "http_stat_msg", "text behind the status", inResponse, atLine, getStatusMsg),
		field("http.response_line", "", "first line of the response", inResponse, atLine, getLine, "http_response_line"),
		host,
		field("http.host.raw", "http_raw_host", "host of the request as sent", inRequest, atHeader, getRawHost),
		hdr,
		raw,
		field("http.header_names", "", "names of the headers, each on a line", inBoth, atHeader, getNames, "http_header_names"),
		field("http.start", "", "first line and headers", inBoth, atHeader, getStart, "http_start"),
		reqHdr,
		resHdr,
		field("http.cookie", "http_cookie", "Cookie or Set-Cookie", inBoth, atHeader, getCookie),
		field("http.user_agent", "http_user_agent", "User-Agent", inRequest, atHeader, ofHeader("user-agent")),
		field("http.referer", "", "Referer", inRequest, atHeader, ofHeader("referer"), "http_referer"),
		field("http.accept", "", "Accept", inRequest, atHeader, ofHeader("accept"), "http_accept"),
		field("http.accept_enc", "", "Accept-Encoding", inRequest, atHeader, ofHeader("accept-encoding"), "http_accept_enc"),
		field("http.accept_lang", "", "Accept-Language", inRequest, atHeader, ofHeader("accept-language"), "http_accept_lang"),
		field("http.connection", "", "Connection", inBoth, atHeader, ofHeader("connection"), "http_connection"),
		field("http.content_type", "", "Content-Type", inBoth, atHeader, ofHeader("content-type"), "http_content_type"),
		field("http.content_len", "", "Content-Length", inBoth, atHeader, ofHeader("content-length"), "http_content_len"),
		field("http.server", "", "Server", inResponse, atHeader, ofHeader("server")),
		field("http.location", "", "Location", inResponse, atHeader, ofHeader("location")),
		stream("http.request_body", "http_client_body", "decoded body of the request", inRequest),
		stream("http.response_body", "http_server_body", "decoded body of the response", inResponse),
		file,
	}
}

var (
	errUpper  = errors.New("http.host is in lower case; a content with upper-case letters cannot match")
	errNocase = errors.New("http.host is in lower case; write the content so, without nocase")
	errSpace  = errors.New("http.protocol has no white space")
	errBlank  = errors.New("a method neither begins nor ends with white space")
)

// lowerOnly refuses contents that http.host can never hold.
func lowerOnly(content []byte, nocase bool) error {
	if nocase {
		return errNocase
	}
	for _, c := range content {
		if c >= 'A' && c <= 'Z' {
			return errUpper
		}
	}
	return nil
}

// noBlanks refuses contents that http.protocol can never hold.
func noBlanks(content []byte, _ bool) error {
	for _, c := range content {
		if c == ' ' || c == '\t' {
			return errSpace
		}
	}
	return nil
}

// noBlankEnds refuses contents that http.method can never hold.
func noBlankEnds(content []byte, _ bool) error {
	if len(content) == 0 {
		return nil
	}
	for _, c := range [2]byte{content[0], content[len(content)-1]} {
		if c == ' ' || c == '\t' {
			return errBlank
		}
	}
	return nil
}
