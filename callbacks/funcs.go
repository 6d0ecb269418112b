package callbacks

import "github.com/penstock-go/penstock/codec/ws"

// Funcs is a Callback for those who prefer functions to a switch. A nil field
// ignores its event. Server and client sessions are served alike; Session.Client
// tells them apart. The arguments have the lifetimes of a Callback's.
type Funcs struct {
	// Open: Established, ClientEstablished, RawAdopt, RawConnected.
	Open func(s Session) error
	// Message: Receive, ClientReceive, RawRX.
	Message func(s Session, msg []byte) error
	// Pong: ReceivePong, ClientReceivePong.
	Pong func(s Session, payload []byte) error
	// Writeable: ServerWriteable, ClientWriteable, HTTPWriteable, RawWriteable.
	Writeable func(s Session) error
	// Close: Closed, ClientClosed, RawClose. For a session that is no WebSocket
	// code is 0.
	Close func(s Session, code ws.StatusCode, reason string)
	// Failed: ClientConnectionError.
	Failed func(s Session, err error)
	// Request: HTTP.
	Request func(s Session, path []byte) error
	// Body: HTTPBody.
	Body func(s Session, data []byte) error
	// BodyEnd: HTTPBodyCompletion.
	BodyEnd func(s Session) error
	// Timer: Timer.
	Timer func(s Session) error
}

// Callback returns f as a Callback. Later changes to f have no effect.
func (f Funcs) Callback() Callback {
	return func(s Session, r Reason, in []byte) error {
		switch r {
		case Established, ClientEstablished, RawAdopt, RawConnected:
			return call(f.Open, s)
		case Receive, ClientReceive, RawRX:
			return callBytes(f.Message, s, in)
		case ReceivePong, ClientReceivePong:
			return callBytes(f.Pong, s, in)
		case ServerWriteable, ClientWriteable, HTTPWriteable, RawWriteable:
			return call(f.Writeable, s)
		case HTTP:
			return callBytes(f.Request, s, in)
		case HTTPBody:
			return callBytes(f.Body, s, in)
		case HTTPBodyCompletion:
			return call(f.BodyEnd, s)
		case Timer:
			return call(f.Timer, s)
		}
		f.ended(s, r)
		return nil
	}
}

func (f *Funcs) ended(s Session, r Reason) {
	switch r {
	case Closed, ClientClosed, RawClose:
		if f.Close != nil {
			code, reason := s.CloseStatus()
			f.Close(s, code, reason)
		}
	case ClientConnectionError:
		if f.Failed != nil {
			f.Failed(s, s.Err())
		}
	}
}

func call(f func(Session) error, s Session) error {
	if f == nil {
		return nil
	}
	return f(s)
}

func callBytes(f func(Session, []byte) error, s Session, in []byte) error {
	if f == nil {
		return nil
	}
	return f(s, in)
}
