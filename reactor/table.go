package reactor

// table finds a connection by its descriptor. Descriptors are small and dense,
// so it is an array, in pages: growing moves nothing and leaves no garbage.
type table struct {
	pages []*page
	n     int
}

const pageSize = 512

type page [pageSize]*Conn

func (t *table) get(fd int) *Conn {
	if i := fd / pageSize; i < len(t.pages) && t.pages[i] != nil {
		return t.pages[i][fd%pageSize]
	}
	return nil
}

// set puts c at fd, or takes away what is there if c is nil.
func (t *table) set(fd int, c *Conn) {
	i := fd / pageSize
	for i >= len(t.pages) {
		t.pages = append(t.pages, nil)
	}
	if t.pages[i] == nil {
		t.pages[i] = new(page)
	}
	at := &t.pages[i][fd%pageSize]
	if *at == nil && c != nil {
		t.n++
	}
	if *at != nil && c == nil {
		t.n--
	}
	*at = c
}

// each calls f for every connection; f may take entries away.
func (t *table) each(f func(*Conn)) {
	for _, p := range t.pages {
		if p == nil {
			continue
		}
		for _, c := range p {
			if c != nil {
				f(c)
			}
		}
	}
}
