package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// exhaustVariable makes the test below the server that it tests.
const exhaustVariable = "PENSTOCK_TEST_FEW_DESCRIPTORS"

// fewDescriptors is the child's RLIMIT_NOFILE. What a process has open anyway is a
// dozen.
const fewDescriptors = 64

// TestDescriptorsRunOut gives a server more clients than it can have descriptors:
// those that it has go on, those that wait are served when others leave.
func TestDescriptorsRunOut(t *testing.T) {
	if os.Getenv(exhaustVariable) != "" {
		if err := serveWithFewDescriptors(over(t)); err != nil {
			t.Fatal(err)
		}
		return
	}
	wstest.NoLeaks(t)
	s := startFew(t)
	var open, more []*wstest.Conn
	for range 20 {
		open = append(open, s.dial(t))
	}
	for range fewDescriptors {
		more = append(more, wstest.Connect(t, s.addr))
	}
	wstest.Eventually(t, "the server runs out of descriptors", s.starved.Load)
	for round := range 10 {
		for i, c := range open {
			want := fmt.Sprintf("round %d, client %d", round, i)
			c.Frame(true, wstest.Text, []byte(want))
			c.ExpectMessage(wstest.Text, want)
		}
	}
	last := more[len(more)-1]
	for _, c := range more[:len(more)-1] {
		_ = c.Close()
	}
	over(t).secure(last).Upgrade("/") // it has waited all the while
	fresh := s.dial(t)
	for _, c := range append(open, last, fresh) {
		c.Frame(true, wstest.Text, []byte("still here"))
		c.ExpectMessage(wstest.Text, "still here")
		_ = c.Close()
	}
	s.stop(t)
}

// fewServer is the child.
type fewServer struct {
	addr    string
	cmd     *exec.Cmd
	stdin   io.Closer
	starved atomic.Bool
	logged  chan string
}

func startFew(t *testing.T) *fewServer {
	t.Helper()
	s := &fewServer{cmd: exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$"), logged: make(chan string, 1)}
	s.cmd.Env = append(os.Environ(), exhaustVariable+"=1")
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.stdin = stdin
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // if the test has failed
	r := bufio.NewReader(stderr)
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("the child printed %q, %v", line, err)
	}
	s.addr = strings.TrimSpace(line)
	go s.readLog(r)
	return s
}

// dial opens a WebSocket.
func (s *fewServer) dial(t *testing.T) *wstest.Conn {
	t.Helper()
	c := over(t).secure(wstest.Connect(t, s.addr))
	c.Upgrade("/")
	return c
}

// readLog looks for the reactor's complaint.
func (s *fewServer) readLog(r *bufio.Reader) {
	var all strings.Builder
	for {
		line, err := r.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, "cannot accept") {
			s.starved.Store(true)
		}
		if err != nil {
			s.logged <- all.String()
			return
		}
	}
}

// stop wants the child to end well and to have complained only once for each time
// that it had nothing left.
func (s *fewServer) stop(t *testing.T) {
	t.Helper()
	_ = s.stdin.Close()
	logged := <-s.logged
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the child: %v\n%s", err, logged)
	}
	if n := strings.Count(logged, "\n"); n > 2*fewDescriptors {
		t.Errorf("it logged %d lines:\n%s", n, logged)
	}
}

// serveWithFewDescriptors is the child's side. It ends with its standard input.
func serveWithFewDescriptors(x transport) error {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return err
	}
	lim.Cur = fewDescriptors
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return err
	}
	e, err := engine.New(engine.Config{
		Loops:  2, // each has descriptors of its own, and a large machine would have many
		Limits: engine.Limits{Connections: -1},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Vhosts: x.servers([]engine.Vhost{{
			Listen:    []string{"tcp://127.0.0.1:0"},
			Protocols: []callbacks.Protocol{{Callback: chaosServer}},
		}}),
	})
	if err != nil {
		return err
	}
	if err := e.Listen(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, e.Addrs()[0])
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return e.Run(ctx)
}
