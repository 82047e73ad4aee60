package mpm

// rareBits tells how rare a byte is, in eighths of a bit, with bit 5 set on every
// byte (which folds the case of letters). Measured over captures of many protocols
// and over the host names and paths in them: TestPrintFrequencies prints it.
var rareBits = [256]uint8{
	0x20: 26, 61, 60, 65, 62, 64, 68, 66, 63, 65, 63, 65, 61, 53, 38, 54,
	48, 51, 52, 56, 59, 58, 59, 60, 59, 60, 58, 58, 68, 66, 68, 68,
	0x60: 67, 34, 53, 41, 41, 35, 53, 52, 54, 43, 60, 54, 46, 42, 46, 39,
	42, 60, 42, 44, 41, 51, 51, 52, 47, 52, 61, 69, 66, 67, 70, 52,
	0xa0: 70, 71, 71, 66, 70, 67, 72, 72, 71, 66, 71, 60, 72, 68, 72, 72,
	71, 73, 73, 73, 72, 72, 72, 72, 71, 73, 73, 73, 73, 73, 73, 72,
	0xe0: 67, 71, 72, 70, 70, 73, 72, 71, 64, 70, 72, 70, 67, 71, 71, 70,
	68, 69, 70, 70, 70, 71, 70, 71, 69, 72, 73, 72, 70, 72, 70, 56,
}

// commonText is what most buffers have in common. A window that occurs in it is a
// bad choice, however rare its bytes are.
const commonText = "get /post /head /put / http/1.0\r\n http/1.1\r\n http/1.1 200 ok\r\n 404 not found\r\n 302 found\r\n" +
	"host: www.\r\nuser-agent: mozilla/4.0 (compatible; msie 6.0; windows nt 5.1; sv1) mozilla/5.0 (windows nt 10.0; win64; x64) " +
	"applewebkit/537.36 (khtml, like gecko) chrome/ safari/537.36 firefox/ linux x86_64 macintosh; intel mac os x 10_ curl/7. python wget " +
	"\r\naccept: */*\r\naccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,image/png\r\naccept-encoding: gzip, deflate, br\r\n" +
	"accept-language: en-us,en;q=0.5\r\nconnection: keep-alive\r\nconnection: close\r\ncache-control: no-cache\r\npragma: no-cache\r\n" +
	"content-length: 0\r\ncontent-type: application/x-www-form-urlencoded; charset=utf-8\r\ncontent-type: text/plain application/json " +
	"application/octet-stream multipart/form-data; boundary=----\r\ncontent-disposition: form-data; name=\" filename=\" attachment; " +
	"\r\ncontent-transfer-encoding: base64\r\nreferer: http://www. https://www.\r\ncookie: phpsessid= session set-cookie: path=/; expires= domain= " +
	"\r\ndate: mon, tue, wed, thu, fri, sat, sun, jan feb mar apr may jun jul aug sep oct nov dec 2010 2015 2020 2024 gmt\r\n" +
	"server: apache/2. nginx/1. microsoft-iis\r\nlast-modified: etag: transfer-encoding: chunked\r\nlocation: vary: x-powered-by: php/ asp.net\r\n" +
	"<!doctype html><html><head><title></title><meta http-equiv=\"content-type\" content=\"text/html\"><link rel=\"stylesheet\" href=\"" +
	"<script type=\"text/javascript\" src=\"</script></head><body><div id=\" class=\"</div><a href=\"</a><table><tr><td><form action=\" method=\"post\">" +
	"<input type=\"hidden\" value=\"</form></body></html> function() { var = document.getelementbyid window. return true; false; if ( else for ( " +
	"eval(unescape( string.fromcharcode .length .replace( new array( <object classid=\"clsid: <param name= <iframe width=\"0\" height=\"0\" </iframe> " +
	".com .net .org .info .top .xyz .ru .cn .de .co.uk .com/ .php? .php .asp .aspx .html .htm .exe .dll .js .css .png .jpg .gif .txt .zip .pdf " +
	"index.php admin login user password update download upload images include wp-content/plugins/ wp-admin/ themes/ cgi-bin/ config api/v1/ " +
	"id= &id= ?id= &name= &type= &ver= &action= page= token= key= data= .in-addr.arpa _tcp.local mail. api. cdn. cloud online service secure account " +
	"select * from where union insert into order by and 1=1 ' or ' " +
	"220 esmtp ehlo helo mail from:< rcpt to:< data\r\n subject: mime-version: 1.0\r\n received: from by with esmtp; message-id: <  user pass retr stor list quit\r\n " +
	"nick privmsg join ping pong " +
	"this program cannot be run in dos mode.\r\r\n kernel32.dll getprocaddress loadlibrary " +
	"smb ntlmssp \\pipe\\ ssh-2.0-openssh rtsp/1.0 sip/2.0 notify * m-search * http:// https:// ftp:// " +
	"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\x00\x01\x00\x00\xff\xff\xff\xff\x00\x00\xff\xff  \r\n\r\n  aaaaaaaa0000000011111111--------========****\x90\x90\x90\x90........////"

// rarity scores windows of patterns.
type rarity struct {
	common [1 << 14 / 64]uint64 // hashed 4-byte windows of commonText
	pairs  [1 << 16 / 64]uint64 // its 2-byte windows
}

func newRarity() *rarity {
	r := &rarity{}
	for i := 0; i+4 <= len(commonText); i++ {
		w := foldWindow(commonText[i], commonText[i+1], commonText[i+2], commonText[i+3])
		h := commonHash(w)
		r.common[h/64] |= 1 << (h % 64)
		p := w & 0xffff
		r.pairs[p/64] |= 1 << (p % 64)
	}
	return r
}

func commonHash(w uint32) uint32 { return w * 0x9e3779b1 >> (32 - 14) }

func foldWindow(a, b, c, d byte) uint32 {
	return uint32(a) | uint32(b)<<8 | uint32(c)<<16 | uint32(d)<<24 | fold4
}

// score4 returns how rare a folded window is, in eighths of a bit.
func (r *rarity) score4(w uint32) int {
	s := 0
	for i := range 4 {
		s += int(rareBits[byte(w>>(8*i))])
	}
	// Runs of one byte and of two in turn fill whole packets.
	if w>>8 == w&0xffffff {
		return s / 4
	}
	if w>>16 == w&0xffff {
		s -= 40
	}
	h := commonHash(w)
	if r.common[h/64]>>(h%64)&1 != 0 {
		return s / 2
	}
	for i := range 3 {
		if p := w >> (8 * i) & 0xffff; r.pairs[p/64]>>(p%64)&1 != 0 {
			s -= 16
		}
	}
	return s
}

// score2 is score4 for windows of two bytes.
func (r *rarity) score2(w uint32) int {
	s := int(rareBits[byte(w)]) + int(rareBits[byte(w>>8)])
	if w>>8 == w&0xff {
		return s / 2
	}
	if r.pairs[w/64]>>(w%64)&1 != 0 {
		s -= 30
	}
	return s
}
