package load

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// serve answers each connection by answer until the test ends.
func serve(t *testing.T, answer func(net.Conn)) netip.AddrPort {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				answer(c)
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// noClock is for servers that are part of the test.
func noClock() (time.Duration, error) { return 0, nil }

func run(c Config) (*Result, error) {
	l, err := Open(c)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.Run(10*time.Millisecond, 30*time.Millisecond, noClock)
}

func TestRunCountsAnswers(t *testing.T) {
	for _, c := range []Config{
		{Conns: 1, Size: 1},
		{Conns: 20, Size: 70, Depth: 16},
		{Conns: 3, Size: 1 << 20, Depth: 3}, // more than the sockets take at once
	} {
		c.Addr, c.Mode = serve(t, echo), Raw
		r, err := run(c)
		if err != nil {
			t.Fatal(err)
		}
		if r.Messages == 0 || r.Latency.count != r.Messages || r.Elapsed < 30*time.Millisecond {
			t.Errorf("%+v: %d messages, %d latencies in %v", c, r.Messages, r.Latency.count, r.Elapsed)
		}
	}
}

// TestRunNoticesWrongAnswers: a server is not measured by what it should not do.
func TestRunNoticesWrongAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(net.Conn)
		want   string
	}{
		{"another byte", func(c net.Conn) {
			b := make([]byte, 100)
			_, _ = io.ReadFull(c, b)
			b[77] ^= 1
			_, _ = c.Write(b)
			echo(c)
		}, "not as expected"},
		{"too much", func(c net.Conn) {
			b := make([]byte, 100)
			_, _ = io.ReadFull(c, b)
			_, _ = c.Write(append(b, b...))
			echo(c)
		}, "nothing asked for"},
		{"an early end", func(net.Conn) {}, "connection 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := run(Config{Addr: serve(t, c.answer), Mode: Raw, Size: 100})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestHandshakeRefused: a server that does not upgrade is told apart from one
// that does.
func TestHandshakeRefused(t *testing.T) {
	addr := serve(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		echo(c)
	})
	if _, err := Open(Config{Addr: addr, Mode: WS}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Fatalf("error %v", err)
	}
}

func TestConfigIsBounded(t *testing.T) {
	addr := netip.MustParseAddrPort("127.0.0.1:1")
	for _, c := range []Config{
		{Addr: addr, Mode: "ftp"},
		{Addr: addr, Mode: Raw},
		{Addr: addr, Mode: WS, Size: -1},
		{Addr: addr, Mode: WS, Conns: 1 << 20},
		{Addr: addr, Mode: WS, Depth: 1 << 20},
		{Addr: addr, Mode: WS, Conns: 1000, Depth: 100, Size: 1 << 20},
		{Addr: netip.MustParseAddrPort("[::1]:1"), Mode: WS},
	} {
		if l, err := Open(c); err == nil {
			l.Close()
			t.Errorf("%+v is accepted", c)
		}
	}
}

// TestFrames compares with frames written out by the rules of RFC 6455 5.2.
func TestFrames(t *testing.T) {
	for _, c := range []struct {
		size int
		head []byte
	}{
		{0, []byte{0x82, 0x80}},
		{125, []byte{0x82, 0x80 | 125}},
		{126, []byte{0x82, 0x80 | 126, 0, 126}},
		{65535, []byte{0x82, 0x80 | 126, 0xff, 0xff}},
		{65536, []byte{0x82, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0}},
	} {
		p := payload(3, c.size)
		b := appendFrame(nil, binaryFrame, p, true)
		if !bytes.HasPrefix(b, c.head) || len(b) != len(c.head)+4+c.size || WireSize(c.size) != len(b) {
			t.Errorf("%d bytes: the frame begins with %x and has %d bytes", c.size, b[:min(len(b), 14)], len(b))
			continue
		}
		key, masked := b[len(c.head):][:4], b[len(c.head)+4:]
		for i := range masked {
			masked[i] ^= key[i%4]
		}
		if !bytes.Equal(masked, p) {
			t.Errorf("%d bytes: another payload", c.size)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	for us := 1; us <= 1000; us++ {
		h.Add(time.Duration(us) * time.Microsecond)
	}
	for _, q := range []float64{0, 0.5, 0.9, 0.99} {
		want := time.Duration(1+q*1000) * time.Microsecond
		if got := h.Quantile(q); got > want || got < want-want/subBuckets-time.Nanosecond {
			t.Errorf("quantile %v is %v, want %v or 1 in %d less", q, got, want, subBuckets)
		}
	}
	for _, d := range []time.Duration{0, 1, 63, 64, 65, 127, 128, 1 << 40, 1<<62 + 1} {
		if low := lowest(bucketOf(uint64(d))); low > d || d-low > d/subBuckets {
			t.Errorf("%d is counted as %d", d, low)
		}
	}
}
