package main

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"mirador/internal/config"
	"mirador/internal/eve"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/sensor"
	"mirador/internal/web"
)

// material is what a node reads: files in a sensor, texts of its own in a demo. It is
// read again by every reload.
type material struct {
	// config reads mirador.yaml, the environment and the flags.
	config func() (*config.File, error)
	// rules and sources, when set, take the place of the files that config names.
	rules   func() (name string, text []byte)
	sources func() (name string, text []byte)
}

// nodeOptions are what differs between a sensor and a demo.
type nodeOptions struct {
	material material
	log      *slog.Logger
	// inputs, when set, opens the inputs in place of the ones in the configuration.
	inputs  func(workers int, seed uint32) ([]sensor.Input, error)
	stdout  io.Writer // where events go whose path is "-"
	onAlert func(h *eve.Header, a *eve.Alert)
	// failOpen goes on without the status page when its port cannot be had.
	failOpen bool
}

// node is a running sensor: the pipeline, its listeners, its outputs.
type node struct {
	o       nodeOptions
	log     *slog.Logger
	started time.Time
	health  *sensor.Health
	live    atomic.Pointer[sensor.Live]
	cur     atomic.Pointer[loaded] // what is in use
	reload  reloader
	files   atomic.Pointer[[]*sensor.FileSink] // event files
	status  *web.Server
	manage  *web.Server
	seed    uint64
	broken  *quarantine // packets that made a station panic; nil: not kept
}

// newNode reads the configuration and opens the listeners, so that the status page
// can say "starting" while the rules are compiled.
func newNode(o nodeOptions) (*node, error) {
	n := &node{o: o, log: o.log, started: time.Now(), health: sensor.NewHealth(nil)}
	var b [8]byte
	if _, err := crand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("read random numbers: %w", err)
	}
	n.seed = binary.LittleEndian.Uint64(b[:])
	file, err := o.material.config()
	if err != nil {
		return nil, err
	}
	for _, name := range file.UnknownEnv {
		n.log.Warn("environment variable names no setting", "name", name)
	}
	if err := n.listen(file); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// listen opens the status page and the management listener.
func (n *node) listen(file *config.File) error {
	if addr := file.Health.Listen; addr != "" {
		l, err := statusListener(addr)
		switch {
		case err == nil:
			n.status = web.ServeStatus(l, n.Status)
		case n.o.failOpen && !file.IsSet("health.listen"):
			n.log.Warn("no status page for load balancers", "address", addr, "error", err,
				"hint", "set health.listen to a free port above 1023, give CAP_NET_BIND_SERVICE, or use the unit mirador.socket")
		default:
			return fail(permissionOr(err, exitFailed), "set health.listen to a free port above 1023, or to nothing for no status page",
				"open the status page: %w", err)
		}
	}
	if addr := file.Management.Listen; addr != "" {
		l, err := listenAny(addr)
		if err != nil {
			return fail(permissionOr(err, exitFailed), "set management.listen to a free port, or to nothing for no management listener",
				"open the management listener: %w", err)
		}
		if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
			n.log.Warn("the management listener has no password and is open to others", "address", addr)
		}
		n.manage = web.ServeManagement(l, n, web.Options{SuricataNames: file.Management.SuricataMetrics})
	}
	return nil
}

