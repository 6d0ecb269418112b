package reactor

import (
	"errors"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAnAbstractUnixSocketHasNoFile(t *testing.T) {
	g := newRig(t, Config{Loops: 2})
	name := "@penstock-test-" + strconv.Itoa(os.Getpid())
	a := g.listen("unix", name, ListenConfig{}, echo)
	g.start()
	if a.String() != name {
		t.Errorf("bound to %v", a)
	}
	checkEcho(t, dialTo(t, a))
	if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file of that name: %v", err)
	}
	second := newRig(t, Config{})
	if _, err := second.Listen("unix", name, ListenConfig{}, echo); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("the second listener's error is %v", err)
	}
}
