package tlsbridge

import (
	"crypto/tls"
	"fmt"
	"testing"
)

// The benchmarks of data move one message from a client to a server: Seal and
// Open in one, for the two sides cannot be had apart. Budget: no more than the
// same between two stock tls.Conns, which copy through a transport in memory.

var benchLengths = []int{64, 1024, RecordMost, 8 * RecordMost}

func BenchmarkConn(b *testing.B) {
	for _, mode := range []string{"known", "unknown"} {
		for _, n := range benchLengths {
			b.Run(fmt.Sprintf("%s/%d", mode, n), func(b *testing.B) {
				if mode == "unknown" {
					inUnknownMode(b)
				}
				p := secured(b, first(configs(tls.VersionTLS13)), second(configs(tls.VersionTLS13)))
				message := pattern(n)
				var sealed, plain []byte
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					sealed = must(p.client.Seal(sealed[:0], message))
					var err error
					if plain, _, err = p.server.Open(plain[:0], sealed); err != nil || len(plain) != n {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkStock(b *testing.B) {
	for _, n := range benchLengths {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newStock(b, first(configs(tls.VersionTLS13)), second(configs(tls.VersionTLS13)))
			message, buf := pattern(n), make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				_ = must(s.client.Write(message))
				for have := 0; have < n; {
					have += must(s.server.Read(buf[have:]))
				}
			}
		})
	}
}

func BenchmarkHandshake(b *testing.B) {
	for _, k := range idleKinds {
		b.Run(k.name, func(b *testing.B) {
			sc, cc := configs(k.version)
			sc.CurvePreferences, cc.CurvePreferences = k.curves, k.curves
			b.ReportAllocs()
			for b.Loop() {
				secured(b, sc, cc)
			}
		})
	}
}
