package agent

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"mirador/internal/mirror"
)

// Loaded is what a Kernel needs privileges for: the programs, their memory and the stage.
// It may be made by a process with privileges and handed on to the one without that it
// becomes (Hand and Take).
type Loaded struct {
	stage  *stage
	maps   maps
	banks  [2]*ebpf.Map     // for plans, in turn
	decide [2]*ebpf.Program // what is received, what is sent
	wrap   io.Closer        // the link of the program of the stage
}

// Load loads the programs for an interface of the network namespace of the calling
// thread. It needs CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, /dev/net/tun, and Linux 6.6. Of o
// it looks at Iface, OtherEnd, Mark and Limit.
func Load(o Options) (*Loaded, error) {
	if _, err := ethernet(o.Iface); err != nil {
		return nil, err
	}
	l := &Loaded{}
	err := l.makeMaps()
	if err == nil {
		l.stage, err = newStage()
	}
	if err == nil {
		err = l.load(&o)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Loaded) makeMaps() (err error) {
	inner := &ebpf.MapSpec{Name: "mirador_plan1", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(kplan{})), MaxEntries: 1}
	for _, x := range []struct {
		to   **ebpf.Map
		spec ebpf.MapSpec
	}{
		{&l.banks[0], *inner}, {&l.banks[1], *inner},
		{&l.maps.plan, ebpf.MapSpec{Name: "mirador_plan", Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1, InnerMap: inner}},
		{&l.maps.state, ebpf.MapSpec{Name: "mirador_state", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(kstate{})), MaxEntries: 1}},
		{&l.maps.sessions, ebpf.MapSpec{Name: "mirador_session", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(sessionTally{})), MaxEntries: kSlots}},
		{&l.maps.limit, ebpf.MapSpec{Name: "mirador_limit", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(klimit{})), MaxEntries: 1}},
	} {
		if *x.to, err = ebpf.NewMap(&x.spec); err != nil {
			return fmt.Errorf("make map: %w", err)
		}
	}
	return nil
}

// load loads the programs and attaches that of the stage.
func (l *Loaded) load(o *Options) (err error) {
	mark := o.Mark
	if mark == 0 {
		mark = DefaultMark
	}
	rates := newKrates(o.Limit)
	var production []krate
	if o.Limit.Shared {
		production = rates
	}
	for i, d := range []mirror.Direction{mirror.Ingress, mirror.Egress} {
		if o.OtherEnd {
			d = mirror.Ingress + mirror.Egress - d
		}
		l.decide[i], err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "mirador_decide", Type: ebpf.SchedCLS, License: "GPL",
			Instructions: decideProgram(&l.maps, d, mark, l.stage, production)})
		if err != nil {
			return fmt.Errorf("load program: %w", err)
		}
	}
	w, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "mirador_wrap", Type: ebpf.SchedCLS, License: "GPL", Instructions: wrapProgram(&l.maps, mark, rates)})
	if err != nil {
		return fmt.Errorf("load program: %w", err)
	}
	defer w.Close() // the link keeps it
	k, err := link.AttachTCX(link.TCXOptions{Interface: l.stage.port, Program: w, Attach: ebpf.AttachTCXEgress})
	if err != nil {
		return err
	}
	l.wrap = k
	return nil
}

// Close frees everything.
func (l *Loaded) Close() {
	if l.wrap != nil {
		l.wrap.Close()
	}
	for _, p := range l.decide {
		p.Close()
	}
	if l.stage != nil {
		l.stage.close()
	}
	for _, m := range l.all() {
		(*m).Close()
	}
}

func (l *Loaded) all() []**ebpf.Map {
	return []**ebpf.Map{&l.maps.plan, &l.maps.state, &l.maps.sessions, &l.maps.limit, &l.banks[0], &l.banks[1]}
}

// Hand makes l survive when this process starts another program in its place, and says
// in a line of text what Take needs there.
func (l *Loaded) Hand() (string, error) {
	list := []int{l.stage.bridge, l.stage.port}
	for _, m := range l.all() {
		list = append(list, (*m).FD())
	}
	for _, p := range l.decide {
		list = append(list, p.FD())
	}
	list = append(list, l.wrap.(interface{ FD() int }).FD(), int(l.stage.tap.Fd()))
	var text []string
	for i, n := range list {
		if i >= 2 {
			if _, err := unix.FcntlInt(uintptr(n), unix.F_SETFD, 0); err != nil {
				return "", os.NewSyscallError("fcntl", err)
			}
		}
		text = append(text, strconv.Itoa(n))
	}
	return strings.Join(text, ","), nil
}

// Take makes what Hand has told of.
func Take(text string) (*Loaded, error) {
	l := &Loaded{stage: &stage{}}
	list := strings.Split(text, ",")
	maps := len(l.all())
	if len(list) != 2+maps+len(l.decide)+2 {
		return nil, fmt.Errorf("agent: %q is not what a program hands on", text)
	}
	var n []int
	for i, s := range list {
		v, err := strconv.Atoi(s)
		if err != nil {
			return nil, fmt.Errorf("agent: %q is not what a program hands on", text)
		}
		if i >= 2 {
			unix.CloseOnExec(v)
		}
		n = append(n, v)
	}
	l.stage.bridge, l.stage.port = n[0], n[1]
	l.wrap, l.stage.tap = os.NewFile(uintptr(n[len(n)-2]), "link"), os.NewFile(uintptr(n[len(n)-1]), "tap")
	var err error
	for i, m := range l.all() {
		if *m, err = ebpf.NewMapFromFD(n[2+i]); err != nil {
			l.Close()
			return nil, fmt.Errorf("take map: %w", err)
		}
	}
	for i := range l.decide {
		if l.decide[i], err = ebpf.NewProgramFromFD(n[2+maps+i]); err != nil {
			l.Close()
			return nil, fmt.Errorf("take program: %w", err)
		}
	}
	return l, nil
}
