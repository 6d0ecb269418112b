package handshakes

// list is a FIFO that anything in it can leave in O(1): a ring of links that its members embed. Its zero value
// is empty.
type list[T any] struct {
	head *link[T] // the oldest
}

// link is one member's place in one list. Its zero value is in none.
type link[T any] struct {
	next, prev *link[T]
	member     *T
}

// linked tells whether the member is in a list.
func (n *link[T]) linked() bool { return n.next != nil }

func (l *list[T]) empty() bool { return l.head == nil }

// push puts member, which embeds n, behind all others.
func (l *list[T]) push(n *link[T], member *T) {
	n.member = member
	if l.head == nil {
		n.next, n.prev = n, n
		l.head = n
		return
	}
	n.next, n.prev = l.head, l.head.prev
	n.prev.next, n.next.prev = n, n
}

// remove takes n out of l, which it is in.
func (l *list[T]) remove(n *link[T]) {
	if l.head == n {
		l.head = n.next
	}
	if n.next == n {
		l.head = nil
	}
	n.prev.next, n.next.prev = n.next, n.prev
	*n = link[T]{}
}

// pop takes the oldest member out of l, which is not empty.
func (l *list[T]) pop() *T {
	member := l.head.member
	l.remove(l.head)
	return member
}
