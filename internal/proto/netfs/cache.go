package netfs

// Cache is a map that forgets its oldest entry when it is full. The zero value
// holds nothing; set Max first.
type Cache[K comparable, V any] struct {
	Max   int
	m     map[K]V
	order []K // in the order they were put; may name keys that are gone
	head  int
}

// Get returns the value of k.
func (c *Cache[K, V]) Get(k K) (V, bool) {
	v, ok := c.m[k]
	return v, ok
}

// Put sets the value of k, and tells whether an entry went to make room.
func (c *Cache[K, V]) Put(k K, v V) (forgot bool) {
	if c.m == nil {
		c.m = make(map[K]V)
	}
	if _, have := c.m[k]; !have {
		for len(c.m) >= c.Max && c.head < len(c.order) {
			if _, have := c.m[c.order[c.head]]; have {
				delete(c.m, c.order[c.head])
				forgot = true
			}
			c.head++
		}
		c.order = append(c.order, k)
	}
	c.m[k] = v
	if len(c.order) > 4*c.Max+16 {
		c.compact()
	}
	return forgot
}

// Len returns the number of entries.
func (c *Cache[K, V]) Len() int { return len(c.m) }

// compact drops the keys that are gone from order. A key that was put, dropped
// and put again stays once, at its first place.
func (c *Cache[K, V]) compact() {
	seen := make(map[K]bool, len(c.m))
	keep := c.order[:0]
	for _, k := range c.order[c.head:] {
		if _, ok := c.m[k]; ok && !seen[k] {
			seen[k] = true
			keep = append(keep, k)
		}
	}
	clear(c.order[len(keep):])
	c.order, c.head = keep, 0
}

// Drop removes k and returns what was there.
func (c *Cache[K, V]) Drop(k K) (V, bool) {
	v, ok := c.m[k]
	if ok {
		delete(c.m, k)
	}
	return v, ok
}
