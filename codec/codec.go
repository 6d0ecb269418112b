// Package codec is the plug for a user's own wire protocol. A Protocol with a
// Codec gets sessions that speak it: the engine brings the bytes, over TCP, a
// unix socket or TLS, keeps what is incomplete, delivers whole messages as
// callbacks.RawRX, encodes what the session writes, and has timers, limits and
// back-pressure for it like for its own protocols.
//
// The codecs of HTTP/1.1 and WebSocket are the packages http1 and ws below this
// one. They are not Codecs: the engine knows them by name, because one turns
// into the other in the middle of a connection.
package codec

// Codec is a wire protocol. It is shared by all sessions and loops, so it must
// not change after it was given to the engine; what belongs to one connection
// is in its Decoder.
type Codec interface {
	// NewDecoder returns the receive state of a new connection.
	NewDecoder() Decoder
	// Append appends the wire form of msg to dst and returns the extended slice.
	// It must not keep or change msg. An error refuses the message: the session's
	// Write returns it and nothing is sent.
	Append(dst, msg []byte) ([]byte, error)
}

// Decoder finds messages in what one connection received. Its methods are called
// on the session's loop, never at once.
type Decoder interface {
	// Next looks for the first message in b, whose first byte is the first one
	// that no earlier call has used, and returns how many bytes it used.
	//
	//	0, nil, false, nil    incomplete: the same bytes come again with more behind
	//	n, msg, true, nil     a message, which may be empty
	//	n, nil, false, nil    n bytes that mean nothing, padding for example
	//	_, nil, false, err    the peer broke the protocol: see Error
	//
	// msg may point into b, whose bytes Next may change, or into memory of the
	// Decoder's own; it need only hold until the next call. A Decoder that
	// searches for a delimiter should remember how far it got, so that a
	// message that comes byte by byte is not searched from its start each time.
	Next(b []byte) (n int, msg []byte, ok bool, err error)
}

// Error is a breach of a user's protocol, with what the peer should be told
// before the connection closes. Any other error closes it without a word.
type Error struct {
	// Text says what is wrong, for the log and Session.Err.
	Text string
	// Answer is sent as it is; nil sends nothing.
	Answer []byte
}

// Error returns Text with the package's name in front.
func (e *Error) Error() string { return "codec: " + e.Text }
