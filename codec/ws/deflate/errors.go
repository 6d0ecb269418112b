package deflate

import (
	"errors"

	"github.com/penstock-go/penstock/codec/ws"
)

// What can be wrong with Sec-WebSocket-Extensions.
var (
	// ErrExtensionList: the field does not follow the grammar of RFC 6455
	// section 9.1, which asks both sides to fail the connection then: a server
	// answers with 400, a client gives up.
	ErrExtensionList = errors.New("deflate: malformed Sec-WebSocket-Extensions")
	// ErrNotOffered: the server chose an extension that the client did not
	// offer, or permessage-deflate more than once. RFC 6455 section 4.1 has the
	// client fail the connection.
	ErrNotOffered = errors.New("deflate: server chose an extension that was not offered")
	// ErrParameter: the response has an unknown parameter, one twice, or a
	// value that is not allowed. RFC 7692 section 7.1 has the client fail the
	// connection.
	ErrParameter = errors.New("deflate: invalid parameter in the server's response")
	// ErrWindow: the response leaves a window larger than the offer allowed,
	// RFC 7692 section 7.1.2. The client fails the connection.
	ErrWindow = errors.New("deflate: server insists on a larger window")
)

// What can be wrong with a compressed message. The third way is
// [ws.ErrMessageTooBig].
var (
	// ErrCorrupt: the data is not DEFLATE, or refers to what was not sent.
	ErrCorrupt = &ws.CloseError{Code: ws.StatusInvalidFramePayloadData, Reason: "invalid compressed data"}
	// ErrTooManyStreams: a message has more final blocks than anyone needs.
	ErrTooManyStreams = &ws.CloseError{Code: ws.StatusPolicyViolation, Reason: "too many final blocks"}
)
