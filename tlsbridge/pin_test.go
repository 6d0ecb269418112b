package tlsbridge

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"testing"
)

// The tests that begin with TestPin are about crypto/tls alone: what Penstock
// relies on without its documentation having promised it. Each says what breaks
// if this Go does it another way.

// read reads from a stock tls.Conn until the transport is empty.
func read(c *tls.Conn, dst []byte) ([]byte, error) {
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		dst = append(dst, buf[:n]...)
		if err != nil {
			return dst, err
		}
	}
}

// TestPinTemporaryErrors feeds records byte by byte.
func TestPinTemporaryErrors(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := newStock(t, first(configs(version)), second(configs(version)))
		want := pattern(3000)
		_ = must(s.client.Write(want[:1000]))
		_ = must(s.client.Write(want[1000:]))
		var got []byte
		for _, b := range s.clientEnd.out.take() {
			s.serverEnd.in.put([]byte{b})
			var err error
			if got, err = read(s.server, got); err != errEmpty {
				t.Fatalf("a read without data ended in %v: after a temporary net.Error this Go does not go on, so Open fails whenever it runs out of records", err)
			}
		}
		if !bytes.Equal(got, want) || s.serverEnd.reads < 3000 {
			t.Fatalf("%d bytes arrived of %d: this Go forgets half a record when its transport is empty, so the way without inside.go loses data", len(got), len(want))
		}
	})
}

// lasting is an error that does not call itself temporary.
var errLasting = errors.New("lasting")

func TestPinOtherErrorsLast(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := newStock(t, first(configs(version)), second(configs(version)))
		s.serverEnd.empty = errLasting
		if _, err := read(s.server, nil); err != errLasting {
			t.Fatal(err)
		}
		_ = must(s.client.Write([]byte("data")))
		if got, err := read(s.server, nil); err != errLasting || len(got) != 0 {
			t.Errorf("%q, %v: this Go forgets all errors of its transport, so errEmpty need not be a net.Error; see pipe.go", got, err)
		}
	})
}

// TestPinTicketsInPieces has messages behind the handshake come byte by byte.
func TestPinTicketsInPieces(t *testing.T) {
	sc, cc := configs(tls.VersionTLS13)
	cc.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	s := newStock(t, sc, cc)
	_ = must(s.server.Write([]byte("data")))
	var got []byte
	for _, b := range s.clientEnd.in.take() {
		s.clientEnd.in.put([]byte{b})
		var err error
		if got, err = read(s.client, got); err != errEmpty {
			t.Fatalf("a ticket that came in pieces ended in %v: this Go does not go on with a message behind the handshake, so clients fail at random", err)
		}
	}
	if _, ok := cc.ClientSessionCache.Get("localhost"); string(got) != "data" || !ok {
		t.Errorf("read %q, ticket %v: this Go loses a message behind the handshake that comes in pieces", got, ok)
	}
}

// TestPinHandshakeErrorsLast is why the handshake runs in a coroutine.
func TestPinHandshakeErrorsLast(t *testing.T) {
	a, b := ends()
	a.empty, b.empty = errEmpty, errEmpty
	server, client := tls.Server(a, first(configs(0))), tls.Client(b, second(configs(0)))
	if err := server.Handshake(); err != errEmpty {
		t.Fatal(err)
	}
	if err := client.Handshake(); err != errEmpty {
		t.Fatal(err)
	}
	if err := server.Handshake(); err != errEmpty || len(a.out.take()) != 0 {
		t.Errorf("a handshake went on behind a temporary error, %v: this Go can do without the coroutine of handshake.go", err)
	}
}

// TestPinEOF is about the one io.EOF that Open passes on.
func TestPinEOF(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := newStock(t, first(configs(version)), second(configs(version)))
		if err := s.client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		bye := s.clientEnd.out.take()
		s.serverEnd.in.put(bye[:len(bye)-1])
		if _, err := read(s.server, nil); err != errEmpty {
			t.Errorf("half a close_notify is %v: Open takes io.EOF for all of it", err)
		}
		s.serverEnd.in.put(bye[len(bye)-1:])
		if _, err := read(s.server, nil); err != io.EOF {
			t.Errorf("close_notify is %v in this Go, not io.EOF: the engine takes every goodbye for a failure", err)
		}
		if _, err := s.server.Write([]byte("data")); err != nil {
			t.Errorf("behind the peer's close_notify, Write says %v: answers are lost to peers that half-close", err)
		}
	})
}

// TestPinRecordAtATime wants a Read that needs n bytes to leave the next record,
// if the transport does.
func TestPinRecordAtATime(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := newStock(t, first(configs(version)), second(configs(version)))
		for range 3 {
			_ = must(s.client.Write([]byte("data")))
		}
		all := s.clientEnd.out.take()
		s.serverEnd.most = 1
		s.serverEnd.in.put(all)
		buf := make([]byte, RecordMost)
		n, err := s.server.Read(buf)
		if left := len(s.serverEnd.in.take()); n != 4 || err != nil || left != len(all)*2/3 {
			t.Errorf("Read %d, %v, leaving %d of %d: this Go wants more of its transport than the record it needs, so Step takes data that belongs to Open", n, err, left, len(all))
		}
	})
}

// TestPinUselessRecords counts what a peer can make a Conn do without sending
// data. Open relies on there being an end.
func TestPinUselessRecords(t *testing.T) {
	const most = 16 // maxUselessRecords
	useless := map[string]struct {
		kind   byte
		data   string
		update bool
	}{
		"empty data": {kind: typeApplication},
		"warnings":   {kind: typeAlert, data: warning},
		"updates":    {kind: typeHandshake, data: keyUpdateMessage + "\x01", update: true},
	}
	for name, u := range useless {
		t.Run(name, func(t *testing.T) {
			bothVersions(t, func(t *testing.T, version uint16) {
				if u.update && version != tls.VersionTLS13 {
					return
				}
				f := forge(t, version)
				for round := range 3 {
					for i := range most {
						b := f.client.record(nil, u.kind, u.data)
						if u.update {
							f.client.update()
						}
						if _, _, err := f.pair.server.Open(nil, b); err != nil {
							t.Fatalf("round %d, record %d: %v", round, i, err)
						}
						_ = f.pair.server.Output()
					}
					if got, _, err := f.pair.server.Open(nil, f.client.record(nil, typeApplication, "data")); string(got) != "data" || err != nil {
						t.Fatalf("round %d: %q, %v", round, got, err)
					}
				}
				var b []byte
				for range most + 1 {
					b = f.client.record(b, u.kind, u.data)
					if u.update {
						f.client.update()
					}
				}
				if _, _, err := f.pair.server.Open(nil, b); err == nil {
					t.Errorf("%d records without data were let pass: this Go has no bound on them, so a peer can keep a loop busy, and its answers to KeyUpdates queue up, for nothing", most+1)
				}
			})
		})
	}
}
