package callbacks

import (
	"time"

	"github.com/penstock-go/penstock/codec"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// Callback handles the events of every session of a protocol. s is valid until
// WSIDestroy returns, and only on its own loop; in is valid until the callback
// returns. What in is, and what an error does, stands with each Reason.
type Callback func(s Session, r Reason, in []byte) error

// Protocol is a name and what to do with sessions that speak it. The name is a
// WebSocket subprotocol (Sec-WebSocket-Protocol), the target of mounts, and
// what a raw listener refers to. The first protocol of a vhost also gets what
// belongs to no other: life-cycle events, requests outside every mount, and
// WebSockets that ask for no subprotocol, or for none that is known here (refuse
// those in FilterProtocolConnection, where in is empty).
type Protocol struct {
	// Name is a token (RFC 9110 5.6.2), compared exactly. It may be empty for a
	// protocol that nobody asks for by name.
	Name string
	// Callback is required.
	Callback Callback
	// RxBufferSize chooses how WebSocket messages are delivered. 0 delivers each
	// message whole, whatever fragments it came in, up to MaxMessage. A positive
	// value is libwebsockets' rx_buffer_size: a message comes in pieces of at most
	// that many bytes, as they arrive; see Session.IsFirstFragment and
	// IsFinalFragment.
	RxBufferSize int
	// TxPacketSize caps one write(2) on the socket of a WebSocket or raw session, in
	// bytes; what is left follows when the socket is writable again. 0 is no cap.
	TxPacketSize int
	// MaxMessage is the longest message taken, in bytes; 0 leaves it to the engine's
	// limits. A longer one is answered with 1009.
	MaxMessage int64
	// Codec makes raw sessions of this protocol deliver and send messages instead
	// of bytes. WriteText and WriteBinary send a message, which are the same to
	// it; WriteRaw sends bytes past it.
	Codec codec.Codec
	// Deflate lets WebSockets of this protocol compress their messages with
	// permessage-deflate (RFC 7692): a server agrees to it when a client offers it, a
	// client offers it. nil does neither. MaxMessage and the engine's limits are for
	// the messages as they were before compression.
	//
	// A long message that comes is inflated in turns with the loop's other work, and
	// so it comes a little later. One that is sent is compressed within the call of
	// Write, at about 100 MB a second, and other sessions of the loop wait meanwhile:
	// write what is longer than a few 100 KiB in pieces, one in each Writeable, or
	// with Uncompressed.
	Deflate *deflate.Config
	// Origins are the origins (RFC 6454) whose pages may open a WebSocket here, such
	// as "https://example.com" or "https://*.example.com:8443", for any name below;
	// "same" is the one that the request's Host names. A request with another Origin
	// is refused with 403, between HTTPConfirmUpgrade and WSServerBindProtocol; one
	// without an Origin field comes from no browser and passes. Scheme and host are
	// compared without case, and a port that is the scheme's default may be left out on
	// either side. A name that is not ASCII is written as browsers send it, with "xn--".
	// "null", which sandboxed pages and files have, matches only if it is listed. "same"
	// takes https without TLS too, since that may end at a proxy. Empty takes every
	// origin.
	Origins []string
	// SendQueue is how many bytes may wait to be sent on one WebSocket or raw session, and
	// so also the longest message that can be sent or published to it; 0 leaves it to the
	// engine's limits, a negative value is no limit. From a quarter of it on, if that is
	// less than the engine's SendHigh, the session is treated as Limits.SendHigh says. A published message counts before compression, and with 48
	// bytes more for as long as it waits beyond that mark.
	SendQueue int
	// Overflow is what becomes of a message that SendQueue, or the engine's, has no
	// room for.
	Overflow Overflow
	// PingInterval is the silence after which a WebSocket is sent a ping, or up to a
	// tenth less, differently for each session, so that many which were connected at
	// once are not pinged at once; HangupTimeout is the silence after which it is given
	// up, CloseTimeout how long the peer may take to answer a close frame. Any byte
	// breaks a silence. While the session does not read (PauseReading) it knows of
	// none. 0 leaves each to the engine's limits, a negative value is none; a
	// PingInterval longer than the engine's leaves as much more time until the hang-up.
	// Session.SetLiveness changes the first two for one session.
	PingInterval, HangupTimeout, CloseTimeout time.Duration
	// IdleTimeout ends a WebSocket with 1001 and "idle" when no message, or piece of
	// one, has come or gone for so long; pings and pongs do not count. Session.Err is
	// the engine's ErrIdle then. 0 does not.
	IdleTimeout time.Duration
	// RetainHead keeps the head of the handshake readable for as long as a
	// WebSocket lives, at the price of its size in memory. Otherwise
	// Session.Request is nil after Established has returned.
	RetainHead bool
	// ID and User are the program's own.
	ID uint
	// User is not looked at by the engine; Session.Protocol gives it back.
	User any
}
