package reactor

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// rawClient is a client of blocking system calls, so that what a round trip allocates is the reactor's.
type rawClient int

func newRawClient(tb testing.TB, c kernel.Target) rawClient {
	tb.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = unix.Close(fd) })
	sa, _ := sockaddrOf(c)
	if err := unix.Connect(fd, sa); err != nil {
		tb.Fatal(err)
	}
	return rawClient(fd)
}

// roundTrip sends out and reads as much into in.
func (c rawClient) roundTrip(tb testing.TB, out, in []byte) {
	if n, err := unix.Write(int(c), out); n != len(out) || err != nil {
		tb.Fatalf("sent %d bytes, %v", n, err)
	}
	for got := 0; got < len(out); {
		n, err := unix.Read(int(c), in[got:len(out)])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			tb.Fatalf("received %d bytes, %v", got, err)
		}
		got += n
	}
}

// echoServer starts a reactor of one loop and returns a client of it.
func echoServer(tb testing.TB, accept Accept) rawClient {
	tb.Helper()
	r, err := New(Config{Loops: 1})
	if err != nil {
		tb.Fatal(err)
	}
	a, err := r.Listen("tcp4", "127.0.0.1:0", ListenConfig{}, accept)
	if err != nil {
		tb.Fatal(err)
	}
	r.Start()
	tb.Cleanup(func() { _ = r.Stop() })
	return newRawClient(tb, kernel.Target{Addr: a.(*net.TCPAddr).AddrPort()})
}

func TestAnEchoAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool drop buffers at random")
	}
	for name, accept := range map[string]Accept{
		"whole messages": echo,
		"halves that are kept, and an alarm that is moved": func(*Conn) Handler {
			return &ear{data: func(c *Conn, b []byte) int {
				c.Arm(c.Loop().Now() + 1e12)
				if len(b) < 64 {
					return 0
				}
				_ = c.WriteTwo(b[:10], b[10:])
				return len(b)
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := echoServer(t, accept)
			out, in := make([]byte, 64), make([]byte, 64)
			trip := func() { c.roundTrip(t, out, in) }
			trip()
			if n := testing.AllocsPerRun(1000, trip); n != 0 {
				t.Errorf("%v allocations in a round trip", n)
			}
		})
	}
}

// BenchmarkEcho is one client's round trip of 64 bytes: its client shares the machine, so it compares commits, not servers.
func BenchmarkEcho(b *testing.B) {
	c := echoServer(b, echo)
	out, in := make([]byte, 64), make([]byte, 64)
	b.ReportAllocs()
	b.SetBytes(64)
	for b.Loop() {
		c.roundTrip(b, out, in)
	}
}

// BenchmarkPost is a letter from another goroutine, delivered.
func BenchmarkPost(b *testing.B) {
	r, err := New(Config{Loops: 1})
	if err != nil {
		b.Fatal(err)
	}
	r.Start()
	defer r.Stop()
	done := make(chan struct{}, 1)
	answer := Func(func() { done <- struct{}{} })
	b.ReportAllocs()
	for b.Loop() {
		_ = r.loops[0].Post(answer)
		<-done
	}
}
