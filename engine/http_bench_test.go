package engine

import (
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
)

// sink is a link that takes everything at no cost.
type sink struct{ link }

func (sink) Write([]byte) error { return nil }
func (sink) Fits(int) bool      { return true }
func (sink) High() bool         { return false }
func (sink) Arm(int64)          {}
func (sink) PauseRead()         {}
func (sink) ResumeRead()        {}

// BenchmarkRequests is what the engine itself needs for a small GET and its answer, with
// 1 and 16 of them in a read: no system call is in it.
func BenchmarkRequests(b *testing.B) {
	hello := []byte("Hello, World!")
	program := callbacks.Protocol{Name: "hello", Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP {
			return s.Respond(200, "text/plain", hello)
		}
		return nil
	}}
	e, err := New(Config{Loops: 1, Vhosts: []Vhost{{Listen: []string{"tcp://127.0.0.1:0"}, Protocols: []callbacks.Protocol{program}}}})
	if err == nil {
		err = e.Listen()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer e.r.Discard()
	l := e.loops[0]
	for name, depth := range map[string]int{"one": 1, "pipelined": 16} {
		b.Run(name, func(b *testing.B) {
			s := l.newSession(e.vhosts[0])
			s.link, s.state = sink{}, stateOpen
			newPort(e.vhosts[0]).open(s, nil)
			read := []byte(strings.Repeat("GET /plain HTTP/1.1\r\nHost: 127.0.0.1:7681\r\n\r\n", depth))
			b.ReportAllocs()
			for b.Loop() {
				if n := s.received(read); n != len(read) {
					b.Fatalf("%d of %d bytes were taken", n, len(read))
				}
				l.afterEvent()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/request")
			if l.counters.requests < int64(depth*b.N) {
				b.Fatalf("%d requests were served", l.counters.requests)
			}
		})
	}
}
