package bench

import (
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"

	_ "github.com/penstock-go/penstock/engine" // what the servers are built of: a change there makes cached results stale
)

// build compiles a command as this test is compiled, race detector and tags
// included.
func build(t *testing.T, module, pkg string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.Command("go", append([]string{"-C", module, "build", "-o", to}, append(buildFlags(), pkg)...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return to
}

func buildFlags() []string {
	flags := []string{"-buildvcs=false"}
	if setting("-race") == "true" {
		flags = append(flags, "-race")
	}
	if tags := setting("-tags"); tags != "" {
		flags = append(flags, "-tags", tags)
	}
	return flags
}

// checked tells that this build's checks cost more than what is to be measured.
func checked() bool { return setting("-race") == "true" || setting("-tags") != "" }

func setting(key string) string {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// needDescriptors skips the test where a process may not have as many files open.
func needDescriptors(t *testing.T, n uint64) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Max < n {
		t.Skipf("this needs %d open files in each of two processes, and the limit is %d", n, lim.Max)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: lim.Max, Max: lim.Max}); err != nil {
		t.Fatal(err)
	}
}
