package http1

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// TestKeepAlive has the rules of RFC 9112 9.3.
func TestKeepAlive(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     bool
	}{
		{"1.1 persists", get(), true},
		{"1.1 close", get("Connection: close"), false},
		{"1.1 close in any case", get("Connection: CLOSE"), false},
		{"1.1 close in a list", get("Connection: Upgrade, close"), false},
		{"1.1 close on a second line", get("Connection: x", "Connection: close"), false},
		{"1.1 close beats keep-alive", get("Connection: keep-alive, close"), false},
		{"1.1 enclosed is not close", get("Connection: enclosed"), true},
		{"1.0 ends", head("GET / HTTP/1.0"), false},
		{"1.0 keep-alive", head("GET / HTTP/1.0", "Connection: keep-alive"), true},
		{"1.0 keep-alive in a list", head("GET / HTTP/1.0", "Connection: x ,\tKeep-Alive"), true},
		{"1.0 keep-alive and close", head("GET / HTTP/1.0", "Connection: keep-alive", "Connection: close"), false},
	} {
		t.Run(c.name, func(t *testing.T) { equal(t, "KeepAlive", parse(t, c.in).KeepAlive(), c.want) })
	}
}

// TestUpgrade has the rules of RFC 9110 7.8.
func TestUpgrade(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"both fields", get("Upgrade: websocket", "Connection: Upgrade"), "websocket"},
		{"a list", get("Connection: keep-alive, upgrade", "Upgrade: h2c, websocket"), "h2c, websocket"},
		{"the first line of two", get("Connection: upgrade", "Upgrade: a", "Upgrade: b"), "a"},
		{"no Connection", get("Upgrade: websocket"), "<nil>"},
		{"Connection without upgrade", get("Upgrade: websocket", "Connection: keep-alive"), "<nil>"},
		{"no Upgrade", get("Connection: upgrade"), "<nil>"},
		{"ignored in 1.0", head("GET / HTTP/1.0", "Connection: upgrade", "Upgrade: websocket"), "<nil>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			value, ok := parse(t, c.in).Upgrade()
			equal(t, "value", orNil(value), c.want)
			equal(t, "ok", ok, c.want != "<nil>")
		})
	}
}

// TestExpectContinue has the rules of RFC 9110 10.1.1.
func TestExpectContinue(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     bool
	}{
		{"with a body", get("Expect: 100-continue", "Content-Length: 1"), true},
		{"with chunks", get("Expect: 100-continue", "Transfer-Encoding: chunked"), true},
		{"in any case", get("expect: 100-CONTINUE", "Content-Length: 1"), true},
		{"twice", get("Expect: 100-continue", "Expect: 100-continue", "Content-Length: 1"), true},
		{"not asked", get("Content-Length: 1"), false},
		{"nothing to send", get("Expect: 100-continue"), false},
		{"an empty body", get("Expect: 100-continue", "Content-Length: 0"), false},
		{"ignored in 1.0", head("POST / HTTP/1.0", "Expect: 100-continue", "Content-Length: 1"), false},
	} {
		t.Run(c.name, func(t *testing.T) { equal(t, "ExpectContinue", parse(t, c.in).ExpectContinue(), c.want) })
	}
}

func TestPipelinedRequestsLeaveTheRest(t *testing.T) {
	in := []byte(head("GET /1 HTTP/1.1", "Host: a") + head("GET /2 HTTP/1.0", "X: y") + head("GET /3 HTTP/1.1", "Host: c"))
	var r Request
	var paths []string
	for len(in) > 0 {
		n, err := ParseRequest(in, &r, nil)
		if n == 0 || err != nil {
			t.Fatal(n, err)
		}
		paths = append(paths, string(r.Path())+" "+string(r.Host()))
		in = in[n:]
	}
	equal(t, "requests", strings.Join(paths, ","), "/1 a,/2 ,/3 c")
}

func TestNothingOfTheLastRequestStays(t *testing.T) {
	var r Request
	full := get("Connection: close, upgrade", "Upgrade: x", "Expect: 100-continue", "Content-Length: 5")
	if _, err := ParseRequest([]byte(strings.Replace(full, "GET /", "GET http://h/p?q", 1)), &r, nil); err != nil {
		t.Fatal(err)
	}
	plain := head("OPTIONS * HTTP/1.0")
	if _, err := ParseRequest([]byte(plain), &r, nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "request", describe(&r), describe(parse(t, plain)))
}

