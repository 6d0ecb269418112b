package tlsbridge

import "encoding/binary"

const (
	// headerLen is a record's header: type, version, length (RFC 8446 5.1).
	headerLen = 5

	// RecordMost is how much plaintext a record carries at most (RFC 8446 5.1).
	RecordMost = 16 << 10

	// fragmentMost is the longest fragment that crypto/tls takes: that of TLS 1.2
	// (RFC 5246 6.2.3). One that says it is longer is for crypto/tls to refuse.
	fragmentMost = RecordMost + 2048

	// recordOverhead is what a sealed record is longer than its plaintext, at most:
	// header, explicit nonce or IV (16), MAC (48) and padding (16) of the oldest
	// cipher suites, of which nothing newer needs half.
	recordOverhead = headerLen + 16 + 48 + 16

	typeHandshake   = 22
	typeClientHello = 1
)

// Whole returns the length of the complete records at the front of b. A header
// that no record may have counts as complete, with all behind it: waiting would
// not mend it.
func Whole(b []byte) int {
	n := 0
	for {
		m := recordLen(b[n:])
		if m == 0 || m > len(b)-n {
			return n
		}
		n += m
	}
}

// recordLen is the length of the first record, with its header; 0 if that is not
// there, and all of b if it is nonsense.
func recordLen(b []byte) int {
	if len(b) < headerLen {
		return 0
	}
	if b[1] != 3 {
		return len(b)
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	if n > fragmentMost {
		return len(b)
	}
	return headerLen + n
}

// IsTLS tells whether a stream that begins with b, which is not empty, can be
// TLS: its first record is a handshake's. No HTTP request begins with that byte.
func IsTLS(b []byte) bool { return b[0] == typeHandshake }

// HelloWhole tells whether b holds a whole ClientHello, which may come in many
// records, or what can never become one: then it is time to let crypto/tls have
// a look. A server that waits for it spends nothing on a client that stops in
// the middle.
func HelloWhole(b []byte) bool {
	var head [4]byte // the handshake message's: type and length (RFC 8446 4)
	have, want := 0, len(head)
	for rest := b; ; {
		n := recordLen(rest)
		switch {
		case n == 0 || n > len(rest) && rest[0] == typeHandshake:
			return false
		case rest[0] != typeHandshake || n > len(rest) || n < headerLen:
			return true
		}
		fragment := rest[headerLen:n]
		if have < len(head) {
			copy(head[have:], fragment)
		}
		have += len(fragment)
		if have > 0 && head[0] != typeClientHello {
			return true
		}
		if have >= len(head) {
			want = len(head) + int(head[1])<<16 + int(head[2])<<8 + int(head[3])
		}
		if have >= want {
			return true
		}
		rest = rest[n:]
	}
}

// Sealed returns how long n bytes of plaintext are at most once they are sealed.
func Sealed(n int) int {
	records := (n + RecordMost - 1) / RecordMost
	return n + max(records, 1)*recordOverhead
}
