package main

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/setup"
)

const (
	// probePackets is how many packets a probe has: one may be lost on the way.
	probePackets = 3
	// probePatience is how long a sensor may take to count what has arrived.
	probePatience = 10 * time.Second
	// probeLook is the pause between two looks at a sensor, which counts anew each second.
	probeLook = 250 * time.Millisecond
)

// newToken returns a random token.
func newToken() (t mirror.ProbeToken) {
	crand.Read(t[:]) // it does not fail
	return t
}

func awsProbe(*awsFlags) *cobra.Command {
	var to string
	var count int
	c := &cobra.Command{
		Use:   "probe --to ADDRESS",
		Short: "send marked packets from a mirrored instance, for verify --probe-token",
		Long: `Probe sends UDP datagrams with a random token to port 9 (discard) of an address that the instance
may send to, whether somebody listens there or not. On an instance with a session they are mirrored
like all else; a sensor that takes them notes the token in the account of their source. It prints the
token; it makes no call of AWS.`,
		Example: `  token=$(mirador aws probe --to 10.0.1.11)                    # on a source
  mirador aws verify --sensor http://127.0.0.1:8420 --probe-token $token # where the description is`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			addr, err := netip.ParseAddr(to)
			if err != nil || count < 1 || count > 100 {
				return fail(exitUsage, "mirador aws probe --to 10.0.1.11", "--to %q is no address, or --count is not between 1 and 100", to)
			}
			token := newToken()
			for range count {
				// A socket each, so that each is a flow of its own.
				if err := send(c.Context(), netip.AddrPortFrom(addr, mirror.ProbePort), mirror.AppendProbe(nil, token)); err != nil {
					return fail(exitFailed, "has this instance a route there?", "send: %w", err)
				}
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), token)
			return err
		},
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVar(&to, "to", "", "`address` to send to: a neighbour, which need not listen")
	fl.IntVar(&count, "count", probePackets, "how many `packets`")
	return c
}

// send sends one datagram. That nobody listens is no failure.
func send(ctx context.Context, to netip.AddrPort, b []byte) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err = conn.Write(b); errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	return err
}

// probeFrame is a frame with a probe, in VXLAN without the outer headers, which the kernel
// makes. Its addresses are those of documentation (RFC 5737).
func probeFrame(t mirror.ProbeToken, vni uint32, port uint16) []byte {
	b := packet.AppendVXLAN(nil, vni)
	b = packet.AppendEthernet(b, [6]byte{2, 0, 0, 0, 0, 9}, [6]byte{2, 0, 0, 0, 0, 1}, packet.EtherTypeIPv4)
	at := len(b)
	const udp = 8
	b = packet.AppendIPv4(b, packet.IPv4{Src: [4]byte{192, 0, 2, 1}, Dst: [4]byte{192, 0, 2, 9}, Proto: packet.ProtoUDP, TTL: 64}, udp+mirror.ProbeLen)
	b = packet.AppendUDP(b, port, mirror.ProbePort, mirror.ProbeLen)
	b = mirror.AppendProbe(b, t)
	packet.SetChecksums(b[at:])
	return b
}

// prober is the part of verify that sends probes.
type prober struct {
	send   bool
	tokens []string
}

// probe sends a probe to each target, and returns what the sensors then say.
func (p *prober) probe(ctx context.Context, to []setup.ProbeTarget, samples []setup.Sample) (sent []setup.ProbeSent, out []setup.Sample, err error) {
	for i := range samples {
		samples[i].Probed = samples[i].Now
	}
	for _, t := range to {
		x := setup.ProbeSent{Target: t, Packets: probePackets}
		token := newToken()
		x.Token = token.String()
		for n := range probePackets {
			// Source ports of ephemeral flows; each a flow of its own.
			port := 49152 + uint16(token[0])<<4 + uint16(n)
			if x.Err = send(ctx, netip.AddrPortFrom(t.Addr, packet.PortVXLAN), probeFrame(token, t.VNI, port)); x.Err != nil {
				break
			}
		}
		sent = append(sent, x)
	}
	for i := range samples {
		if samples[i].Now, err = settledStats(ctx, samples[i].Name); err != nil {
			return nil, nil, err
		}
	}
	return sent, samples, nil
}

// settledStats asks a sensor until its counters have all that it had received when it was asked
// first, by its own count of turns; a sensor that does not count them, or a file, is
// taken as it is.
func settledStats(ctx context.Context, from string) (*setup.SensorStats, error) {
	first, err := sensorStats(ctx, from)
	if err != nil || first.Turn == 0 || !isURL(from) {
		return first, err
	}
	end := time.NewTimer(probePatience)
	defer end.Stop()
	tick := time.NewTicker(probeLook)
	defer tick.Stop()
	for now := first; ; {
		if now.Turn >= first.Turn+setup.SettleTurns || !now.Started.Equal(first.Started) {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-end.C:
			return now, nil // a worker is stalled; verify says so
		case <-tick.C:
		}
		if now, err = sensorStats(ctx, from); err != nil {
			return nil, err
		}
	}
}
