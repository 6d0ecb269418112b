package engine

import (
	"io"
	"net/http"
)

// requestBody is the Request.Body of a handling.
type requestBody handling

// Read returns what has come of the body, or waits. The first call lets a client go on
// that waits for 100 (Continue).
func (b *requestBody) Read(p []byte) (int, error) {
	x := (*handling)(b)
	if x.awaited {
		x.awaited = false
		if x.reply.expected.Swap(false) {
			x.want(wantBody)
		} else {
			x.want(wantDue)
		}
	}
	n, err := x.read(p)
	if err == io.EOF && x.trailer != nil {
		x.mergeTrailer()
	}
	return n, err
}

// mergeTrailer fills Request.Trailer when the body has been read to its end.
func (x *handling) mergeTrailer() {
	if x.req.Trailer == nil {
		x.req.Trailer = make(http.Header, len(x.trailer))
	}
	for name, v := range x.trailer {
		x.req.Trailer[name] = v
	}
	x.trailer = nil
}

// Close gives the rest of the body up.
func (b *requestBody) Close() error {
	(*handling)(b).stopReading(http.ErrBodyReadAfterClose)
	return nil
}
