package http1_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/penstock-go/penstock/codec/http1"
)

func ExampleParseRequest() {
	in := []byte("GET /hello?name=you HTTP/1.1\r\nHost: example.org\r\n\r\n")

	var r http1.Request
	n, err := http1.ParseRequest(in[:20], &r, nil) // not all of it
	fmt.Println(n, err)

	n, err = http1.ParseRequest(in, &r, nil)
	fmt.Println(n, err)
	fmt.Printf("%s %s of %s, %v\n", r.Method(), r.Path(), r.Host(), r.Framing().Kind)
	// Output:
	// 0 <nil>
	// 51 <nil>
	// GET /hello of example.org, no body
}

func ExampleParseRequest_refused() {
	var r http1.Request
	_, err := http1.ParseRequest([]byte("GET / HTTP/1.1\r\nHost : example.org\r\n\r\n"), &r, nil)

	var wrong *http1.Error
	if errors.As(err, &wrong) {
		fmt.Printf("%q\n", http1.AppendStatusLine(nil, wrong.Status))
	}
	fmt.Println(err)
	// Output:
	// "HTTP/1.1 400 Bad Request\r\n"
	// http1: malformed field name
}

func ExampleParseResponse() {
	in := []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

	var r http1.Response
	n, err := http1.ParseResponse(in, &r, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	framing, err := r.Framing("GET")
	fmt.Println(r.Status(), framing.Kind, framing.Length, err)
	fmt.Printf("%s\n", in[n:])
	// Output:
	// 200 content length 5 <nil>
	// hello
}

func ExampleBody() {
	var b http1.Body
	b.Start(http1.Framing{Kind: http1.Chunked}, nil)

	in := []byte("5\r\nhello\r\n7\r\n, world\r\n0\r\nX-Sum: 12\r\n\r\nGET /next")
	for done := false; !done; {
		n, data, over, err := b.Next(in)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%q\n", data)
		in, done = in[n:], over
	}
	sum, _ := b.Trailer().Get("x-sum")
	fmt.Printf("sum %s, rest %q\n", sum, in)
	// Output:
	// "hello"
	// ", world"
	// sum 12, rest "GET /next"
}

func ExampleBody_EOF() {
	var b http1.Body
	b.Start(http1.Framing{Kind: http1.ContentLength, Length: 5}, nil)
	b.Next([]byte("hell"))
	fmt.Println(b.EOF())
	// Output: http1: connection closed inside a body
}

func ExampleNewError() {
	err := http1.NewError(413, "the album has 100 pictures already")
	fmt.Println(err.Status, http1.StatusText(err.Status), "-", err)
	// Output: 413 Content Too Large - http1: the album has 100 pictures already
}

func ExampleRequest_CopyTo() {
	in := []byte("GET /kept HTTP/1.1\r\nHost: example.org\r\n\r\n")
	var r, held http1.Request
	if _, err := http1.ParseRequest(in, &r, nil); err != nil {
		fmt.Println(err)
		return
	}
	r.CopyTo(&held)
	clear(in) // the buffer goes on to other uses
	fmt.Printf("%s %s\n", held.Path(), held.Host())
	// Output: /kept example.org
}

func ExampleHeader() {
	in := []byte("HTTP/1.1 200 OK\r\nVary: Accept\r\nVary: Cookie, Origin\r\n\r\n")
	var r http1.Response
	if _, err := http1.ParseResponse(in, &r, nil); err != nil {
		fmt.Println(err)
		return
	}
	h := r.Header()
	first, _ := h.Get("vary")
	fmt.Printf("%s, %d lines, origin %v\n", first, h.Count("Vary"), h.HasToken("Vary", "origin"))
	for value := range h.Values("vary") {
		fmt.Printf("%s\n", value)
	}
	// Output:
	// Accept, 2 lines, origin true
	// Accept
	// Cookie, Origin
}

func ExampleAppendStatusLine() {
	out := http1.AppendStatusLine(nil, 404)
	out = http1.AppendField(out, "Content-Type", "text/plain")
	out = http1.AppendContentLength(out, 5)
	out = http1.AppendEnd(out)
	out = append(out, "gone\n"...)
	fmt.Printf("%q\n", out)
	// Output: "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\ngone\n"
}

func ExampleAppendRequestLine() {
	out := http1.AppendRequestLine(nil, "GET", "/chat")
	out = http1.AppendField(out, "Host", "example.org")
	out = http1.AppendEnd(out)
	fmt.Printf("%q\n", out)
	// Output: "GET /chat HTTP/1.1\r\nHost: example.org\r\n\r\n"
}

func ExampleAppendChunk() {
	out := http1.AppendChunk(nil, []byte("hello"))
	out = http1.AppendLastChunk(out)
	fmt.Printf("%q\n", out)
	// Output: "5\r\nhello\r\n0\r\n\r\n"
}

func ExampleAppendTrailer() {
	out := http1.AppendChunk(nil, []byte("hello"))
	out = http1.AppendTrailer(out, http1.Field{Name: "X-Sum", Value: "5d41402a"})
	fmt.Printf("%q\n", out)
	// Output: "5\r\nhello\r\n0\r\nX-Sum: 5d41402a\r\n\r\n"
}

func ExampleAppendEvent() {
	b, err := http1.AppendEvent(nil, &http1.Event{ID: "42", Name: "quote", Data: "two\nlines", Retry: 3 * time.Second})
	b = http1.AppendEventComment(b, "still here")
	fmt.Print(string(b), err)
	// Output:
	// id: 42
	// event: quote
	// retry: 3000
	// data: two
	// data: lines
	//
	// : still here
	// <nil>
}

func ExampleAppendDate() {
	out := http1.AppendDate([]byte("Date: "), time.Unix(784111777, 0))
	fmt.Printf("%s\n", out)
	// Output: Date: Sun, 06 Nov 1994 08:49:37 GMT
}

func ExampleParseDate() {
	t, ok := http1.ParseDate("Sun, 06 Nov 1994 08:49:37 GMT")
	fmt.Println(t.Unix(), ok)
	// Output: 784111777 true
}

func ExampleQueryValue() {
	name, ok := http1.QueryValue([]byte("room=4&name=J%C3%B6rg+A."), "name")
	fmt.Println(name, ok)
	// Output: Jörg A. true
}

func ExampleUnescapePath() {
	path, err := http1.UnescapePath(nil, []byte("/two%20words"))
	fmt.Printf("%s %v\n", path, err)
	// Output: /two words <nil>
}

func ExampleCookie() {
	in := []byte("GET / HTTP/1.1\r\nHost: a\r\nCookie: theme=dark; session=8f14e45f\r\n\r\n")
	var r http1.Request
	if _, err := http1.ParseRequest(in, &r, nil); err != nil {
		fmt.Println(err)
		return
	}
	session, ok := http1.Cookie(r.Header(), "session")
	fmt.Printf("%s %v\n", session, ok)
	// Output: 8f14e45f true
}
