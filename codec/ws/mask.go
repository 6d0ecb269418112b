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

// Next returns a key that was not used before, for one frame.
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

// maskInPlace masks p with a key whose low byte meets p[0], and returns the key
// turned so that its low byte meets the byte behind p.
func maskInPlace(p []byte, key uint32) uint32 {
	var k [4]byte
	binary.LittleEndian.PutUint32(k[:], key)
	gobwas.Cipher(p, k, 0)
	return bits.RotateLeft32(key, -8*(len(p)&3))
}
