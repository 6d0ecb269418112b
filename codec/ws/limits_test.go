package ws

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestLimits(t *testing.T) {
	frame, message := failure(ErrFrameTooBig), failure(ErrMessageTooBig)
	ten := join(masked(OpBinary, false, "01234"), masked(OpContinuation, true, "56789"))
	for _, c := range []struct {
		name string
		lim  Limits
		in   []byte
		want []string
	}{
		{"frame of the limit", Limits{Frame: 5}, masked(OpBinary, true, "01234"), lines(`binary "01234"`)},
		{"frame over the limit", Limits{Frame: 4}, masked(OpBinary, true, "01234"), lines(frame)},
		{"frame limit is for each frame", Limits{Frame: 5}, ten, lines(`binary "0123456789"`)},
		{"Frame 0 is Message", Limits{Message: 4}, masked(OpBinary, true, "01234"), lines(frame)},
		{"message of the limit", Limits{Message: 10}, ten, lines(`binary "0123456789"`)},
		{"message over the limit", Limits{Message: 9}, ten, lines(message)},
		{"message over the limit with its last frame", Limits{Message: 9},
			join(masked(OpBinary, false, "0123"), masked(OpContinuation, false, "4567"), masked(OpContinuation, true, "89")), lines(message)},
		{"message limit with a larger frame limit", Limits{Frame: 100, Message: 4}, masked(OpBinary, true, "01234"), lines(message)},
		{"message limit is for each message", Limits{Message: 10}, join(ten, ten), lines(`binary "0123456789"`, `binary "0123456789"`)},
		{"messages before the breach are kept", Limits{Frame: 4}, join(masked(OpText, true, "a"), masked(OpText, true, "01234")),
			lines(`text "a"`, frame)},
		{"control frames have their own limit", Limits{Frame: 1, Message: 1}, masked(OpPing, true, "0123456789"), lines(`ping "0123456789"`)},
		{"a ping is not part of the message", Limits{Message: 2},
			join(masked(OpText, false, "a"), masked(OpPing, true, "0123456789"), masked(OpContinuation, true, "b")),
			lines(`ping "0123456789"`, `text "ab"`)},
	} {
		t.Run(c.name, func(t *testing.T) { playAll(t, Reader{}, &c.lim, c.in, c.want) })
	}
}

// TestLimitAtHeader: a declared length over the limit is refused before the
// payload, even before the mask key, and without memory for it.
func TestLimitAtHeader(t *testing.T) {
	declare := func(n int) []byte { return AppendMaskedHeader(nil, OpBinary, true, false, testKey, n) }
	for _, c := range []struct {
		name   string
		lim    *Limits
		length int
		want   error
	}{
		{"16 MiB is the default", nil, DefaultMessageLimit, nil},
		{"over the default", nil, DefaultMessageLimit + 1, ErrFrameTooBig},
		{"zero Limits are the defaults", &Limits{}, DefaultMessageLimit + 1, ErrFrameTooBig},
		{"the largest length", nil, math.MaxInt, ErrFrameTooBig},
		{"no limit to speak of", &Limits{Frame: math.MaxInt64, Message: math.MaxInt64}, math.MaxInt, nil},
		{"negative is default", &Limits{Frame: -1, Message: -1}, DefaultMessageLimit + 1, ErrFrameTooBig},
		{"16-bit length", &Limits{Message: 1000}, 1001, ErrFrameTooBig},
		{"7-bit length", &Limits{Message: 100}, 101, ErrFrameTooBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := declare(c.length)
			var r Reader
			var ev Event
			n, err := r.Receive(header[:len(header)-4], c.lim, &ev)
			if n != 0 || ev.Kind != None || err != c.want {
				t.Fatalf("n %d, error %v, event %v", n, err, ev.Kind)
			}
		})
	}
}

// TestLimitSumDoesNotOverflow: the lengths of two frames may add up to more
// than an int64.
func TestLimitSumDoesNotOverflow(t *testing.T) {
	lim := &Limits{Frame: math.MaxInt64, Message: math.MaxInt64}
	if err := lim.check(math.MaxInt64, math.MaxInt64, false); err != ErrMessageTooBig {
		t.Fatalf("got %v", err)
	}
}

// TestWhatIsCompressedMayGrow: what cannot be compressed is longer on the wire,
// and whatever inflates to the limit must get through.
func TestWhatIsCompressedMayGrow(t *testing.T) {
	lim := &Limits{Message: 800}
	for _, c := range []struct {
		name   string
		rsv1   bool
		length int
		want   error
	}{
		{"not compressed, of the limit", false, 800, nil},
		{"not compressed, over it", false, 801, ErrFrameTooBig},
		{"compressed, an eighth and 64 bytes over it", true, 800 + 100 + 64, nil},
		{"compressed, and more", true, 800 + 100 + 65, ErrFrameTooBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ev Event
			r := Reader{Compression: true}
			if _, err := r.Receive(AppendMaskedHeader(nil, OpText, true, c.rsv1, testKey, c.length), lim, &ev); err != c.want {
				t.Errorf("in one frame: %v", err)
			}
			r = Reader{Compression: true}
			first := AppendMaskedHeader(nil, OpText, false, c.rsv1, testKey, 1)
			if _, err := r.Receive(append(first, 'a'), lim, &ev); err != nil {
				t.Fatal(err)
			}
			_, err := r.Receive(AppendMaskedHeader(nil, OpContinuation, true, false, testKey, c.length-1), lim, &ev)
			if (err == nil) != (c.want == nil) {
				t.Errorf("in two frames: %v", err)
			}
		})
	}
	huge := &Limits{Frame: math.MaxInt64, Message: math.MaxInt64}
	if err := huge.check(1<<61, 1<<61, true); err != nil {
		t.Errorf("no limit to speak of: %v", err)
	}
}

// TestPiece: a payload is reported in pieces of at most so much, each by a call
// of its own, however it arrives.
func TestPiece(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want []string
	}{
		{"a message shorter than a piece", masked(OpText, true, "ab"), []string{"ab first final 0"}},
		{"of a piece", masked(OpText, true, "abc"), []string{"abc first final 0"}},
		{"longer", masked(OpText, true, "abcdefgh"), []string{"abc first 5", "def 2", "gh final 0"}},
		{"in two frames", join(masked(OpText, false, "abcd"), masked(OpContinuation, true, "ef")),
			[]string{"abc first 1", "d 0", "ef final 0"}},
		{"a ping stays whole", masked(OpPing, true, "abcdefgh"), []string{"abcdefgh 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lim, r, ev := &Limits{Piece: 3}, Reader{}, Event{}
			var got []string
			for b := c.in; len(b) > 0; {
				n, err := r.Receive(b, lim, &ev)
				if err != nil || n == 0 {
					t.Fatalf("%d bytes used: %v", n, err)
				}
				b = b[n:]
				if ev.Kind == None {
					continue
				}
				line := string(ev.Payload)
				if ev.First {
					line += " first"
				}
				if ev.Final {
					line += " final"
				}
				got = append(got, fmt.Sprint(line, " ", ev.Remaining))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestLimitsMayChange: the limits of a call are those of the call.
func TestLimitsMayChange(t *testing.T) {
	var r Reader
	var ev Event
	in := masked(OpBinary, true, "0123456789")
	if _, err := r.Receive(in, &Limits{Frame: 10}, &ev); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Receive(in, &Limits{Frame: 9}, &ev); err != ErrFrameTooBig {
		t.Fatalf("got %v", err)
	}
}
