package main

import (
	"io"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/wstest"
)

func TestLines(t *testing.T) {
	wstest.NoLeaks(t)
	p := wstest.Serve(t, run)
	c := wstest.Connect(t, p.Addr)
	c.Send("hello\n")
	c.Expect("HELLO\n")
	c.Send("one\r\n\ntwo\nthr")
	c.Expect("ONE\n\nTWO\n")
	c.Send("ee\n")
	c.Expect("THREE\n")
	_ = c.Close()
	p.Interrupt()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
}

// However the bytes are cut, the lines are the same.
func TestChops(t *testing.T) {
	const in, want = "alpha\nbeta\r\n\ngamma delta\n", "ALPHA\nBETA\n\nGAMMA DELTA\n"
	p := wstest.Serve(t, run)
	for at := range in {
		c := wstest.Connect(t, p.Addr)
		c.Send(in[:at])
		c.Expect(want[:lastLine(in[:at])])
		c.Send(in[at:])
		c.Expect(want[lastLine(in[:at]):])
		_ = c.Close()
	}
	c := wstest.Connect(t, p.Addr)
	for _, b := range in {
		c.Send(string(b))
	}
	c.Expect(want)
}

// lastLine is how much of the answer the whole lines of in make.
func lastLine(in string) int {
	whole := in[:strings.LastIndexByte(in, '\n')+1]
	return len(strings.ReplaceAll(whole, "\r", ""))
}

func TestDecoderRemembers(t *testing.T) {
	d := Lines{Max: 100}.NewDecoder()
	line := strings.Repeat("x", 50) + "\n"
	for i := range line {
		n, msg, ok, err := d.Next([]byte(line[:i+1]))
		if last := i == len(line)-1; ok != last || err != nil || last && (n != len(line) || len(msg) != 50) {
			t.Fatalf("after %d bytes: %d %q %v %v", i+1, n, msg, ok, err)
		}
	}
}

func TestLongLine(t *testing.T) {
	p := wstest.Serve(t, run)
	c := wstest.Connect(t, p.Addr)
	long := strings.Repeat("x", 64<<10)
	c.Send(long + "\n")
	c.Expect(strings.ToUpper(long) + "\n")
	c.Send("before\n" + long + "x")
	c.Expect("BEFORE\nERROR line too long\n")
	c.ExpectEOF()
}

// A client that has sent its FIN still gets every answer.
func TestHalfClose(t *testing.T) {
	p := wstest.Serve(t, run)
	c := wstest.Connect(t, p.Addr)
	c.Send("hello\nwithout an end")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.Expect("HELLO\n")
	c.ExpectEOF()
}

// ... also when there are more than fit on the way.
func TestHalfCloseWithLongQueue(t *testing.T) {
	p := wstest.Serve(t, run)
	c := wstest.Connect(t, p.Addr)
	line := strings.Repeat("y", 1000) + "\n"
	const lines = 20_000
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c.Conn, strings.Repeat(line, lines))
		if err == nil {
			err = c.CloseWrite()
		}
		sent <- err
	}()
	got, err := io.ReadAll(c.R)
	if err != nil || string(got) != strings.Repeat(strings.ToUpper(line), lines) {
		t.Errorf("got %d of %d bytes, or others; %v", len(got), lines*len(line), err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestLineCannotHoldNewline(t *testing.T) {
	dst, err := Lines{}.Append([]byte("kept"), []byte("a\nb"))
	if err == nil || string(dst) != "kept" {
		t.Errorf("%q %v", dst, err)
	}
}

func TestInterruptCloses(t *testing.T) {
	p := wstest.Serve(t, run)
	c := wstest.Connect(t, p.Addr)
	c.Send("hello\n")
	c.Expect("HELLO\n")
	p.Interrupt()
	c.ExpectEOF()
	_ = c.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestQuietClientIsClosed(t *testing.T) {
	if err := shout(nil, callbacks.Timer, nil); err != callbacks.ErrClose {
		t.Errorf("Timer returned %v", err)
	}
}
