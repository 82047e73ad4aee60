package setup

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"mirador/internal/mirror"
)

// WriteUserData writes, for each interface that AWS cannot mirror, the cloud-init user data
// that lets the software mirror do it: same filter, same packets at the sensor.
func (p *Plan) WriteUserData(w io.Writer) error {
	if p.Desired == nil {
		return nil
	}
	list := p.Desired.picked(Unsupported)
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "# AWS can mirror every interface that is selected: nothing needs the software mirror.")
		return err
	}
	for i, s := range list {
		if i > 0 {
			if _, err := fmt.Fprintln(w, "---"); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(w, p.userData(s)); err != nil {
			return err
		}
	}
	return nil
}

// agentTo returns where a software mirror on e sends to, and a remark when that is not
// known before apply.
func (p *Plan) agentTo(e *Interface) (to, remark string) {
	d := p.Desired
	if d.Spec.Software != nil && d.Spec.Software.To != "" {
		return d.Spec.Software.To, ""
	}
	if d.Balancer != nil && d.Balancer.Kind == TargetNLB {
		if arn := p.ids[keyBalancer]; arn != "" && p.names[arn] != "" {
			return p.names[arn] + ":4789", ""
		}
		return "LOAD_BALANCER:4789", "LOAD_BALANCER is the DNS name of the load balancer, which apply makes"
	}
	if d.Balancer != nil {
		return "SENSOR:4789", "SENSOR is the address of a sensor: a software mirror does not send through a gateway load balancer"
	}
	best := d.leastLoaded(e, true)
	if best == nil {
		best = d.leastLoaded(e, false)
	}
	if best == nil && len(d.Seats) > 0 {
		best = &d.Seats[0] // a software mirror is no source of the target
	}
	if best != nil {
		id := best.Existing
		if id == "" {
			id = p.ids[best.Key]
		}
		if a := p.addrs[id]; a != "" {
			return a + ":4789", ""
		}
	}
	return "SENSOR:4789", "SENSOR is the address of the traffic interface, which apply makes: plan again then"
}

// userData writes the user data of one instance.
func (p *Plan) userData(s *Source) string {
	d := p.Desired
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	to, remark := p.agentTo(s.Interface)
	vni, _ := d.Spec.vni() // Validate has read it
	if vni == 0 {
		vni = ownVNI(p.Stack, s.Interface.ID, nil, map[uint32]int{})
	}
	line("#cloud-config")
	line("# %s %s (%s): %s", s.InstanceID(), s.Interface.ID, oneLine(s.Name()), oneLine(s.Why))
	line("# The software mirror in place of a traffic mirror session; mirador has to be installed.")
	if remark != "" {
		line("# %s.", remark)
	}
	line("write_files:")
	line("  - path: /etc/mirador/mirror-source.yaml")
	line("    permissions: '0644'")
	line("    content: |")
	line("      interfaces:")
	var cidrs []netip.Prefix
	for _, v := range d.vpcs {
		if v.ID == s.Interface.VPC {
			cidrs = v.CIDRs
		}
	}
	var addrs []string
	for _, a := range append(append([]netip.Addr(nil), s.Interface.Private...), s.Interface.IPv6...) {
		addrs = append(addrs, jsonText(a.String()))
	}
	quoted := make([]string, len(cidrs))
	for i, c := range cidrs {
		quoted[i] = jsonText(c.String())
	}
	line("        source: {id: %s, mac: %s, addresses: [%s], vpc_cidrs: [%s]}", s.Interface.ID, jsonText(s.Interface.MAC), strings.Join(addrs, ", "), strings.Join(quoted, ", "))
	line("      filters:")
	line("        main:")
	line("          network_services: [%s]", strings.Join(d.Filter.Services, ", "))
	line("          rules:")
	for i := range d.Filter.Rules {
		line("            - {%s}", ruleYAML(&d.Filter.Rules[i]))
	}
	line("  - path: /etc/systemd/system/mirador-mirror.service")
	line("    permissions: '0644'")
	line("    content: |")
	line("      [Unit]")
	line("      Description=Software mirror of %s", s.Interface.ID)
	line("      After=network-online.target")
	line("      Wants=network-online.target")
	line("      [Service]")
	cmd := fmt.Sprintf("/usr/bin/mirador mirror run -i \"$${IFACE}\" --to %s --vni %d --filter /etc/mirador/mirror-source.yaml", to, vni)
	if d.Spec.Session.PacketLength > 0 {
		cmd += fmt.Sprintf(" --packet-length %d", d.Spec.Session.PacketLength)
	}
	// The interface is found by its MAC: names differ between images.
	line("      ExecStart=/bin/sh -c 'IFACE=$$(basename $$(dirname $$(grep -li \"%s\" /sys/class/net/*/address | head -n 1))) && exec %s'", s.Interface.MAC, cmd)
	line("      Restart=on-failure")
	line("      RestartSec=2s")
	line("      DynamicUser=yes")
	line("      AmbientCapabilities=CAP_NET_RAW")
	line("      CapabilityBoundingSet=CAP_NET_RAW")
	line("      NoNewPrivileges=yes")
	line("      [Install]")
	line("      WantedBy=multi-user.target")
	line("runcmd:")
	line("  - [systemctl, daemon-reload]")
	line("  - [systemctl, enable, --now, mirador-mirror.service]")
	return b.String()
}

// oneLine keeps tags and the like inside a comment.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// ruleYAML writes a rule as the mirroring file has it.
func ruleYAML(r *mirror.FilterRule) string {
	out := fmt.Sprintf("number: %d, direction: %s, action: %s", r.Number, r.Direction, r.Action)
	if r.Protocol != mirror.AnyProtocol {
		out += fmt.Sprintf(", protocol: %d", r.Protocol)
	}
	out += fmt.Sprintf(", source: %s, destination: %s", jsonText(r.SourceCIDR.String()), jsonText(r.DestinationCIDR.String()))
	for _, x := range []struct {
		key   string
		ports *mirror.PortRange
	}{{"source_ports", r.SourcePorts}, {"destination_ports", r.DestinationPorts}} {
		if x.ports != nil {
			out += fmt.Sprintf(", %s: \"%d-%d\"", x.key, x.ports.From, x.ports.To)
		}
	}
	return out
}
