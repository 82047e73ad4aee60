package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/capture"
	"mirador/internal/netlab"
	"mirador/internal/packet"
)

const patience = 2 * time.Minute

// softLab is a host with an interface to a peer, an endpoint of its own, and a way to the
// target of its sessions.
type softLab struct {
	host, peer, target *netlab.NS
	ec2                *ec2.Client
	http               *http.Client
	sniff              *capture.AFPacket
	dec                *packet.Decoder
}

// TestSoftwareMirror runs the software mirror on a host whose session is on AWS: filter,
// VNI and target come from there, and changes there take effect.
func TestSoftwareMirror(t *testing.T) {
	netlab.Require(t)
	l := &softLab{host: netlab.New(t), peer: netlab.New(t), target: netlab.New(t), dec: packet.NewDecoder(packet.Options{})}
	netlab.Veth(t, l.host, "eni0", l.peer, "peer0")
	netlab.Veth(t, l.host, "out0", l.target, "tgt0")
	l.host.Addr(t, "eni0", "10.1.0.1/24")
	l.peer.Addr(t, "peer0", "10.1.0.2/24")
	dial := func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		err = l.host.Do(func() error {
			c, err = new(net.Dialer).DialContext(ctx, network, addr)
			return err
		})
		return c, err
	}
	l.http = &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	const endpoint = "http://127.0.0.1:4720"
	l.ec2 = ec2.New(ec2.Options{Region: "us-east-1", BaseEndpoint: aws.String(endpoint), HTTPClient: l.http,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", "")})
	l.host.Start(t, bin, "vpc", "--no-dataplane", "--listen", "127.0.0.1:4720")
	l.await(t, "the endpoint", func() bool {
		_, err := l.ec2.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
		return err == nil
	})
	session, filter, targetIP := l.account(t)

	// The target has the address that AWS gave it.
	l.target.Addr(t, "tgt0", targetIP.String()+"/16")
	l.host.Addr(t, "out0", "172.31.255.1/16")
	if err := l.target.Do(func() error {
		rs, err := capture.OpenAFPacket(capture.AFPacketOptions{Iface: "tgt0", Ports: []uint16{4789}})
		if err == nil {
			l.sniff = rs[0]
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.sniff.Close()

	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	mirror := l.host.Start(t, bin, "mirror", "run", "-i", "eni0", "--session", session, "--region", "us-east-1", "--endpoint-url", endpoint, "--refresh", "1s",
		"--source-address", "172.31.255.1")
	got := l.until(t, "a mirrored datagram", func(seen map[int]int) bool { return seen[7] > 0 && seen[8] > 0 })
	if got.VNI != 4242 {
		t.Errorf("VNI %d, the session has 4242", got.VNI)
	}

	// A rule that rejects port 7 takes effect, and port 8 goes on.
	if _, err := l.ec2.CreateTrafficMirrorFilterRule(t.Context(), &ec2.CreateTrafficMirrorFilterRuleInput{
		TrafficMirrorFilterId: aws.String(filter), TrafficDirection: types.TrafficDirectionEgress, RuleNumber: aws.Int32(10), RuleAction: types.TrafficMirrorRuleActionReject,
		Protocol: aws.Int32(17), DestinationPortRange: &types.TrafficMirrorPortRangeRequest{FromPort: aws.Int32(7), ToPort: aws.Int32(7)},
		SourceCidrBlock: aws.String("0.0.0.0/0"), DestinationCidrBlock: aws.String("0.0.0.0/0"),
	}); err != nil {
		t.Fatal(err)
	}
	l.until(t, "the new rule", func(seen map[int]int) bool { return seen[7] == 0 && seen[8] > 5 })

	// The status says what happened.
	var status struct {
		Interfaces []struct {
			Frames, NetworkPacketsMirrorOut uint64
			Imbalance                       int64
			NotMirrored                     map[string]uint64 `json:"not_mirrored"`
			Sessions                        []struct {
				Session string
				VNI     int
				Current bool
			}
		}
	}
	out := l.run(t, 0, "mirror", "status", "-o", "json")
	if err := json.Unmarshal(out, &status); err != nil || len(status.Interfaces) != 1 {
		t.Fatalf("%v in %s", err, out)
	}
	i := status.Interfaces[0]
	if i.Frames == 0 || i.NetworkPacketsMirrorOut == 0 || i.Imbalance != 0 || i.NotMirrored["reject"] == 0 || len(i.Sessions) != 1 || i.Sessions[0].Session != session || i.Sessions[0].VNI != 4242 {
		t.Errorf("status %s", out)
	}
	if table := string(l.run(t, 0, "mirror", "status")); !strings.Contains(table, session) || !strings.Contains(table, "frames ") {
		t.Errorf("status:\n%s", table)
	}
	r, err := l.http.Get("http://127.0.0.1:4788/metrics")
	if err != nil {
		t.Fatal(err)
	}
	var metrics bytes.Buffer
	metrics.ReadFrom(r.Body)
	r.Body.Close()
	for _, want := range []string{
		`mirador_mirror_mirrored_packets_total{direction="out",interface="eni0"}`, `mirador_mirror_not_mirrored_total{interface="eni0",reason="reject"}`,
		`mirador_mirror_session_packets_total{interface="eni0",session="` + session + `"}`, `mirador_mirror_ledger_imbalance{interface="eni0"} 0`, "mirador_mirror_stale 0",
	} {
		if !strings.Contains(metrics.String(), want) {
			t.Errorf("no metric %s", want)
		}
	}

	// It has no rights but one.
	state, err := exec.Command("cat", fmt.Sprintf("/proc/%d/status", mirror.Process.Pid)).Output()
	if err != nil || !strings.Contains(string(state), "CapEff:\t0000000000002000") || strings.Contains(string(state), "Uid:\t0") || !strings.Contains(string(state), "NoNewPrivs:\t1") {
		t.Errorf("%v: privileges are\n%s", err, state)
	}

	// Without its session nothing is mirrored any more.
	if _, err := l.ec2.DeleteTrafficMirrorSession(t.Context(), &ec2.DeleteTrafficMirrorSessionInput{TrafficMirrorSessionId: aws.String(session)}); err != nil {
		t.Fatal(err)
	}
	l.await(t, "the end of the session", func() bool {
		for _, x := range l.stats(t).Sessions {
			if x.Current {
				return false
			}
		}
		return true
	})
	if err := mirror.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := mirror.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	l.run(t, 1, "mirror", "status")
}

// account makes a session of an instance to an interface, and returns the ids of session
// and filter and the address of the target.
func (l *softLab) account(t *testing.T) (session, filter string, target netip.Addr) {
	t.Helper()
	ctx := t.Context()
	subnets, err := l.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
	if err != nil || len(subnets.Subnets) == 0 {
		t.Fatalf("subnets: %v", err)
	}
	subnet := subnets.Subnets[0].SubnetId
	run, err := l.ec2.RunInstances(ctx, &ec2.RunInstancesInput{ImageId: aws.String("ami-0123456789abcdef0"), InstanceType: types.InstanceTypeM5Large,
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: subnet})
	if err != nil {
		t.Fatal(err)
	}
	eni, err := l.ec2.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: subnet})
	if err != nil {
		t.Fatal(err)
	}
	tmt, err := l.ec2.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: eni.NetworkInterface.NetworkInterfaceId})
	if err != nil {
		t.Fatal(err)
	}
	tmf, err := l.ec2.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{})
	if err != nil {
		t.Fatal(err)
	}
	filter = *tmf.TrafficMirrorFilter.TrafficMirrorFilterId
	if _, err := l.ec2.CreateTrafficMirrorFilterRule(ctx, &ec2.CreateTrafficMirrorFilterRuleInput{
		TrafficMirrorFilterId: &filter, TrafficDirection: types.TrafficDirectionEgress, RuleNumber: aws.Int32(100), RuleAction: types.TrafficMirrorRuleActionAccept,
		Protocol: aws.Int32(17), SourceCidrBlock: aws.String("0.0.0.0/0"), DestinationCidrBlock: aws.String("0.0.0.0/0"),
	}); err != nil {
		t.Fatal(err)
	}
	tms, err := l.ec2.CreateTrafficMirrorSession(ctx, &ec2.CreateTrafficMirrorSessionInput{
		NetworkInterfaceId:    run.Instances[0].NetworkInterfaces[0].NetworkInterfaceId,
		TrafficMirrorTargetId: tmt.TrafficMirrorTarget.TrafficMirrorTargetId, TrafficMirrorFilterId: &filter, SessionNumber: aws.Int32(1), VirtualNetworkId: aws.Int32(4242),
	})
	if err != nil {
		t.Fatal(err)
	}
	return *tms.TrafficMirrorSession.TrafficMirrorSessionId, filter, netip.MustParseAddr(*eni.NetworkInterface.PrivateIpAddress)
}

