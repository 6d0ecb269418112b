package interop

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// echoBinary and chatBinary are examples/echo and examples/chat, built.
var echoBinary, chatBinary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "penstock-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	echoBinary, chatBinary = filepath.Join(dir, "echo"), filepath.Join(dir, "chat")
	build := exec.Command("go", "-C", filepath.Join("..", ".."), "build", "-o", dir, "./examples/echo", "./examples/chat")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the examples: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// process is a running example.
type process struct {
	binary string

	addr string
	base string // http or https
	url  string // ws or wss
	args []string

	t       testing.TB
	cmd     *exec.Cmd
	done    chan error
	stopped bool
}

// startEcho runs examples/echo on a port of its own, or on that of addr.
func startEcho(t testing.TB, args ...string) *process {
	t.Helper()
	return startOn(t, echoBinary, "127.0.0.1:0", args...)
}

func startOn(t testing.TB, binary, addr string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"-addr", addr}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{binary: binary, args: args, t: t, cmd: cmd, done: make(chan error, 1)}
	t.Cleanup(p.stop)
	r := bufio.NewReader(stderr)
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("%s printed %q, %v", binary, line, err)
	}
	scheme, addr, _ := strings.Cut(strings.TrimRight(line, "/\n"), "://")
	p.addr = addr
	p.base = scheme + "://" + addr
	p.url = "ws" + strings.TrimPrefix(p.base, "http") + "/"
	go func() {
		rest, _ := io.ReadAll(r)
		err := cmd.Wait()
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("it logged %q", rest)
		}
		p.done <- err
	}()
	return p
}

// again runs another where p was.
func (p *process) again() *process {
	p.t.Helper()
	p.stop()
	return startOn(p.t, p.binary, p.addr, p.args...)
}

// stop interrupts the process, which must end well and have logged nothing.
func (p *process) stop() {
	p.t.Helper()
	if p.stopped {
		return
	}
	p.stopped = true
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	wstest.Eventually(p.t, "the example ends", func() bool {
		select {
		case err := <-p.done:
			if err != nil {
				p.t.Errorf("%s: %v", p.binary, err)
			}
			return true
		default:
			return false
		}
	})
}
