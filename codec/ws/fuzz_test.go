package ws

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzReader: whatever comes, however it is cut, a Reader does not panic, uses
// no more than it was given, and reports the same (player checks each call).
// The first byte chooses the Reader, the next eight the cuts.
func FuzzReader(f *testing.F) {
	for _, stream := range [][]byte{
		masked(OpText, true, "Hello"),
		join(masked(OpText, false, "He\xe2"), masked(OpPing, true, "p"), masked(OpContinuation, true, "\x82\xac")),
		join(masked(OpBinary, true, string(pattern(300))), AppendMaskedClose(nil, testKey, 1000, "bye")),
		join(masked(OpText, true, "ok"), masked(OpText, true, "\xed\xa0\x80")),
		raw(0xc1, 5, nil, "\x01\x02\x03\x04\x05"),
		raw(0x82, 127, []byte{0, 0, 0, 0, 0, 1, 0, 0}, "x"),
		join(plain(OpText, false, "a"), plain(OpContinuation, true, "b"), plain(OpClose, true, "\x03\xe8")),
	} {
		for flags := range byte(16) {
			f.Add(join([]byte{flags, 1, 2, 3, 4, 5, 6, 7, 8}, stream))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 9 {
			return
		}
		flags, cuts, stream := data[0], data[1:9], data[9:]
		r := Reader{Side: Side(flags & 1), Compression: flags&2 != 0, SkipUTF8: flags&4 != 0}
		lim := &Limits{}
		if flags&8 != 0 {
			lim = &Limits{Frame: 100, Message: 150}
		}
		want := play(t, r, lim, stream)
		for how, lengths := range map[string][]int{
			"chopped":      chops(cuts, len(stream)),
			"byte by byte": repeat(1, len(stream)),
		} {
			if got := play(t, r, lim, stream, lengths...); !slices.Equal(got, want) {
				t.Fatalf("%s:\n got %q\nwhole %q", how, got, want)
			}
		}
	})
}

// chops makes piece lengths of cuts, over and over until they cover length.
func chops(cuts []byte, length int) []int {
	var lengths []int
	for sum := 0; sum < length; {
		for _, c := range cuts {
			lengths = append(lengths, int(c))
			sum += int(c)
		}
		sum++ // all zero must end too
	}
	return lengths
}

// FuzzRoundTrip: what the encoders of one side write, the Reader of the other
// reads. script says which frames: two bytes each, of which the second is how
// much of text goes into it.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("\x00\x05\x01\x03\x02\x00\x04\xff"), []byte("Hello, 世界 and so on"), []byte{3, 1}, uint32(0x3d21fa37))
	f.Add([]byte("\x01\x02\x03\x02\x02\x02\x0c\x10"), pattern(600), []byte{200, 7}, uint32(0))
	f.Fuzz(func(t *testing.T, script, text, cuts []byte, key uint32) {
		for _, side := range []Side{Server, Client} {
			w := &writer{side: side, key: [4]byte{byte(key), byte(key >> 8), byte(key >> 16), byte(key >> 24)}}
			w.run(script, text)
			r := Reader{Side: side, SkipUTF8: true}
			if got := play(t, r, nil, w.out, chops(cuts, len(w.out))...); !slices.Equal(got, w.log) {
				t.Fatalf("side %d:\n got %.300q\nwant %.300q", side, got, w.log)
			}
		}
	})
}

// writer writes frames for the Reader of a side, and the transcript of them.
type writer struct {
	side Side
	key  [4]byte
	out  []byte
	log  []string

	name string // of the message begun, or ""
	msg  []byte
}

func (w *writer) run(script, text []byte) {
	for ; len(script) >= 2; script = script[2:] {
		n := min(int(script[1])*3, len(text))
		payload := text[:n]
		text = text[n:]
		switch fin := script[0]&1 != 0; script[0] >> 1 & 7 {
		case 0, 1:
			w.data(OpText, "text", fin, payload)
		case 2, 3:
			w.data(OpBinary, "binary", fin, payload)
		case 4:
			w.control(OpPing, "ping", payload)
		case 5:
			w.control(OpPong, "pong", payload)
		case 6:
			w.close(StatusCode(3000+int(script[1])), string(payload))
			return
		}
	}
}

func (w *writer) data(op OpCode, name string, fin bool, payload []byte) {
	if w.name != "" {
		op, name = OpContinuation, w.name
	}
	w.frame(op, fin, payload)
	w.name, w.msg = name, append(w.msg, payload...)
	if fin {
		w.log = append(w.log, fmt.Sprintf("%s %q", name, w.msg))
		w.name, w.msg = "", nil
	}
}

func (w *writer) control(op OpCode, name string, payload []byte) {
	payload = payload[:min(len(payload), maxControl)]
	w.frame(op, true, payload)
	w.log = append(w.log, fmt.Sprintf("%s %q", name, payload))
}

func (w *writer) frame(op OpCode, fin bool, payload []byte) {
	if w.side == Server {
		w.out = AppendMaskedFrame(w.out, op, fin, w.key, payload)
		return
	}
	w.out = AppendFrame(w.out, op, fin, payload)
}

func (w *writer) close(code StatusCode, reason string) {
	if w.side == Server {
		w.out = AppendMaskedClose(w.out, w.key, code, reason)
	} else {
		w.out = AppendClose(w.out, code, reason)
	}
	w.log = append(w.log, fmt.Sprintf("close %d %q", code, CutReason(reason)))
}

// FuzzValidator: after every piece, Write says whether the text can still be
// valid and Complete whether it is.
func FuzzValidator(f *testing.F) {
	f.Add([]byte("ascii, é, €, 😀"), []byte{1, 2, 3})
	f.Add([]byte("\xed\xa0\x80"), []byte{1})
	f.Add([]byte("\xf0\x90\x80"), []byte{2})
	f.Add(bytes.Repeat([]byte("0123456789é"), 20), []byte{33, 1})
	f.Fuzz(func(t *testing.T, text, cuts []byte) {
		var v Validator
		end := 0
		for _, n := range chops(cuts, len(text)) {
			from := end
			end = min(end+n, len(text))
			if got, want := v.Write(text[from:end]), possible(text[:end]); got != want {
				t.Fatalf("Write is %v after %q", got, text[:end])
			}
			if got, want := v.Complete(), utf8.Valid(text[:end]); got != want {
				t.Fatalf("Complete is %v after %q", got, text[:end])
			}
		}
	})
}
