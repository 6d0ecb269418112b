package conformance

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// TestServerSurvivesBombs sends messages of a thousand times what the server takes,
// compressed to less than that.
func TestServerSurvivesBombs(t *testing.T) {
	needsDeflate(t, serverProgram)
	g := serve(t, mode{deflate: true}, "-max-message", "1000000")
	bomb := zeroBomb(128 << 20)
	for range 2 {
		explode(t, g, zipped(true, wstest.Binary, bomb))
		explode(t, g, zipped(true, wstest.Text, bomb))
		explode(t, g, append(fragments(wstest.Binary|rsv1, bomb, 50_000), ping(""))...)
	}
	bounded(t, g.server, 48<<20)
	g.server.interrupt()
}

// TestClientSurvivesABomb of eight times what the client takes, 64 MiB.
func TestClientSurvivesABomb(t *testing.T) {
	needsDeflate(t, clientProgram)
	g := listen(t, mode{deflate: true})
	var proc *process
	g.dial = func(t *testing.T) running {
		proc = start(t, clientProgram, g.clientArgs()...)
		return proc
	}
	p := g.connect(t)
	p.compressed()
	p.patient()
	wait := meanwhile(func() { p.send(zipped(true, wstest.Binary, zeroBomb(512<<20))) })
	p.wantClose(1009)
	wait()
	bounded(t, proc, 320<<20)
	p.send(closeWith(1009, ""))
	p.ended()
}

func needsDeflate(t *testing.T, folder string) {
	t.Helper()
	if !knowsDeflate(t, folder) {
		t.Fatal("the program has no flag for compression")
	}
}

// explode wants a message to be refused for what it would become.
func explode(t *testing.T, g *target, frames ...frame) {
	t.Helper()
	p := g.connect(t)
	p.compressed()
	wait := meanwhile(func() { p.send(frames...) })
	p.wantClose(1009)
	wait()
	p.send(closeWith(1009, ""))
	p.ended()
}

// bounded wants a process to have had no more memory than that at any time. Only
// Linux tells, and the race detector needs much more.
func bounded(t *testing.T, p *process, most int) {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	if err != nil || raced {
		return
	}
	for line := range bytes.Lines(status) {
		name, value, _ := strings.Cut(string(line), ":")
		if name != "VmHWM" {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		if err != nil || n<<10 > most {
			t.Errorf("the process had %s, more than %d kB: %v", strings.TrimSpace(value), most>>10, err)
		}
		t.Logf("the process had %s", strings.TrimSpace(value))
		return
	}
	t.Errorf("no VmHWM in %s", status)
}
