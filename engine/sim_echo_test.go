package engine

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec"
	"github.com/penstock-go/penstock/codec/ws"
)

// echo is the program's state of a WebSocket or raw session. What it echoes goes
// through a queue, because it answers sometimes at once and sometimes later.
type echo struct {
	queue []echoed
	busy  bool // a Handle.Write is on its way: nothing may overtake it
	slow  bool // reading is paused until the timer
}

type echoed struct {
	kind callbacks.Kind
	data []byte
}

var errProgram = errors.New("the program failed")

// program is what the engine serves: an echo in many manners, and the requests
// of serveHTTP.
func (w *world) program(s callbacks.Session, why callbacks.Reason, in []byte) error {
	if w.custom != nil {
		return w.custom(s, why, in)
	}
	if far, ok := s.UserData().(*server); ok {
		far.hear(s, why)
	}
	if w.net.Chance(w.mad) {
		if err := w.madness(s, why); err != nil {
			return err
		}
	}
	switch why {
	case callbacks.HTTPConfirmUpgrade, callbacks.WSServerBindProtocol, callbacks.FilterProtocolConnection, callbacks.ConfirmExtensionOkay,
		callbacks.AddHeaders:
		return w.hesitate(s)
	case callbacks.Receive, callbacks.RawRX, callbacks.ClientReceive:
		return w.echo(s, in)
	case callbacks.ServerWriteable, callbacks.RawWriteable, callbacks.ClientWriteable:
		return w.flushEcho(s)
	case callbacks.Timer:
		if w.holding[s.ID()] {
			return w.decide(s)
		}
		if st := w.echoes[s.ID()]; st != nil && st.slow {
			st.slow = false
			s.ResumeReading()
			return w.flushEcho(s)
		}
	case callbacks.WSIDestroy:
		delete(w.holding, s.ID())
		delete(w.echoes, s.ID())
		return nil
	}
	return w.serveHTTP(s, why, in)
}

// echo takes a message in and answers now or later.
func (w *world) echo(s callbacks.Session, in []byte) error {
	st := w.echoes[s.ID()]
	if st == nil {
		st = &echo{}
		w.echoes[s.ID()] = st
	}
	st.queue = append(st.queue, echoed{s.Kind(), bytes.Clone(in)})
	switch w.rng.IntN(10) {
	case 0:
		s.RequestWriteable()
	case 1:
		st.slow = true
		s.PauseReading()
		s.SetTimer(time.Duration(w.rng.IntN(300)) * time.Millisecond)
	case 2:
		return s.Handle().Post(w.flushEcho)
	case 3:
		return w.echoByHandle(s, st)
	default:
		return w.flushEcho(s)
	}
	return nil
}

// echoByHandle answers as another goroutine would.
func (w *world) echoByHandle(s callbacks.Session, st *echo) error {
	if len(st.queue) != 1 || st.busy || isCommand(st.queue[0].data) || s.Protocol().RxBufferSize > 0 {
		return w.flushEcho(s)
	}
	st.busy = true
	e := st.queue[0]
	st.queue = nil
	return errors.Join(s.Handle().Write(e.data, e.kind), s.Handle().Post(func(s callbacks.Session) error {
		st.busy = false
		return w.flushEcho(s)
	}))
}

// flushEcho answers what is in the queue.
func (w *world) flushEcho(s callbacks.Session) error {
	st := w.echoes[s.ID()]
	for st != nil && !st.busy && len(st.queue) > 0 {
		e := st.queue[0]
		st.queue = st.queue[1:]
		if isCommand(e.data) {
			return obey(s, string(e.data))
		}
		if err := w.writeEcho(s, e); err != nil {
			return err
		}
	}
	return nil
}

// writeEcho writes a message, sometimes in fragments.
func (w *world) writeEcho(s callbacks.Session, e echoed) error {
	if w.net.Chance(w.plainly) {
		e.kind |= callbacks.Uncompressed
	}
	fragments := w.rng.IntN(4) == 0 && e.kind.Fin() && e.kind.Base() != callbacks.WriteContinuation && s.Protocol().Codec == nil
	if !fragments || isRaw(s) {
		return s.Write(e.data, e.kind)
	}
	b, kind := e.data, e.kind
	for len(b) > 0 && w.rng.IntN(3) > 0 {
		n := w.rng.IntN(len(b))
		if err := s.Write(b[:n], kind|callbacks.NoFin); err != nil {
			return err
		}
		b, kind = b[n:], callbacks.WriteContinuation
	}
	return s.Write(b, kind)
}

func isRaw(s callbacks.Session) bool {
	if t, ok := s.(timed); ok {
		s = t.Session
	}
	_, raw := s.(*session).role.(*rawRole)
	return raw
}

// isCommand tells a message that is an order.
func isCommand(b []byte) bool { return len(b) > 1 && b[0] == '!' }

// obey does what a message orders.
func obey(s callbacks.Session, order string) error {
	word, rest, _ := strings.Cut(order, " ")
	var code int
	fmt.Sscanf(rest, "%d", &code)
	switch word {
	case "!close":
		return s.Close(ws.StatusCode(code), "as ordered")
	case "!error":
		return &ws.CloseError{Code: ws.StatusCode(code), Reason: "as ordered"}
	case "!fail":
		return errProgram
	case "!bye":
		return callbacks.ErrClose
	}
	panic(order)
}

// lineCodec is lines that end with a newline; a line of "?" is an error.
type lineCodec struct{}

func (lineCodec) NewDecoder() codec.Decoder { return &lineDecoder{} }

func (lineCodec) Append(dst, msg []byte) ([]byte, error) {
	return append(append(dst, msg...), '\n'), nil
}

type lineDecoder struct{ looked int }

func (d *lineDecoder) Next(b []byte) (int, []byte, bool, error) {
	i := bytes.IndexByte(b[d.looked:], '\n')
	if i < 0 {
		d.looked = len(b)
		return 0, nil, false, nil
	}
	i += d.looked
	d.looked = 0
	if string(b[:i]) == "?" {
		return 0, nil, false, &codec.Error{Text: "asked", Answer: []byte("no\n")}
	}
	return i + 1, b[:i], true, nil
}
