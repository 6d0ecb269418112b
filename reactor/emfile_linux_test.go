package reactor

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() { children["emfile"] = emfileChild }

// TestOutOfDescriptorsTheProcessServesOn runs emfileChild, which must not spoil the limits of the other tests.
func TestOutOfDescriptorsTheProcessServesOn(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=emfile")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// emfileChild runs out of descriptors twice: established connections go on, waiting ones are served afterwards.
func emfileChild() {
	book := new(logBook)
	r, err := New(Config{Loops: 1, Logger: slog.New(slog.NewTextHandler(book, nil))})
	must(err)
	a, err := r.Listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
	must(err)
	r.Start()
	old := childDial(a)
	childEcho(old)
	for episode := range 2 {
		hoard, waiting := fillTable(a)
		must(errUnless(waitFor(func() bool { return r.Stats().AcceptErrors > 0 }), "accept fails"))
		start, errs := time.Now(), r.Stats().AcceptErrors
		for time.Since(start) < 3*acceptPause {
			childEcho(old)
		}
		most := int64(time.Since(start)/acceptPause) + 2
		must(errUnless(r.Stats().AcceptErrors-errs <= most, "accept is tried once per pause"))
		must(errUnless(book.count("cannot accept") == episode+1, "one line in the log per episode"))
		for _, f := range hoard {
			must(f.Close())
		}
		childEcho(waiting)
		must(waiting.Close())
	}
	must(r.Stop())
	os.Exit(0)
}

// fillTable uses up all descriptors of the process, the last one for a connection that cannot be accepted.
func fillTable(a net.Addr) (hoard []*os.File, waiting net.Conn) {
	limit := unix.Rlimit{Cur: uint64(descriptors() + 8), Max: 1 << 12}
	must(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		hoard = append(hoard, f)
	}
	must(hoard[len(hoard)-1].Close())
	hoard = hoard[:len(hoard)-1]
	return hoard, childDial(a)
}

func childDial(a net.Addr) net.Conn {
	c, err := net.Dial("tcp4", a.String())
	must(err)
	must(c.SetDeadline(time.Now().Add(patience)))
	return c
}

func childEcho(c net.Conn) {
	_, err := c.Write([]byte("x"))
	must(err)
	_, err = c.Read(make([]byte, 1))
	must(err)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func errUnless(ok bool, what string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("not so: %s", what)
}