// listenAny listens on "address:port" or "unix:path".
func listenAny(addr string) (net.Listener, error) {
	path, unix := unixPath(addr)
	if !unix {
		return net.Listen("tcp", addr)
	}
	if st, err := os.Lstat(path); err == nil && st.Mode()&os.ModeSocket != 0 {
		os.Remove(path) // left by a sensor that was killed
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func permissionOr(err error, code int) int {
	if errors.Is(err, os.ErrPermission) {
		return exitPermission
	}
	return code
}

// start builds everything and begins to receive.
func (n *node) start() error {
	first, err := n.build(nil)
	if err != nil {
		return err
	}
	n.cur.Store(first)
	n.reload.loaded(first)
	first.report(n.log)
	file := first.file
	workers := file.Sensor.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if err := n.openState(file); err != nil {
		return err
	}
	outs, err := n.openOutputs(first)
	if err != nil {
		return err
	}
	inputs, err := n.openInputs(file, workers)
	if err != nil {
		return err
	}
	interval := time.Duration(0)
	if st, err := first.engine.flat.Stats(); err == nil && st.Enabled {
		interval = st.Interval
	}
	live, err := sensor.NewLive(sensor.LiveOptions{
		Workers:       workers,
		Worker:        func(i int) (*sensor.Options, error) { return n.workerOptions(first, outs, i, workers) },
		Outputs:       outs,
		StatsInterval: interval,
		Inputs:        inputs,
		First:         first.gen,
		Drain:         time.Duration(file.Sensor.Drain),
		Health:        n.health,
		Failed: func(input string, err error) {
			n.log.Error("cannot receive", "input", input, "error", err)
		},
		Present: func(input string, there bool) {
			if there {
				n.log.Info("the interface is back, receiving again", "input", input)
			} else {
				n.log.Warn("the interface is gone, nothing is received until it is back", "input", input)
			}
		},
		Seed: uint32(n.seed),
	})
	if err != nil {
		return err
	}
	n.live.Store(live)
	for _, in := range inputs {
		if in.Unsteered != nil && workers > 1 {
			n.log.Warn("the kernel does not spread frames over the workers, one receiver does", "input", in.Name, "because", in.Unsteered)
		}
		if n.o.inputs == nil {
			n.warnBuffer(in, int(file.Sensor.ReceiveBuffer))
		}
		n.log.Info("receiving", "input", in.Name, "workers", workers)
	}
	return nil
}

// warnBuffer tells when the kernel gave a smaller socket buffer than was asked for.
func (n *node) warnBuffer(in sensor.Input, asked int) {
	u, ok := in.Readers[0].(interface{ RcvBuf() int })
	if !ok {
		return
	}
	// The kernel counts its own overhead too, and so shows twice what it gave.
	if got := u.RcvBuf() / 2; got < asked {
		n.log.Warn("the socket buffer is smaller than asked for, bursts may be lost", "input", in.Name, "asked", asked, "got", got,
			"hint", "raise net.core.rmem_max (deploy/90-mirador.conf), or set sensor.receive-buffer lower")
	}
}

// run receives until ctx is done, drains, and closes everything.
func (n *node) run(ctx context.Context) error {
	err := n.live.Load().Run(ctx)
	n.closeOutputs()
	for _, err := range n.cur.Load().engine.shared.SaveDatasets() {
		n.log.Error("dataset not saved", "error", err)
	}
	return err
}

// closeOutputs writes what waits. Events that were lost are told, not an error: the
// sensor did what it could.
func (n *node) closeOutputs() {
	for _, s := range n.sinks() {
		if err := s.Close(); err != nil {
			n.log.Error("events were lost", "output", s.Path(), "error", err)
		}
	}
}

// openState makes the directories that the sensor writes to beside its events.
func (n *node) openState(file *config.File) error {
	if q := file.Sensor.Quarantine; q != "" {
		n.broken = newQuarantine(q, os.Stderr)
	}
	if file.Sensor.State == "" {
		return nil
	}
	if err := os.MkdirAll(dataDir(file), 0o750); err != nil {
		return fail(permissionOr(err, exitFailed), "set sensor.state to a place this user may write to, or to nothing", "make the directory of state: %w", err)
	}
	return nil
}

// dataDir is where datasets are kept.
func dataDir(file *config.File) string { return filepath.Join(file.Sensor.State, "data") }

// sinks returns the event files.
func (n *node) sinks() []*sensor.FileSink {
	if l := n.files.Load(); l != nil {
		return *l
	}
	return nil
}

// close closes the listeners.
func (n *node) close() {
	for _, s := range []*web.Server{n.status, n.manage} {
		if s != nil {
			s.Close()
		}
	}
	n.closeOutputs()
}

// openOutputs opens the event files.
func (n *node) openOutputs(l *loaded) ([]sensor.Output, error) {
	var outs []sensor.Output
	var files []*sensor.FileSink
	defer func() { n.files.Store(&files) }()
	for _, out := range l.engine.outputs.EVE {
		if out.Filename == "" || out.Filetype != "" && out.Filetype != "regular" {
			continue
		}
		if isStdout(out.Filename) && n.o.stdout != nil {
			s := sensor.NewStreamSink("standard output", n.o.stdout)
			files = append(files, s)
			outs = append(outs, sensor.Output{Options: out, Sink: s})
			continue
		}
		if err := os.MkdirAll(filepath.Dir(out.Filename), 0o750); err != nil {
			return nil, fail(permissionOr(err, exitFailed), "set eve.path to a place this user may write to", "make the directory of events: %w", err)
		}
		e := &l.file.EVE
		s, err := sensor.NewFileSink(sensor.FileSinkOptions{Path: out.Filename, Mode: os.FileMode(out.FileMode),
			Size: int64(e.RotateSize), Interval: time.Duration(e.RotateInterval), Keep: e.Keep})
		if err != nil {
			return nil, fail(permissionOr(err, exitFailed), "set eve.path to a place this user may write to, or to nothing", "open the event file: %w", err)
		}
		files = append(files, s)
		outs = append(outs, sensor.Output{Options: out, Sink: s})
	}
	return outs, nil
}

// openInputs opens what the configuration asks for.
func (n *node) openInputs(file *config.File, workers int) ([]sensor.Input, error) {
	if n.o.inputs != nil {
		return n.o.inputs(workers, uint32(n.seed))
	}
	s := &file.Sensor
	o := sensor.InputOptions{Iface: s.Interface, AFPacket: s.AFPacket, Workers: workers, RcvBuf: int(s.ReceiveBuffer), Seed: uint32(n.seed)}
	var err error
	if o.VXLAN, err = config.AddrPorts(s.VXLAN); err != nil {
		return nil, err
	}
	if o.GENEVE, err = config.AddrPorts(s.GENEVE); err != nil {
		return nil, err
	}
	if len(o.VXLAN)+len(o.GENEVE) == 0 {
		return nil, fail(exitFailed, "set sensor.vxlan or sensor.geneve", "there is nothing to receive on")
	}
	o.Ports = append(portsOf(o.VXLAN), portsOf(o.GENEVE)...)
	in, err := sensor.OpenInputs(o)
	if err != nil {
		hint := "another program may use the port; sensor.vxlan and sensor.geneve choose others"
		if s.AFPacket != "" {
			hint = "ip link lists the interfaces of this machine"
		}
		if errors.Is(err, os.ErrPermission) {
			hint = "AF_PACKET needs CAP_NET_RAW (deploy/afpacket.conf)"
		}
		return nil, fail(permissionOr(err, exitFailed), hint, "%w", err)
	}
	return in, nil
}

func portsOf(list []netip.AddrPort) []uint16 {
	var out []uint16
	for _, a := range list {
		out = append(out, a.Port())
	}
	return out
}

// workerOptions makes the options of worker i of n. Memory caps are for the whole
// sensor and divided among the workers.
func (n *node) workerOptions(l *loaded, outs []sensor.Output, i, workers int) (*sensor.Options, error) {
	o, err := l.engine.sensorOptions()
	if err != nil {
		return nil, err
	}
	f := l.file
	part := uint64(workers)
	o.Flow.Memcap /= part
	o.Stream.Memcap /= part
	o.Stream.ReassemblyMemcap /= part
	o.Defrag.Memcap /= part
	// The seeds make tuples that collide unpredictable, and flow ids different in
	// each worker.
	seed := n.seed + uint64(i)*0x9e3779b97f4a7c15
	o.Flow.Seed = [2]uint64{seed, seed ^ 0xbf58476d1ce4e5b9}
	o.Seed = seed
	o.DedupWindow = 0
	if f.Dedup.Enabled {
		o.DedupWindow = int64(f.Dedup.Window)
	}
	o.InIface = f.Sensor.Interface
	if f.Sensor.AFPacket != "" {
		o.InIface = f.Sensor.AFPacket
		if err := tunnelPorts(o, f); err != nil {
			return nil, err
		}
	}
	o.Outputs = outs
	o.OnAlert = n.o.onAlert
	o.EngineInfo = n.engineInfo
	if n.broken != nil {
		o.Quarantine = n.broken.save
	}
	if err := l.engine.addFileStore(o, f.Sensor.State); err != nil {
		return nil, err
	}
	if fs, ok := o.Files.Store.(*fileStore); ok {
		fs.seq = i << 24 // workers write into one folder
	}
	return o, nil
}

// tunnelPorts makes the decoder know the ports that are captured with AF_PACKET.
func tunnelPorts(o *sensor.Options, f *config.File) error {
	vxlan, err := config.AddrPorts(f.Sensor.VXLAN)
	if err != nil {
		return err
	}
	geneve, err := config.AddrPorts(f.Sensor.GENEVE)
	if err != nil {
		return err
	}
	if len(vxlan) > 0 {
		o.Decoder.VXLANPorts = append([]uint16{packet.PortVXLAN}, portsOf(vxlan)...)
	}
	if len(geneve) > 0 {
		o.Decoder.GENEVEPorts = append([]uint16{packet.PortGENEVE}, portsOf(geneve)...)
	}
	return nil
}

func (n *node) engineInfo() []eve.Engine {
	l := n.cur.Load()
	r := l.engine.report
	return []eve.Engine{{LastReload: l.at.UnixNano(), RulesLoaded: uint64(r.Loaded), RulesFailed: uint64(l.refused), RulesSkipped: uint64(r.Skipped)}}
}

// allow makes the allow-lists of a configuration; nil lets everything in.
func allow(f *config.File) (source func(packet.Addr) bool, vni func(uint32) bool, err error) {
	prefixes, err := f.Allow.Prefixes()
	if err != nil {
		return nil, nil, err
	}
	ranges, err := f.Allow.VNIRanges()
	if err != nil {
		return nil, nil, err
	}
	if len(prefixes) > 0 {
		source = func(a packet.Addr) bool {
			ip := netip.AddrFrom16(a).Unmap()
			for _, p := range prefixes {
				if p.Contains(ip) {
					return true
				}
			}
			return false
		}
	}
	if len(ranges) > 0 {
		vni = func(v uint32) bool {
			for _, r := range ranges {
				if r.First <= v && v <= r.Last {
					return true
				}
			}
			return false
		}
	}
	return source, vni, nil
}

// readSources reads the sources file of f, or the texts of a demo.
func (m *material) readSources(f *config.File) (*mirror.SourceTable, error) {
	if m.sources != nil {
		name, text := m.sources()
		return mirror.ParseSources(text, name)
	}
	if f.Sources == "" {
		return nil, nil
	}
	return loadSources(f.Sources)
}

// plural writes "1 rule" or "n rules".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
