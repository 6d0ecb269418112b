package load

import "bytes"

// outgoing is the stream of messages that a connection sends: the first ones once,
// then the others again and again. Connections may share one.
type outgoing struct {
	bytes  []byte // behind the end the beginning again, so that all that may be in flight is in one piece
	sizes  []int  // of the messages on the wire
	once   int    // how many messages come once
	head   int    // their bytes
	period int    // the bytes of those that come again
}

// newOutgoing is for the given messages, of which depth may be in flight.
func newOutgoing(messages [][]byte, once, depth int) *outgoing {
	o := &outgoing{once: once}
	for k, m := range messages {
		o.bytes = append(o.bytes, m...)
		o.sizes = append(o.sizes, len(m))
		if k < once {
			o.head += len(m)
		}
	}
	o.period = len(o.bytes) - o.head
	again := messages[once:]
	for k := range depth - 1 {
		o.bytes = append(o.bytes, again[k%len(again)]...)
	}
	return o
}

// repeated is for one message.
func repeated(message []byte, depth int) *outgoing {
	return &outgoing{bytes: bytes.Repeat(message, depth), sizes: []int{len(message)}, period: len(message)}
}

// size is that of message k, counted from the first one sent.
func (o *outgoing) size(k int) int {
	if k >= o.once {
		k = o.once + (k-o.once)%(len(o.sizes)-o.once)
	}
	return o.sizes[k]
}

// wrap returns where off is the first time.
func (o *outgoing) wrap(off int) int {
	if off < o.head {
		return off
	}
	return o.head + (off-o.head)%o.period
}
