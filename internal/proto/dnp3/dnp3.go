// Package dnp3 follows DNP3 (IEEE 1815) between masters and outstations over TCP:
// link frames with their check sums, the transport layer's segments, and application
// messages with their objects.
//
// Every application message is a transaction of its own in the direction it was
// sent. It keeps the message as it was on the wire; objects are decoded again when a
// record is written.
package dnp3

import "mirador/internal/proto"

// Indexes into the event names.
const (
	EventFlooded proto.EventID = iota
	EventLenTooSmall
	EventBadLinkCRC
	EventBadTransportCRC
	EventMalformed
	EventUnknownObject
	EventTooManyPoints
	EventTooManyObjects
	EventTooLongReassembly
)

func events() []string {
	return []string{
		"flooded", "len_too_small", "bad_link_crc", "bad_transport_crc", "malformed", "unknown_object",
		"too_many_points", "too_many_objects", "too_long_reassembly",
	}
}

const port = 20000

// Protocol returns the row of DNP3. It is off unless the configuration says so.
func Protocol() *proto.Protocol {
	p := &proto.Protocol{
		Name:      "dnp3",
		Transport: proto.TCP,
		Probe:     probe([]uint16{port}),
		Disabled:  true,
		Done:      [2]uint8{1, 1},
		Fields:    fields(),
		Events:    events(),
	}
	layouts := newLayouts()
	p.Log = layouts.log
	p.LogAlert = layouts.logAlert
	p.Configure = func(s proto.Settings) (proto.Factory, error) {
		ports, err := detectionPorts(s)
		if err != nil {
			return nil, err
		}
		p.ProbePorts, p.Ports, p.Probe = ports, ports, probe(ports)
		l := limits{tx: defaultMaxTx, points: defaultMaxPoints, objects: defaultMaxObjects}
		for key, to := range map[string]*uint64{"max-tx": &l.tx, "max-points": &l.points, "max-objects": &l.objects} {
			if n, ok := s.Int(key); ok && n > 0 {
				*to = uint64(n)
			}
		}
		return func(c *proto.Conn) proto.Parser { return &parser{c: c, limits: l, layouts: layouts} }, nil
	}
	return p
}

// detectionPorts reads detection-ports.dp; the registered port is the default.
func detectionPorts(s proto.Settings) ([]uint16, error) {
	ports, err := proto.Ports(s, "detection-ports.dp")
	if err != nil || len(ports) > 0 {
		return ports, err
	}
	return []uint16{port}, nil
}

// limits are the settings that bound what is looked at.
type limits struct{ tx, points, objects uint64 }

// Tx is an application message, or the trouble in getting one.
type Tx struct {
	proto.TxBase
	Control  byte // of the link layer
	Dst, Src uint16
	// Data is the application message from its control octet on; nil when there was
	// none, only an event.
	Data []byte
	// Complete tells that all objects were understood.
	Complete bool
	// Objects are the group (upper octet) and variation of each object.
	Objects []uint16
}

// Function returns the application function code.
func (t *Tx) Function() byte { return t.Data[1] }

// IIN returns the internal indications of a response, zero for a request.
func (t *Tx) IIN() uint16 {
	if t.Dir == proto.ToServer {
		return 0
	}
	return uint16(t.Data[2])<<8 | uint16(t.Data[3])
}

// headerLen is the length of the application header in direction dir.
func headerLen(dir proto.Dir) int {
	if dir == proto.ToServer {
		return 2
	}
	return 4
}
