package tlsbridge

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
)

const (
	warning      = "\x01\x5a" // user_canceled: TLS 1.2 lets any warning pass, TLS 1.3 this one
	closeNotify  = "\x01\x00"
	fatalAlert   = "\x02\x28" // handshake_failure
	helloRequest = "\x00\x00\x00\x00"
)

// TestNothingIsLostBehindAWarning has crypto/tls open the record behind the
// warning while it looks for close_notify.
func TestNothingIsLostBehindAWarning(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		f := forge(t, version)
		b := f.client.record(nil, typeApplication, "one ")
		b = f.client.record(b, typeAlert, warning)
		b = f.client.record(b, typeApplication, "two ")
		b = f.client.record(b, typeAlert, warning)
		b = f.client.record(b, typeAlert, warning)
		b = f.client.record(b, typeApplication, strings.Repeat("x", RecordMost))
		got, used, err := f.pair.server.Open(nil, b)
		if want := "one two " + strings.Repeat("x", RecordMost); string(got) != want || used != len(b) || err != nil {
			t.Fatalf("%d bytes arrived, %d used of %d, %v", len(got), used, len(b), err)
		}
		b = f.client.record(nil, typeAlert, warning)
		if got, _, err := f.pair.server.Open(nil, b); len(got) != 0 || err != nil {
			t.Errorf("a warning alone: %q, %v", got, err)
		}
		b = f.client.record(nil, typeApplication, "three")
		b = f.client.record(b, typeAlert, warning)
		b = f.client.record(b, typeAlert, closeNotify)
		if got, _, err := f.pair.server.Open(nil, b); string(got) != "three" || err != io.EOF {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestAFatalAlertEndsBothDirections(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		f := forge(t, version)
		b := f.client.record(nil, typeApplication, "data")
		b = f.client.record(b, typeAlert, fatalAlert)
		got, used, err := f.pair.server.Open(nil, b)
		wantErrorWith(t, err, "handshake failure")
		if string(got) != "data" || used != len(b) {
			t.Errorf("%q, %d used of %d", got, used, len(b))
		}
		if out := f.pair.server.Output(); len(out) != 0 {
			t.Errorf("an alert was answered with %x", out)
		}
		if b, again := f.pair.server.Seal(nil, []byte("more")); again != err || len(b) != 0 {
			t.Errorf("sealed %x, %v", b, again)
		}
	})
}

func TestUnexpectedRecordsAreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		kind byte
		data string
	}{
		"unknown type":              {99, "x"},
		"empty handshake":           {typeHandshake, ""},
		"a message nobody knows":    {typeHandshake, "\xfd\x00\x00\x00"},
		"a second ClientHello":      {typeHandshake, "\x01\x00\x00\x00"},
		"long alert":                {typeAlert, "\x02\x28\x00"},
		"a message of 16 MiB":       {typeHandshake, "\x18\xff\xff\xff"},
		"handshake, then something": {typeHandshake, "\x18\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			everyWay(t, func(t *testing.T, version uint16) {
				f := forge(t, version)
				b := f.client.record(nil, c.kind, c.data)
				b = f.client.record(b, typeApplication, "data") // in the middle of a message, for the last case
				got, _, err := f.pair.server.Open(nil, b)
				if version == tls.VersionTLS12 && strings.HasSuffix(name, "something") {
					return // RFC 5246 has nothing against it
				}
				wantError(t, err)
				kind, alert, _ := f.server.open(t, f.pair.server.Output())
				if kind != typeAlert || alert[0] != fatalAlert[0] || len(got) != 0 {
					t.Errorf("answered with a record of type %d, %x; opened %q", kind, alert, got)
				}
			})
		})
	}
}

