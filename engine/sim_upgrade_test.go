package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
)

// hesitate holds an upgrade now and then, and decides later.
func (w *world) hesitate(s callbacks.Session) error {
	if w.calm || !w.net.Chance(w.hesitant) {
		return nil
	}
	s.Hold()
	switch w.rng.IntN(3) {
	case 0: // or not: that is, at once
		return w.decide(s)
	case 1:
		return s.Handle().Post(w.decide)
	}
	w.holding[s.ID()] = true
	s.SetTimer(w.soon())
	return nil
}

// decide lets an upgrade go on.
func (w *world) decide(s callbacks.Session) error {
	delete(w.holding, s.ID())
	if err := s.Proceed(); err != nil && !w.cut {
		w.failf("Proceed: %v", err)
	}
	return nil
}

// upgradeReasons are those that may hold an upgrade, in their order.
var upgradeReasons = []callbacks.Reason{callbacks.HTTPConfirmUpgrade, callbacks.WSServerBindProtocol, callbacks.FilterProtocolConnection, callbacks.AddHeaders}

// What a client sends behind its request before it has the 101 waits for that, and the
// silence of a held upgrade is nobody's.
func TestHeldUpgradeKeepsWhatCame(t *testing.T) {
	for _, at := range upgradeReasons {
		t.Run(at.String(), func(t *testing.T) {
			overBoth(t, func(t *testing.T, over transport) {
				notes := &notes{}
				program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
					switch why {
					case at:
						s.Hold()
						s.SetTimer(time.Minute)
					case callbacks.Timer:
						return s.Proceed()
					case callbacks.Receive:
						return s.Write(in, s.Kind())
					}
					return nil
				}
				p := script{program: notes.wrap(program), limits: Limits{HeaderTimeout: time.Second, HangupTimeout: 20 * time.Second, PingInterval: -1},
					peer: func(p *peer) { p.scan = scanFrames },
					ops: []op{sendNow(upgradeRequest + clientFrame(0x81, "early")), wait(10 * time.Second), sendNow(clientFrame(0x81, "later")),
						await("the echoes", func(p *peer) bool { return len(p.frames.messages) == 2 }), ended()}}.play(t, over)
				if m := p.frames.messages; len(m) != 2 || m[0].data != "early" || m[1].data != "later" || !about(p.over, 80*time.Second) {
					t.Errorf("%q, over after %v", m, p.over)
				}
				want := "WSICreate ServerNewClientInstantiated HTTPConfirmUpgrade WSServerBindProtocol FilterProtocolConnection AddHeaders Established Receive Receive " +
					"WSServerDropProtocol Closed WSIDestroy"
				if got := notes.names(callbacks.FilterNetworkConnection, callbacks.Timer); got != want {
					t.Errorf("reasons\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}

// now is the time of the loop's clock.
func now(s callbacks.Session) int64 { return s.(timed).Session.(*session).l.r.Now() }

// names are those of the reasons, but for some.
func (n *notes) names(but ...callbacks.Reason) string {
	var out []string
next:
	for _, why := range n.why {
		for _, b := range but {
			if why == b {
				continue next
			}
		}
		out = append(out, why.String())
	}
	return strings.Join(out, " ")
}

// A client that leaves while its upgrade is held is noticed, and what was bound is
// dropped.
func TestClientLeavesAHeldUpgrade(t *testing.T) {
	for _, leave := range []struct {
		name string
		op   func() op
	}{{"FIN", closeWrite}, {"reset", reset}} {
		for i, at := range upgradeReasons {
			t.Run(fmt.Sprintf("%s in %v", leave.name, at), func(t *testing.T) {
				overBoth(t, func(t *testing.T, over transport) {
					notes, after := &notes{}, time.Duration(0)
					program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
						switch why {
						case at:
							s.Hold()
							s.SetUserData(now(s))
						case callbacks.WSIDestroy:
							after = time.Duration(now(s) - s.UserData().(int64))
						}
						return nil
					}
					script{program: notes.wrap(program), ops: []op{sendNow(upgradeRequest), wait(10 * time.Second), leave.op(), ended()}}.play(t, over)
					want := "HTTPConfirmUpgrade WSServerBindProtocol FilterProtocolConnection AddHeaders"
					want = strings.Join(strings.Split(want, " ")[:i+1], " ")
					if i > 0 {
						want += " WSServerDropProtocol"
					}
					want += " ClosedHTTP WSIDestroy"
					if got := notes.names(callbacks.FilterNetworkConnection, callbacks.WSICreate, callbacks.ServerNewClientInstantiated); got != want || !about(after+slack/2, 10*time.Second) {
						t.Errorf("%s\nwant\n%s\nafter %v", got, want, after)
					}
				})
			})
		}
	}
}
