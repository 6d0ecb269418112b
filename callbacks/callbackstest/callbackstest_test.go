package callbackstest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
)

// numbered is a Session with an ID, for the Recorder.
type numbered struct {
	*Session
	id uint64
}

func (n numbered) ID() uint64 { return n.id }

// play raises reasons on a session of a recorder.
func play(r *Recorder, id uint64, reasons ...callbacks.Reason) {
	f := r.Wrap(nil)
	for _, reason := range reasons {
		_ = f(numbered{NewSession(callbacks.Protocol{}), id}, reason, nil)
	}
}

const (
	filter  = callbacks.FilterNetworkConnection
	create  = callbacks.WSICreate
	destroy = callbacks.WSIDestroy
)

func TestRecorderTakesGoodOrders(t *testing.T) {
	for name, reasons := range map[string][]callbacks.Reason{
		"filtered":       {filter},
		"nothing said":   {filter, create, callbacks.ServerNewClientInstantiated, destroy},
		"two requests":   {create, callbacks.HTTPBindProtocol, callbacks.HTTP, callbacks.HTTPDropProtocol, callbacks.HTTPBindProtocol, callbacks.HTTP, callbacks.HTTPDropProtocol, callbacks.ClosedHTTP, destroy},
		"websocket":      {create, callbacks.HTTPConfirmUpgrade, callbacks.WSServerBindProtocol, callbacks.Established, callbacks.Receive, callbacks.WSPeerInitiatedClose, callbacks.WSServerDropProtocol, callbacks.Closed, destroy},
		"after requests": {create, callbacks.HTTPBindProtocol, callbacks.HTTPDropProtocol, callbacks.WSServerBindProtocol, callbacks.Established, callbacks.WSServerDropProtocol, callbacks.Closed, destroy},
		"failed client":  {create, callbacks.WSClientBindProtocol, callbacks.Connecting, callbacks.WSClientDropProtocol, callbacks.ClientConnectionError, destroy},
		"patient client": {create, callbacks.WSClientBindProtocol, callbacks.Connecting, callbacks.ClientRetrying, callbacks.Connecting, callbacks.ClientHTTPRedirect, callbacks.Connecting, callbacks.ClientEstablished, callbacks.WSClientDropProtocol, callbacks.ClientClosed, destroy},
		"its successor":  {create, callbacks.ClientRetrying, callbacks.ClientConnectionError, destroy},
		"raw":            {create, callbacks.RawSktBindProtocol, callbacks.RawAdopt, callbacks.RawRX, callbacks.RawSktDropProtocol, callbacks.RawClose, destroy},
	} {
		var r Recorder
		play(&r, 1, reasons...)
		if f := r.Faults(); len(f) > 0 {
			t.Errorf("%s: %v", name, f)
		}
		if r.Open() != 0 {
			t.Errorf("%s: still open", name)
		}
	}
}

func TestRecorderFindsFaults(t *testing.T) {
	up := []callbacks.Reason{create, callbacks.WSServerBindProtocol, callbacks.Established}
	then := func(more ...callbacks.Reason) []callbacks.Reason {
		return append(append([]callbacks.Reason(nil), up...), more...)
	}
	for want, reasons := range map[string][]callbacks.Reason{
		"before WSICreate":                   {callbacks.HTTP},
		"twice, or late":                     {create, create},
		"after WSIDestroy":                   {create, destroy, callbacks.Timer},
		"without a terminal reason":          then(callbacks.WSServerDropProtocol, destroy),
		"while bound":                        {create, callbacks.WSServerBindProtocol, destroy},
		"bound twice":                        {create, callbacks.WSServerBindProtocol, callbacks.HTTPBindProtocol},
		"dropped without a binding":          {create, callbacks.HTTPDropProtocol},
		"established twice":                  then(callbacks.Established),
		"received after the peer's close":    then(callbacks.WSPeerInitiatedClose, callbacks.Receive),
		"received before it was established": {create, callbacks.Receive},
		"of a session that was":              {create, callbacks.WSClientBindProtocol, callbacks.ClientEstablished, callbacks.ClientRetrying},
		"closed twice by the peer":           then(callbacks.WSPeerInitiatedClose, callbacks.WSPeerInitiatedClose),
		"closed before it was established":   {create, callbacks.Closed},
		"after the terminal reason":          then(callbacks.WSServerDropProtocol, callbacks.Closed, callbacks.Timer),
		"of a session that was established":  {create, callbacks.WSClientBindProtocol, callbacks.ClientEstablished, callbacks.WSClientDropProtocol, callbacks.ClientConnectionError},
	} {
		var r Recorder
		play(&r, 7, reasons...)
		if f := strings.Join(r.Faults(), "; "); !strings.Contains(f, want) {
			t.Errorf("%v: got %q, want %q", reasons, f, want)
		}
	}
}

