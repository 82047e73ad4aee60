package capture_test

import (
	"encoding/binary"
)

// ng writes a pcapng file, block by block.
type ng struct {
	order binary.AppendByteOrder
	put   binary.ByteOrder
	buf   []byte
}

func newNG(bigEndian bool) *ng {
	n := &ng{order: binary.LittleEndian, put: binary.LittleEndian}
	if bigEndian {
		n.order, n.put = binary.BigEndian, binary.BigEndian
	}
	n.section()
	return n
}

func (n *ng) block(kind uint32, body []byte) {
	size := uint32(12 + (len(body)+3)&^3)
	n.buf = n.order.AppendUint32(n.buf, kind)
	n.buf = n.order.AppendUint32(n.buf, size)
	n.buf = append(n.buf, body...)
	n.buf = append(n.buf, make([]byte, int(size)-12-len(body))...)
	n.buf = n.order.AppendUint32(n.buf, size)
}

func (n *ng) section() {
	b := n.order.AppendUint32(nil, 0x1a2b3c4d)
	b = n.order.AppendUint16(b, 1)
	b = n.order.AppendUint16(b, 0)
	b = n.order.AppendUint64(b, ^uint64(0))
	n.block(0x0a0d0d0a, b)
}

// iface describes an interface with timestamps of resolution res (if_tsresol).
func (n *ng) iface(link uint16, res byte, more ...byte) {
	b := n.order.AppendUint16(nil, link)
	b = n.order.AppendUint16(b, 0)
	b = n.order.AppendUint32(b, 0)
	b = n.option(b, 2, []byte("eth0"))
	b = n.option(b, 9, []byte{res})
	b = append(b, more...)
	b = n.option(b, 0, nil)
	n.block(1, b)
}

func (n *ng) option(b []byte, code uint16, v []byte) []byte {
	b = n.order.AppendUint16(b, code)
	b = n.order.AppendUint16(b, uint16(len(v)))
	b = append(b, v...)
	return append(b, make([]byte, -len(v)&3)...)
}

func (n *ng) enhanced(iface uint32, t uint64, data []byte, wire int) {
	b := n.order.AppendUint32(nil, iface)
	b = n.order.AppendUint32(b, uint32(t>>32))
	b = n.order.AppendUint32(b, uint32(t))
	b = n.order.AppendUint32(b, uint32(len(data)))
	b = n.order.AppendUint32(b, uint32(wire))
	n.block(6, append(b, data...))
}
