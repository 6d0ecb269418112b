package ws

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	gobwas "github.com/gobwas/ws"
)

// MaskKeys is a source of mask keys for a client's frames. RFC 6455 sections
// 5.3 and 10.3 want them unpredictable to whoever chooses the payload, so the
// generator is ChaCha8 with a seed from the operating system: as hard to guess
// and, unlike the system's own source, a few nanoseconds a key.
//
// Make one for each loop with NewMaskKeys. Not safe for concurrent use.
type MaskKeys struct {
	src   *rand.ChaCha8
	spare uint32
	half  bool // spare holds a key not given out yet
}

// NewMaskKeys returns a freshly seeded source.
func NewMaskKeys() *MaskKeys {
	var seed [32]byte
	crand.Read(seed[:]) // never fails: see its documentation
	return &MaskKeys{src: rand.NewChaCha8(seed)}
}

// Next returns a fresh key, for one frame.
func (m *MaskKeys) Next() (key [4]byte) {
	if m.half = !m.half; m.half {
		u := m.src.Uint64()
		m.spare = uint32(u >> 32)
		binary.LittleEndian.PutUint32(key[:], uint32(u))
		return key
	}
	binary.LittleEndian.PutUint32(key[:], m.spare)
	return key
}

// MaskInPlace masks or unmasks p, which begins offset bytes into the payload of
// a frame with that key, RFC 6455 section 5.3. It changes p.
func MaskInPlace(p []byte, key [4]byte, offset int) {
	k := binary.LittleEndian.Uint32(key[:])
	maskInPlace(p, bits.RotateLeft32(k, -8*(offset&3)))
}

// cipherFrom is the length from which the vector cipher is worth its call.
const cipherFrom = 192

// maskInPlace masks p with a key whose low byte meets p[0], and returns the key
// turned so that its low byte meets the byte behind p.
//
// gobwas.Cipher is the fastest there is for long payloads, but takes up to 15
// bytes at the end one by one and costs 6 ns to enter: more than a chat message
// takes in words. No step but the last changes what the key's low byte meets.
func maskInPlace(p []byte, key uint32) uint32 {
	next := bits.RotateLeft32(key, -8*(len(p)&3))
	if n := len(p) &^ 15; n >= cipherFrom {
		var k [4]byte
		binary.LittleEndian.PutUint32(k[:], key)
		gobwas.Cipher(p[:n], k, 0)
		p = p[n:]
	}
	wide := uint64(key)<<32 | uint64(key)
	for len(p) >= 32 {
		xor64(p, wide)
		xor64(p[8:], wide)
		xor64(p[16:], wide)
		xor64(p[24:], wide)
		p = p[32:]
	}
	for len(p) >= 8 {
		xor64(p, wide)
		p = p[8:]
	}
	if len(p) >= 4 {
		binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)^key)
		p = p[4:]
	}
	for i := range p {
		p[i] ^= byte(key)
		key >>= 8
	}
	return next
}

// xor64 changes the first eight bytes of p.
func xor64(p []byte, key uint64) {
	binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^key)
}
