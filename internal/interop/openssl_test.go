package interop

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// terminal is a program of openssl that a test types into. It prints what the
// other side sends between what it has to say itself.
type terminal struct {
	*wstest.Program
	t  testing.TB
	in *os.File
}

// openssl starts openssl with args. It is killed when the test ends.
func openssl(t testing.TB, args ...string) *terminal {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed; on Debian: apt-get install openssl")
	}
	stdin, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	main := func(ctx context.Context, args []string, out io.Writer) error {
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, out, out
		err := cmd.Start()
		_ = stdin.Close()
		if err != nil {
			return err
		}
		return cmd.Wait()
	}
	p := &terminal{Program: wstest.Run(t, main, args...), t: t, in: in}
	t.Cleanup(func() { _ = in.Close() })
	return p
}

// types writes to the program's standard input, which stays open.
func (p *terminal) types(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, text); err != nil {
		p.t.Fatalf("%v; it said %s", err, p.Output())
	}
}

// shows waits until the program has printed text.
func (p *terminal) shows(text string) {
	p.t.Helper()
	wstest.Eventually(p.t, "openssl prints "+text[:min(len(text), 100)], func() bool {
		found := strings.Contains(p.Output(), text)
		if !found && p.Over() && !strings.Contains(p.Output(), text) {
			p.t.Fatalf("openssl ended without printing %q; it said %s", text[:min(len(text), 100)], p.Output())
		}
		return found
	})
}

// hangsUp closes the standard input, upon which the program says close_notify.
func (p *terminal) hangsUp() {
	p.t.Helper()
	_ = p.in.Close()
	p.ends()
}

// ends waits for an end that is well for the program.
func (p *terminal) ends() {
	p.t.Helper()
	if err := p.Wait(); err != nil || strings.Contains(p.Output(), "unexpected eof") {
		p.t.Errorf("openssl: %v; it said %s", err, p.Output())
	}
}

// fails waits for an end with an error, which the program explains.
func (p *terminal) fails(why string) {
	p.t.Helper()
	if err := p.Wait(); err == nil || !strings.Contains(p.Output(), why) {
		p.t.Errorf("openssl: %v, wanted %q; it said %s", err, why, p.Output())
	}
}
