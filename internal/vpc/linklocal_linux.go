package vpc

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// A redirect hands connections to one address and port of a namespace to a listener that is
// bound elsewhere. A listener at 169.254.169.254:80 itself would keep every program of the
// instance from port 80: the kernel refuses to bind the wildcard address beside it.
type redirect struct {
	socket *ebpf.Map // one element, the listener
	prog   *ebpf.Program
	link   *link.NetNsLink
}

// newRedirect makes connections to an IPv4 address and port come to l, in the namespace. It
// needs CAP_BPF and CAP_NET_ADMIN.
func newRedirect(ns *namespace, to netip.AddrPort, l *net.TCPListener) (r *redirect, err error) {
	r = &redirect{}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	r.socket, err = ebpf.NewMap(&ebpf.MapSpec{Name: "mirador_listen", Type: ebpf.SockMap, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return r, err
	}
	raw, err := l.SyscallConn()
	if err != nil {
		return r, err
	}
	var put error
	if err = raw.Control(func(fd uintptr) { put = r.socket.Put(uint32(0), uint64(fd)) }); err == nil {
		err = put
	}
	if err != nil {
		return r, err
	}
	r.prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "mirador_lookup", Type: ebpf.SkLookup, AttachType: ebpf.AttachSkLookup,
		License: "Apache-2.0", Instructions: lookupProgram(to, r.socket)})
	if err != nil {
		return r, err
	}
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	if ns.closed {
		return r, net.ErrClosed
	}
	r.link, err = link.AttachNetNs(int(ns.fd), r.prog)
	return r, err
}

// Offsets of struct bpf_sk_lookup (linux/bpf.h). The local address is in network order, the
// port in that of the machine.
const (
	lookupFamily    = 8
	lookupProtocol  = 12
	lookupLocalIP4  = 40
	lookupLocalPort = 60
)

// lookupProgram gives new connections to an address the socket of the map, and leaves the
// others as they are.
func lookupProgram(to netip.AddrPort, socket *ebpf.Map) asm.Instructions {
	a := to.Addr().As4()
	is := func(off int16, want uint32) asm.Instructions {
		return asm.Instructions{asm.LoadMem(asm.R2, asm.R6, off, asm.Word), asm.JNE.Imm32(asm.R2, int32(want), "pass")}
	}
	p := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}
	p = append(p, is(lookupFamily, syscall.AF_INET)...)
	p = append(p, is(lookupProtocol, syscall.IPPROTO_TCP)...)
	p = append(p, is(lookupLocalPort, uint32(to.Port()))...)
	p = append(p, is(lookupLocalIP4, binary.NativeEndian.Uint32(a[:]))...)
	return append(p,
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, socket.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkAssign.Call(),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.FnSkRelease.Call(),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("pass"), // SK_PASS
		asm.Return(),
	)
}

// close ends the redirection.
func (r *redirect) close() error {
	var errs []error
	if r.link != nil {
		errs = append(errs, r.link.Close())
	}
	if r.prog != nil {
		errs = append(errs, r.prog.Close())
	}
	if r.socket != nil {
		errs = append(errs, r.socket.Close())
	}
	return errors.Join(errs...)
}
