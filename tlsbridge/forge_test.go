package tlsbridge

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// The types of records, and a handshake message, that crypto/tls does not send on
// request.
const (
	typeAlert       = 21
	typeApplication = 23

	keyUpdateMessage = "\x18\x00\x00\x01" // and 1 if the peer is to update, too
)

// forger makes and reads records of one direction of a connection with AES-128-GCM
// and SHA-256, to send what no decent peer would.
type forger struct {
	secret []byte // of TLS 1.3
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// forgery is a pair whose client's records come from a forger. What the server
// sends is read by another one.
type forgery struct {
	*pair
	client, server *forger
}

// forge shakes hands, and takes the keys out.
func forge(t testing.TB, version uint16) *forgery {
	t.Helper()
	return forgeWith(t, version, func(_, _ *tls.Config) {})
}

func forgeWith(t testing.TB, version uint16, change func(server, client *tls.Config)) *forgery {
	t.Helper()
	var log bytes.Buffer
	sc, cc := configs(version)
	change(sc, cc)
	sc.KeyLogWriter = &log
	sc.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	p := newPair(sc, cc)
	var hello []byte // the server's
	for !p.client.Secured() || !p.server.Secured() {
		must(0, p.step(p.client, &p.toClient, &p.toServer, nil))
		if !p.server.Secured() {
			must(0, p.step(p.server, &p.toServer, &p.toClient, nil))
		}
		if hello == nil {
			hello = append(hello, p.toClient...)
		}
	}
	f := &forgery{pair: p}
	if version == tls.VersionTLS12 {
		random, master := logged(log.String(), "CLIENT_RANDOM")
		f.client, f.server = keys12(random, master, hello[11:43])
		return f
	}
	if suite := p.server.State().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skip("this machine has no AES instructions, and crypto/tls chose ChaCha20, which the standard library keeps to itself")
	}
	_, clientSecret := logged(log.String(), "CLIENT_TRAFFIC_SECRET_0")
	_, serverSecret := logged(log.String(), "SERVER_TRAFFIC_SECRET_0")
	f.client, f.server = &forger{secret: clientSecret}, &forger{secret: serverSecret}
	f.client.rekey()
	f.server.rekey()
	for rest := p.toClient; len(rest) > 0; rest = rest[firstOf(rest):] { // tickets
		f.server.seq++
	}
	return f
}

// logged finds a line of a key log: its client random and its secret.
func logged(log, label string) (random, secret []byte) {
	for line := range strings.Lines(log) {
		if f := strings.Fields(line); f[0] == label {
			return must(hex.DecodeString(f[1])), must(hex.DecodeString(f[2]))
		}
	}
	panic("no " + label)
}

// rekey derives from the secret what RFC 8446 7.3 says.
func (f *forger) rekey() {
	f.aead = gcm(expandLabel(f.secret, "key", 16))
	f.iv = expandLabel(f.secret, "iv", 12)
	f.seq = 0
}

// update goes on to the next secret (RFC 8446 7.2).
func (f *forger) update() {
	f.secret = expandLabel(f.secret, "traffic upd", 32)
	f.rekey()
}

func expandLabel(secret []byte, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 ")+len(label)))
	info = append(info, "tls13 "+label+"\x00"...)
	return must(hkdf.Expand(sha256.New, secret, string(info), n))
}

func gcm(key []byte) cipher.AEAD { return must(cipher.NewGCM(must(aes.NewCipher(key)))) }

// keys12 derives the keys of both directions (RFC 5246 6.3, RFC 5288 3). Behind
// the handshake each side has sent one record under them.
func keys12(random, master, serverRandom []byte) (client, server *forger) {
	seed := append([]byte("key expansion"), serverRandom...)
	seed = append(seed, random...)
	var block []byte
	for a := seed; len(block) < 40; {
		a = mac(master, a)
		block = append(block, mac(master, a, seed)...)
	}
	client = &forger{aead: gcm(block[:16]), iv: block[32:36], seq: 1}
	server = &forger{aead: gcm(block[16:32]), iv: block[36:40], seq: 1}
	return client, server
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// record seals one record of a type, behind dst.
func (f *forger) record(dst []byte, kind byte, data string) []byte {
	if f.secret != nil {
		inner := append([]byte(data), kind)
		head := f.head(typeApplication, len(inner)+16)
		f.seq++
		return f.aead.Seal(append(dst, head...), f.nonce13(), inner, head)
	}
	head := f.head(kind, 8+len(data)+16)
	nonce := binary.BigEndian.AppendUint64(bytes.Clone(f.iv), f.seq)
	sealed := f.aead.Seal(nil, nonce, []byte(data), f.extra12(kind, len(data)))
	f.seq++
	return append(append(append(dst, head...), nonce[4:]...), sealed...)
}

// open reads one record.
func (f *forger) open(t testing.TB, record []byte) (kind byte, data string, rest []byte) {
	t.Helper()
	n := firstOf(record)
	if n == 0 {
		t.Fatalf("no record in %x", record)
	}
	body, nonce, extra := record[headerLen:n], []byte(nil), record[:headerLen]
	if f.secret != nil {
		f.seq++
		nonce = f.nonce13()
	} else {
		nonce = append(bytes.Clone(f.iv), body[:8]...)
		body = body[8:]
		extra = f.extra12(record[0], len(body)-16)
		f.seq++
	}
	plain, err := f.aead.Open(nil, nonce, body, extra)
	if err != nil {
		t.Fatal(err)
	}
	if f.secret == nil {
		return record[0], string(plain), record[n:]
	}
	plain = bytes.TrimRight(plain, "\x00")
	last := len(plain) - 1
	return plain[last], string(plain[:last]), record[n:]
}

func (f *forger) head(kind byte, n int) []byte {
	return []byte{kind, 3, 3, byte(n >> 8), byte(n)}
}

// nonce13 is that of the record that has just been counted (RFC 8446 5.3).
func (f *forger) nonce13() []byte {
	nonce := append(make([]byte, 4), binary.BigEndian.AppendUint64(nil, f.seq-1)...)
	for i := range nonce {
		nonce[i] ^= f.iv[i]
	}
	return nonce
}

func (f *forger) extra12(kind byte, n int) []byte {
	return append(binary.BigEndian.AppendUint64(nil, f.seq), kind, 3, 3, byte(n>>8), byte(n))
}
