package quic

import "slices"

// assembly puts the bytes of CRYPTO frames in order. They may come in any order,
// twice and overlapping; the first copy of a byte counts.
type assembly struct {
	frags []fragment // by offset, without overlap
	size  int        // sum of the fragments
}

type fragment struct {
	off  uint64
	data []byte
}

// add keeps a copy of data, which begins at off. It returns false when a limit
// is reached.
func (a *assembly) add(off uint64, data []byte) bool {
	if off > MaxCrypto || off+uint64(len(data)) > MaxCrypto {
		return false
	}
	// Where fragments are in the way, what lies between them is new.
	i, _ := slices.BinarySearchFunc(a.frags, off, func(f fragment, off uint64) int {
		if f.off+uint64(len(f.data)) <= off {
			return -1
		}
		return 1
	})
	for len(data) > 0 {
		take := uint64(len(data))
		if i < len(a.frags) {
			f := a.frags[i]
			if f.off <= off {
				have := min(f.off+uint64(len(f.data))-off, take)
				data, off = data[have:], off+have
				i++
				continue
			}
			take = min(take, f.off-off)
		}
		if len(a.frags) >= MaxFragments || a.size+int(take) > MaxCrypto {
			return false
		}
		a.frags = slices.Insert(a.frags, i, fragment{off, append([]byte(nil), data[:take]...)})
		a.size += int(take)
		data, off = data[take:], off+take
		i++
	}
	return true
}

// message returns the first handshake message when it is whole, else nil.
func (a *assembly) message() []byte {
	var head [4]byte
	have, need := uint64(0), uint64(len(head))
	for _, f := range a.frags {
		if f.off != have {
			return nil
		}
		if have < uint64(len(head)) {
			copy(head[have:], f.data)
		}
		have += uint64(len(f.data))
		if have >= uint64(len(head)) {
			need = 4 + (uint64(head[1])<<16 | uint64(head[2])<<8 | uint64(head[3]))
		}
		if have >= need {
			break
		}
	}
	if have < need {
		return nil
	}
	m := make([]byte, 0, need)
	for _, f := range a.frags {
		m = append(m, f.data[:min(uint64(len(f.data)), need-uint64(len(m)))]...)
		if uint64(len(m)) == need {
			break
		}
	}
	return m
}
