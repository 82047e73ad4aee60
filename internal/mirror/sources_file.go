package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"

	"mirador/internal/packet"
)

// MaxSourcesFile bounds the sources file in bytes: MaxSources entries of a
// kilobyte each.
const MaxSourcesFile = 64 << 20

// sourcesFile is the sources file as written. The names of its keys are those of
// EVE's object "mirror".
type sourcesFile struct {
	Sources []sourceEntry `yaml:"sources" json:"sources"`
}

type sourceEntry struct {
	VNI         *uint32           `yaml:"vni" json:"vni"`
	SourceIP    string            `yaml:"source_ip" json:"source_ip"`
	SessionID   string            `yaml:"session_id" json:"session_id"`
	SessionName string            `yaml:"session_name" json:"session_name"`
	ENI         string            `yaml:"eni" json:"eni"`
	InstanceID  string            `yaml:"instance_id" json:"instance_id"`
	Name        string            `yaml:"name" json:"name"`
	Account     string            `yaml:"account" json:"account"`
	VPC         string            `yaml:"vpc" json:"vpc"`
	Subnet      string            `yaml:"subnet" json:"subnet"`
	AZ          string            `yaml:"az" json:"az"`
	Tenant      string            `yaml:"tenant" json:"tenant"`
	MAC         string            `yaml:"mac" json:"mac"`
	Addresses   []string          `yaml:"addresses" json:"addresses"`
	Tags        map[string]string `yaml:"tags" json:"tags"`
}

// ParseSources reads a sources file: YAML, or JSON of the same shape. name stands
// for the file in errors, which begin with file, line and column where the reader
// knows them.
//
//	sources:
//	  - vni: 1169                 # of the mirror session; vni, source_ip or both
//	    source_ip: 10.0.1.15      # outer source: primary address of the mirrored ENI
//	    session_id: tms-0a1
//	    eni: eni-0a1
//	    instance_id: i-0a1
//	    vpc: vpc-0a1
//	    tags: {env: prod}
//
// An empty file is an empty table.
func ParseSources(data []byte, name string) (*SourceTable, error) {
	if len(data) > MaxSourcesFile {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", name, len(data), MaxSourcesFile)
	}
	var f sourcesFile
	var err error
	if b := bytes.TrimLeft(data, " \t\r\n"); len(b) > 0 && b[0] == '{' {
		err = readJSON(data, name, &f)
	} else {
		err = readYAML(data, name, &f)
	}
	if err != nil {
		return nil, err
	}
	if len(f.Sources) > MaxSources {
		return nil, fmt.Errorf("%s: %w", name, ErrTooManySources)
	}
	entries := make([]Entry, len(f.Sources))
	for i := range f.Sources {
		if entries[i], err = f.Sources[i].entry(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, &EntryError{Index: i, Err: err})
		}
	}
	t, err := NewSourceTable(entries)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// readYAML reads YAML into f. The YAML package panics on some malformed files
// (a tag without a value, for one); that is an error of the file like any other.
func readYAML(data []byte, name string, f any) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%s: malformed YAML", name)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.DisallowUnknownField())
	err = dec.Decode(f)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil && ye.GetToken().Position != nil {
		p := ye.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", name, p.Line, p.Column, strings.TrimSpace(ye.GetMessage()))
	}
	return fmt.Errorf("%s: %w", name, err)
}

func readJSON(data []byte, name string, f any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(f)
	if err == nil {
		if _, err = dec.Token(); err == io.EOF {
			return nil
		}
		err = errors.New("more than one value")
	}
	at := dec.InputOffset()
	var se *json.SyntaxError
	var te *json.UnmarshalTypeError
	switch {
	case errors.As(err, &se):
		at = se.Offset
	case errors.As(err, &te):
		at = te.Offset
	}
	head := data[:min(int(at), len(data))]
	line := bytes.Count(head, []byte{'\n'}) + 1
	column := max(len(head)-bytes.LastIndexByte(head, '\n')-1, 1)
	return fmt.Errorf("%s:%d:%d: %s", name, line, column, strings.TrimPrefix(err.Error(), "json: "))
}

// entry checks e and gives it its inner form.
func (e *sourceEntry) entry() (Entry, error) {
	out := Entry{Source: Source{
		SessionID: e.SessionID, SessionName: e.SessionName, ENI: e.ENI, InstanceID: e.InstanceID, Name: e.Name,
		Account: e.Account, VPC: e.VPC, Subnet: e.Subnet, AZ: e.AZ, Tenant: e.Tenant,
	}}
	for _, s := range [...]struct{ key, value string }{
		{"session_id", e.SessionID}, {"session_name", e.SessionName}, {"eni", e.ENI}, {"instance_id", e.InstanceID},
		{"name", e.Name}, {"account", e.Account}, {"vpc", e.VPC}, {"subnet", e.Subnet}, {"az", e.AZ}, {"tenant", e.Tenant},
	} {
		if len(s.value) > MaxText {
			return out, fmt.Errorf("%s: %d bytes, at most %d are possible", s.key, len(s.value), MaxText)
		}
	}
	if e.VNI != nil {
		out.Key.VNI, out.Key.HasVNI = *e.VNI, true
	}
	if e.SourceIP != "" {
		a, err := parseAddr(e.SourceIP)
		if err != nil {
			return out, fmt.Errorf("source_ip: %w", err)
		}
		out.Key.Outer, out.Key.HasOuter = a, true
	}
	if e.MAC != "" {
		m, err := net.ParseMAC(e.MAC)
		if err != nil || len(m) != 6 {
			return out, fmt.Errorf("mac: %q is no Ethernet address", e.MAC)
		}
		out.Source.MAC, out.Source.HasMAC = [6]byte(m), true
	}
	if len(e.Addresses) > MaxAddrs {
		return out, fmt.Errorf("addresses: %d, at most %d are possible", len(e.Addresses), MaxAddrs)
	}
	for _, s := range e.Addresses {
		a, err := parseAddr(s)
		if err != nil {
			return out, fmt.Errorf("addresses: %w", err)
		}
		out.Source.Addrs = append(out.Source.Addrs, a)
	}
	for k, v := range e.Tags {
		if len(k) > MaxText || len(v) > MaxText {
			return out, fmt.Errorf("tags: %.40q has more than %d bytes", k, MaxText)
		}
		out.Source.Tags = append(out.Source.Tags, Tag{k, v})
	}
	sort.Slice(out.Source.Tags, func(i, j int) bool { return out.Source.Tags[i].Key < out.Source.Tags[j].Key })
	return out, nil
}

func parseAddr(s string) (packet.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return packet.Addr{}, fmt.Errorf("%q is no IP address", s)
	}
	return a.As16(), nil
}
