package engine_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/engine"
)

// BenchmarkPublish is one message to each of ten thousand subscribers, who read it, in
// the same process and by real sockets: ns/sub is the time for each, kernel and
// clients included. Budget: little more than what the system calls of both ends cost,
// and no allocation but the message's.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{100, 1000} {
		for _, compressed := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dB/deflate=%v", size, compressed), func(b *testing.B) { benchPublish(b, size, compressed) })
		}
	}
}

func benchPublish(b *testing.B, size int, compressed bool) {
	subscribers := 10_000
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) == nil {
		subscribers = min(subscribers, int(r.Cur)/2-100) // both ends are here
	}
	proto := callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.Established {
			return s.Subscribe("t")
		}
		return nil
	}}
	lines := ""
	if compressed {
		proto.Deflate = &deflate.Config{Threshold: 1}
		lines = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	}
	addr, publish := benchServer(b, proto)
	text := bytes.Repeat([]byte("{price: 17.25} "), size/15+1)[:size]
	m := callbacks.NewMessage(text, callbacks.WriteText)
	frame := len(m.Frame())
	if compressed {
		if c, _ := m.Compressed(&deflate.Compressor{}, deflate.Direction{WindowBits: 15}); c != nil {
			frame = len(c)
		}
	}
	list := make([]int, subscribers)
	for i := range list {
		list[i] = benchSubscriber(b, addr, lines)
	}
	got := make([]byte, frame)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		publish(callbacks.NewMessage(text, callbacks.WriteText))
		for _, fd := range list {
			readFull(b, fd, got)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(subscribers), "ns/sub")
}

// benchServer runs an engine.
func benchServer(b *testing.B, proto callbacks.Protocol) (addr netip.AddrPort, publish func(*callbacks.Message)) {
	e, err := engine.New(engine.Config{Limits: engine.Limits{Connections: -1, DrainTimeout: time.Millisecond},
		Vhosts: []engine.Vhost{{Listen: []string{"tcp://127.0.0.1:0"}, Protocols: []callbacks.Protocol{proto}}}})
	if err == nil {
		err = e.Listen()
	}
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- e.Run(b.Context()) }()
	b.Cleanup(func() { <-done })
	return netip.MustParseAddrPort(e.Addrs()[0].String()), func(m *callbacks.Message) {
		if err := e.Publish("t", m); err != nil {
			b.Error(err)
		}
	}
}

// benchSubscriber opens a WebSocket. Its socket blocks: ten thousand goroutines would
// cost more than what is measured.
func benchSubscriber(b *testing.B, addr netip.AddrPort, lines string) (fd int) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		b.Cleanup(func() { unix.Close(fd) })
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())})
	}
	if err == nil {
		_, err = unix.Write(fd, []byte(upgradeHead+lines+"\r\n"))
	}
	if err != nil {
		b.Fatal(err)
	}
	one := make([]byte, 1) // a byte at a time: what follows is not the head's
	for end := 0; end < 4; {
		readFull(b, fd, one)
		if one[0] == "\r\n\r\n"[end] {
			end++
		} else {
			end = 0
		}
	}
	return fd
}

func readFull(b *testing.B, fd int, p []byte) {
	for len(p) > 0 {
		n, err := unix.Read(fd, p)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			b.Fatalf("read: %d, %v", n, err)
		}
		p = p[n:]
	}
}
