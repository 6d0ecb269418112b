package deflate

import (
	"fmt"
	"testing"
)

// Budgets, on one core of a server of 2023 with messages of JSON of 1 KiB:
//
//	Echo/1024                   25 us: inflate and compress, no takeover
//	Echo/1024/takeover          35 us
//
// and no allocation, which compress_test.go pins.

var benchTerms = []struct {
	name string
	d    Direction
}{
	{"", Direction{}},
	{"/takeover", Direction{Takeover: true}},
	{"/takeover_window_10", Direction{Takeover: true, WindowBits: 10}},
}

// BenchmarkEcho is what a server does for a message and its answer.
func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{200, 1024, 65536} {
		for _, terms := range benchTerms {
			b.Run(fmt.Sprint(size, terms.name), func(b *testing.B) { benchEcho(b, size, terms.d) })
		}
	}
}

func benchEcho(b *testing.B, size int, d Direction) {
	var client, server Compressor
	var f Inflater
	var toServer, atServer, toClient History
	texts := make([][]byte, 64)
	for i := range texts {
		texts[i] = record(seeded(uint64(i)), size)
	}
	// The sequence of messages is sent round and round: the first round
	// brings the client's history to where each of the others starts.
	payloads := make([][]byte, len(texts))
	for range 2 {
		for i, text := range texts {
			payloads[i] = client.Append(payloads[i][:0], text, true, d, &toServer)
		}
	}
	if d.Takeover {
		for _, text := range texts {
			atServer.keep(text, d.window())
		}
	}
	var plain, out []byte
	sent, n := 0, 0
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if plain, err = f.Append(plain[:0], payloads[n%len(payloads)], d, &atServer, 0); err != nil {
			b.Fatal(err)
		}
		out = server.Append(out[:0], plain, true, d, &toClient)
		sent += len(out)
		n++
	}
	b.ReportMetric(float64(sent)/float64(n)/float64(size), "ratio")
	b.ReportMetric(float64(atServer.Size()+toClient.Size()), "B/session")
}

func BenchmarkCompress(b *testing.B) {
	for _, size := range []int{200, 1024, 65536} {
		for _, terms := range benchTerms {
			for _, level := range []int{1, DefaultLevel, 3, 5, 6, 9} {
				b.Run(fmt.Sprint(size, terms.name, "/level_", level), func(b *testing.B) {
					benchCompress(b, &Compressor{Level: level}, size, terms.d)
				})
			}
		}
	}
}

func benchCompress(b *testing.B, c *Compressor, size int, d Direction) {
	var h History
	var out []byte
	texts := make([][]byte, 64)
	for i := range texts {
		texts[i] = record(seeded(uint64(i)), size)
	}
	sent, n := 0, 0
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		out = c.Append(out[:0], texts[n%len(texts)], true, d, &h)
		sent += len(out)
		n++
	}
	b.ReportMetric(float64(sent)/float64(n)/float64(size), "ratio")
}

func BenchmarkInflate(b *testing.B) {
	for _, size := range []int{200, 1024, 65536} {
		for _, terms := range benchTerms {
			b.Run(fmt.Sprint(size, terms.name), func(b *testing.B) {
				var c Compressor
				var f Inflater
				var h History
				h.keep(record(seeded(1), maxWindow), terms.d.window())
				payload := c.Append(nil, record(seeded(2), size), true, Direction{}, nil)
				var out []byte
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					out, _ = f.Append(out[:0], payload, terms.d, &h, 0)
				}
			})
		}
	}
}

// BenchmarkWorstInput is what a peer can make the Inflater do for a byte.
func BenchmarkWorstInput(b *testing.B) {
	for name, p := range map[string][]byte{
		"empty stored blocks": repeated("\x00\x00\x00\xff\xff", 10000),
		"empty fixed blocks":  repeated("\x02\x08\x20\x80\x00", 10000),
		"final blocks":        repeated("\x03\x00", maxStreams-1),
		"unused codes":        repeated(eightEmptyDynamicBlocks, 1000),
		"zeros":               bomb(1 << 20),
	} {
		b.Run(name, func(b *testing.B) {
			var f Inflater
			var out []byte
			for b.Loop() {
				var err error
				if out, err = f.Append(out[:0], p, Direction{}, nil, 0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(p)), "ns/byte")
		})
	}
}

// eightEmptyDynamicBlocks describe a code of two symbols each, in 91 bits, and
// use it for the end of the block.
const eightEmptyDynamicBlocks = "\x04\xc0\x81\x00\x00\x00\x00\x00\x10\xff\xd5\x24\x00\x0e\x04\x00\x00\x00\x00\x80\xf8\xaf\x26\x01\x70\x20\x00\x00\x00" +
	"\x00\x00\xc4\x7f\x35\x09\x80\x03\x01\x00\x00\x00\x00\x20\xfe\xab\x49\x00\x1c\x08\x00\x00\x00\x00\x00\xf1\x5f\x4d\x02\xe0\x40\x00\x00" +
	"\x00\x00\x00\x88\xff\x6a\x12\x00\x07\x02\x00\x00\x00\x00\x40\xfc\x57\x93\x00\x38\x10\x00\x00\x00\x00\x00\xe2\xbf\x9a"

func repeated(s string, n int) (p []byte) {
	for range n {
		p = append(p, s...)
	}
	return append(p, 0)
}
