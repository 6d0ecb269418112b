package wstest

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// Patience is how long anything may take. It is no measure of speed: it only
// ends tests that hang.
const Patience = 30 * time.Second

// Eventually waits until cond holds.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(Patience); !cond(); <-look.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// NoLeaks fails the test if it ends with more goroutines or descriptors than it
// had when NoLeaks was called. Call it first: cleanups run in reverse order. What
// makes a descriptor on first use and keeps it, as resolving a name does, has to
// be used before.
func NoLeaks(t testing.TB) {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), Files(t)
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		Eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
		Eventually(t, "the descriptors are closed", func() bool { return Files(t) <= files })
	})
}

// Files returns how many descriptors the process has open. The runtime's own
// poller is made to be among them.
func Files(t testing.TB) int {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	_ = w.Close()
	list, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
