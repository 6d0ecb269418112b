//go:build linux

package proc

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// PID is the process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// CPU is how long the server's threads have been running, in user and kernel
// together, to the nanosecond. It is what clock_getcpuclockid(3) reads.
func (s *Server) CPU() (time.Duration, error) {
	const perProcessSched = 2
	clock := int32(^s.PID()<<3 | perProcessSched)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}

// RSS is the server's resident memory in bytes, counted page by page.
func (s *Server) RSS() (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", s.PID()))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if word := strings.Fields(lines.Text()); len(word) == 3 && word[0] == "Rss:" {
			kilobytes, err := strconv.Atoi(word[1])
			return kilobytes << 10, err
		}
	}
	return 0, errors.New("proc: smaps_rollup has no Rss")
}

const (
	// quietFor is how long a server has to do next to nothing to count as quiet.
	quietFor = 200 * time.Millisecond

	// quietMost is what it may run in that time: timers and the collector's pacing.
	quietMost = time.Millisecond

	// quietPatience is how long it may take to become quiet. Limits of 10 or 15 s for
	// a handshake may go off, to no effect, that long after each of many connections.
	quietPatience = 30 * time.Second
)

// Quiet waits until the server has nothing to do any more.
func (s *Server) Quiet() error {
	tick := time.NewTicker(quietFor)
	defer tick.Stop()
	before, err := s.CPU()
	for end := time.Now().Add(quietPatience); err == nil && time.Now().Before(end); {
		<-tick.C
		var now time.Duration
		if now, err = s.CPU(); err == nil && now-before < quietMost {
			return nil
		}
		before = now
	}
	if err == nil {
		err = errors.New("proc: the server does not come to rest")
	}
	return err
}