func TestResetAfterAnErrorMakesUsable(t *testing.T) {
	var r Request
	if _, err := ParseRequest([]byte(get("Foo : bar")), &r, nil); err == nil {
		t.Fatal("accepted")
	}
	r.Reset()
	if n, err := ParseRequest([]byte(get()), &r, nil); n != len(get()) || err != nil {
		t.Error(n, err)
	}
}

// TestErrorsStay: a caller who asks again gets no better answer.
func TestErrorsStay(t *testing.T) {
	for _, c := range badRequests {
		var r Request
		for range 2 {
			if n, err := ParseRequest([]byte(c.in), &r, strict); n != 0 || err != c.want {
				t.Errorf("%s: %d, %v", c.name, n, err)
			}
		}
	}
}

func TestCopyLivesOnItsOwn(t *testing.T) {
	in := []byte(get("Upgrade: x", "Connection: upgrade", "X-Long: "+strings.Repeat("v", 300)))
	var r, c Request
	if _, err := ParseRequest(in, &r, nil); err != nil {
		t.Fatal(err)
	}
	want := describe(&r)
	r.CopyTo(&c)
	clear(in)
	equal(t, "copy", describe(&c), want)

	other := []byte(get("Y: z"))
	if _, err := ParseRequest(other, &r, nil); err != nil {
		t.Fatal(err)
	}
	room := &c.head.raw[0]
	r.CopyTo(&c)
	equal(t, "second copy", describe(&c), describe(&r))
	if room != &c.head.raw[0] {
		t.Error("the second copy did not use the first one's memory")
	}
	c.CopyTo(&c)
	equal(t, "copy to itself", describe(&c), describe(&r))
}

// TestCopyIntoAParsedRequest: what dst aliases is the caller's and must not be
// written to.
func TestCopyIntoAParsedRequest(t *testing.T) {
	a, b := []byte(get("A: aaaaaaaaaaaaaaaa")), []byte(get("B: b"))
	var ra, rb Request
	for _, p := range []struct {
		in []byte
		r  *Request
	}{{a, &ra}, {b, &rb}} {
		if _, err := ParseRequest(p.in, p.r, nil); err != nil {
			t.Fatal(err)
		}
	}
	kept := bytes.Clone(a)
	rb.CopyTo(&ra)
	if !bytes.Equal(a, kept) {
		t.Error("the copy was written into the bytes of the earlier request")
	}
	equal(t, "copy", describe(&ra), describe(&rb))
	if _, err := ParseRequest(a, &ra, nil); err != nil {
		t.Fatal(err)
	}
	rb.CopyTo(&ra)
	if !bytes.Equal(a, kept) {
		t.Error("a copy after a parse was written into the parsed bytes")
	}
}

func TestSlicesCannotBeAppendedTo(t *testing.T) {
	in := []byte(strings.Replace(get("X: y"), "GET /", "GET /p?q", 1))
	kept := bytes.Clone(in)
	var r Request
	if _, err := ParseRequest(in, &r, nil); err != nil {
		t.Fatal(err)
	}
	name, value := r.Header().At(1)
	for _, s := range [][]byte{r.Method(), r.Target(), r.Path(), r.Query(), r.Host(), name, value} {
		_ = append(s, '!')
	}
	if !bytes.Equal(in, kept) {
		t.Errorf("an append reached into the head: %q", in)
	}
}

