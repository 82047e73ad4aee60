package ec2api

import (
	fifo "container/list"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"
)

// broker holds the messages of all queues. They are in memory only: a queue outlives a
// restart, its messages do not. It has its own lock, so that sending and waiting for
// messages needs none of the endpoint's.
type broker struct {
	mu      sync.Mutex // mu guards what follows
	boxes   map[string]*mailbox
	bytes   int    // of all bodies
	dropped uint64 // messages for which there was no room
	down    bool   // nobody waits any more
}

// mailbox is the messages of one queue, oldest first.
type mailbox struct {
	order *fifo.List // of *message
	byID  map[string]*fifo.Element
	bytes int
	wake  chan struct{} // closed and replaced when a message comes
}

// message is a message in a queue.
type message struct {
	id      string
	body    string
	attrs   map[string]messageAttr
	sender  string
	sent    time.Time
	first   time.Time // received for the first time
	visible time.Time
	count   int // how often it was received
}

// messageAttr is a message attribute: a text, or bytes in base64.
type messageAttr struct {
	kind   string // String, Number, Binary, with a label after a dot or not
	text   string
	binary bool
}

func (m *message) size() int {
	n := len(m.body)
	for k, a := range m.attrs {
		n += len(k) + len(a.kind) + len(a.text)
	}
	return n
}

// handle names one reception of m: an older one is no longer good.
func (m *message) handle() string {
	return base64.StdEncoding.EncodeToString([]byte(m.id + "/" + strconv.Itoa(m.count)))
}

func openHandle(h string) (id string, count int, ok bool) {
	b, err := base64.StdEncoding.DecodeString(h)
	id, n, cut := strings.Cut(string(b), "/")
	count, bad := strconv.Atoi(n)
	return id, count, err == nil && cut && bad == nil
}

