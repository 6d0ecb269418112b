package engine

import (
	"errors"
	"fmt"
	"os"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/proxy"
	"github.com/penstock-go/penstock/reactor"
)

// HandshakeError says that a server did not open a WebSocket. Its response is
// Session.Response for as long as ClientConnectionError or ClientRetrying lasts.
type HandshakeError struct {
	// Status is the response's, 0 if there was no good one.
	Status int
	// Text says what was wrong.
	Text string
	// Body is what the response's body began with, 1 KiB at most, without its chunks:
	// what had come by the end of Limits.HandshakeTimeout.
	Body []byte
	// Err is what was wrong with the response, if it had to be refused by its form.
	Err error
}

// Error tells all but the body.
func (h *HandshakeError) Error() string {
	return describe("engine: handshake", h.Status, h.Text, h.Err)
}

// Unwrap returns Err.
func (h *HandshakeError) Unwrap() error { return h.Err }

// ResponseError says that an HTTP client's server gave no response that can be used: it
// is malformed, cut short, goes on for too long, or there was none. A gateway answers
// 502 (bad gateway) for it.
type ResponseError struct {
	// Status is the response's, 0 if it did not get so far.
	Status int
	// Text says what was wrong.
	Text string
	// Err is the cause: an *http1.Error if it is the form, io.ErrUnexpectedEOF if the
	// connection ended too early.
	Err error
}

// Error tells all of it.
func (r *ResponseError) Error() string { return describe("engine: response", r.Status, r.Text, r.Err) }

// Unwrap returns Err.
func (r *ResponseError) Unwrap() error { return r.Err }

// The times that an HTTP client's server, or all of a transaction, may take. All of
// them are os.ErrDeadlineExceeded, and have Timeout as a net.Error has.
var (
	// ErrResponseTimeout is a breach of Limits.ResponseTimeout.
	ErrResponseTimeout error = &timeoutError{"engine: the server did not answer the request"}
	// ErrResponseBodyTimeout is a breach of Limits.ResponseBodyTimeout.
	ErrResponseBodyTimeout error = &timeoutError{"engine: the response's body has stopped"}
	// ErrTimeout is a breach of ClientConnectInfo.Timeout.
	ErrTimeout error = &timeoutError{"engine: the transaction took too long"}
)

type timeoutError struct{ text string }

func (e *timeoutError) Error() string        { return e.text }
func (e *timeoutError) Timeout() bool        { return true }
func (e *timeoutError) Temporary() bool      { return true }
func (e *timeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// ProxyError says that ClientConnectInfo.Proxy was no way to the server.
type ProxyError struct {
	// Status is that of the response to CONNECT, 0 if there was no good one, or with
	// SOCKS5.
	Status int
	// Reply is the code of SOCKS5's answer (RFC 1928 6), 0 if there was none.
	Reply int
	// Text says what was wrong.
	Text string
	// Body is what the response's body began with, as in HandshakeError.
	Body []byte
	// Err is the cause: why the proxy could not be reached, or was not understood.
	Err error
}

// Error tells all but the body.
func (p *ProxyError) Error() string { return describe("engine: proxy", p.Status, p.Text, p.Err) }

// Unwrap returns Err.
func (p *ProxyError) Unwrap() error { return p.Err }

func describe(what string, status int, text string, err error) string {
	if status != 0 {
		what += fmt.Sprintf(": status %d", status)
	}
	if text != "" {
		what += ": " + text
	}
	if err != nil {
		what += ": " + err.Error()
	}
	return what
}

// lasting tells whether another attempt would come to the same end: because this
// side is wrong, or is not wanted. What a network or a server does may be otherwise
// the next time.
func lasting(err error) bool {
	var h *HandshakeError
	var p *ProxyError
	var r proxy.Reply
	var panicked *PanicError
	switch {
	case errors.Is(err, callbacks.ErrSendQueueFull), errors.Is(err, reactor.ErrStopped):
		return true
	case errors.As(err, &h):
		return lastingStatus(h.Status)
	case errors.As(err, &r):
		return r == proxy.ReplyNotAllowed || r == proxy.ReplyCommand || r == proxy.ReplyAddressType
	case errors.As(err, &p):
		return lastingStatus(p.Status) || errors.Is(err, proxy.ErrMethod) || errors.Is(err, proxy.ErrPassword)
	}
	return errors.As(err, &panicked) // of a tls.Config's
}

// lastingStatus tells the same by a response. 3xx is a redirect that is not
// followed, and of 4xx three ask to try again: 408, 425 and 429.
func lastingStatus(status int) bool {
	switch status {
	case 408, 425, 429:
		return false
	}
	return status >= 300 && status < 500
}
