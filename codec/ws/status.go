package ws

import gobwas "github.com/gobwas/ws"

// OpCode says what a frame carries, RFC 6455 section 5.2.
type OpCode = gobwas.OpCode

// The opcodes of RFC 6455 section 5.2. All others are reserved.
const (
	OpContinuation OpCode = 0x0
	OpText         OpCode = 0x1
	OpBinary       OpCode = 0x2
	OpClose        OpCode = 0x8
	OpPing         OpCode = 0x9
	OpPong         OpCode = 0xa
)

// StatusCode says why a connection ends, RFC 6455 section 7.4.
type StatusCode = gobwas.StatusCode

// The status codes of RFC 6455 section 7.4.1 and of the IANA registry that
// section 11.7 founded. StatusNoStatusRcvd, StatusAbnormalClosure and
// StatusTLSHandshake are for reports only and never stand in a frame.
const (
	StatusNormalClosure           StatusCode = 1000
	StatusGoingAway               StatusCode = 1001
	StatusProtocolError           StatusCode = 1002
	StatusUnsupportedData         StatusCode = 1003
	StatusNoStatusRcvd            StatusCode = 1005
	StatusAbnormalClosure         StatusCode = 1006
	StatusInvalidFramePayloadData StatusCode = 1007
	StatusPolicyViolation         StatusCode = 1008
	StatusMessageTooBig           StatusCode = 1009
	StatusMandatoryExtension      StatusCode = 1010
	StatusInternalError           StatusCode = 1011
	StatusServiceRestart          StatusCode = 1012
	StatusTryAgainLater           StatusCode = 1013
	StatusBadGateway              StatusCode = 1014
	StatusTLSHandshake            StatusCode = 1015
)

// ValidCloseCode reports whether code may stand in a close frame: the codes
// that RFC 6455 section 7.4.1 or the IANA registry assign to the wire, and the
// ranges section 7.4.2 gives to libraries (3000-3999) and to private use
// (4000-4999).
func ValidCloseCode(code StatusCode) bool {
	switch {
	case code >= 1000 && code <= 1003:
		return true
	case code >= 1007 && code <= 1014:
		return true
	default:
		return code >= 3000 && code <= 4999
	}
}
