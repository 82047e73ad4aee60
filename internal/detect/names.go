package detect

import "sync"

// nameTable gives names of bits and numbers an id that stays the same over engine
// swaps. It only grows, by names in rules.
type nameTable struct {
	mu    sync.RWMutex // guards both
	byID  []string
	index map[string]uint32
}

func (t *nameTable) id(name string) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.index == nil {
		t.index = make(map[string]uint32)
	}
	if id, ok := t.index[name]; ok {
		return id
	}
	id := uint32(len(t.byID))
	t.byID = append(t.byID, name)
	t.index[name] = id
	return id
}

func (t *nameTable) name(id uint32) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if int(id) < len(t.byID) {
		return t.byID[id]
	}
	return ""
}
