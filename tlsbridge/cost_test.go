package tlsbridge

import (
	"crypto/tls"
	"runtime"
	"testing"

	"github.com/penstock-go/penstock/internal/invariant"
)

// TestAllocations pins what the data of a connection allocates, once its buffers
// have grown.
func TestAllocations(t *testing.T) {
	if raceEnabled || invariant.Enabled {
		t.Skip("allocations are counted in a plain build only, where nothing else allocates")
	}
	everyWay(t, func(t *testing.T, version uint16) {
		p := secured(t, first(configs(version)), second(configs(version)))
		dst, sealed := make([]byte, 0, 4*RecordMost), make([]byte, 0, 4*RecordMost)
		for _, n := range []int{64, RecordMost, 2 * RecordMost} {
			message := pattern(n)
			seals := testing.AllocsPerRun(100, func() { sealed = must(p.client.Seal(sealed[:0], message)) })
			if seals != 0 {
				t.Errorf("Seal of %d bytes allocates %v times", n, seals)
			}
		}
		opens := func(n int) float64 {
			q := secured(t, first(configs(version)), second(configs(version)))
			var records [][]byte
			for range 102 {
				records = append(records, must(q.client.Seal(nil, pattern(n))))
			}
			return testing.AllocsPerRun(100, func() {
				got, _, err := q.server.Open(dst, records[0])
				if records = records[1:]; err != nil || len(got) != n {
					panic("not opened")
				}
			})
		}
		for records, n := range []int{0, 64, 2 * RecordMost} {
			want := 0 // in the other mode crypto/tls makes a reader for each record
			if !inside.known {
				want = records
			}
			if got := opens(n); n > 0 && got != float64(want) {
				t.Errorf("Open of %d bytes allocates %v times, not %d", n, got, want)
			}
		}
	})
}

const crowd = 200 // connections; enough to make the rest disappear

// heapPer is what one connection's server keeps, in bytes.
func heapPer(t testing.TB, sc, cc *tls.Config, then func(*pair)) int {
	t.Helper()
	servers := make([]*Conn, crowd)
	before := heap()
	for i := range servers {
		p := secured(t, sc, cc)
		if then != nil {
			then(p)
		}
		servers[i] = p.server
	}
	n := (heap() - before) / crowd
	runtime.KeepAlive(servers)
	return n
}

func heap() int {
	var m runtime.MemStats
	for range 2 { // sync.Pool keeps what it has for one collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func longRecord(p *pair) {
	if got, _, err := p.server.Open(nil, must(p.client.Seal(nil, pattern(RecordMost)))); err != nil || len(got) != RecordMost {
		panic("not opened")
	}
}

// idleKinds are what a fleet of quiet connections may consist of.
var idleKinds = []struct {
	name    string
	version uint16
	curves  []tls.CurveID
}{
	{"TLS 1.2", tls.VersionTLS12, []tls.CurveID{tls.X25519}},
	{"TLS 1.3, ML-KEM", tls.VersionTLS13, []tls.CurveID{tls.X25519MLKEM768}},
	{"TLS 1.3, X25519", tls.VersionTLS13, []tls.CurveID{tls.X25519}},
}

// TestHeapPerIdleConnection wants a long record to leave nothing behind.
func TestHeapPerIdleConnection(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps memory of its own for what is allocated")
	}
	const most = 4000 // bytes; measured 3100 to 3300
	for _, k := range idleKinds {
		sc, cc := configs(k.version)
		sc.CurvePreferences, cc.CurvePreferences = k.curves, k.curves
		before := heapPer(t, sc, cc, nil)
		after := heapPer(t, sc, cc, longRecord)
		t.Logf("%s: %d bytes, %d behind a long record", k.name, before, after)
		if before > most || after > most || after > before+500 {
			t.Errorf("%s: a quiet connection keeps %d bytes, and %d behind a long record: inside.go does not reach everything", k.name, before, after)
		}
	}
}

// BenchmarkIdleHeap reports bytes per connection; its time says nothing.
func BenchmarkIdleHeap(b *testing.B) {
	for _, k := range idleKinds {
		for _, mode := range []string{"known", "unknown"} {
			b.Run(k.name+"/"+mode, func(b *testing.B) {
				if mode == "unknown" {
					inUnknownMode(b)
				}
				sc, cc := configs(k.version)
				sc.CurvePreferences, cc.CurvePreferences = k.curves, k.curves
				for b.Loop() {
					b.ReportMetric(float64(heapPer(b, sc, cc, nil)), "B/conn")
					b.ReportMetric(float64(heapPer(b, sc, cc, longRecord)), "B/conn-after-16K")
				}
			})
		}
	}
}