// until sends rounds of one datagram to ports 7 and 8 of the peer each until done is
// content with how many of each port the last round brought, of ten.
func (l *softLab) until(t *testing.T, what string, done func(seen map[int]int) bool) (last packet.Parsed) {
	t.Helper()
	round := 0
	l.await(t, what, func() bool {
		round++
		text := fmt.Sprintf("round %d.", round)
		for range 10 {
			for _, port := range []string{"7", "8"} {
				c, err := l.dialUDP("10.1.0.1", net.JoinHostPort("10.1.0.2", port))
				if err != nil {
					t.Fatal(err)
				}
				c.Write([]byte(text)) // an error is the answer to one before
				c.Close()
			}
		}
		seen := map[int]int{}
		var b capture.Batch
		for range 3 { // what comes within a moment
			if err := l.sniff.Read(&b, 30*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			for i := range b.Frames {
				p := l.dec.Decode(nil, packet.LinkEthernet, bytes.Clone(b.Frames[i].Data), b.Frames[i].WireLen, 0)
				if in := &p[len(p)-1]; in.Source == packet.FromTunnelVXLAN && in.IsUDP() && string(in.PayloadBytes()) == text {
					seen[int(in.DstPort)]++
					last = *in
				}
			}
		}
		return done(seen)
	})
	return last
}

func (l *softLab) dialUDP(from, to string) (c net.Conn, err error) {
	err = l.host.Do(func() error {
		c, err = (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}).Dial("udp", to)
		return err
	})
	return c, err
}

func (l *softLab) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

type softStats struct {
	Sessions []struct {
		Session string
		Current bool
	}
}

func (l *softLab) stats(t *testing.T) softStats {
	t.Helper()
	var s struct{ Interfaces []softStats }
	r, err := l.http.Get("http://127.0.0.1:4788/api/v1/mirror")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil || len(s.Interfaces) != 1 {
		t.Fatalf("status: %v", err)
	}
	return s.Interfaces[0]
}

// run runs the program in the host and returns its output.
func (l *softLab) run(t *testing.T, code int, args ...string) []byte {
	t.Helper()
	var out, stderr bytes.Buffer
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := l.host.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("mirador %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), stderr.String())
	}
	return out.Bytes()
}