// TestRequestLimits has each limit at its last good and first bad value.
func TestRequestLimits(t *testing.T) {
	line := func(n int) string { // a request line of n bytes
		return "GET /" + strings.Repeat("x", n-len("GET / HTTP/1.1")) + " HTTP/1.1\r\nHost: a\r\n\r\n"
	}
	total := func(n int) string { // a head of n bytes
		return get("X: " + strings.Repeat("x", n-len(get("X: "))))
	}
	fields := func(n int) string { // a head of n fields
		return get(strings.Split(strings.Repeat("X: y\n", n-1), "\n")[:n-1]...)
	}
	for _, c := range []struct {
		name, in string
		lim      *Limits
		want     error
	}{
		{"request line at the default", line(8192), nil, nil},
		{"request line over the default", line(8193), nil, ErrRequestLineTooLong},
		{"request line at the limit", line(40), &Limits{RequestLine: 40}, nil},
		{"request line over the limit", line(41), &Limits{RequestLine: 40}, ErrRequestLineTooLong},
		{"empty lines do not count", "\r\n\r\n" + line(40), &Limits{RequestLine: 40}, nil},
		{"5 kB of URI", line(5000), nil, nil},
		{"request line over the head's limit", line(200), &Limits{Head: 100}, ErrRequestLineTooLong},
		{"head at the default", total(16384), nil, nil},
		{"head over the default", total(16385), nil, ErrHeadTooLarge},
		{"head at the limit", total(100), &Limits{Head: 100}, nil},
		{"head over the limit", total(101), &Limits{Head: 100}, ErrHeadTooLarge},
		{"fields at the default", fields(100), nil, nil},
		{"fields over the default", fields(101), nil, ErrTooManyFields},
		{"fields at the limit", fields(3), &Limits{Fields: 3}, nil},
		{"fields over the limit", fields(4), &Limits{Fields: 3}, ErrTooManyFields},
		{"negative means default", get(), &Limits{-1, -1, -1, -1, -1, false}, nil},
		{"absurd means 1 GiB", get(), &Limits{math.MaxInt, math.MaxInt, math.MaxInt, math.MaxInt, math.MaxInt, false}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseRequest([]byte(c.in), new(Request), c.lim)
			equal(t, "whole", err, c.want)
			var r Request
			err = nil
			for i := 1; i <= len(c.in) && err == nil; i++ {
				_, err = ParseRequest([]byte(c.in[:i]), &r, c.lim)
			}
			equal(t, "byte by byte", err, c.want)
		})
	}
}

// TestLimitsDoNotWaitForTheEnd: an endless line is refused at its limit.
func TestLimitsDoNotWaitForTheEnd(t *testing.T) {
	for _, c := range []struct {
		name, start string
		want        error
	}{
		{"request line", "GET /", ErrRequestLineTooLong},
		{"method", "", ErrRequestLineTooLong},
		{"field value", "GET / HTTP/1.1\r\nX: ", ErrHeadTooLarge},
		{"field name", "GET / HTTP/1.1\r\n", ErrHeadTooLarge},
		{"many fields", "GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 101), ErrTooManyFields},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := c.start + strings.Repeat("x", 20000)
			_, err := ParseRequest([]byte(in), new(Request), nil)
			equal(t, "error", err, c.want)
		})
	}
}

// TestStrictTarget: what RFC 3986 has no place for passes unless it must not, in path
// and query and nowhere else.
func TestStrictTarget(t *testing.T) {
	for _, c := range []struct {
		target, path, query string
		strict, want        error
	}{
		{"/[]\\^`{|}?[]\\^`{|}", "/[]\\^`{|}", "[]\\^`{|}", ErrTarget, nil},
		{"/?a[]=1", "/", "a[]=1", ErrTarget, nil},
		{"/?100%", "/", "100%", ErrEscape, nil},
		{"http://a/|?%zz", "/|", "%zz", ErrTarget, nil},
		{"http://[::1]/[?]", "/[", "]", ErrTarget, nil},
		{"http://a?%", "/", "%", ErrEscape, nil},
		{"/x", "/x", "<nil>", nil, nil},
		{"/100%", "", "", ErrEscape, ErrEscape},
		{"/\"", "", "", ErrTarget, ErrTarget},
		{"/<", "", "", ErrTarget, ErrTarget},
		{"/#", "", "", ErrTarget, ErrTarget},
		{"/\x80", "", "", ErrTarget, ErrTarget},
		{"http://a|b/", "", "", ErrTarget, ErrTarget},
		{"http://a%/", "", "", ErrTarget, ErrTarget},
	} {
		t.Run(c.target, func(t *testing.T) {
			in := []byte(head("GET "+c.target+" HTTP/1.1", "Host: a"))
			var r Request
			_, err := ParseRequest(in, &r, strict)
			equal(t, "strict", err, c.strict)
			r.Reset()
			_, err = ParseRequest(in, &r, nil)
			equal(t, "loose", err, c.want)
			if err == nil {
				equal(t, "path", orNil(r.Path()), c.path)
				equal(t, "query", orNil(r.Query()), c.query)
			}
			r.Reset()
			_, err = feed(in, pieces(1), func(b []byte) (int, error) { return ParseRequest(b, &r, nil) })
			equal(t, "loose, byte by byte", err, c.want)
		})
	}
}
