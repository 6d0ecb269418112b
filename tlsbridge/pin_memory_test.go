package tlsbridge

import (
	"bytes"
	"crypto/tls"
	"io"
	"reflect"
	"runtime"
	"testing"
)

func TestPinBuffers(t *testing.T) {
	for name, want := range map[string]reflect.Type{
		"rawInput": reflect.TypeFor[bytes.Buffer](),
		"input":    reflect.TypeFor[bytes.Reader](),
		"hand":     reflect.TypeFor[bytes.Buffer](),
	} {
		if f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name); !ok || f.Type != want {
			t.Errorf("tls.Conn has no %s of type %v: in this Go a connection keeps up to 18 KB between its records; see inside.go", name, want)
		}
	}
	if !inside.known {
		t.Errorf("this is %s, and inside.go was made for %s: read how its crypto/tls uses the three buffers, who gets their memory above all, and move goRead on; until then a connection keeps up to 18 KB between its records", runtime.Version(), goRead)
	}
}

// TestPinBuffersBetweenRecords looks where inside.go would reach, on a tls.Conn
// that it leaves alone: there has to be something to take back, and nothing that
// is still needed.
func TestPinBuffersBetweenRecords(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := newStock(t, first(configs(version)), second(configs(version)))
		_ = must(s.client.Write(pattern(RecordMost)))
		_, _ = read(s.server, nil)
		c := &Conn{tls: s.server}
		if c.rawInput().Len() != 0 || c.input().Len() != 0 || c.hand().Len() != 0 {
			t.Errorf("%d, %d and %d bytes are in the buffers of a connection that has read everything: taking them back loses data", c.rawInput().Len(), c.input().Len(), c.hand().Len())
		}
		if c.rawInput().Cap() < RecordMost {
			t.Errorf("the receive buffer has %d bytes: this Go lets it go by itself, and inside.go can be deleted", c.rawInput().Cap())
		}
	})
}

// TestNothingIsKeptBetweenRecords wants no slice of the caller's, and no buffer,
// behind each call.
func TestNothingIsKeptBetweenRecords(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		f := forge(t, version)
		check := func(when string, c *Conn) {
			t.Helper()
			input := reflect.ValueOf(c.input()).Elem().FieldByName("s").Len()
			if c.rawInput().Cap() != 0 || input != 0 || c.hand().Cap() != 0 || c.in != nil || c.out != nil {
				t.Errorf("%s: receive buffer %d, input %d, handshake buffer %d, in %d, out %d",
					when, c.rawInput().Cap(), input, c.hand().Cap(), cap(c.in), cap(c.out))
			}
		}
		s := f.pair.server
		check("handshake of the server", s)
		check("handshake of the client", f.pair.client)
		_, _, _ = s.Open(nil, f.client.record(nil, typeApplication, string(pattern(RecordMost))))
		check("long record", s)
		_, _, _ = s.Open(nil, f.client.record(nil, typeAlert, warning))
		check("warning", s)
		if version == tls.VersionTLS13 {
			_, _, _ = s.Open(nil, f.client.record(nil, typeHandshake, keyUpdateMessage))
			if c := s.hand(); c.String() != keyUpdateMessage {
				t.Errorf("half a message: %x is left of it", c.Bytes())
			}
			_, _, _ = s.Open(nil, f.client.record(nil, typeHandshake, "\x00"))
			f.client.update()
			check("KeyUpdate", s)
		}
		_ = must(s.Seal(nil, pattern(100_000)))
		check("Seal", s)
		_ = s.CloseNotify(nil)
		check("CloseNotify", s)
		if _, _, err := s.Open(nil, f.client.record(nil, typeAlert, closeNotify)); err != io.EOF {
			t.Error(err)
		}
		check("close_notify", s)
	})
}

// TestDecryptionStaysWithinTheRecords has crypto/tls run out of lent records in
// every way there is, with something behind them.
func TestDecryptionStaysWithinTheRecords(t *testing.T) {
	f := forge(t, tls.VersionTLS13)
	for _, records := range [][]byte{
		f.client.record(nil, typeApplication, "data"),
		f.client.record(nil, typeApplication, ""),
		f.client.record(nil, typeAlert, warning),
		f.client.record(nil, typeApplication, string(pattern(RecordMost))),
		f.client.record(nil, typeApplication, ""), // room enough before the end to read into
	} {
		behind := bytes.Repeat([]byte{0x17}, 2000)
		all := append(records[:len(records):len(records)], behind...)
		if _, used, err := f.pair.server.Open(nil, all[:len(records)]); used != len(records) || err != nil || !bytes.Equal(all[len(records):], behind) {
			t.Errorf("%d used of %d, %v; what lies behind has changed: %v", used, len(records), err, !bytes.Equal(all[len(records):], behind))
		}
	}
}