func TestRecorderNotesCalls(t *testing.T) {
	var r Recorder
	stop := errors.New("stop")
	f := r.Wrap(func(callbacks.Session, callbacks.Reason, []byte) error { return stop })
	in := []byte("hi")
	if err := f(numbered{NewSession(callbacks.Protocol{}), 3}, create, in); err != stop {
		t.Fatalf("the wrapped callback's error is lost: %v", err)
	}
	in[0] = 'X'
	play(&r, 4, create)
	e := r.Events(3)
	if len(e) != 1 || e[0].String() != `3 WSICreate "hi"` || e[0].Err != stop {
		t.Fatalf("got %v", e)
	}
	if len(r.Events(0)) != 2 || r.Reasons(4) != "WSICreate" || r.Open() != 2 {
		t.Fatalf("%v, %q, %d open", r.Events(0), r.Reasons(4), r.Open())
	}
}

func TestSessionRefusesLikeARealOne(t *testing.T) {
	s := NewSession(callbacks.Protocol{})
	s.QueueMost = 4
	check := func(got, want error) {
		t.Helper()
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	check(s.Write([]byte("1234"), callbacks.WriteText), nil)
	check(s.Write([]byte("5"), callbacks.WriteText), callbacks.ErrSendQueueFull)
	check(s.AddHeader("X-A", "b"), nil)
	check(s.AddHeader("X A", "b"), callbacks.ErrHeader)
	check(s.AddHeader("X-A", "b\r\nX-B: c"), callbacks.ErrHeader)
	check(s.Respond(200, "text/plain", []byte("x")), nil)
	check(s.StartResponse(200, "", -1), callbacks.ErrAnswered)
	check(s.Close(1000, "bye"), nil)
	check(s.Close(1000, ""), callbacks.ErrClosed)
	check(s.Write(nil, callbacks.WriteText), callbacks.ErrClosed)
	if len(s.Writes) != 1 || s.Writes[0].Data != "1234" || s.Buffered() != 4 || len(s.Header) != 1 || !s.Answered() {
		t.Errorf("%+v", s)
	}
	if code, reason := s.CloseStatus(); code != ws.StatusNormalClosure || reason != "bye" {
		t.Errorf("closed with %d %q", code, reason)
	}
}

func TestSessionTellsWhatItWasGiven(t *testing.T) {
	s := NewSession(callbacks.Protocol{Name: "p"})
	s.Receiving, s.Remaining = callbacks.WriteContinuation|callbacks.NoFin, 9
	if s.IsFirstFragment() || s.IsFinalFragment() || s.Kind() != s.Receiving || s.RemainingPacketPayload() != 9 {
		t.Error("fragment calls do not follow Receiving")
	}
	s.SetRequest("GET /p?q HTTP/1.1\r\nHost: h\r\n\r\n")
	if string(s.Request().Path()) != "/p" || s.Response() != nil {
		t.Error("no request")
	}
	s.SetTimer(time.Second)
	s.SetUserData(5)
	s.RequestWriteable()
	s.PauseReading()
	if s.Timer != time.Second || s.UserData() != 5 || !s.WantsWriteable || !s.Paused {
		t.Errorf("%+v", s)
	}
	s.ResumeReading()
	s.SetTimer(-5)
	if s.Paused || s.Timer != -1 {
		t.Errorf("%+v", s)
	}
	if s.ID() != 1 || s.Protocol().Name != "p" || s.Vhost() != "test" || s.Client() || s.PeerSimple() != "192.0.2.1" ||
		s.RemoteAddr().String() != "192.0.2.1:1024" || s.LocalAddr().String() != "192.0.2.2:80" || s.Err() != nil {
		t.Error("identity")
	}
	defer func() {
		if recover() == nil {
			t.Error("a malformed head was taken")
		}
	}()
	s.SetRequest("GET\r\n\r\n")
}

func TestHandleActsOnItsSession(t *testing.T) {
	s := NewSession(callbacks.Protocol{})
	h := s.Handle()
	_ = h.Write([]byte("a"), callbacks.WriteText)
	_ = h.RequestWriteable()
	_ = h.Post(func(s callbacks.Session) error { s.Hold(); return nil })
	_ = h.Close(1001, "")
	if len(s.Writes) != 1 || !s.WantsWriteable || !s.Held || s.Code != 1001 || h != s.Handle() {
		t.Errorf("%+v", s)
	}
	s = NewSession(callbacks.Protocol{})
	if err := s.Handle().Write([]byte("HTTP/1.1 200 OK\r\n"), callbacks.WriteHTTP); err != nil || !s.Answered() {
		t.Error("a raw answer does not count")
	}
}

func ExampleSession() {
	echo := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.Receive {
			return s.Write(in, s.Kind())
		}
		return nil
	}
	s := NewSession(callbacks.Protocol{Callback: echo})
	if err := s.Call(callbacks.Receive, []byte("hi")); err != nil {
		panic(err)
	}
	fmt.Println(s.Writes)
	// Output: [{hi 0}]
}

