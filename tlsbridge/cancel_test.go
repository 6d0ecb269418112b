package tlsbridge

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
)

// noCoroutineLeft wants every handshake that was begun to have ended when the test
// has.
func noCoroutineLeft(t testing.TB) {
	t.Cleanup(func() {
		if stack := shaking(); stack != "" {
			t.Errorf("a handshake is left:\n%s", stack)
		}
	})
}

// shaking returns the stack of a handshake that has not ended, among all goroutines:
// to count those is not enough, for the testing package has some that come and go.
func shaking() string {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "tlsbridge.(*Conn).shake(") {
			return stack
		}
	}
	return ""
}

func TestShakingFindsACoroutine(t *testing.T) {
	p := newPair(configs(0))
	hello := p.client.Step(nil).Output
	if shaking() == "" {
		t.Error("the client's is not found")
	}
	p.client.Cancel()
	if p.server.Step(hello); shaking() == "" {
		t.Error("the server's is not found")
	}
	p.server.Cancel()
	if stack := shaking(); stack != "" {
		t.Errorf("found behind Cancel:\n%s", stack)
	}
}

// TestCancelAnywhere ends a handshake behind each of its steps, on both sides.
// synctest fails if a coroutine is left.
func TestCancelAnywhere(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		for _, side := range []Role{Server, Client} {
			for steps, done := 0, false; !done; steps++ {
				synctest.Test(t, func(t *testing.T) {
					done = cancelBehind(t, version, side, steps)
				})
				if steps > 10 {
					t.Fatal("no end")
				}
			}
		}
	})
}

// cancelBehind cancels one side behind a number of its steps; it reports whether
// the handshake was done before.
func cancelBehind(t *testing.T, version uint16, side Role, steps int) bool {
	var p pair
	asking(&p, version, nil)
	it, other := p.server, p.client
	in, out := &p.toServer, &p.toClient
	if side == Client {
		it, other, in, out = other, it, out, in
	}
	asked := false
	for i := 0; i < steps && !it.Secured(); i++ {
		if asked {
			it.Answer(nil)
		} else if side == Server || i > 0 {
			_ = p.step(other, out, in, nil)
		}
		r := it.Step(*in)
		asked = r.Status == Asking
		*in = (*in)[r.Used:]
		*out = append(*out, r.Output...)
	}
	secured := it.Secured()
	for range 2 {
		it.Cancel()
		other.Cancel()
	}
	if secured {
		if _, err := it.Seal(nil, []byte("data")); err != nil {
			t.Errorf("Cancel has ended what was secured: %v", err)
		}
		return true
	}
	if r := it.Step(*in); r.Status != Failed || !errors.Is(r.Err, ErrCancelled) || r.Used != 0 {
		t.Errorf("a Step behind Cancel, behind %d steps: %+v", steps, r)
	}
	return false
}

// TestStepsOnManyGoroutines has a new one for each step.
func TestStepsOnManyGoroutines(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		noCoroutineLeft(t)
		p := newPair(first(configs(version)), second(configs(version)))
		step := func(c *Conn, in, out *[]byte) {
			r := make(chan Result)
			go func() { r <- c.Step(*in) }()
			got := <-r
			*in, *out = (*in)[got.Used:], append(*out, got.Output...)
		}
		for range 5 {
			step(p.client, &p.toClient, &p.toServer)
			step(p.server, &p.toServer, &p.toClient)
		}
		if r := p.server.Step([]byte("more")); r.Status != Done || r.Used != 0 || r.Err != nil {
			t.Errorf("a Step behind the last: %+v", r)
		}
		if _, used, err := p.client.Open(nil, p.toClient); err != nil || used != len(p.toClient) {
			t.Fatal(err)
		}
		carry(t, p.client, p.server, []byte("ping"))
	})
}
