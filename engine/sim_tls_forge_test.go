package engine

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/tlsbridge"
)

// The types of TLS's records, and the records that carry no data.
const (
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23

	closeNotify = "\x01\x00"
	warning     = "\x01\x5a" // user_canceled, the one that TLS 1.3 lets pass
	keyUpdate   = "\x18\x00\x00\x01\x00"
	keyUpdateMe = "\x18\x00\x00\x01\x01" // and update yours
)

// forger makes the records of one direction of TLS 1.3, in AES-128-GCM: crypto/tls
// does not send on request what a peer may send, and even less what it may not.
type forger struct {
	log    *bytes.Buffer // of crypto/tls, with the secrets
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
	asked  int // for KeyUpdates; each is answered, and crypto/tls does not suffer many in a row
}

// forge has e's records come from a forger when the handshake is done, if the
// machine makes crypto/tls choose AES: the standard library keeps ChaCha20 to
// itself.
func (e *tlsEnd) forge(cfg *tls.Config) {
	e.forger = &forger{log: new(bytes.Buffer)}
	cfg.MinVersion, cfg.MaxVersion, cfg.KeyLogWriter = tls.VersionTLS13, 0, e.forger.log
	cfg.SessionTicketsDisabled = true // a server's would be records before ours
	cfg.ClientSessionCache = nil
}

// forging returns the forger, if there is one and it can work.
func (e *tlsEnd) forging() *forger {
	f := e.forger
	if f == nil || f.aead != nil {
		return f
	}
	if e.tls.State().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		e.forger = nil
		return nil
	}
	label := map[tlsbridge.Role]string{tlsbridge.Client: "CLIENT", tlsbridge.Server: "SERVER"}[e.role] + "_TRAFFIC_SECRET_0 "
	for line := range strings.Lines(f.log.String()) {
		if strings.HasPrefix(line, label) {
			f.secret, _ = hex.DecodeString(strings.Fields(line)[2])
		}
	}
	f.rekey()
	return f
}

// rekey derives from the secret what RFC 8446 7.3 says.
func (f *forger) rekey() {
	block, _ := aes.NewCipher(f.expand("key", 16))
	f.aead, _ = cipher.NewGCM(block)
	f.iv, f.seq = f.expand("iv", 12), 0
}

func (f *forger) expand(label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(info, byte(len("tls13 ")+len(label))), "tls13 "+label+"\x00"...)
	b, err := hkdf.Expand(sha256.New, f.secret, string(info), n)
	if err != nil {
		panic(err)
	}
	return b
}

// append adds a record to dst.
func (f *forger) append(dst []byte, kind byte, data string) []byte {
	nonce := append(make([]byte, 4), binary.BigEndian.AppendUint64(nil, f.seq)...)
	for i := range nonce {
		nonce[i] ^= f.iv[i]
	}
	f.seq++
	inner := append([]byte(data), kind)
	head := recordHead(recordData, len(inner)+f.aead.Overhead())
	dst = f.aead.Seal(append(dst, head...), nonce, inner, head)
	if data == keyUpdate || data == keyUpdateMe { // RFC 8446 7.2
		f.secret = f.expand("traffic upd", sha256.Size)
		f.rekey()
	}
	return dst
}

// sprinkle puts a record without data between others, as every peer may.
func (e *tlsEnd) sprinkle(f *forger) {
	switch n := e.p.w.rng.IntN(20); {
	case n == 0:
		e.out = f.append(e.out, recordData, "")
	case n == 1:
		e.out = f.append(e.out, recordAlert, warning)
	case n == 2:
		e.out = f.append(e.out, recordHandshake, keyUpdate)
	case n == 3 && f.asked < 10:
		f.asked++
		e.out = f.append(e.out, recordHandshake, keyUpdateMe)
	}
}

// sendRecords has the peer send count times what data makes, unless it is cut off.
func sendRecords(t *testing.T, count int, data func(f *forger, b []byte) []byte) op {
	return func(p *peer) (simnet.Next, bool) {
		e := p.end.(*tlsEnd)
		f := e.forging()
		if f == nil {
			t.Skip("crypto/tls chose no AES: the machine has no instructions for it")
		}
		for ; count > 0 && len(e.out) < 10_000; count-- {
			e.out = data(f, e.out)
		}
		return p.w.net.Sleep(time.Millisecond), count == 0 || e.Shut()
	}
}

// A peer that sends nothing but what is no data costs work for nothing, and is
// ended by crypto/tls.
func TestFloodsOfNothing(t *testing.T) {
	for name, r := range map[string]struct {
		kind byte
		data string
	}{"empty records": {recordData, ""}, "warnings": {recordAlert, warning},
		"KeyUpdates": {recordHandshake, keyUpdate}, "KeyUpdates that ask for one": {recordHandshake, keyUpdateMe}} {
		t.Run(name, func(t *testing.T) {
			var e end
			flood := sendRecords(t, 1000, func(f *forger, b []byte) []byte { return f.append(b, r.kind, r.data) })
			p := script{program: ending(&e), peer: (*peer).forges, ops: []op{sendNow(getRequest),
				await("the answer", func(p *peer) bool { return len(p.got) > 0 }), flood, ended()}}.play(t, overTLS)
			far := p.end.(*tlsEnd)
			if e.why != callbacks.ClosedHTTP || e.err == nil || far.err == nil || !strings.Contains(far.err.Error(), "remote error") {
				t.Errorf("the program heard %+v, the peer %v", e, far.err)
			}
			p.wants(t, "HTTP/1.1 200 ")
		})
	}
}

// Answers to KeyUpdates are answers: a peer that does not read them is not read.
func TestKeyUpdatesThatNobodyReads(t *testing.T) {
	const high = 5000
	var most int
	var e end
	program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
		most = max(most, s.Buffered())
		return ending(&e)(s, why, in)
	}
	p := script{program: program, port: "raw", buffer: 1000, limits: Limits{SendHigh: high, StallTimeout: time.Second}, peer: (*peer).forges,
		ops: []op{goDeaf(), sendRecords(t, 100_000, func(f *forger, b []byte) []byte {
			return f.append(f.append(b, recordHandshake, keyUpdateMe), recordData, "x")
		}), wait(5 * time.Second), hearAgain(), ended()}}.play(t, overTLS)
	if most < high/2 || most > 2*high {
		t.Errorf("%d bytes were buffered", most)
	}
	if !p.end.Broken() || e.why != callbacks.RawClose {
		t.Errorf("broken %v, the program heard %+v", p.end.Broken(), e)
	}
}

func (p *peer) forges() { p.forger, p.spoilt = true, true }
