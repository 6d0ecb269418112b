package engine_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// What a forger sends: types of records, and messages that crypto/tls does not
// send on request (RFC 8446 4.6.3).
const (
	recordHandshake   = 22
	recordApplication = 23

	keyUpdate    = "\x18\x00\x00\x01\x00"
	keyUpdateAsk = "\x18\x00\x00\x01\x01" // ... that wants one in return
)

// forger writes the records of a client of TLS 1.3 that has stopped to be decent.
type forger struct {
	*tlsPeer
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// forge shakes hands and takes the key out.
func (v *server) forge(t *testing.T) *forger {
	t.Helper()
	var log bytes.Buffer
	p := v.dial(t)
	f := &forger{tlsPeer: p.over(tcpOf(p), tls.Client(p.Conn, trust(func(c *tls.Config) { c.KeyLogWriter = &log })))}
	if err := f.tls.Handshake(); err != nil {
		t.Fatal(err)
	}
	if f.tls.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skip("this machine has no AES instructions, and crypto/tls chose ChaCha20, which the standard library keeps to itself")
	}
	_, line, _ := strings.Cut(log.String(), "CLIENT_TRAFFIC_SECRET_0 ")
	f.secret = certstest.Must(hex.DecodeString(strings.Fields(line)[1]))
	f.rekey()
	return f
}

// rekey derives the keys (RFC 8446 7.3).
func (f *forger) rekey() {
	f.aead = certstest.Must(cipher.NewGCM(certstest.Must(aes.NewCipher(expandLabel(f.secret, "key", 16)))))
	f.iv = expandLabel(f.secret, "iv", 12)
	f.seq = 0
}

func expandLabel(secret []byte, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 ")+len(label)))
	return certstest.Must(hkdf.Expand(sha256.New, secret, string(info)+"tls13 "+label+"\x00", n))
}

// record appends one record.
func (f *forger) record(dst []byte, kind byte, data string) []byte {
	nonce := binary.BigEndian.AppendUint64(make([]byte, 4), f.seq)
	for i := range nonce {
		nonce[i] ^= f.iv[i]
	}
	f.seq++
	head := []byte{recordApplication, 3, 3, 0, byte(len(data) + 17)}
	return f.aead.Seal(append(dst, head...), nonce, append([]byte(data), kind), head)
}

// update appends a KeyUpdate and goes on to the next key (RFC 8446 7.2).
func (f *forger) update(dst []byte, message string) []byte {
	dst = f.record(dst, recordHandshake, message)
	f.secret = expandLabel(f.secret, "traffic upd", 32)
	f.rekey()
	return dst
}

// echoRaw answers with what it gets.
func echoRaw(s callbacks.Session, r callbacks.Reason, in []byte) error {
	if r == callbacks.RawRX {
		return s.Write(in, callbacks.WriteRaw)
	}
	return nil
}

// TestTLSForgedRecordsAreGood: what the other tests send is refused for its number.
func TestTLSForgedRecordsAreGood(t *testing.T) {
	f := serveRawTLS(t, engine.Limits{}, echoRaw).forge(t)
	b := f.record(nil, recordApplication, "one ")
	b = f.update(b, keyUpdate)
	b = f.record(b, recordApplication, "two ")
	b = f.record(b, recordApplication, "")
	b = f.update(b, keyUpdateAsk)
	b = f.record(b, recordApplication, "three")
	if _, err := f.tcp.Write(b); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("one two three"))
	if _, err := io.ReadFull(f.tls, got); err != nil || string(got) != "one two three" {
		t.Fatalf("%q, %v", got, err)
	}
}

// TestTLSUselessRecordsEndTheSession: records without data cost the server work and
// move nothing.
func TestTLSUselessRecordsEndTheSession(t *testing.T) {
	for name, next := range map[string]func(f *forger, b []byte) []byte{
		"KeyUpdate":                func(f *forger, b []byte) []byte { return f.update(b, keyUpdate) },
		"KeyUpdate with an answer": func(f *forger, b []byte) []byte { return f.update(b, keyUpdateAsk) },
		"empty":                    func(f *forger, b []byte) []byte { return f.record(b, recordApplication, "") },
	} {
		for _, inOne := range []bool{true, false} {
			f, ends := sessionEnds(echoRaw)
			c := serveRawTLS(t, engine.Limits{}, f).forge(t)
			var b []byte
			for range 100 {
				if b = next(c, b); !inOne {
					_, _ = c.tcp.Write(b) // it may be over already
					b = b[:0]
				}
			}
			_, _ = c.tcp.Write(b)
			_ = c.hangUp()
			err := receive(t, "the session ends", ends)
			if err == nil || !strings.Contains(err.Error(), "too many") {
				t.Errorf("%s: the session ended with %v", name, err)
			}
		}
	}
}
