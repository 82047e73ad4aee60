package detect

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mirador/internal/packet"
)

// Reputation is what is known of addresses: a score of 0 to 127 in up to 60
// categories. It is immutable once loaded.
type Reputation struct {
	names map[string]uint8
	// v4 and v6 hold single addresses; nets are networks, longest prefix first.
	v4   map[uint32][]score
	v6   map[packet.Addr][]score
	nets []repNet
}

type score struct{ cat, val uint8 }

type repNet struct {
	prefix netip.Prefix
	score  score
}

// maxCategories bounds the categories (Suricata: SREP_MAX_CATS, 60).
const maxCategories = 60

// NewReputation returns an empty one.
func NewReputation() *Reputation {
	return &Reputation{names: map[string]uint8{}, v4: map[uint32][]score{}, v6: map[packet.Addr][]score{}}
}

// Categories reads a categories file: "number,short name,description" a line.
func (r *Reputation) Categories(name string, src io.Reader) error {
	return eachLine(name, src, func(t string) error {
		f := strings.SplitN(t, ",", 3)
		if len(f) < 2 {
			return fmt.Errorf("needs number and name")
		}
		n, err := strconv.ParseUint(strings.TrimSpace(f[0]), 10, 8)
		if err != nil || n == 0 || n >= maxCategories {
			return fmt.Errorf("category number %q is not from 1 to %d", f[0], maxCategories-1)
		}
		r.names[strings.TrimSpace(f[1])] = uint8(n)
		return nil
	})
}

// List reads a reputation file: "address or network,category,score" a line.
func (r *Reputation) List(name string, src io.Reader) error {
	return eachLine(name, src, func(t string) error {
		f := strings.Split(t, ",")
		if len(f) < 3 {
			return fmt.Errorf("needs address, category and score")
		}
		cat, err1 := strconv.ParseUint(strings.TrimSpace(f[1]), 10, 8)
		val, err2 := strconv.ParseUint(strings.TrimSpace(f[2]), 10, 8)
		if err1 != nil || err2 != nil || cat == 0 || cat >= maxCategories || val > 127 {
			return fmt.Errorf("category or score is out of range")
		}
		return r.add(strings.TrimSpace(f[0]), score{uint8(cat), uint8(val)})
	})
}

func (r *Reputation) add(addr string, s score) error {
	if strings.Contains(addr, "/") {
		p, err := netip.ParsePrefix(addr)
		if err != nil {
			return err
		}
		i, _ := slices.BinarySearchFunc(r.nets, p.Bits(), func(n repNet, bits int) int { return bits - n.prefix.Bits() })
		r.nets = slices.Insert(r.nets, i, repNet{p.Masked(), s})
		return nil
	}
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return err
	}
	if a = a.Unmap(); a.Is4() {
		b := a.As4()
		k := binary.BigEndian.Uint32(b[:])
		r.v4[k] = append(r.v4[k], s)
		return nil
	}
	k := packet.Addr(a.As16())
	r.v6[k] = append(r.v6[k], s)
	return nil
}

// eachLine calls f with each line that is neither empty nor a comment.
func eachLine(name string, src io.Reader, f func(t string) error) error {
	sc := bufio.NewScanner(io.LimitReader(src, maxDatasetFile))
	for line := 1; sc.Scan(); line++ {
		t := strings.TrimSpace(sc.Text())
		if t == "" || t[0] == '#' {
			continue
		}
		if err := f(t); err != nil {
			return fmt.Errorf("%s: line %d: %w", name, line, err)
		}
	}
	return sc.Err()
}

func (r *Reputation) category(name string) (uint8, bool) {
	if r == nil {
		return 0, false
	}
	c, ok := r.names[name]
	return c, ok
}

// lookup returns the score of an address in a category; an entry of its own goes
// before those of networks, the longest prefix first.
func (r *Reputation) lookup(a *packet.Addr, version uint8, cat uint8) (uint8, bool) {
	if r == nil {
		return 0, false
	}
	var list []score
	var ip netip.Addr
	if version == 4 {
		k := binary.BigEndian.Uint32(a[12:])
		list = r.v4[k]
		ip = netip.AddrFrom4([4]byte(a[12:]))
	} else {
		list = r.v6[*a]
		ip = netip.AddrFrom16(*a)
	}
	for _, s := range list {
		if s.cat == cat {
			return s.val, true
		}
	}
	for i := range r.nets {
		if r.nets[i].score.cat == cat && r.nets[i].prefix.Contains(ip) {
			return r.nets[i].score.val, true
		}
	}
	return 0, false
}
