package handshakes_test

import (
	"fmt"
	"net/netip"

	"github.com/penstock-go/penstock/internal/handshakes"
)

type step string

func (s step) Run() { fmt.Println(s) }

func ExampleNewPool() {
	p := handshakes.NewPool(1)
	p.Begin(step("read the client's hello"))
	p.Wait()
	p.Continue(step("check its finished"))
	p.Wait()
	fmt.Println(p.Running(), p.Queued())
	// Output:
	// read the client's hello
	// check its finished
	// 0 0
}

type client struct {
	handshakes.Ticket
	name string
}

func (c *client) Admitted() { fmt.Println(c.name, "may begin") }

func ExampleNewGate() {
	g := handshakes.NewGate(100, 1)
	ip := netip.MustParseAddr("192.0.2.1")
	a, b, c := &client{name: "a"}, &client{name: "b"}, &client{name: "c"}
	fmt.Println(g.Enter(&a.Ticket, ip, a))
	fmt.Println(g.Enter(&b.Ticket, ip, b))
	fmt.Println(g.Enter(&c.Ticket, ip, c))
	fmt.Println(g.Forget(&b.Ticket))
	g.Leave(&a.Ticket)
	fmt.Println(g.Stats())
	// Output:
	// true
	// false
	// false
	// false
	// c may begin
	// 1 0
}
