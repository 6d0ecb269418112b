package engine

import (
	"math"
	"runtime"
	"time"

	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/reactor"
)

// Limits bounds everything that a peer decides about. Zero means the default,
// and for sizes and times a negative value means no limit, except in HTTP, where
// it means the default.
type Limits struct {
	// Connections is how many sessions may be open, in all and without clients. One
	// more is closed, on an HTTP listener without TLS with a 503. Default: the limit
	// of descriptors of the process, less 64 for what else it opens, FileWorkers, and the
	// OpenFiles of its mounts; half of the limit at least.
	Connections int
	// ConnectionsPerIP is the same for one remote address (IPv4) or network of 64 bits
	// (IPv6). Connections by a unix socket do not count, and those that come through a
	// proxy are the proxy's. Default: no limit.
	ConnectionsPerIP int
	// WebSocketsPerIP is how many WebSockets one such address or network may have on
	// this server, from the request to the end of the connection. One more is refused
	// with 429 and a Retry-After, before the program is asked. Default: no limit.
	WebSocketsPerIP int

	// HTTP bounds heads, chunk framing and trailers: 414, 431, 400.
	HTTP http1.Limits
	// Body is the longest request body in bytes; 413. Default 64 MiB.
	Body int64
	// Pipelined is how many requests of one connection are served in one turn of its
	// loop if they have come together. The others wait until the other connections
	// have had their turn. Default 256: one connection keeps the others waiting for
	// about 0.1 ms, and for what the program needs.
	Pipelined int

	// Message is the longest WebSocket message in bytes; 1009. Default 16 MiB. A
	// Protocol may have its own.
	Message int64
	// Frame is the longest WebSocket frame in bytes; 1009. Default: Message.
	Frame int64
	// RawMessage is how many bytes of an incomplete message a Codec may leave; the
	// session is closed. Default 1 MiB.
	RawMessage int

	// SendQueue is how many bytes may wait to be sent on one connection;
	// callbacks.ErrSendQueueFull. With TLS a write counts with what its records are
	// longer, 85 bytes for each begun 16 KiB at most, before anything of it is
	// sealed. Default 16 MiB.
	SendQueue int
	// SendHigh is the queue from which on the engine stops reading from the
	// connection, so that a peer which does not read cannot make it grow by
	// asking for more. Default 256 KiB.
	SendHigh int
	// SendLow is the queue at which reading goes on and a Writeable callback that
	// was asked for comes. Default SendHigh/4.
	SendLow int

	// Topics is how many topics one WebSocket may subscribe to; callbacks.ErrTopics.
	// Default 1024.
	Topics int

	// Inflated is how long the body of a response may become that a client decompresses
	// (ClientConnectInfo.Gzip). It comes in pieces, so this is not about memory. Default
	// 1 GiB.
	Inflated int64
	// OriginConnections is how many connections HTTP clients may have to one origin,
	// which is a server as the ClientConnectInfo says it, with its proxy and its TLS.
	// Further clients wait until one is free. Default: no limit.
	OriginConnections int
	// OriginIdle is how many connections to one origin may wait for their next request;
	// one more is closed. Default 64.
	OriginIdle int
	// ClientIdle is the same for all origins. Default 512.
	ClientIdle int

	// Workers is how many goroutines may run what blocks: handlers of net/http, Session.Go.
	// They are there only while there is work. Default 1024.
	Workers int
	// FileWorkers is the same for files, which are opened and read beside the loops. They
	// have goroutines of their own, so that handlers which wait for something keep no file
	// back. Default 32, and twice GOMAXPROCS at least; more if the files come from far.
	FileWorkers int
	// WorkQueue is how much work may wait for one of Workers, and how many requests that
	// have not begun for one of FileWorkers: a request for which there is no room is
	// answered with 503, Session.Go with callbacks.ErrBusy. Default 16 x Workers.
	WorkQueue int
	// QueueTimeout is how long a request may wait there for its http.Handler: one that a
	// worker takes up later is answered with 503, so that those who have given up are not
	// served in the place of those who still wait. Default 10 s.
	QueueTimeout time.Duration

	// HeaderTimeout is how long a request's head may take from the connection or
	// its first byte; 408. Default 15 s.
	HeaderTimeout time.Duration
	// BodyTimeout is the longest pause inside a request's body; 408. Default 20 s.
	BodyTimeout time.Duration
	// BodyRate is how many bytes of a request's body must come in a second, over all
	// of its time and late by BodyTimeout at most; 408. Framing does not count, nor
	// does time in which this side does not read. Default 100, so that a byte now and
	// then does not keep a connection for ever.
	BodyRate int64
	// RequestTimeout is how long a request may take from its first byte to the last of
	// its body, but for the time in which this side does not read; 408. A client's wait
	// for 100 (Continue) counts. Default: no limit.
	RequestTimeout time.Duration
	// IdleTimeout is how long an HTTP connection may wait for its next request.
	// Default 60 s.
	IdleTimeout time.Duration
	// ClientIdleTimeout is how long an HTTP client's connection waits for its next
	// request. Default 50 s: some servers close after a minute, and a request should not
	// meet that.
	ClientIdleTimeout time.Duration
	// ConnectTimeout is how long a client may take to be connected. Default 20 s.
	ConnectTimeout time.Duration
	// HandshakeTimeout is how long a server may take to answer a client's upgrade.
	// Default 15 s.
	HandshakeTimeout time.Duration
	// ResponseTimeout is how long a server may take from the last byte of a client's
	// request to the last of the response's head; ErrResponseTimeout. Default 60 s.
	ResponseTimeout time.Duration
	// ResponseBodyTimeout is the longest pause inside a response's body;
	// ErrResponseBodyTimeout. A program that waits for events has none. Default 60 s.
	ResponseBodyTimeout time.Duration
	// TLSHandshakeTimeout is how long the peer may take for the TLS handshake; the
	// connection is reset. Time that this side needs does not count, and waiting for
	// room counts by itself: it may take six times as long. Default 10 s.
	TLSHandshakeTimeout time.Duration
	// TLSHandshakes is how many servers' TLS handshakes may have begun and not ended,
	// each of which holds about 25 KB. One more waits for room with what its client
	// has sent, address after address in turn. Default 1024.
	TLSHandshakes int
	// TLSHandshakesPerIP is the same for one remote address (IPv4) or network of 64
	// bits (IPv6). Default TLSHandshakes/4.
	TLSHandshakesPerIP int
	// TLSHandshakeSteps is how many goroutines work at handshakes at once: private-key
	// operations, certificate verification, the callbacks of a tls.Config. Others
	// wait. Default GOMAXPROCS less one, and one at least, so that a flood of
	// handshakes leaves the loops a processor; more if keys are remote and slow. It
	// cannot be without limit.
	TLSHandshakeSteps int
	// ControlFrames is how many pings and pongs one peer may send in a second, taken over
	// ten seconds; 1008. The engine answers them without the program's doing, so that
	// cannot limit them as it can messages. Default 1000, which costs a loop a few
	// milliseconds a second at most, while an honest peer sends one now and then.
	ControlFrames int
	// CloseTimeout is how long the other side may take to answer a close frame once
	// that has been sent, and a server to close after that. Default 5 s.
	CloseTimeout time.Duration
	// PingInterval is the silence after which a WebSocket is sent a ping; see
	// Protocol.PingInterval. Default 30 s.
	PingInterval time.Duration
	// HangupTimeout is the silence after which it is given up; 1006 for the
	// program. Default 10 s more than PingInterval.
	HangupTimeout time.Duration
	// StallTimeout ends a connection that is closing, or whose queue is over
	// SendHigh, when its peer reads nothing for so long. Default 30 s.
	StallTimeout time.Duration
	// DrainTimeout is how long Run waits for sessions to end when its context does.
	// Default 10 s.
	DrainTimeout time.Duration
}

