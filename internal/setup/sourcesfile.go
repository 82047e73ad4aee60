package setup

import (
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/mirror"
)

// SourceEntry is an entry of the sensor's sources file, with the names of its keys.
type SourceEntry struct {
	VNI         uint32            `json:"vni"`
	SourceIP    string            `json:"source_ip,omitempty"`
	SessionID   string            `json:"session_id"`
	SessionName string            `json:"session_name,omitempty"`
	ENI         string            `json:"eni"`
	InstanceID  string            `json:"instance_id,omitempty"`
	Name        string            `json:"name,omitempty"`
	Account     string            `json:"account,omitempty"`
	VPC         string            `json:"vpc,omitempty"`
	Subnet      string            `json:"subnet,omitempty"`
	AZ          string            `json:"az,omitempty"`
	MAC         string            `json:"mac,omitempty"`
	Addresses   []string          `json:"addresses,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// SourceEntries returns who the sessions in w are from, one entry each, in the order of
// their ids. stack limits them to those of one stack; "" means all. With targets only
// sessions to those targets are taken.
func SourceEntries(w *Observed, stack string, targets []string) []SourceEntry {
	want := map[string]bool{}
	for _, t := range targets {
		want[t] = true
	}
	var out []SourceEntry
	seen := map[string]bool{}
	for i := range w.Sessions {
		x := &w.Sessions[i]
		t := tagsOf(x.Tags)
		if stack != "" && t[TagStack] != stack || len(targets) > 0 && !want[x.TargetID] {
			continue
		}
		e := SourceEntry{VNI: x.VNI, SessionID: x.ID, SessionName: t[tagName], ENI: x.NetworkInterfaceID, Account: x.OwnerID, Tags: map[string]string{}}
		n := w.Interface(x.NetworkInterfaceID)
		if n != nil {
			if a := n.Primary(); a.IsValid() {
				e.SourceIP = a.String()
			}
			e.InstanceID, e.VPC, e.Subnet, e.AZ, e.MAC = n.InstanceID, n.VPC, n.Subnet, n.AZ, n.MAC
			for _, a := range append(append(n.Private[:0:0], n.Private...), n.IPv6...) {
				if len(e.Addresses) < mirror.MaxAddrs && a.IsValid() {
					e.Addresses = append(e.Addresses, a.String())
				}
			}
			sourceTags(e.Tags, n.Tags)
			if inst := w.Instance(n.InstanceID); inst != nil {
				e.Name = inst.Tags[tagName]
				sourceTags(e.Tags, inst.Tags)
			}
		}
		// Two sessions of one interface with the same VNI cannot be told apart: the one with
		// the lower number mirrors first.
		k := e.SourceIP + " " + strconv.FormatUint(uint64(e.VNI), 10)
		if seen[k] {
			continue
		}
		seen[k] = true
		out = append(out, e)
	}
	return out
}

// sourceTags copies tags but those of AWS and of ours; the sensor takes so many.
func sourceTags(to map[string]string, t Tags) {
	for _, k := range sortedTagKeys(t) {
		if k == tagName || k == TagStack || k == TagKey || k == TagManaged || strings.HasPrefix(k, "aws:") || len(to) >= mirror.MaxTags {
			continue
		}
		to[k] = t[k]
	}
}

// SourcesYAML writes entries as a sources file.
func SourcesYAML(list []SourceEntry) string {
	var b strings.Builder
	b.WriteString("# Sources of mirrored traffic, made by mirador aws sources.\nsources:\n")
	if len(list) == 0 {
		return strings.TrimSuffix(b.String(), "sources:\n") + "sources: []\n"
	}
	for i := range list {
		e := &list[i]
		fmt.Fprintf(&b, "  - vni: %d\n", e.VNI)
		for _, x := range []struct{ key, value string }{
			{"source_ip", e.SourceIP}, {"session_id", e.SessionID}, {"session_name", e.SessionName}, {"eni", e.ENI}, {"instance_id", e.InstanceID}, {"name", e.Name},
			{"account", e.Account}, {"vpc", e.VPC}, {"subnet", e.Subnet}, {"az", e.AZ}, {"mac", e.MAC},
		} {
			if x.value != "" {
				fmt.Fprintf(&b, "    %s: %s\n", x.key, jsonText(x.value))
			}
		}
		if len(e.Addresses) > 0 {
			q := make([]string, len(e.Addresses))
			for j, a := range e.Addresses {
				q[j] = jsonText(a)
			}
			fmt.Fprintf(&b, "    addresses: [%s]\n", strings.Join(q, ", "))
		}
		if len(e.Tags) > 0 {
			b.WriteString("    tags:\n")
			for _, k := range sortedTagKeys(e.Tags) {
				fmt.Fprintf(&b, "      %s: %s\n", jsonText(k), jsonText(e.Tags[k]))
			}
		}
	}
	return b.String()
}
