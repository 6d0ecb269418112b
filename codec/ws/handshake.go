package ws

import (
	crand "crypto/rand"
	"crypto/sha1"
	"encoding/base64"
)

// Version is the protocol version, the value of Sec-WebSocket-Version in both
// directions, RFC 6455 sections 4.1 and 4.4.
const Version = "13"

// guid is what RFC 6455 section 1.3 has both ends append to the key.
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

const (
	nonceSize = 16 // of a key before base64, RFC 6455 section 4.1
	keySize   = (nonceSize + 2) / 3 * 4
)

// NewKey returns a value for Sec-WebSocket-Key: 16 random bytes in base64,
// RFC 6455 section 4.1 item 7. Each connection needs its own, and needs it again
// for [CheckAccept].
func NewKey() string {
	var nonce [nonceSize]byte
	crand.Read(nonce[:]) // never fails: see its documentation
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// ValidKey reports whether key, the value of Sec-WebSocket-Key without
// surrounding white space, is the base64 of exactly 16 bytes, RFC 6455 section
// 4.2.1 item 5. The server answers anything else with 400.
func ValidKey(key []byte) bool {
	if len(key) != keySize {
		return false
	}
	var nonce [keySize / 4 * 3]byte
	n, err := base64.StdEncoding.Decode(nonce[:], key)
	return err == nil && n == nonceSize
}

// AppendAccept appends the value of Sec-WebSocket-Accept that answers key, the
// value of Sec-WebSocket-Key, RFC 6455 section 4.2.2 item 5.4, and returns the
// extended dst.
func AppendAccept(dst, key []byte) []byte {
	var buf [keySize + len(guid)]byte
	sum := sha1.Sum(append(append(buf[:0], key...), guid...))
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// CheckAccept reports whether accept, the server's Sec-WebSocket-Accept, answers
// key, RFC 6455 section 4.1 (the server's response, item 4). The caller has
// removed surrounding white space. If not, the client fails the connection.
func CheckAccept(accept []byte, key string) bool {
	var want [base64Sum]byte
	return string(AppendAccept(want[:0], []byte(key))) == string(accept)
}

// base64Sum is the size of a Sec-WebSocket-Accept value.
const base64Sum = (sha1.Size + 2) / 3 * 4
