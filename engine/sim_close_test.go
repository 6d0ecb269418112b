package engine

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/simnet"
)

// How a WebSocket is told to have ended whose connection ends before the closing
// handshake does, or behind it. The program says what it is sent: "!close 4000".
func TestEndsOfTheConnection(t *testing.T) {
	closeIt, closed := clientFrame(0x81, "!close 4000"), closeData(4000, "as ordered")
	for _, c := range []struct {
		how    string
		send   string
		leave  func() op
		code   ws.StatusCode
		reason string
		err    error // by errors.Is; errSome for any
	}{
		{"FIN without a close frame", "", closeWrite, 1006, "", io.ErrUnexpectedEOF},
		{"reset without a close frame", "", reset, 1006, "", errSome},
		{"FIN inside a frame", "\x81\x85", closeWrite, 1006, "", io.ErrUnexpectedEOF},
		{"FIN instead of an answer", closeIt, closeWrite, 1006, "", io.ErrUnexpectedEOF},
		{"reset instead of an answer", closeIt, reset, 1006, "", errSome},
		{"no answer", closeIt, vanish, 1006, "", ErrCloseTimeout},
		{"an answer and FIN", closeIt + clientFrame(0x88, closed), closeWrite, 4000, "as ordered", nil},
		{"an answer and a reset", closeIt + clientFrame(0x88, closed), reset, 4000, "as ordered", nil},
		{"another code in the answer", closeIt + clientFrame(0x88, closeData(3001, "mine")), closeWrite, 3001, "mine", nil},
		{"no code in the answer", closeIt + clientFrame(0x88, ""), closeWrite, 1005, "", nil},
		{"a breach instead of an answer", closeIt + "\x81\x01x", closeWrite, 4000, "as ordered", ws.ErrUnmasked},
		{"its close frame and FIN", clientFrame(0x88, closeData(3002, "bye")), closeWrite, 3002, "bye", nil},
		{"its close frame and a reset", clientFrame(0x88, closeData(3002, "bye")), reset, 3002, "bye", nil},
		{"a breach and FIN", "\x81\x01x", closeWrite, 1002, ws.ErrUnmasked.Reason, ws.ErrUnmasked},
		{"a breach and a reset", "\x81\x01x", reset, 1002, ws.ErrUnmasked.Reason, ws.ErrUnmasked},
		{"an illegal code", clientFrame(0x88, closeData(1006, "")), closeWrite, 1002, ws.ErrCloseCode.Reason, ws.ErrCloseCode},
		{"a reason that is no UTF-8", clientFrame(0x88, closeData(1000, "\xff")), closeWrite, 1007, ws.ErrInvalidUTF8.Reason, ws.ErrInvalidUTF8},
	} {
		t.Run(c.how, func(t *testing.T) {
			overBoth(t, func(t *testing.T, over transport) {
				var code ws.StatusCode
				var reason string
				var err error
				program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
					switch why {
					case callbacks.Receive:
						return obey(s, string(in))
					case callbacks.Closed:
						code, reason = s.CloseStatus()
						err = s.Err()
					}
					return nil
				}
				p := script{program: program, limits: Limits{CloseTimeout: 2 * time.Second}, peer: func(p *peer) { p.scan, p.closes = scanFrames, false },
					ops: []op{sendNow(upgradeRequest), sendNow(c.send), wait(time.Second), c.leave(), wait(10 * time.Second), closeBoth()}}.play(t, over)
				if code != c.code || reason != c.reason || p.frames.bad != "" {
					t.Errorf("told %d %q, want %d %q; %s", code, reason, c.code, c.reason, p.frames.bad)
				}
				if c.err == errSome && err == nil || c.err != errSome && !errors.Is(err, c.err) {
					t.Errorf("error %v, want %v", err, c.err)
				}
			})
		})
	}
}

var errSome = errors.New("some error")

// A client's session ends the same ways.
func TestEndsOfAClientsConnection(t *testing.T) {
	frame := func(first byte, data string) string { return string(appendFrame(nil, first, false, [4]byte{}, data)) }
	for _, c := range []struct {
		how   string
		send  string
		leave func() op
		code  ws.StatusCode
		err   error
	}{
		{"FIN without a close frame", "", closeWrite, 1006, io.ErrUnexpectedEOF},
		{"reset without a close frame", "", reset, 1006, errSome},
		{"FIN instead of an answer", frame(0x81, "!close 4000"), closeWrite, 1006, io.ErrUnexpectedEOF},
		{"reset instead of an answer", frame(0x81, "!close 4000"), reset, 1006, errSome},
		{"an answer and a reset", frame(0x81, "!close 4000") + frame(0x88, closeData(4000, "")), reset, 4000, nil},
		{"its close frame and FIN", frame(0x88, closeData(3002, "bye")), closeWrite, 3002, nil},
		{"its close frame and a reset", frame(0x88, closeData(3002, "bye")), reset, 3002, nil},
		{"a breach", frame(0x83, ""), closeWrite, 1002, ws.ErrReservedOpCode},
		{"too many pings", frame(0x89, "1") + frame(0x89, "2") + frame(0x89, "3") + frame(0x89, "4") + frame(0x89, "5") + frame(0x89, "6") +
			frame(0x89, "7") + frame(0x89, "8") + frame(0x89, "9") + frame(0x89, "10") + frame(0x89, "11"), closeWrite, 1008, ErrControlFrames},
	} {
		t.Run(c.how, func(t *testing.T) {
			overBoth(t, func(t *testing.T, over transport) {
				e, _ := connectAs(t, over, func(s callbacks.Session, why callbacks.Reason, in []byte) error {
					if why == callbacks.ClientReceive {
						return obey(s, string(in))
					}
					return nil
				}, Limits{CloseTimeout: 2 * time.Second, ControlFrames: 1}, simnet.Answer{}, await("the request", func(p *peer) bool { return p.frames.head != nil }),
					sendLate(func(p *peer) []byte { return append(switching(p.frames.head), c.send...) }), wait(time.Second), c.leave(), wait(time.Second), closeBoth())
				if e.why != callbacks.ClientClosed || e.code != c.code {
					t.Errorf("%+v, want %d", e, c.code)
				}
				if c.err == errSome && e.err == nil || c.err != errSome && !errors.Is(e.err, c.err) {
					t.Errorf("error %v, want %v", e.err, c.err)
				}
			})
		})
	}
}

// legal tells what is wrong with a close frame's payload by RFC 6455 5.5.1 and 7.4; it
// does not ask the codec.
func legal(data string) (bad string) {
	if len(data) == 0 {
		return ""
	}
	if len(data) == 1 {
		return "half a close code"
	}
	switch code := int(data[0])<<8 | int(data[1]); {
	case code >= 1000 && code <= 1014 && (code < 1004 || code > 1006), code >= 3000 && code <= 4999:
		return ""
	default:
		return fmt.Sprintf("close code %d", code)
	}
}