// TestSessionKeepsToItsOverflow: what a full queue does with a message.
func TestSessionKeepsToItsOverflow(t *testing.T) {
	for policy, want := range map[callbacks.Overflow]struct {
		outcome callbacks.Outcome
		err     error
		closes  bool
	}{
		callbacks.OverflowError:      {callbacks.Refused, callbacks.ErrSendQueueFull, false},
		callbacks.OverflowDropNewest: {callbacks.Dropped, nil, false},
		callbacks.OverflowDropOldest: {callbacks.Refused, callbacks.ErrSendQueueFull, false},
		callbacks.OverflowClose:      {callbacks.Refused, callbacks.ErrSendQueueFull, true},
	} {
		s := NewSession(callbacks.Protocol{Overflow: policy})
		s.QueueMost = 2
		if o, err := s.Send([]byte("1"), callbacks.WriteText); o != callbacks.Sent || err != nil {
			t.Fatalf("%v: the first is %v, %v", policy, o, err)
		}
		if o, err := s.Send([]byte("2"), callbacks.WriteText); o != callbacks.Queued || err != nil {
			t.Fatalf("%v: the second is %v, %v", policy, o, err)
		}
		if o, err := s.Send(nil, callbacks.WritePing); o != callbacks.Queued || err != nil {
			t.Fatalf("%v: a ping that fits is %v, %v", policy, o, err)
		}
		if o, err := s.Send([]byte("3"), callbacks.WritePing); o != callbacks.Refused || err != callbacks.ErrSendQueueFull || s.Closing {
			t.Errorf("%v: a ping is %v, %v", policy, o, err)
		}
		if o, err := s.WriteMessage(callbacks.NewMessage([]byte("3"), callbacks.WriteText)); o != want.outcome || err != want.err {
			t.Errorf("%v: the third is %v, %v", policy, o, err)
		}
		if s.Closing != want.closes || want.closes && s.Code != ws.StatusTryAgainLater {
			t.Errorf("%v: closing %v with %d", policy, s.Closing, s.Code)
		}
	}
}

// TestSessionKnowsTopics: what it notes, and what it refuses.
func TestSessionKnowsTopics(t *testing.T) {
	s := NewSession(callbacks.Protocol{})
	m := callbacks.NewMessage([]byte("hi"), callbacks.WriteText)
	for range 2 {
		_ = s.Subscribe("a")
	}
	_ = s.Subscribe("b")
	_ = s.Unsubscribe("a")
	_ = s.PublishToOthers("c", m)
	if len(s.Topics) != 1 || s.Topics[0] != "b" || len(s.Published) != 1 || s.Published[0] != (Published{"c", m, true}) {
		t.Errorf("topics %v, published %v", s.Topics, s.Published)
	}
	long := strings.Repeat("x", callbacks.MaxTopic+1)
	for _, err := range []error{s.Subscribe(""), s.Unsubscribe(long), s.Publish("", m)} {
		if err != callbacks.ErrTopic {
			t.Errorf("a topic that cannot be: %v", err)
		}
	}
	if err := s.Publish("c", callbacks.NewMessage(nil, callbacks.WritePing)); err != callbacks.ErrKind {
		t.Errorf("a ping was published: %v", err)
	}
	_ = s.Close(1000, "")
	if err := s.Subscribe("d"); err != callbacks.ErrClosed {
		t.Errorf("subscribing while closing: %v", err)
	}
}

// TestSessionServesAFile: what it notes, and what it refuses.
func TestSessionServesAFile(t *testing.T) {
	s := NewSession(callbacks.Protocol{})
	if err := s.ServeFile(os.DirFS("."), "../x"); !errors.Is(err, fs.ErrInvalid) || s.Answered() {
		t.Errorf("a name that leads out: %v", err)
	}
	if err := s.ServeFile(os.DirFS("."), "x"); err != nil || !s.Answered() || len(s.Served) != 1 || s.Served[0] != (Served{os.DirFS("."), "x"}) {
		t.Errorf("%v, %+v", err, s.Served)
	}
	if err := s.ServeFile(os.DirFS("."), "y"); err != callbacks.ErrAnswered {
		t.Errorf("a second one: %v", err)
	}
	s = NewSession(callbacks.Protocol{})
	_ = s.Respond(200, "", nil)
	if err := s.ServeFile(os.DirFS("."), "x"); err != callbacks.ErrAnswered {
		t.Errorf("behind an answer: %v", err)
	}
}
