package tlsbridge

import (
	"bytes"
	"crypto/tls"
	"io"
	"runtime"
	"testing"
	"testing/cryptotest"
)

// chop cuts b into pieces whose lengths chops tells, over and over.
func chop(b, chops []byte) (out [][]byte) {
	for i := 0; len(b) > 0; i++ {
		n := len(b)
		if len(chops) > 0 {
			n = min(n, 1+int(chops[i%len(chops)]))
		}
		out = append(out, b[:n])
		b = b[n:]
	}
	return out
}

// feed gives a server bytes as they come, until it fails.
func feed(c *Conn, b, chops []byte) (plain []byte, err error) {
	r := &receiver{Conn: c, server: true}
	for _, piece := range chop(b, chops) {
		if _, err := r.receive(piece); err != nil {
			return r.plain, err
		}
	}
	return r.plain, nil
}

// checkCoroutines wants none left. All stacks are looked at only if there are more
// goroutines than before, which happens for other reasons, too.
func checkCoroutines(t *testing.T, before int) {
	t.Helper()
	if runtime.NumGoroutine() <= before {
		return
	}
	if stack := shaking(); stack != "" {
		t.Errorf("a handshake is left:\n%s", stack)
	}
}

// FuzzHandshake gives a server anything, and wants no coroutine to be left.
func FuzzHandshake(f *testing.F) {
	for _, hello := range hellos() {
		f.Add(hello[:min(len(hello), 2000)], []byte{200})
	}
	f.Add(tiny(hellos()[0]), []byte{5})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte{0})
	sc, _ := configs(0)
	f.Fuzz(func(t *testing.T, b, chops []byte) {
		cryptotest.SetGlobalRandom(t, 1)
		before := runtime.NumGoroutine()
		var c Conn
		c.Init(Server, sc, nil, nil)
		if plain, err := feed(&c, b, chops); len(plain) > 0 || c.Secured() {
			t.Errorf("secured by a peer that has no key: %q, %v", plain, err)
		}
		c.Cancel()
		checkCoroutines(t, before)
	})
}

// FuzzOpen gives a secured server what was sealed, and then anything, in any
// pieces: all that was sealed must come out, and nothing else.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("data"), []byte{23, 3, 3, 0, 20}, []byte{3}, true)
	f.Add(pattern(20_000), []byte{21, 3, 3, 0, 2, 1, 0}, []byte{255}, false)
	sc, cc := configs(0)
	f.Fuzz(func(t *testing.T, message, noise, chops []byte, old bool) {
		cryptotest.SetGlobalRandom(t, 1)
		cc := cc.Clone()
		if old {
			cc.MaxVersion = tls.VersionTLS12
		}
		p := secured(t, sc, cc)
		sealed := must(p.client.Seal(nil, message))
		plain, err := feed(p.server, append(sealed, noise...), chops)
		if !bytes.Equal(plain, message) || err == io.EOF {
			t.Errorf("%d bytes arrived of %d, %v", len(plain), len(message), err)
		}
		if err != nil {
			wantError(t, err)
		}
	})
}

// change is one thing that happens to a transcript.
func change(b []byte, kind, at, n int) []byte {
	if len(b) == 0 {
		return b
	}
	at %= len(b)
	n = min(n, len(b)-at)
	switch kind % 4 {
	case 0:
		b[at] ^= 1 << (n % 8)
	case 1:
		return append(b[:at], b[at+n:]...)
	case 2:
		return append(b[:at+n:at+n], b[at:]...)
	case 3:
		return b[:at]
	}
	return b
}

// FuzzMangled changes what goes from one end to the other somewhere between the
// ClientHello and the data. Data arrives as it was, or not at all.
func FuzzMangled(f *testing.F) {
	for kind := range 4 {
		for flight := range 5 {
			f.Add(kind, flight, 6, 20, kind%2 == 0)
			f.Add(kind, flight, 700, 1, kind%2 == 1)
		}
	}
	sc, cc := configs(0)
	f.Fuzz(func(t *testing.T, kind, flight, at, n int, old bool) {
		cryptotest.SetGlobalRandom(t, 1)
		before := runtime.NumGoroutine()
		cc := cc.Clone()
		if old {
			cc.MaxVersion = tls.VersionTLS12
		}
		kind, flight, at, n = kind&3, flight&7, at&0xffff, n&0xffff
		p := newPair(sc, cc)
		client, server := &receiver{Conn: p.client}, &receiver{Conn: p.server, server: true}
		message := pattern(1000)
		var clientErr, serverErr error
		for i, b := 0, must(client.receive(nil)); i < 12 && clientErr == nil && serverErr == nil; i++ {
			if i == flight {
				b = change(b, kind, at, n)
			}
			to, other, err := server, client, &serverErr
			if i%2 == 1 {
				to, other, err = client, server, &clientErr
			}
			was := to.Secured()
			b, *err = to.receive(b)
			if to.Secured() && !was && *err == nil && other != nil {
				b = must(to.Seal(b, message))
			}
		}
		for _, r := range []*receiver{client, server} {
			if len(r.plain) > 0 && !bytes.Equal(r.plain, message) {
				t.Errorf("%d bytes arrived, which nobody has sent", len(r.plain))
			}
			r.Cancel()
		}
		checkCoroutines(t, before)
	})
}
