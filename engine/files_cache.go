package engine

import "sync"

// fileCache is what a mount keeps open: a list by use, of which the oldest go when there
// are too many, too many that are open, or too many bytes. The loops and the workers
// share it.
type fileCache struct {
	mu     sync.Mutex
	by     map[string]*resource
	ring   resource // has no files: the one newer than it goes first, the one older was used last
	bytes  int64
	open   int // files
	most   int // of them, and of resources
	memory int64
	closed bool
}

// absentMost and absentBytes, of their names, are how many paths without a file a mount
// knows.
const absentMost, absentBytes = 1024, 64 << 10

func (c *fileCache) init(most int, memory int64) {
	c.by = make(map[string]*resource)
	c.ring.newer, c.ring.older = &c.ring, &c.ring
	c.most, c.memory = most, max(memory, 0)
}

// get finds what is kept for key, and holds it for the caller.
func (c *fileCache) get(key string) *resource {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.by[key]
	if r == nil {
		return nil
	}
	c.unlink(r)
	c.link(r)
	return r.hold()
}

// put keeps r in the place of what was kept for its key.
func (c *fileCache) put(r *resource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.most <= 0 {
		return
	}
	c.drop(c.by[r.key])
	c.by[r.key] = r.hold()
	for _, p := range r.reps {
		r.bytes += int64(len(p.data))
	}
	c.bytes += r.bytes
	c.open += r.open()
	c.link(r)
	c.evict()
}

// forget drops r if it is still there.
func (c *fileCache) forget(r *resource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[r.key] == r {
		c.drop(r)
	}
}

// remove drops what is kept for key.
func (c *fileCache) remove(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.by[key])
}

// grown counts n more bytes of r.
func (c *fileCache) grown(r *resource, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[r.key] == r {
		r.bytes += int64(n)
		c.bytes += int64(n)
		c.evict()
	}
}

func (c *fileCache) evict() {
	for (len(c.by) > c.most || c.open > c.most || c.bytes > c.memory) && len(c.by) > 0 {
		c.drop(c.ring.newer)
	}
}

func (c *fileCache) drop(r *resource) {
	if r == nil {
		return
	}
	c.unlink(r)
	delete(c.by, r.key)
	c.bytes -= r.bytes
	c.open -= r.open()
	r.bytes = 0
	r.release()
}

// shedMost is how many files are closed when the process has no descriptor left.
const shedMost = 16

// shed closes some of the files that nobody uses, and tells whether there were any.
func (c *fileCache) shed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.open
	for r := c.ring.newer; r != nil && r != &c.ring && was-c.open < shedMost; {
		next := r.newer
		if r.open() > 0 && r.refs.Load() == 1 { // it is the cache's, and get waits for this
			c.drop(r)
		}
		r = next
	}
	return c.open < was
}

// link makes r the one used last.
func (c *fileCache) link(r *resource) {
	r.older, r.newer = c.ring.older, &c.ring
	r.older.newer, c.ring.older = r, r
}

func (c *fileCache) unlink(r *resource) {
	r.older.newer, r.newer.older = r.newer, r.older
}

// close lets go of everything, for good.
func (c *fileCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for len(c.by) > 0 {
		c.drop(c.ring.newer)
	}
}
