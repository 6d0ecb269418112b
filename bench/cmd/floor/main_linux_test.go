package main

import "testing"

// TestRequestsInPieces: a head that is cut anywhere counts once.
func TestRequestsInPieces(t *testing.T) {
	const stream = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n"
	for cut := range len(stream) {
		f := new(floor)
		n := f.requests(5, []byte(stream[:cut])) + f.requests(5, []byte(stream[cut:]))
		if n != 2 {
			t.Errorf("cut at %d: %d requests, want 2", cut, n)
		}
	}
}
