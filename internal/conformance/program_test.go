package conformance

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	// Only what a test imports or opens makes go test run it anew; the programs are
	// neither.
	_ "github.com/penstock-go/penstock/engine"

	"github.com/penstock-go/penstock/internal/invariant"
	"github.com/penstock-go/penstock/internal/wstest"
)

// The folders of the programs under test, from the module's root.
const (
	serverProgram = "examples/echo"
	clientProgram = "examples/websocket_client"
)

// programs are built once, for all tests.
var programs struct {
	once sync.Once
	dir  string
	err  error
}

// program returns the path of a program under test.
func program(t *testing.T, folder string) string {
	t.Helper()
	watch(t, folder)
	programs.once.Do(build)
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return filepath.Join(programs.dir, filepath.Base(folder))
}

// watch makes the sources of a program count as the test's.
func watch(t *testing.T, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources in %s: %v", folder, err)
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
}

func build() {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		programs.err = err
		return
	}
	programs.dir = dir
	args := []string{"build", "-buildvcs=false", "-o", dir + string(filepath.Separator)}
	if raced {
		args = append(args, "-race")
	}
	if invariant.Enabled {
		args = append(args, "-tags", "invariants")
	}
	cmd := exec.Command("go", append(args, "./"+serverProgram, "./"+clientProgram)...)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		programs.err = errors.Join(err, errors.New(string(out)))
	}
}

// process is a program that runs, or ran.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  output
	done chan struct{}
	err  error
}

// start runs a program. It is killed when the test ends, if it has not ended by
// then.
func start(t *testing.T, folder string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program(t, folder), args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	// With the race detector a process sleeps for a second before it ends, unless told
	// not to.
	p.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.done })
	return p
}

func (p *process) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait waits for the program's end and returns its error.
func (p *process) wait() error {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(wstest.Patience):
		p.t.Fatalf("the program does not end\n%s", p.out.String())
	}
	return p.err
}

// printed is what the program has printed so far.
func (p *process) printed() string { return p.out.String() }

// interrupt ends a server, which must take it well.
func (p *process) interrupt() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Errorf("%v\n%s", err, p.out.String())
		return
	}
	if err := p.wait(); err != nil {
		p.t.Errorf("%v\n%s", err, p.out.String())
	}
}

// output is a buffer that two goroutines use.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write is called by the copier of the program's output.
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
