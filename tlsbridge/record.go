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

	// LongestRecord is how long a record with its header can be.
	LongestRecord = headerLen + fragmentMost

	// recordOverhead is what a sealed record is longer than its plaintext, at most:
	// header, explicit nonce or IV (16), MAC (48) and padding (16) of the oldest
	// cipher suites, of which nothing newer needs half.
	recordOverhead = headerLen + 16 + 48 + 16

	// majorMost is the highest major version that crypto/tls lets a first record
	// have. Later ones must have that of TLS, 3.
	majorMost = 0x0f

	typeHandshake   = 22
	typeClientHello = 1

	// helloMost is the longest ClientHello that crypto/tls takes.
	helloMost = 64 << 10

	// helloRecords is how many records HelloWhole looks into. Clients use one or two;
	// one that uses hundreds would have them all looked at anew for every byte.
	helloRecords = 64
)

// Whole returns the length of the complete records at the front of b. A header
// that crypto/tls refuses counts as complete, with all behind it: waiting would
// not mend it.
func Whole(b []byte) int {
	n := 0
	for n < len(b) {
		m := firstOf(b[n:])
		if m == 0 {
			break
		}
		n += m
	}
	return n
}

// firstOf is the length of the first record in b, with its header: 0 if it is not
// complete, and all of b if it is nonsense.
func firstOf(b []byte) int {
	switch {
	case len(b) < headerLen:
		return 0
	case nonsense(b):
		return len(b)
	}
	if n := headerLen + int(binary.BigEndian.Uint16(b[3:])); n <= len(b) {
		return n
	}
	return 0
}

// nonsense tells of a header that crypto/tls refuses wherever it stands.
func nonsense(header []byte) bool {
	return header[1] > majorMost || binary.BigEndian.Uint16(header[3:]) > fragmentMost
}

// IsTLS tells whether a stream that begins with b, which is not empty, can be
// TLS: its first record is a handshake's. No HTTP request begins with that byte.
func IsTLS(b []byte) bool { return b[0] == typeHandshake }

// HelloWhole tells whether b holds a whole ClientHello, which may come in several
// records, or what can never become one, or becomes one in a roundabout way: then
// it is time to let crypto/tls have a look. A server that waits for it spends
// nothing on a client that stops in the middle.
func HelloWhole(b []byte) bool {
	var head [4]byte // the handshake message's: type and length (RFC 8446 4)
	have := 0
	for range helloRecords {
		n := firstOf(b)
		switch {
		case n == 0:
			return len(b) > 0 && b[0] != typeHandshake
		case b[0] != typeHandshake || nonsense(b) || n == headerLen:
			return true
		}
		if have < len(head) {
			copy(head[have:], b[headerLen:n])
		}
		have += n - headerLen
		if head[0] != typeClientHello || have >= helloLen(head) {
			return true
		}
		b = b[n:]
	}
	return true
}

// helloLen is how long a handshake message is at least, with its head, which may
// be there in part; 0 if it is longer than crypto/tls allows.
func helloLen(head [4]byte) int {
	n := int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	if n > helloMost {
		return 0
	}
	return len(head) + n
}

// Sealed returns how long n bytes of plaintext are at most once they are sealed.
func Sealed(n int) int {
	records := (n + RecordMost - 1) / RecordMost
	return n + records*recordOverhead
}
