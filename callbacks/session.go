package callbacks

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"net"
	"time"

	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// Session is one HTTP or raw connection, or one WebSocket, server or client;
// libwebsockets calls it a wsi. The engine implements it, and it may grow.
//
// All of it belongs to the session's loop: inside callbacks call what you like,
// from other goroutines use Handle. A call that the session's role does not have
// returns ErrRole or a zero value.
type Session interface {
	// ID is unique in its Engine.
	ID() uint64
	// Handle returns what other goroutines may use. While an HTTP request is in
	// hand it is that request's: when it is over, the Handle does nothing more.
	Handle() Handle
	// Protocol is the protocol the session is bound to, or the vhost's first one
	// while it is bound to none. It must not be changed.
	Protocol() *Protocol
	// Vhost is the name of the session's vhost.
	Vhost() string
	// Client tells whether this end has connected.
	Client() bool
	// RemoteAddr is the peer's address, nil before a client has connected.
	RemoteAddr() net.Addr
	// LocalAddr is this end's address, nil when there is no socket (any more).
	LocalAddr() net.Addr
	// PeerSimple is the peer's IP address as text, "" on a unix socket.
	PeerSimple() string

	// TLS describes the session's TLS: version, ALPN, SNI, the peer's certificates. It
	// is nil without TLS and before the handshake has anything to tell: that is in
	// OpenSSLPerformClientCertVerification and OpenSSLPerformServerCertVerification,
	// and from its end on. The value is the caller's; making it allocates.
	TLS() *tls.ConnectionState
	// VerifyCerts is the pool of CAs that OpenSSLLoadExtraClientVerifyCerts and
	// OpenSSLLoadExtraServerVerifyCerts may add to; nil in other callbacks.
	VerifyCerts() *x509.CertPool

	// UserData is what SetUserData was given: the program's state of this
	// session. WithState gives it a type.
	UserData() any
	// SetUserData replaces it. It is kept until the session ends.
	SetUserData(v any)

	// Write sends p, or queues what the socket does not take, and may be called
	// in every callback any number of times; what one callback writes leaves in
	// one system call. p stays the caller's, may be in, and is not changed. After
	// an error nothing of p was sent, but for the part of a raw response that is as long
	// as its head has said. The error is one of this package's, a Codec's, or an
	// *http1.Error for a raw response that is none: bytes by WriteHTTP, without
	// StartResponse before them, must begin with a status line.
	Write(p []byte, kind Kind) error
	// Send is Write that tells more: whether what was sent is on its way or waits, or
	// was dropped by Protocol.Overflow, which to Write is no error. Sent and Queued come
	// with no error, Refused with one, Dropped with none.
	Send(p []byte, kind Kind) (Outcome, error)
	// WriteMessage is Send of a message that was prepared, and perhaps compressed, once
	// for many sessions. ErrKind if m is none that can be sent.
	WriteMessage(m *Message) (Outcome, error)
	// Go runs work on one of the engine's workers, a goroutine on which it may block, and
	// then done on the session's loop; done may be nil. An error of done has the effect
	// of one from a callback, a panic of work too. If the session ends meanwhile, or the
	// request that was in hand, done is not called. Whoever answers a request in done
	// says Hold. ErrBusy if there is no room for it (the engine's Limits.Workers and
	// WorkQueue).
	Go(work func(), done func(s Session) error) error
	// RequestWriteable asks for one ServerWriteable, ClientWriteable,
	// HTTPWriteable or RawWriteable when the send queue is short enough to take
	// more. Asking again before it comes changes nothing.
	RequestWriteable()
	// Buffered returns how many bytes have been written and not taken by the socket.
	// What was published to the session and waits counts, as long as it is before
	// compression.
	Buffered() int
	// PauseReading leaves arriving bytes in the kernel: TCP holds the peer back. A
	// peer that goes meanwhile is noticed only when reading goes on. What a piece of
	// a compressed message has inflated to is still delivered (Protocol.RxBufferSize).
	// It does nothing before a client is established.
	PauseReading()
	// ResumeReading undoes it.
	ResumeReading()
	// SetTimer asks for one Timer callback after d; a new call replaces the old,
	// and a negative d takes it back. The granularity is about 4 ms. It is the
	// session's: one that bounds how long a request is held is to be taken back when that
	// is answered, or it finds the next one.
	SetTimer(d time.Duration)
	// Close begins to close the session, once what was written is delivered. A
	// WebSocket sends code and reason and waits for the peer's answer; 0 sends
	// neither. A reason is cut to 123 bytes, in front of a character, and where it is
	// no UTF-8. The error is ErrClosed if it is closing already, or a *ws.CloseError
	// for a code that must not be sent (1004, 1005, 1006, 1015 and what is not
	// assigned), with which nothing happens. During a handshake there is no close
	// frame: the connection is closed.
	Close(code ws.StatusCode, reason string) error
	// CloseStatus returns the code and reason that ended a WebSocket: those of the
	// peer's close frame, be it first or an answer (RFC 6455 7.1.5), ours if we
	// closed without waiting for one, because it had broken the protocol or a limit;
	// 1005 if there was no code in the frame, 1006 if there was no frame. 0 while it is
	// open.
	CloseStatus() (code ws.StatusCode, reason string)
	// Err is why the session ended, or why a client could not connect; nil while the
	// session goes on, and after a normal end, which the closing handshake of a
	// WebSocket is whatever its code. A connection that ended without one is
	// io.ErrUnexpectedEOF, if it was not an error of its own.
	Err() error

	// SetLiveness replaces Protocol.PingInterval and HangupTimeout for this WebSocket,
	// from Established on; 0 leaves one as it is, a negative value is none. The silence
	// so far counts. It does nothing to another session.
	SetLiveness(ping, hangup time.Duration)
	// RTT is how long the peer took to answer the last of the engine's pings, which
	// come when it is silent for PingInterval; 0 before there was one. What was waiting
	// to be sent went first and is part of it, as is what the loop was busy with. If
	// several pings went unanswered, it is the time since the first.
	RTT() time.Duration
	// Extensions is what was agreed on in Sec-WebSocket-Extensions, as in the server's
	// response; "" if nothing was.
	Extensions() string
	// Deflate is, in WSExtDefaults only, what is about to be offered: a copy of
	// Protocol.Deflate that is this session's to change. nil otherwise.
	Deflate() *deflate.Config

	// Subscribe makes a WebSocket, server or client, receive what is published to a
	// topic, until Unsubscribe or its end; Established is the first time for it.
	// Subscribing twice is subscribing once. The topic is the name as it is: there are
	// no wildcards, which every publication would pay for; subscribe to each topic, or
	// publish to several. ErrTopic if the name cannot be one, ErrTopics beyond the
	// engine's Limits.Topics, ErrRole if it is no WebSocket, ErrClosed if it is closing.
	Subscribe(topic string) error
	// Unsubscribe undoes it, if there is anything to undo. What was published before is
	// still sent. The errors are those of Subscribe.
	Unsubscribe(topic string) error
	// Publish sends m to every subscriber of topic in the engine, itself included if
	// it is one, by way of Config.Broker. Every session may: one that speaks HTTP, and
	// one that hears of its Closed. m is encoded once. All subscribers of a topic get
	// what is published to it in one order, which is that of the calls for those of one
	// session, also across topics. It leaves in the loop's next turn, with whatever else
	// was published by then: what is written meanwhile may be in front of it, unless
	// Config.Loops is 1. A subscriber that is in the middle of
	// a message sent in pieces gets it behind that. One that has no room for it is
	// treated by its Protocol.Overflow and holds up nobody. ErrTopic if there can be no
	// such topic, ErrKind if m is no whole text or binary message, and the engine's
	// ErrClosed outside of its Run.
	Publish(topic string, m *Message) error
	// PublishToOthers is Publish to every subscriber but this session.
	PublishToOthers(topic string, m *Message) error

	// Kind is that of the message being received: WriteText or WriteBinary. For a
	// piece of a message it is what sends just that piece on: with NoFin if more
	// follow, and WriteContinuation if it is not the first.
	Kind() Kind
	// IsFirstFragment tells whether in begins a message.
	IsFirstFragment() bool
	// IsFinalFragment tells whether in ends a message.
	IsFinalFragment() bool
	// RemainingPacketPayload returns how many bytes of the frame in hand have not
	// been delivered yet.
	RemainingPacketPayload() uint64

	// Request is the head of the request being answered, or of the handshake; see
	// Protocol.RetainHead. nil when there is none. It is valid until the
	// transaction ends, also across callbacks.
	Request() *http1.Request
	// Response is a client's view of the server's answer, in ClientFilterPreEstablish,
	// ClientEstablished, ClientHTTPRedirect, ClientRetrying and ClientConnectionError, if
	// there was one; nil otherwise. An HTTP client has it from EstablishedClientHTTP on for
	// as long as the session lasts.
	Response() *http1.Response
	// SelectProtocol chooses the subprotocol, in HTTPConfirmUpgrade or while that is
	// held: one that the client has offered and the vhost has, or "" for none. Without
	// it the client's order decides. ErrProtocol if it is another one, ErrRole at
	// another time.
	SelectProtocol(name string) error
	// AddHeader adds a field to the response that is about to be sent, or in
	// AddHeaders to the 101, or in ClientAppendHandshakeHeader to the request.
	// ErrHeader refuses malformed ones and those that the engine writes.
	AddHeader(name, value string) error
	// AddTrailer adds a field behind the body of a response that is chunked, any time
	// before WriteHTTPFinal; behind another it is not sent (RFC 9112 7.1.2). ErrHeader
	// refuses malformed ones, and those that have no place there (RFC 9110 6.5.1).
	// An HTTP client's is behind its request's body, on the same terms.
	AddTrailer(name, value string) error
	// Trailer is what came behind the request's body if that was chunked, from
	// HTTPBodyCompletion on until the transaction ends; nil if nothing did.
	// For an HTTP client it is what came behind the response's body, from
	// CompletedClientHTTP on.
	Trailer() *http1.Header
	// Interim sends a response with a status of 100 or 102 to 199 in front of the
	// answer, any number of times; 103 (Early Hints) is of use with Link fields (RFC
	// 8297). 100 is sent by the engine when it is time; asking for it sends it now, if the
	// client still waits for it. To a client of HTTP/1.0 nothing is sent. ErrAnswered if the answer has begun.
	Interim(status int, fields ...http1.Field) error
	// Respond answers the request: contentType may be "", body is copied. HEAD,
	// 204 and 304 send no body. ErrAnswered if there is an answer.
	Respond(status int, contentType string, body []byte) error
	// StartResponse sends a response's head; the body follows by Write with
	// WriteHTTP and ends with WriteHTTPFinal, in this callback or later. length is
	// the body's, or negative if it is not known: it is chunked then, and for
	// HTTP/1.0 ended by closing.
	StartResponse(status int, contentType string, length int64) error
	// ServeFile answers with the file name of fsys, or with 404: libwebsockets'
	// lws_serve_http_file. Conditions and ranges of the request are heeded, and the media
	// type is that of the name's extension. It returns before the file is opened, which a
	// worker does; HTTPFileCompletion says that all of it has been sent. AddHeader before
	// it adds to the response, whatever that comes to. ErrAnswered if there is an answer,
	// or one under way; fs.ErrInvalid for a name that fs.ValidPath does not allow, such as
	// one with "..".
	ServeFile(fsys fs.FS, name string) error
	// Answered tells whether nothing is left to answer for this callback: a response has
	// been started, or the request is held.
	Answered() bool
	// Hold says that the request will be answered later: from a Timer, a Writeable
	// callback, or by a Handle (Handle.Post, and Respond in it). The requests behind
	// it wait. No limit applies: set a Timer, and answer there. A reset of the connection
	// ends it, a client's FIN does not.
	//
	// In the callbacks that may refuse an upgrade to WebSocket, from HTTPConfirmUpgrade
	// to AddHeaders, it says that the program decides later: Proceed lets the upgrade
	// go on, Respond refuses it. A client's FIN ends it.
	Hold()
	// Proceed lets an upgrade that was held go on, as if its callback had just returned
	// nil: the next one comes, and with the last Established, before Proceed returns.
	// A Handle that was taken before that was for the request, and has done its part.
	// ErrRole if no upgrade is held, ErrAnswered if it was refused.
	Proceed() error
}
