package tlsbridge

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"slices"
	"testing"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// receiver is one end as a loop drives it: bytes gather until there is something
// to do with them.
type receiver struct {
	*Conn
	server bool
	begun  bool
	held   []byte // arrived, and not used yet
	plain  []byte
	opened int // bytes of records
}

// receive takes what has arrived, and returns what is to be sent.
func (r *receiver) receive(b []byte) (out []byte, err error) {
	r.held = append(r.held, b...)
	for !r.Secured() {
		if r.begun && Whole(r.held) == 0 || r.server && !r.begun && !HelloWhole(r.held) {
			return out, nil
		}
		r.begun = true
		res := r.Step(r.held)
		for res.Status == Asking {
			r.Answer(nil)
			r.held, out = r.held[res.Used:], append(out, res.Output...)
			res = r.Step(r.held)
		}
		r.held, out = r.held[res.Used:], append(out, res.Output...)
		if res.Err != nil {
			return out, res.Err
		}
	}
	plain, used, err := r.Open(r.plain, r.held)
	r.plain, r.held, r.opened = plain, r.held[used:], r.opened+used
	return append(out, r.Output()...), err
}

// trickle shakes hands, n bytes arriving at a time. Both send data behind their
// last flight in one go, and have it at the end.
func trickle(t *testing.T, p *pair, n int) {
	t.Helper()
	client, server := &receiver{Conn: p.client}, &receiver{Conn: p.server, server: true}
	toServer, err := client.receive(nil)
	if err != nil {
		t.Fatal(err)
	}
	var toClient []byte
	move := func(r *receiver, in, out *[]byte) {
		t.Helper()
		was, m := r.Secured(), min(n, len(*in))
		sent, err := r.receive((*in)[:m])
		if err != nil {
			t.Fatalf("%d at a time: %v", n, err)
		}
		if r.Secured() && !was {
			sent = must(r.Seal(sent, []byte("data behind the handshake")))
		}
		*in = (*in)[m:]
		if p.mangle != nil && !r.Secured() {
			sent = p.mangle(sent)
		}
		*out = append(*out, sent...)
	}
	for len(toServer)+len(toClient) > 0 {
		move(server, &toServer, &toClient)
		move(client, &toClient, &toServer)
	}
	for _, r := range []*receiver{server, client} {
		if string(r.plain) != "data behind the handshake" || len(r.held) != 0 {
			t.Fatalf("%d at a time: %q arrived, and %d bytes are left; secured: %v", n, r.plain, len(r.held), r.Secured())
		}
	}
}

// TestHandshakeCutAnywhere shakes hands with everything that makes it long.
func TestHandshakeCutAnywhere(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		cache := tls.NewLRUClientSessionCache(1)
		for _, n := range []int{1, 2, 3, 5, 6, 7, 64, 500, 1500, 1 << 20} {
			noCoroutineLeft(t)
			var p pair
			asking(&p, version, cache)
			trickle(t, &p, n)
		}
	})
}

// TestHandshakeInTinyRecords has one byte of a message in each record that is not
// encrypted.
func TestHandshakeInTinyRecords(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		for _, n := range []int{1, 7, 1 << 20} {
			var p pair
			asking(&p, version, nil)
			p.mangle = tiny
			trickle(t, &p, n)
		}
	})
}

// tiny frames handshake messages anew, up to where encryption begins.
func tiny(b []byte) (out []byte) {
	for len(b) > 0 && b[0] == typeHandshake {
		n := firstOf(b)
		for _, c := range b[headerLen:n] {
			out = append(out, typeHandshake, b[1], b[2], 0, 1, c)
		}
		b = b[n:]
	}
	return append(out, b...)
}

// TestStepUsesNoMoreThanTheHandshake has data, and half a record, right behind the
// last flight.
func TestStepUsesNoMoreThanTheHandshake(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		p := newPair(first(configs(version)), second(configs(version)))
		_ = p.step(p.client, &p.toClient, &p.toServer, nil)
		for !p.client.Secured() {
			_ = p.step(p.server, &p.toServer, &p.toClient, nil)
			if !p.server.Secured() {
				_ = p.step(p.client, &p.toClient, &p.toServer, nil)
			}
			if p.server.Secured() { // TLS 1.2 ends with the server
				handshakeThenData(t, p.client, p.server, p.toClient)
				return
			}
		}
		handshakeThenData(t, p.server, p.client, p.toServer)
	})
}

func handshakeThenData(t *testing.T, last, secured *Conn, flight []byte) {
	t.Helper()
	data := must(secured.Seal(nil, pattern(50_000)))
	data = must(secured.Seal(data, []byte("end")))
	all := slices.Concat(flight, data, []byte{23, 3, 3, 0})
	r := last.Step(all)
	if r.Status != Done || r.Used != len(flight) {
		t.Fatalf("%+v, and the handshake has %d bytes", r, len(flight))
	}
	got, used, err := last.Open(nil, all[r.Used:])
	if want := append(pattern(50_000), "end"...); !bytes.Equal(got, want) || used != len(data) || err != nil {
		t.Errorf("%d bytes arrived, %d used of %d, %v", len(got), used, len(data), err)
	}
}

// TestAskLeavesTheRest counts what is used while a question is open.
func TestAskLeavesTheRest(t *testing.T) {
	noCoroutineLeft(t)
	var p pair
	asking(&p, tls.VersionTLS13, nil)
	p.toServer = p.client.Step(nil).Output
	flight := p.server.Step(p.toServer).Output
	r := p.client.Step(flight)
	if p.client.in != nil {
		t.Error("the caller's bytes are kept")
	}
	if rest := flight[r.Used:]; r.Status != Asking || Whole(rest) != len(rest) || len(rest) == 0 {
		t.Fatalf("%+v, and %x is left", r, rest)
	}
	p.client.Answer(nil)
	more := p.client.Step(nil)
	if more.Status != More || more.Used != 0 {
		t.Fatalf("%+v", more)
	}
	if p.client.State().Version != 0 || p.client.in != nil {
		t.Errorf("the question is over, and State says %+v; %d bytes are kept", p.client.State(), len(p.client.in))
	}
	for rest := flight[r.Used:]; len(rest) > 0; rest = rest[firstOf(rest):] {
		r = p.client.Step(rest[:firstOf(rest)])
	}
	if r.Status != Asking && r.Status != Done {
		t.Errorf("%+v", r)
	}
	p.server.Cancel()
	p.client.Cancel()
}

// TestLongChains has certificates that fill more than a record.
func TestLongChains(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		sc, cc := configs(version)
		leaf := cert(certstest.ECDSA, certstest.Server).TLS
		for range 80 {
			leaf.Certificate = append(leaf.Certificate, leaf.Certificate[0])
		}
		sc.Certificates = []tls.Certificate{leaf}
		for _, n := range []int{1000, 1 << 20} {
			trickle(t, newPair(sc, cc), n)
		}
	})
}

func ExampleConn_Init() {
	sc, cc := configs(tls.VersionTLS13)
	var server, client Conn
	server.Init(Server, sc, nil, nil)
	client.Init(Client, cc, nil, nil)

	hello := client.Step(nil)
	flight := server.Step(hello.Output)
	finished := client.Step(flight.Output) // tickets are behind it, for Open
	server.Step(finished.Output)

	records, _ := client.Seal(nil, []byte("hello"))
	plain, _, _ := server.Open(nil, records)
	fmt.Printf("%s, by %s\n", plain, tls.VersionName(server.State().Version))
	// Output: hello, by TLS 1.3
}
