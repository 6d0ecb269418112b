package http1

import "testing"

// TestRequestFraming walks the steps of RFC 9112 6.3 for requests. What the steps
// refuse is in badRequests.
func TestRequestFraming(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Framing
		empty    bool
	}{
		{"step 4: chunked", get("Transfer-Encoding: chunked"), Framing{Kind: Chunked}, false},
		{"step 6: length", get("Content-Length: 42"), Framing{ContentLength, 42}, false},
		{"step 6: length 0", get("Content-Length: 0"), Framing{ContentLength, 0}, true},
		{"step 6: length in 1.0", head("POST / HTTP/1.0", "Content-Length: 7"), Framing{ContentLength, 7}, false},
		{"step 7: none", get(), Framing{}, true},
		{"step 7: none for POST either", head("POST / HTTP/1.1", "Host: a"), Framing{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := parse(t, c.in).Framing()
			equal(t, "framing", got, c.want)
			equal(t, "empty", got.Empty(), c.empty)
		})
	}
}

// TestResponseFraming walks the steps of RFC 9112 6.3 for responses.
func TestResponseFraming(t *testing.T) {
	status := func(line string) string { return head(line, "Content-Length: 5") }
	chunked := func(line string) string { return head(line, "Transfer-Encoding: chunked") }
	for _, c := range []struct {
		name, method, in string
		want             Framing
		err              error
	}{
		{"step 1: HEAD with length", "HEAD", ok200("Content-Length: 5"), Framing{}, nil},
		{"step 1: HEAD with chunked", "HEAD", chunked("HTTP/1.1 200 OK"), Framing{}, nil},
		{"step 1: HEAD with unknown coding", "HEAD", ok200("Transfer-Encoding: gzip"), Framing{}, nil},
		{"step 1: method in lower case is another", "head", ok200("Content-Length: 5"), Framing{ContentLength, 5}, nil},
		{"step 1: 100", "POST", status("HTTP/1.1 100 Continue"), Framing{}, nil},
		{"step 1: 101", "GET", chunked("HTTP/1.1 101 S"), Framing{}, nil},
		{"step 1: 204", "GET", status("HTTP/1.1 204 No Content"), Framing{}, nil},
		{"step 1: 304", "GET", status("HTTP/1.1 304 Not Modified"), Framing{}, nil},
		{"step 1: 205 is not among them", "GET", status("HTTP/1.1 205 R"), Framing{ContentLength, 5}, nil},
		{"step 2: CONNECT 200", "CONNECT", ok200("Content-Length: 5"), Framing{}, nil},
		{"step 2: CONNECT 299", "CONNECT", chunked("HTTP/1.1 299 x"), Framing{}, nil},
		{"step 2: CONNECT 407 has a body", "CONNECT", status("HTTP/1.1 407 P"), Framing{ContentLength, 5}, nil},
		{"step 4: chunked", "GET", chunked("HTTP/1.1 200 OK"), Framing{Kind: Chunked}, nil},
		{"step 4: unknown coding", "GET", ok200("Transfer-Encoding: gzip"), Framing{}, ErrCoding},
		{"step 4: unknown coding under chunked", "GET", ok200("Transfer-Encoding: gzip, chunked"), Framing{}, ErrCoding},
		{"step 6: length", "GET", ok200("Content-Length: 5"), Framing{ContentLength, 5}, nil},
		{"step 8: until close", "GET", ok200(), Framing{Kind: UntilClose}, nil},
		{"step 8: until close in 1.0", "GET", head("HTTP/1.0 200 OK"), Framing{Kind: UntilClose}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseResponse(t, c.in).Framing(c.method)
			equal(t, "framing", got, c.want)
			equal(t, "error", err, c.err)
		})
	}
}

// TestResponseFramingRefusesConflicts: the checker stands alone too, without the
// parser that never lets these through.
func TestResponseFramingRefusesConflicts(t *testing.T) {
	both := lengths{hasLength: true, length: 5, coding: codingChunked}
	_, err := both.responseFraming("GET", 200, 1)
	equal(t, "step 3", err, error(ErrTwoLengths))
	_, err = (&lengths{coding: codingChunked}).responseFraming("GET", 200, 0)
	equal(t, "coding in 1.0", err, error(ErrTransferEncoding))
}

func TestFramingKindNames(t *testing.T) {
	for kind, want := range map[FramingKind]string{
		NoBody: "no body", ContentLength: "content length", Chunked: "chunked", UntilClose: "until close",
		UntilClose + 1: "unknown framing",
	} {
		equal(t, "name", kind.String(), want)
	}
}
