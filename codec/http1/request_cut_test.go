package http1

import (
	"strings"
	"testing"
)

// Every good head must read the same however it is cut, and every bad one must
// be refused however it is cut, before anybody waits for bytes that do not help.

func TestGoodRequestsCutAnywhere(t *testing.T) {
	for _, c := range goodRequests {
		t.Run(c.name, func(t *testing.T) {
			want := describe(parse(t, c.in))
			for cut := range len(c.in) {
				var r Request
				again(t, &r, c.in[:cut])
				if n, err := ParseRequest([]byte(c.in+"GET /next"), &r, nil); n != len(c.in) || err != nil {
					t.Fatalf("cut at %d: %d, %v", cut, n, err)
				}
				equal(t, "request", describe(&r), want)
			}
		})
	}
}

func TestGoodRequestsByteByByte(t *testing.T) {
	var r Request
	for _, c := range goodRequests {
		t.Run(c.name, func(t *testing.T) {
			for i := range len(c.in) {
				again(t, &r, c.in[:i])
			}
			if n, err := ParseRequest([]byte(c.in), &r, nil); n != len(c.in) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			equal(t, "request", describe(&r), describe(parse(t, c.in)))
		})
	}
}

// again presents a prefix, at a new address, that must not decide anything.
func again(t testing.TB, r *Request, prefix string) {
	t.Helper()
	if n, err := ParseRequest([]byte(prefix), r, nil); n != 0 || err != nil {
		t.Fatalf("ParseRequest(%q) = %d, %v, want more", prefix, n, err)
	}
	if r.Method() != nil || r.Header().Len() != 0 || r.Raw() != nil {
		t.Fatalf("an incomplete request shows %q", describe(r))
	}
}

func TestBadRequestsByteByByte(t *testing.T) {
	for _, c := range badRequests {
		t.Run(c.name, func(t *testing.T) {
			var r Request
			var err error
			i := 0
			for err == nil && i < len(c.in) {
				i++
				_, err = ParseRequest([]byte(c.in[:i]), &r, strict)
			}
			if err == nil {
				t.Fatalf("%q was never refused", c.in)
			}
			if c.early != 0 && i != c.early {
				t.Errorf("refused after %d bytes, want %d", i, c.early)
			}
			if got := err.(*Error); got != c.want && got.Status != 400 {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestBadRequestsCutAnywhere(t *testing.T) {
	for _, c := range badRequests {
		t.Run(c.name, func(t *testing.T) {
			for cut := range len(c.in) {
				var r Request
				_, err := ParseRequest([]byte(c.in[:cut]), &r, strict)
				if err == nil {
					_, err = ParseRequest([]byte(c.in), &r, strict)
				}
				if err == nil {
					t.Fatalf("accepted when cut at %d", cut)
				}
			}
		})
	}
}

// TestRequestCostsOneLook checks the promise behind "linear": when a call ends,
// everything it was given has been searched, and the next begins there. Only a
// CR, whose LF is to come, is looked at again.
func TestRequestCostsOneLook(t *testing.T) {
	in := get("X: "+strings.Repeat("a", 5000), "Y: "+strings.Repeat("b", 5000))
	var r Request
	for i := 1; i < len(in); i++ {
		before := r.cur.seen
		if _, err := ParseRequest([]byte(in[:i]), &r, nil); err != nil {
			t.Fatal(err)
		}
		if seen := int(r.cur.seen); seen < i-1 || seen == i-1 && in[i-1] != '\r' {
			t.Fatalf("%d bytes given, only %d searched", i, seen)
		}
		if r.cur.seen < before || r.cur.line > r.cur.seen {
			t.Fatalf("search went back from %d to %d, line at %d", before, r.cur.seen, r.cur.line)
		}
		if r.cur.mark > r.cur.seen {
			t.Fatalf("judged %d bytes of %d searched", r.cur.mark, r.cur.seen)
		}
	}
}

// TestRequestSearchIsNotRepeated scribbles over what was searched already: a
// parser that looked again would refuse it.
func TestRequestSearchIsNotRepeated(t *testing.T) {
	in := []byte(get("X: " + strings.Repeat("a", 100) + "y"))
	var r Request
	at := len(in) - 6
	if n, err := ParseRequest(in[:at], &r, nil); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	for i := at - 50; i < at; i++ {
		in[i] = 0
	}
	if n, err := ParseRequest(in, &r, nil); n != len(in) || err != nil {
		t.Errorf("searched twice: %d, %v", n, err)
	}
}

func TestShrunkInputAsksForMore(t *testing.T) {
	in := get("X: y")
	var r Request
	again(t, &r, in[:30])
	again(t, &r, in[:20])
	if n, err := ParseRequest([]byte(in), &r, nil); n != len(in) || err != nil {
		t.Error(n, err)
	}
}
