package reactor_test

import (
	"fmt"
	"io"
	"log"
	"net"

	"github.com/penstock-go/penstock/reactor"
)

// shout sends back what it gets, in capitals.
type shout struct{}

func (shout) Data(c *reactor.Conn, b []byte) int {
	for i := range b {
		if 'a' <= b[i] && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	if err := c.Write(b); err != nil {
		c.Abort(err)
	}
	return len(b)
}

func (shout) EOF(c *reactor.Conn)             { c.Close() }
func (shout) Writable(*reactor.Conn)          {}
func (shout) Timeout(*reactor.Conn, int64)    {}
func (shout) Closed(_ *reactor.Conn, _ error) {}

func ExampleNew() {
	r, err := reactor.New(reactor.Config{Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	addr, err := r.Listen("tcp", "127.0.0.1:0", reactor.ListenConfig{}, func(*reactor.Conn) reactor.Handler {
		return shout{}
	})
	if err != nil {
		log.Fatal(err)
	}
	r.Start()
	defer r.Stop()

	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "can you hear me?\n")
	c.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(c)
	fmt.Printf("%s%v\n", answer, err)
	// Output:
	// CAN YOU HEAR ME?
	// <nil>
}
