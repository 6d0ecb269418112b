package engine_test

import (
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

// orders is a program that does what its peers say: "+topic" and "-topic" subscribe
// and unsubscribe, "topic=text" publishes, "topic!text" does so to others, and anything
// else comes back. Each order is answered when it has been carried out.
func orders(s callbacks.Session, r callbacks.Reason, in []byte) error {
	if r != callbacks.Receive {
		return nil
	}
	order := string(in)
	i := strings.IndexAny(order, "=!")
	var err error
	switch {
	case order[0] == '+':
		err = s.Subscribe(order[1:])
	case order[0] == '-':
		err = s.Unsubscribe(order[1:])
	case i > 0 && order[i] == '=':
		err = s.Publish(order[:i], callbacks.NewMessage(in[i+1:], callbacks.WriteText))
	case i > 0:
		err = s.PublishToOthers(order[:i], callbacks.NewMessage(in[i+1:], callbacks.WriteText))
	}
	if err != nil {
		return s.Write([]byte(err.Error()), s.Kind())
	}
	return s.Write(in, s.Kind())
}

// order sends one and waits until it has been carried out.
func (p *peer) order(text string) *peer {
	p.t.Helper()
	p.frame(ws.OpText, true, text).wantFrames("1 " + text)
	return p
}

// TestPublishReachesSubscribers is the whole of it: who has subscribed gets it, once,
// and nobody else does.
func TestPublishReachesSubscribers(t *testing.T) {
	v := start(t, engine.Config{Loops: 2, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: orders})})
	var news, both, none *peer
	for _, p := range []**peer{&news, &both, &none} {
		*p, _ = v.upgrade(t)
	}
	news.order("+news").order("+news")
	both.order("+news").order("+sport")
	none.order("news=one")
	news.wantFrames("1 one")
	both.wantFrames("1 one")
	none.order("sport=two")
	both.wantFrames("1 two").frame(ws.OpText, true, "news=three").wantFrames("1 three", "1 news=three")
	news.wantFrames("1 three")
	both.order("news!four").order("-news")
	news.wantFrames("1 four").order("news!five").frame(ws.OpText, true, "news=six").wantFrames("1 six", "1 news=six")
	both.order("last")
	none.order("last")
}
