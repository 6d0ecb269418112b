package callbacks

// Kind says what a Write sends; libwebsockets calls it lws_write_protocol, and
// the values are the same.
type Kind uint8

// The kinds of Write, and the flag that can be added to the first three.
const (
	// WriteText sends a text message.
	WriteText Kind = 0
	// WriteBinary sends a binary message.
	WriteBinary Kind = 1
	// WriteContinuation sends a further piece of a message that was begun with
	// WriteText|NoFin or WriteBinary|NoFin; without NoFin it is the last piece.
	WriteContinuation Kind = 2
	// WriteHTTP sends a piece of a response's body, or, when none has been
	// started, bytes of a response that the program wrote itself, head and all.
	WriteHTTP Kind = 3
	// WriteRaw sends bytes as they are, on a raw session. It is WriteHTTP.
	WriteRaw Kind = 3
	// WritePing sends a ping of at most 125 bytes.
	WritePing Kind = 5
	// WritePong sends an unasked pong of at most 125 bytes. Pings are answered by
	// the engine.
	WritePong Kind = 6
	// WriteHTTPFinal sends the last piece of a response's body.
	WriteHTTPFinal Kind = 7

	// NoFin says that pieces of the same message follow.
	NoFin Kind = 0x40
	// Uncompressed sends a message as it is, also where Protocol.Deflate would
	// compress it: what is encrypted, or compressed already, gains nothing, and a
	// secret beside text of the peer's choosing can be guessed by its length. On the
	// first piece it is for the whole message. It is not libwebsockets'.
	Uncompressed Kind = 0x10
)

// Base returns k without its flags.
func (k Kind) Base() Kind { return k &^ (NoFin | Uncompressed) }

// Fin tells whether k ends its message.
func (k Kind) Fin() bool { return k&NoFin == 0 }
