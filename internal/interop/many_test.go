package interop

import (
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// talker is the state of one of many clients: it sends, checks what comes back,
// and closes.
type talker struct{ round int }

const talkerRounds = 20

// line is what is said in a round; it differs in length.
func (k *talker) line() string { return strings.Repeat("line ", 1+k.round*k.round) }

func TestManyOfOurClients(t *testing.T) {
	wstest.NoLeaks(t)
	forEachServer(t, func(t *testing.T, url string) { manyClients(t, url, 200) })
}

func manyClients(t *testing.T, url string, n int) {
	results := make(chan string, 2*n)
	talk := func(s callbacks.Session, k *talker, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.ClientReceive:
			if string(in) != k.line() {
				results <- "another line came back"
				return callbacks.ErrClose
			}
			if k.round++; k.round == talkerRounds {
				return s.Close(1000, "")
			}
			fallthrough
		case callbacks.ClientEstablished:
			return s.Write([]byte(k.line()), callbacks.WriteText)
		case callbacks.ClientClosed:
			if code, _ := s.CloseStatus(); code != 1000 || k.round != talkerRounds {
				results <- "closed too early"
			} else {
				results <- ""
			}
		case callbacks.ClientConnectionError:
			results <- s.Err().Error()
		}
		return nil
	}
	e := newEngine(t, engine.Config{Loops: 2, Vhosts: []engine.Vhost{{
		Protocols: []callbacks.Protocol{{Callback: callbacks.WithState(talk)}}, ClientTLS: ours(),
	}}})
	info, err := engine.ParseClientURL("ws" + strings.TrimPrefix(url, "http"))
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, err := e.Connect(info); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		if got := wait(t, results); got != "" {
			t.Error(got)
		}
	}
	wstest.Eventually(t, "no session is left", func() bool { return e.Stats().Sessions == 0 })
	e.stop()
}
