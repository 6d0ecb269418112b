package callbackstest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"net/netip"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// Write is a Session.Write that a callback made.
type Write struct {
	// Data is a copy.
	Data string
	// Kind is as it was given.
	Kind callbacks.Kind
}

// Response is an answer that a callback gave by Respond or StartResponse.
type Response struct {
	// Status and ContentType are as they were given.
	Status      int
	ContentType string
	// Body is Respond's; what follows StartResponse is in Session.Writes.
	Body string
	// Length is that of the body, as it was promised.
	Length int64
}

// Session is a callbacks.Session without a connection. Its fields are what the
// callback will find and what it did; a test may read and set them between
// calls. It is for one goroutine.
type Session struct {
	// Bound is the protocol; its Callback is what Call calls.
	Bound callbacks.Protocol
	// IsClient is what Client returns.
	IsClient bool
	// Remote is the peer's address.
	Remote netip.AddrPort
	// Secure is what TLS returns; nil is a session without.
	Secure *tls.ConnectionState
	// CertPool is what VerifyCerts returns.
	CertPool *x509.CertPool
	// Data is the UserData.
	Data any
	// Receiving is what Kind returns; NoFin and WriteContinuation make the other
	// fragment calls answer accordingly.
	Receiving callbacks.Kind
	// Remaining is what RemainingPacketPayload returns.
	Remaining uint64
	// QueueMost is the send queue's limit in bytes; 0 is none. Writes count until
	// a test takes them away.
	QueueMost int

	// RoundTrip, Extension and Options are what RTT, Extensions and Deflate return.
	RoundTrip time.Duration
	Extension string
	Options   *deflate.Config

	// Writes are the writes that were taken, messages of WriteMessage too.
	Writes []Write
	// Topics are the topics subscribed to, in their order.
	Topics []string
	// Published is what was published.
	Published []Published
	// Ping and Hangup are those of SetLiveness.
	Ping, Hangup time.Duration
	// Subprotocol is that of SelectProtocol.
	Subprotocol string
	// Responses are the answers; more than one cannot be.
	Responses []Response
	// Header are the fields that were added, Trailers those of AddTrailer.
	Header, Trailers []http1.Field
	// Served are the files of ServeFile; more than one cannot be.
	Served []Served
	// Interims are the statuses of Interim.
	Interims []int
	// Received is what Trailer returns.
	Received *http1.Header
	// Timer is the last SetTimer; negative if there is none.
	Timer time.Duration
	// WantsWriteable, Paused and Held say what was asked for.
	WantsWriteable, Paused, Held bool
	// Code and Reason are those of Close.
	Code   ws.StatusCode
	Reason string
	// Closing says that Close was called.
	Closing bool
	// Ended is what Err returns.
	Ended error

	request *http1.Request
}

var _ callbacks.Session = (*Session)(nil)

// Served is a file that a callback answered with.
type Served struct {
	// FS and Name are as they were given.
	FS   fs.FS
	Name string
}

// Published is a message that a callback published.
type Published struct {
	// Topic and Message are as they were given.
	Topic   string
	Message *callbacks.Message
	// ToOthers says that it was by PublishToOthers.
	ToOthers bool
}

// NewSession returns a Session of p, from 192.0.2.1:1024.
func NewSession(p callbacks.Protocol) *Session {
	return &Session{Bound: p, Timer: -1, Remote: netip.MustParseAddrPort("192.0.2.1:1024")}
}

// Call raises a reason and returns what the callback returned.
func (s *Session) Call(r callbacks.Reason, in []byte) error { return s.Bound.Callback(s, r, in) }

// SetRequest makes Request return the request that head begins with, which ends
// with an empty line. It panics if head is malformed: that is the test's fault.
func (s *Session) SetRequest(head string) {
	q := new(http1.Request)
	n, err := http1.ParseRequest([]byte(head), q, nil)
	if n == 0 || err != nil {
		panic(fmt.Sprintf("callbackstest: no request head: %q: %v", head, err))
	}
	s.request = q
}

// Buffered returns the length of all Writes.
func (s *Session) Buffered() (n int) {
	for _, w := range s.Writes {
		n += len(w.Data)
	}
	return n
}

// Write notes the write, or refuses it as a closed session or a full queue does.
func (s *Session) Write(p []byte, kind callbacks.Kind) error {
	_, err := s.Send(p, kind)
	return err
}

// Respond notes an answer, or refuses a second one.
func (s *Session) Respond(status int, contentType string, body []byte) error {
	return s.answer(Response{status, contentType, string(body), int64(len(body))})
}

// StartResponse notes an answer whose body follows as Writes.
func (s *Session) StartResponse(status int, contentType string, length int64) error {
	return s.answer(Response{status, contentType, "", length})
}

func (s *Session) answer(r Response) error {
	if len(s.Responses) > 0 {
		return callbacks.ErrAnswered
	}
	s.Responses = append(s.Responses, r)
	return nil
}

// ServeFile notes the file, whether there is one or not.
func (s *Session) ServeFile(fsys fs.FS, name string) error {
	switch {
	case len(s.Responses) > 0 || len(s.Served) > 0:
		return callbacks.ErrAnswered
	case !fs.ValidPath(name):
		return &fs.PathError{Op: "serve", Path: name, Err: fs.ErrInvalid}
	}
	s.Served = append(s.Served, Served{fsys, name})
	return nil
}

// Answered tells whether there is a response, or Hold was called.
func (s *Session) Answered() bool {
	return len(s.Responses) > 0 || len(s.Served) > 0 || s.Held || s.wroteHTTP()
}

func (s *Session) wroteHTTP() bool {
	for _, w := range s.Writes {
		if w.Kind == callbacks.WriteHTTP || w.Kind == callbacks.WriteHTTPFinal {
			return true
		}
	}
	return false
}

// AddHeader notes a field, or refuses a malformed one.
func (s *Session) AddHeader(name, value string) error {
	if !http1.ValidName(name) || !http1.ValidValue(value) {
		return callbacks.ErrHeader
	}
	s.Header = append(s.Header, http1.Field{Name: name, Value: value})
	return nil
}

// AddTrailer notes the field, or refuses one that has no place in a trailer.
func (s *Session) AddTrailer(name, value string) error {
	if !http1.ValidTrailer(name) || !http1.ValidValue(value) {
		return callbacks.ErrHeader
	}
	s.Trailers = append(s.Trailers, http1.Field{Name: name, Value: value})
	return nil
}

// Trailer returns Received.
func (s *Session) Trailer() *http1.Header { return s.Received }

// Interim notes the status, or refuses what comes behind an answer.
func (s *Session) Interim(status int, _ ...http1.Field) error {
	if len(s.Responses) > 0 {
		return callbacks.ErrAnswered
	}
	s.Interims = append(s.Interims, status)
	return nil
}

// Go runs work, and then done, before it returns. What done returns is lost.
func (s *Session) Go(work func(), done func(callbacks.Session) error) error {
	work()
	if done != nil {
		_ = done(s)
	}
	return nil
}

// Close notes code and reason.
func (s *Session) Close(code ws.StatusCode, reason string) error {
	if s.Closing {
		return callbacks.ErrClosed
	}
	s.Closing, s.Code, s.Reason = true, code, reason
	return nil
}
