package vpc

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirador/internal/ec2api"
)

// metadataAddr is where the instance metadata service answers.
const metadataAddr = "169.254.169.254"

// The headers of the instance metadata service, version 2.
const (
	metadataToken    = "X-Aws-Ec2-Metadata-Token"
	metadataTokenTTL = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	maxMetadataTTL   = 21600 // seconds. AWS: "Use the Instance Metadata Service"
)

// metadata is the instance metadata service of one instance, version 2 only. A token is its
// end and a code over it, so that whoever asks for tokens makes nothing grow.
type metadata struct {
	instance string
	key      []byte
	snapshot func() *ec2api.Snapshot
	now      func() time.Time
}

// token makes a token that holds until end.
func (m *metadata) token(end time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(end.Unix()))
	h := hmac.New(sha256.New, m.key)
	io.WriteString(h, m.instance)
	h.Write(b)
	return base64.URLEncoding.EncodeToString(h.Sum(b))
}

// holds tells whether t is a token of this instance that has not ended.
func (m *metadata) holds(t string) bool {
	b, err := base64.URLEncoding.DecodeString(t)
	if err != nil || len(b) != 8+sha256.Size {
		return false
	}
	end := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	return hmac.Equal([]byte(m.token(end)), []byte(t)) && m.now().Before(end)
}

// ServeHTTP answers as the service does: 400 for a request that is none, 401 without a
// token, 403 through a proxy, 404 for what is not there.
func (m *metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "EC2ws")
	switch {
	case r.URL.Path == "/latest/api/token":
		ttl, err := strconv.Atoi(r.Header.Get(metadataTokenTTL))
		switch {
		case r.Method != http.MethodPut:
			http.Error(w, "405 - Method Not Allowed", http.StatusMethodNotAllowed)
		case r.Header.Get("X-Forwarded-For") != "":
			http.Error(w, "403 - Forbidden", http.StatusForbidden)
		case err != nil || ttl < 1 || ttl > maxMetadataTTL:
			http.Error(w, "400 - Bad Request", http.StatusBadRequest)
		default:
			w.Header().Set(metadataTokenTTL, strconv.Itoa(ttl))
			io.WriteString(w, m.token(m.now().Add(time.Duration(ttl)*time.Second)))
		}
	case r.Method != http.MethodGet:
		http.Error(w, "405 - Method Not Allowed", http.StatusMethodNotAllowed)
	case !m.holds(r.Header.Get(metadataToken)):
		http.Error(w, "401 - Unauthorized", http.StatusUnauthorized)
	default:
		text, ok := m.answer(strings.TrimPrefix(r.URL.Path, "/latest/"))
		if !ok {
			http.Error(w, "404 - Not Found", http.StatusNotFound)
			return
		}
		io.WriteString(w, text)
	}
}

// answer returns what a path below /latest says; a path that others are below lists them.
func (m *metadata) answer(path string) (string, bool) {
	all := m.paths()
	if all == nil {
		return "", false
	}
	if text, ok := all[strings.TrimSuffix(path, "/")]; ok {
		return text, true
	}
	if path != "" && !strings.HasSuffix(path, "/") {
		path += "/"
	}
	var list []string
	for p := range all {
		rest, ok := strings.CutPrefix(p, path)
		if !ok {
			continue
		}
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			rest = rest[:i+1]
		}
		if !slices.Contains(list, rest) {
			list = append(list, rest)
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\n"), len(list) > 0
}

// paths returns all that the service knows, by path below /latest; nil for an instance that
// is gone.
func (m *metadata) paths() map[string]string {
	s := m.snapshot()
	i := s.Instances[m.instance]
	if i == nil {
		return nil
	}
	out := map[string]string{}
	meta := func(path, text string) { out["meta-data/"+path] = text }
	meta("instance-id", i.ID)
	meta("instance-type", i.Type)
	meta("ami-id", i.Image)
	meta("instance-life-cycle", "on-demand")
	meta("placement/availability-zone", i.Zone)
	meta("placement/region", s.Region)
	meta("services/domain", "amazonaws.com")
	meta("services/partition", "aws")
	if i.UserData != "" {
		if b, err := base64.StdEncoding.DecodeString(i.UserData); err == nil {
			out["user-data"] = string(b)
		}
	}
	address := ""
	for _, e := range s.Interfaces {
		if e.Attachment == nil || e.Attachment.InstanceID != i.ID {
			continue
		}
		mac := net.HardwareAddr(e.MAC[:]).String()
		at := "network/interfaces/macs/" + mac + "/"
		meta(at+"mac", mac)
		meta(at+"interface-id", e.ID)
		meta(at+"subnet-id", e.Subnet)
		meta(at+"vpc-id", e.VPC)
		meta(at+"owner-id", e.OwnerID)
		meta(at+"device-number", strconv.Itoa(e.Attachment.DeviceIndex))
		meta(at+"local-ipv4s", lines(e.Addrs))
		meta(at+"security-group-ids", strings.Join(e.Groups, "\n"))
		if len(e.IPv6) > 0 {
			meta(at+"ipv6s", lines(e.IPv6))
		}
		if v := s.VPCs[e.VPC]; v != nil && len(v.CIDRs) > 0 {
			meta(at+"vpc-ipv4-cidr-block", v.CIDRs[0].CIDR.String())
		}
		if n := s.Subnets[e.Subnet]; n != nil {
			meta(at+"subnet-ipv4-cidr-block", n.CIDR.String())
		}
		if e.Attachment.DeviceIndex == 0 && len(e.Addrs) > 0 {
			address = e.Addrs[0].String()
			meta("mac", mac)
			meta("local-ipv4", address)
		}
	}
	doc, err := json.MarshalIndent(map[string]any{"accountId": s.AccountID, "architecture": "x86_64", "availabilityZone": i.Zone, "imageId": i.Image, "instanceId": i.ID, "instanceType": i.Type,
		"pendingTime": i.Launched.UTC().Format(time.RFC3339), "privateIp": address, "region": s.Region, "version": "2017-09-30"}, "", "  ")
	if err == nil {
		out["dynamic/instance-identity/document"] = string(doc)
	}
	return out
}

func lines(list []netip.Addr) string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = fmt.Sprint(a)
	}
	return strings.Join(out, "\n")
}
