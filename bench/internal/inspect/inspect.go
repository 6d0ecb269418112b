// Package inspect lets the server programs of this module tell about themselves:
// a signal each for the figures as they are and after a collection.
package inspect

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// Report is what a server prints, as one line.
type Report struct {
	// Goroutines is how many there are, the one that reports included.
	Goroutines int
	// HeapBytes is what live and dead objects take.
	HeapBytes uint64
	// StackBytes is what goroutines' stacks take.
	StackBytes uint64
}

// Signal is what a server is asked with.
type Signal = syscall.Signal

// Natural asks a server that has called Start for a report, Freed for one after a collection has returned all free memory to the system.
const (
	Natural = syscall.SIGUSR1
	Freed   = syscall.SIGUSR2
)

const format = "goroutines %d heap %d stack %d"

// Start answers both signals on the standard output.
func Start() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, Natural, Freed)
	go func() {
		for sig := range c {
			if sig == Freed {
				debug.FreeOSMemory()
			}
			fmt.Println(read())
		}
	}()
}

func read() Report {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Report{runtime.NumGoroutine(), m.HeapAlloc, m.StackInuse}
}

// String is the line.
func (r Report) String() string {
	return fmt.Sprintf(format, r.Goroutines, r.HeapBytes, r.StackBytes)
}

// Parse reads the line.
func Parse(line string) (r Report, err error) {
	_, err = fmt.Sscanf(line, format, &r.Goroutines, &r.HeapBytes, &r.StackBytes)
	return r, err
}