// connectionsWithin is the default of Connections where files may take so many of the
// descriptors that there are.
func connectionsWithin(descriptors, files int) int {
	return max(descriptors-64-min(files, descriptors), descriptors/2)
}

const (
	noLimit     = int64(1) << 62
	noTimeLimit = time.Duration(1) << 62
)

// withDefaults returns l with every zero and negative field settled.
func (l Limits) withDefaults() Limits {
	size(&l.Body, 64<<20)
	length(&l.Pipelined, 256)
	size(&l.Message, ws.DefaultMessageLimit)
	size(&l.Frame, l.Message)
	length(&l.RawMessage, 1<<20)
	length(&l.SendQueue, 16<<20)
	length(&l.SendHigh, 256<<10)
	length(&l.Topics, 1024)
	size(&l.Inflated, 1<<30)
	length(&l.OriginConnections, math.MaxInt)
	length(&l.OriginIdle, 64)
	length(&l.ClientIdle, 512)
	length(&l.Workers, 1024)
	length(&l.FileWorkers, max(32, 2*runtime.GOMAXPROCS(0)))
	length(&l.WorkQueue, 16*min(l.Workers, 1<<20))
	duration(&l.QueueTimeout, 10*time.Second)
	duration(&l.HeaderTimeout, 15*time.Second)
	duration(&l.BodyTimeout, 20*time.Second)
	size(&l.BodyRate, 100)
	duration(&l.RequestTimeout, noTimeLimit)
	duration(&l.IdleTimeout, 60*time.Second)
	duration(&l.ClientIdleTimeout, 50*time.Second)
	duration(&l.ConnectTimeout, 20*time.Second)
	duration(&l.HandshakeTimeout, 15*time.Second)
	duration(&l.ResponseTimeout, 60*time.Second)
	duration(&l.ResponseBodyTimeout, 60*time.Second)
	duration(&l.TLSHandshakeTimeout, 10*time.Second)
	length(&l.TLSHandshakes, 1024)
	length(&l.TLSHandshakesPerIP, max(l.TLSHandshakes/4, 1))
	if l.TLSHandshakeSteps <= 0 {
		l.TLSHandshakeSteps = max(runtime.GOMAXPROCS(0)-1, 1)
	}
	length(&l.ControlFrames, 1000)
	duration(&l.CloseTimeout, 5*time.Second)
	duration(&l.PingInterval, 30*time.Second)
	duration(&l.HangupTimeout, min(l.PingInterval, noTimeLimit-time.Minute)+10*time.Second)
	duration(&l.StallTimeout, 30*time.Second)
	duration(&l.DrainTimeout, 10*time.Second)
	return l
}

func length(v *int, def int) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		*v = math.MaxInt
	}
}

func size(v *int64, def int64) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		*v = noLimit
	}
}

func duration(v *time.Duration, def time.Duration) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0 || *v > noTimeLimit:
		*v = noTimeLimit
	}
}

// write returns the part that the reactor keeps.
func (l *Limits) write() reactor.WriteLimits {
	return reactor.WriteLimits{High: l.SendHigh, Low: l.SendLow, Hard: l.SendQueue, Stall: l.StallTimeout}.WithDefaults()
}
