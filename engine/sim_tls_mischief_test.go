package engine

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/tlsbridge"
)

// TestSimHandshakes has peers that leave, stop or talk nonsense at any point of
// their handshake or soon after, while others want to be served and wait for the
// little room that there is.
func TestSimHandshakes(t *testing.T) {
	sc := scenario{name: "handshakes", over: overTLS, config: withFewHandshakes, play: func(w *world) {
		for i := range 1 + w.rng.IntN(8) {
			w.addMischief(fmt.Sprintf("mischief %d", i))
		}
		add := [...]func(string){func(n string) { w.addWSClient(n) }, w.addHTTPClient, w.addRawClient, w.addServer}
		for i := range 1 + w.rng.IntN(3) {
			add[w.rng.IntN(len(add))](fmt.Sprintf("peer %d", i))
		}
		if w.rng.IntN(4) == 0 {
			w.cut = true
			w.shutdownWithin(4 * time.Second)
		}
	}}
	sc.runSeeds(t, simCount/tlsShare)
}

func withFewHandshakes(w *world, nc *simnet.Config, cfg *Config) {
	withServers(w, nc, cfg)
	cfg.Limits.TLSHandshakes = 1 + w.rng.IntN(3)
	cfg.Limits.TLSHandshakesPerIP = w.rng.IntN(3)
	cfg.Limits.TLSHandshakeTimeout = time.Minute
}

// addMischief adds a client that would like an answer, but does not get that far.
func (w *world) addMischief(name string) {
	get := []byte("GET / HTTP/1.1\r\nHost: sim\r\n\r\n")
	p := w.add(name, rest(time.Second), dial(httpPort), send(get), wait(time.Second), closeWrite(), ended())
	p.mischief = w.mischief()
}

// mischief is what a peer does below its TLS when it has sent so many bytes.
type mischief struct {
	after int
	do    func(e *tlsEnd)
}

func (w *world) mischief() *mischief {
	leave := func(f func(e *tlsEnd)) func(*tlsEnd) {
		return func(e *tlsEnd) {
			f(e)
			e.p.left = true
		}
	}
	return &mischief{after: w.rng.IntN(500), do: [...]func(*tlsEnd){
		leave(func(e *tlsEnd) { e.End.Reset() }),
		leave(func(e *tlsEnd) { e.End.Close() }),
		leave(func(*tlsEnd) {}),
		func(e *tlsEnd) { e.End.CloseWrite() },
		func(e *tlsEnd) { e.mute = true },
		func(e *tlsEnd) { e.out = nil },
		// What is random must not become a record's header: that would be another run.
		func(e *tlsEnd) { e.out[len(e.out)-1] ^= 1 << w.rng.IntN(8) },
		func(e *tlsEnd) { e.out = w.garbage() },
	}[w.rng.IntN(8)]}
}

// garbage is some bytes, or a record of them.
func (w *world) garbage() []byte {
	b := make([]byte, 1+w.rng.IntN(100))
	for i := range b {
		b[i] = byte(w.rng.IntN(256))
	}
	if w.rng.IntN(2) == 0 {
		return b
	}
	return append(recordHead(20+w.rng.IntN(5), len(b)), b...)
}

func recordHead(kind, length int) []byte {
	return binary.BigEndian.AppendUint16([]byte{byte(kind), 3, 3}, uint16(length))
}

// transmit sends what the wire takes of b.
func (e *tlsEnd) transmit(b []byte) int {
	m := e.p.mischief
	if m == nil {
		return e.End.Send(b)
	}
	if m.after == 0 {
		e.p.mischief, e.p.spoilt = nil, true
		m.do(e)
		return 0
	}
	n := e.End.Send(b[:min(len(b), m.after)])
	m.after -= n
	return n
}

// inPieces cuts handshake records that are not encrypted yet into smaller ones,
// which is allowed (RFC 8446 5.1).
func inPieces(records []byte, most int) (out []byte) {
	for len(records) > 0 {
		n := tlsbridge.Whole(records[:5+int(binary.BigEndian.Uint16(records[3:]))])
		kind, body := records[0], records[5:n]
		for len(body) > 0 {
			k := min(most, len(body))
			out = append(append(out, recordHead(int(kind), k)...), body[:k]...)
			body = body[k:]
		}
		records = records[n:]
	}
	return out
}