// bodySum is MD5OfBody and its like.
func bodySum(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// attrSum is MD5OfMessageAttributes. AWS: SQS, "Calculating the MD5 message digest for
// message attributes".
func attrSum(attrs map[string]messageAttr) string {
	if len(attrs) == 0 {
		return ""
	}
	h := md5.New()
	put := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
		h.Write(b)
	}
	for _, k := range sortedKeys(attrs) {
		a := attrs[k]
		put([]byte(k))
		put([]byte(a.kind))
		if a.binary {
			b, _ := base64.StdEncoding.DecodeString(a.text)
			h.Write([]byte{2})
			put(b)
			continue
		}
		h.Write([]byte{1})
		put([]byte(a.text))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// box returns the messages of a queue, which begin empty.
func (b *broker) box(key string) *mailbox {
	x := b.boxes[key]
	if x == nil {
		if b.boxes == nil {
			b.boxes = map[string]*mailbox{}
		}
		x = &mailbox{order: fifo.New(), byID: map[string]*fifo.Element{}, wake: make(chan struct{})}
		b.boxes[key] = x
	}
	return x
}

// put adds a message, unless there is no room for it; what is past its time goes first.
func (b *broker) put(key string, m *message, now time.Time, keep time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.box(key)
	b.expire(x, now, keep)
	n := m.size()
	if x.order.Len() >= maxQueueMessages || x.bytes+n > maxQueueBytes || b.bytes+n > maxBrokerBytes {
		b.dropped++
		return false
	}
	b.push(x, m)
	return true
}

func (b *broker) push(x *mailbox, m *message) {
	x.byID[m.id] = x.order.PushBack(m)
	x.bytes += m.size()
	b.bytes += m.size()
	close(x.wake)
	x.wake = make(chan struct{})
}

func (b *broker) expire(x *mailbox, now time.Time, keep time.Duration) {
	for e := x.order.Front(); e != nil; {
		next := e.Next()
		if now.Sub(e.Value.(*message).sent) < keep {
			return // what comes after it is younger
		}
		b.remove(x, e)
		e = next
	}
}

func (b *broker) remove(x *mailbox, e *fifo.Element) *message {
	m := x.order.Remove(e).(*message)
	delete(x.byID, m.id)
	x.bytes -= m.size()
	b.bytes -= m.size()
	return m
}

// reception says what a receiver wants.
type reception struct {
	key    string
	most   int
	wait   time.Duration
	hide   time.Duration // visibility timeout
	keep   time.Duration // retention
	dead   string        // key of the queue for what was received deadAt times; empty: none
	deadAt int
	now    func() time.Time
}

// receive returns the messages that are visible, after waiting for the first if need be.
// It returns copies.
func (b *broker) receive(ctx context.Context, r reception) []message {
	end := time.NewTimer(r.wait)
	defer end.Stop()
	for {
		out, wake, next := b.take(r)
		if len(out) > 0 || r.wait <= 0 || wake == nil {
			return out
		}
		soon := time.NewTimer(max(next, time.Millisecond))
		select {
		case <-ctx.Done():
		case <-end.C:
		case <-wake:
			soon.Stop()
			continue
		case <-soon.C:
			continue
		}
		soon.Stop()
		return nil
	}
}

// take does what receive does without waiting. wake is closed when another message
// comes, nil when nobody may wait; next is when the first hidden message turns visible.
func (b *broker) take(r reception) (out []message, wake <-chan struct{}, next time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := r.now()
	x := b.box(r.key)
	b.expire(x, now, r.keep)
	next = time.Hour
	for e := x.order.Front(); e != nil && len(out) < r.most; {
		m, at := e.Value.(*message), e
		e = e.Next()
		if m.visible.After(now) {
			next = min(next, m.visible.Sub(now))
			continue
		}
		if r.dead != "" && m.count >= r.deadAt {
			b.remove(x, at)
			m.visible = now
			b.push(b.box(r.dead), m)
			continue
		}
		if m.count++; m.count == 1 {
			m.first = now
		}
		m.visible = now.Add(r.hide)
		out = append(out, *m)
	}
	if b.down {
		return out, nil, next
	}
	return out, x.wake, next
}

// handled finds the message of a receipt handle; ok is false when the handle is none.
// The element is nil when the message is gone or was received again since.
func (b *broker) handled(x *mailbox, handle string) (e *fifo.Element, ok bool) {
	id, count, ok := openHandle(handle)
	if e = x.byID[id]; e != nil && e.Value.(*message).count != count {
		e = nil
	}
	return e, ok
}

// delete removes a message. One that is gone is as good; ok is false when the handle is
// none.
func (b *broker) delete(key, handle string) (ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.box(key)
	e, ok := b.handled(x, handle)
	if e != nil {
		b.remove(x, e)
	}
	return ok
}

// hide sets how long a received message is not seen. found is false when it is not hidden.
func (b *broker) hide(key, handle string, now time.Time, d time.Duration) (found, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.box(key)
	e, ok := b.handled(x, handle)
	if e == nil || !e.Value.(*message).visible.After(now) {
		return false, ok
	}
	e.Value.(*message).visible = now.Add(d)
	close(x.wake)
	x.wake = make(chan struct{})
	return true, ok
}

// purge forgets the messages of a queue.
func (b *broker) purge(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if x := b.boxes[key]; x != nil {
		b.bytes -= x.bytes
		close(x.wake)
		delete(b.boxes, key)
	}
}

// counts tells how many messages are visible, received and not deleted, and delayed.
func (b *broker) counts(key string, now time.Time, keep time.Duration) (visible, hidden, delayed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.box(key)
	b.expire(x, now, keep)
	for e := x.order.Front(); e != nil; e = e.Next() {
		switch m := e.Value.(*message); {
		case !m.visible.After(now):
			visible++
		case m.count > 0:
			hidden++
		default:
			delayed++
		}
	}
	return visible, hidden, delayed
}

// lost tells how many messages found no room.
func (b *broker) lost() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// stop lets nobody wait any more.
func (b *broker) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = true
	for _, x := range b.boxes {
		close(x.wake)
		x.wake = make(chan struct{})
	}
}
