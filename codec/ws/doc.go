// Package ws is the WebSocket wire format of RFC 6455, both sides, as pure
// functions over byte slices: frames and messages in, frames out, and the
// values of the opening handshake. It does no I/O, starts no goroutine and
// reads no clock; whoever owns the socket calls it.
//
//	bytes from the peer                          bytes to the peer
//	        |                                            ^
//	  Reader.Receive   checks, unmasks in place    AppendFrame, AppendClose (server)
//	        |                                      AppendMaskedFrame, ...   (client, MaskKeys)
//	      Event        one piece, ping, pong,            ^
//	        |          close, or a *CloseError           |
//	  Assembler.Add    whole messages, if wanted         |
//	        |                                            |
//	        +---------------> the application -----------+
//
// # Receiving
//
// One [Reader] holds the receive state of one connection in 40 bytes; its zero
// value is the start of a server's. The caller hands [Reader.Receive] whatever
// bytes it has, any number of them, and goes on behind the bytes it used:
//
//	for len(b) > 0 {
//		n, err := r.Receive(b, lim, &ev)
//		if err != nil {
//			return err // a *CloseError that carries the code to send
//		}
//		if ev.Kind != ws.None {
//			handle(&ev)
//		}
//		if n == 0 {
//			break // b is the beginning of a frame header: keep it
//		}
//		b = b[n:]
//	}
//
// Payload is used as it comes, so at most [MaxHeaderSize]-1 bytes ever wait for
// their successors, and nothing is scanned twice. What the peer is allowed to
// send is decided in check.go and nowhere else.
//
// # Who owns which bytes
//
// Receive changes its argument: it unmasks in place, and [Event.Payload] points
// into it. The bytes stay the caller's, and the event dies when they are reused.
// [Assembler.Add] lends its message until [Assembler.Release]. Encoders append
// to dst as the append builtin does and never keep or change a payload.
//
// Nothing here is safe for concurrent use, and nothing here is shared: one
// Reader and one Assembler a connection, one [MaskKeys] a loop.
package ws