// TestKeyUpdates updates both ways, over and over, in messages that are split
// over records, and several in one buffer.
func TestKeyUpdates(t *testing.T) {
	bothModes(t, func(t *testing.T) {
		f := forge(t, tls.VersionTLS13)
		s := f.pair.server
		for i := range 50 {
			var b []byte
			asks := byte(i % 2)
			for _, part := range split(keyUpdateMessage+string(asks), i%6) {
				b = f.client.record(b, typeHandshake, part)
			}
			f.client.update()
			b = f.client.record(b, typeApplication, "behind the update")
			got, used, err := openInTwo(s, b, i*3%len(b))
			if string(got) != "behind the update" || used != len(b) || err != nil {
				t.Fatalf("update %d: %q, %d used of %d, %v", i, got, used, len(b), err)
			}
			sealed := must(s.Seal([]byte(nil), []byte("answer"))) // behind the answer to the update
			if asks == 1 {
				kind, message, rest := f.server.open(t, sealed)
				if kind != typeHandshake || message != keyUpdateMessage+"\x00" {
					t.Fatalf("update %d: answered with type %d, %x", i, kind, message)
				}
				f.server.update()
				sealed = rest
			}
			if _, data, rest := f.server.open(t, sealed); data != "answer" || len(rest) != 0 {
				t.Fatalf("update %d: sent %q, and %x", i, data, rest)
			}
		}
	})
}

// openInTwo opens what is there up to a cut, then all the rest.
func openInTwo(c *Conn, b []byte, cut int) ([]byte, int, error) {
	got, used, err := c.Open(nil, b[:cut])
	if err != nil {
		return got, used, err
	}
	got, more, err := c.Open(got, b[used:])
	return got, used + more, err
}

// split cuts a message at one place, or nowhere.
func split(s string, at int) []string {
	if at == 0 || at >= len(s) {
		return []string{s}
	}
	return []string{s[:at], s[at:]}
}

func TestOutputWaitsForItsTurn(t *testing.T) {
	f := forge(t, tls.VersionTLS13)
	s := f.pair.server
	b := f.client.record(nil, typeHandshake, keyUpdateMessage+"\x01")
	f.client.update()
	b = f.client.record(b, typeHandshake, keyUpdateMessage+"\x01")
	f.client.update()
	if got, used, err := s.Open(nil, b); len(got) != 0 || used != len(b) || err != nil {
		t.Fatalf("%q, %d used, %v", got, used, err)
	}
	out := s.CloseNotify(nil)
	for i, want := range []string{keyUpdateMessage + "\x00", keyUpdateMessage + "\x00", closeNotify} {
		_, data, rest := f.server.open(t, out)
		if data != want {
			t.Errorf("record %d is %x, not %x", i, data, want)
		}
		f.server.update()
		out = rest
	}
	if len(out) != 0 || len(s.Output()) != 0 {
		t.Errorf("then %x, and more in Output", out)
	}
}

// TestRenegotiationIsRefused has each side ask the other for it.
func TestRenegotiationIsRefused(t *testing.T) {
	bothModes(t, func(t *testing.T) {
		f := forge(t, tls.VersionTLS12)
		_, _, err := f.pair.server.Open(nil, f.client.record(nil, typeHandshake, "\x01\x00\x00\x02\x03\x03"))
		wantError(t, err)
		if len(f.pair.server.Output()) == 0 {
			t.Error("the client was not told")
		}

		for _, how := range []tls.RenegotiationSupport{tls.RenegotiateNever, tls.RenegotiateOnceAsClient, tls.RenegotiateFreelyAsClient} {
			f = forgeServer(t, how)
			got, _, err := f.pair.client.Open(nil, f.server.record(nil, typeHandshake, helloRequest))
			wantErrorWith(t, err, "no renegotiation")
			kind, alert, _ := f.client.open(t, f.pair.client.Output())
			if kind != typeAlert || alert != "\x01\x64" || len(got) != 0 {
				t.Errorf("renegotiation %d: sent type %d, %x", how, kind, alert)
			}
		}
	})
}

// forgeServer is forge for the other side, with a client that would renegotiate.
func forgeServer(t testing.TB, how tls.RenegotiationSupport) *forgery {
	t.Helper()
	return forgeWith(t, tls.VersionTLS12, func(_, client *tls.Config) { client.Renegotiation = how })
}
