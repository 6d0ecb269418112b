package reactor

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/invariant"
)

// childEnv names the function that a re-executed test binary runs instead of the tests.
const childEnv = "PENSTOCK_REACTOR_CHILD"

// children are those functions; each ends the process.
var children = map[string]func(){}

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childEnv)]; child != nil {
		child()
	}
	warmUp()
	before := descriptors()
	code := m.Run()
	if code == 0 {
		code = leftBehind(before)
	}
	os.Exit(code)
}

// warmUp makes package net open the descriptors that it keeps for ever.
func warmUp() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	_ = l.Close()
}

func leftBehind(before int) (code int) {
	if !waitFor(func() bool { return descriptors() <= before }) {
		fmt.Fprintf(os.Stderr, "leaked descriptors: %d, were %d\n", descriptors(), before)
		code = 1
	}
	if !waitFor(func() bool { return len(strays()) == 0 }) {
		fmt.Fprintf(os.Stderr, "leaked goroutines:\n%s\n", strings.Join(strays(), "\n\n"))
		code = 1
	}
	if lent := invariant.Counts(); len(lent) > 0 {
		fmt.Fprintf(os.Stderr, "not given back: %v\n", lent)
		code = 1
	}
	return code
}

// descriptors counts those of the process, or returns 0 where there is no /proc.
func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// strays are the stacks of goroutines that run code of this module or of package net, but the caller's.
func strays() (out []string) {
	buf := make([]byte, 1<<20)
	stacks := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	for _, s := range stacks[1:] {
		if strings.Contains(s, "penstock") || strings.Contains(s, "\nnet.") {
			out = append(out, s)
		}
	}
	return out
}

// waitFor polls cond and reports whether it came true within the patience of the tests.
func waitFor(cond func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if cond() {
			return true
		}
	}
	return cond()
}

// patience is how long a test waits for what must happen; nothing waits for it when all is well.
const patience = 20 * time.Second
