//go:build linux

package proc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// AnyCPU lets a server run where the system likes.
const AnyCPU = -1

// startPatience is how long a server may take until it accepts, and to end.
const startPatience = 10 * time.Second

// Server is a running server program.
type Server struct {
	// Addr is where it listens.
	Addr netip.AddrPort

	cmd    *exec.Cmd
	pipe   *os.File
	out    *bufio.Reader
	stderr bytes.Buffer
	done   chan struct{} // closed when the process is gone
}

// Start runs a program, with a free loopback address wherever args say {addr},
// on the given processor or AnyCPU, and returns once it accepts.
func Start(cpu int, args ...string) (*Server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = strings.ReplaceAll(a, "{addr}", addr.String())
	}
	s := &Server{Addr: addr, cmd: exec.Command(words[0], words[1:]...), done: make(chan struct{})}
	if err := s.start(cpu); err != nil {
		return nil, err
	}
	if err := s.accepts(); err != nil {
		s.Stop()
		return nil, fmt.Errorf("proc: %s: %w: %s", strings.Join(words, " "), err, s.stderr.Bytes())
	}
	return s, nil
}

func (s *Server) start(cpu int) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	s.cmd.Stdout, s.cmd.Stderr = w, &s.stderr
	s.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	s.pipe, s.out = r, bufio.NewReader(r)
	started := make(chan error)
	go func() { // its thread lives as long as the process, which Pdeathsig looks at
		err := onCPU(cpu, s.cmd.Start)
		started <- err
		if err == nil {
			_ = s.cmd.Wait()
		}
		r.Close()
		close(s.done)
		runtime.UnlockOSThread()
	}()
	return <-started
}

// onCPU runs f on one processor; processes that it starts stay there. It leaves
// the goroutine locked to its thread.
func onCPU(cpu int, f func() error) error {
	runtime.LockOSThread()
	if cpu == AnyCPU {
		return f()
	}
	undo, err := Pin(cpu)
	if err != nil {
		return err
	}
	defer undo()
	return f()
}

// Pin keeps the calling thread, to which the goroutine should be locked, on one
// processor until undo.
func Pin(cpu int) (undo func(), err error) {
	var was, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &was); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return nil, os.NewSyscallError("sched_setaffinity", err)
	}
	return func() { _ = unix.SchedSetaffinity(0, &was) }, nil
}

// Pair returns a processor for the server and another one for whoever loads it,
// or AnyCPU for both if there is only one. They are the first and the last, as
// neighbours may be two halves of one core.
func Pair() (server, client int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil || set.Count() < 2 {
		return AnyCPU, AnyCPU
	}
	server = -1
	for cpu, left := 0, set.Count(); left > 0; cpu++ {
		if !set.IsSet(cpu) {
			continue
		}
		if server < 0 {
			server = cpu
		}
		client = cpu
		left--
	}
	return server, client
}

// freeAddr finds a loopback port that nobody listens on. Another process may be
// faster to take it; Start then fails.
func freeAddr() (netip.AddrPort, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return netip.ParseAddrPort(l.Addr().String())
}

var errTooSlow = errors.New("does not accept")

// accepts waits until the server does.
func (s *Server) accepts() error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(startPatience)
	defer limit.Stop()
	for {
		if c, err := net.DialTimeout("tcp4", s.Addr.String(), time.Second); err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-s.done:
			return errors.New("ended")
		case <-limit.C:
			return errTooSlow
		}
	}
}

// Stop ends the server, kindly first.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(unix.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(startPatience):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// Ask sends the server a signal and returns the line it prints.
func (s *Server) Ask(sig os.Signal) (string, error) {
	if err := s.cmd.Process.Signal(sig); err != nil {
		return "", err
	}
	_ = s.pipe.SetReadDeadline(time.Now().Add(startPatience))
	line, err := s.out.ReadString('\n')
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed):
		err = errors.New("proc: the server has ended; has it the signals of package inspect?")
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errors.New("proc: the server does not answer the signals of package inspect")
	}
	return strings.TrimSuffix(line, "\n"), err
}
