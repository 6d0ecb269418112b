package wstest

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Main is a program's main function with what it usually takes from the process:
// the end of ctx is the interrupt.
type Main func(ctx context.Context, args []string, out io.Writer) error

// Program is a Main that runs, or ran.
type Program struct {
	// Addr is the address that a server has printed.
	Addr string

	t      testing.TB
	out    output
	cancel func()
	done   chan struct{}
	err    error
}

// Run starts main. It is interrupted when the test ends.
func Run(t testing.TB, main Main, args ...string) *Program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &Program{t: t, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = main(ctx, args, &p.out)
	}()
	t.Cleanup(func() { cancel(); <-p.done })
	return p
}

var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// Serve runs a server on a port of its own and waits until it listens.
func Serve(t testing.TB, main Main, args ...string) *Program {
	t.Helper()
	p := Run(t, main, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	Eventually(t, "the program prints where it listens", func() bool {
		p.Addr = address.FindString(p.out.String())
		return p.Addr != "" || p.Over()
	})
	if p.Addr == "" {
		t.Fatalf("the program ended: %v\n%s", p.err, &p.out)
	}
	return p
}

// Over tells whether the program has ended.
func (p *Program) Over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Interrupt asks the program to end.
func (p *Program) Interrupt() { p.cancel() }

// Wait waits for the program's end and returns its error.
func (p *Program) Wait() error {
	p.t.Helper()
	Eventually(p.t, "the program ends", p.Over)
	return p.err
}

// Output returns what the program has printed so far.
func (p *Program) Output() string { return p.out.String() }

// Prints waits until the program has printed text n times.
func (p *Program) Prints(text string, n int) {
	p.t.Helper()
	Eventually(p.t, "the program prints "+text, func() bool { return strings.Count(p.out.String(), text) >= n })
}

// output is a buffer that two goroutines use.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns a copy of what was written.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
