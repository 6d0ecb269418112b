package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/simnet"
)

// crowd is an engine and many subscribers of the topic "t", on a network without
// faults whose kernels buffer little. When all are there, the program's Timer comes
// to the first of them.
type crowd struct {
	clients int
	limits  Limits
	buffer  int
	queue   int // Protocol.SendQueue
	policy  callbacks.Overflow
	publish func(s callbacks.Session) // at that time
	program callbacks.Callback        // for other reasons, if set
	ops     func(i int) []op          // what a client does then; it has been deaf if it is the last one
	tune    func(w *world)
}

// crowded is a crowd that has played.
type crowded struct {
	w        *world
	peers    []*peer
	sessions []callbacks.Session // in the order of the peers
	there    int
	ends     map[uint64]end
}

func (c crowd) play(t *testing.T, over transport, r *crowded) {
	t.Helper()
	r.ends, r.sessions = make(map[uint64]end), make([]callbacks.Session, c.clients)
	simulate(t, scenario{name: t.Name(), over: over,
		config: func(w *world, nc *simnet.Config, cfg *Config) {
			nc.Faults, nc.Buffer = simnet.Faults{}, c.buffer
			cfg.Limits = c.limits
			for i := range cfg.Vhosts[0].Protocols {
				cfg.Vhosts[0].Protocols[i].SendQueue, cfg.Vhosts[0].Protocols[i].Overflow = c.queue, c.policy
			}
			w.custom, w.calm, r.w = c.hear(r), true, w
			if c.tune != nil {
				c.tune(w)
			}
		},
		play: func(w *world) {
			for i := range c.clients {
				ops := []op{dial(httpPort), sendNow(strings.Replace(upgradeRequest, "/ws", fmt.Sprint("/ws", i), 1)), await("101", func(p *peer) bool { return p.frames.head != nil })}
				if i == c.clients-1 {
					ops = append(ops, goDeaf())
				}
				ops = append(ops, wait(time.Second))
				p := w.add(fmt.Sprintf("client %d", i), append(ops, c.ops(i)...)...)
				p.scan, p.readMost, p.readWait = scanFrames, 1<<20, 0
				r.peers = append(r.peers, p)
			}
		},
	}, 1)
}

func (c crowd) hear(r *crowded) callbacks.Callback {
	return func(s callbacks.Session, why callbacks.Reason, in []byte) error {
		switch why {
		case callbacks.Established:
			i := 0
			_, _ = fmt.Sscanf(string(s.Request().Path()), "/ws%d", &i)
			r.sessions[i] = s
			if r.there++; r.there == c.clients {
				r.sessions[0].SetTimer(500 * time.Millisecond)
			}
			return s.Subscribe("t")
		case callbacks.Timer:
			if s.ID() == r.sessions[0].ID() {
				c.publish(s)
				return nil
			}
		case callbacks.Closed:
			code, _ := s.CloseStatus()
			r.ends[s.ID()] = end{why: why, code: code, err: s.Err()}
		}
		if c.program == nil {
			return nil
		}
		return c.program(s, why, in)
	}
}

// inner is the session itself.
func inner(s callbacks.Session) *session { return s.(timed).Session.(*session) }

func numbers(from, to int, size int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("%06d", i)+strings.Repeat("x", size-6))
	}
	return list
}

func publishAll(t *testing.T, s callbacks.Session, topic string, list []string) {
	t.Helper()
	for _, text := range list {
		if err := s.Publish(topic, callbacks.NewMessage([]byte(text), callbacks.WriteText)); err != nil {
			t.Error(err)
		}
	}
}

// heard are the numbers of the messages that came.
func (p *peer) heard() (list []int) {
	for _, m := range p.frames.messages {
		n := -1
		_, _ = fmt.Sscanf(m.data, "%d", &n)
		list = append(list, n)
	}
	return list
}

func awaitMessages(n int) op {
	return await(fmt.Sprint(n, " messages"), func(p *peer) bool { return len(p.frames.messages) >= n })
}

func hangUp() op { return sendNow(clientFrame(0x88, closeData(1000, ""))) }

// TestOneWriteForAllThatATurnPublishes: whatever was published, each subscriber costs
// one write(2), and what needs no copy is written from where it is.
func TestOneWriteForAllThatATurnPublishes(t *testing.T) {
	if raced {
		t.Skip("it counts system calls of a thousand handshakes, on one goroutine: there is no race to find")
	}
	overBoth(t, func(t *testing.T, over transport) {
		long := strings.Repeat("L", largeWrite)
		for name, list := range map[string][]string{"one": numbers(0, 1, 100), "many": numbers(0, 40, 100), "one long": {long}, "a short and a long one": {"short", long}} {
			t.Run(name, func(t *testing.T) {
				const clients = 2*fanSubscribers + 10
				writes := map[int]int{}
				var m *callbacks.Message
				copied := 0
				c := crowd{clients: clients, buffer: 1 << 20,
					ops: func(int) []op {
						return []op{hearAgain(), awaitMessages(len(list)), hangUp(), closeWrite(), ended()}
					},
					publish: func(s callbacks.Session) {
						for _, text := range list {
							m = callbacks.NewMessage([]byte(text), callbacks.WriteText)
							_ = s.Publish("t", m)
						}
					},
					tune: func(w *world) {
						w.writes = func(fd int, a, b []byte) {
							if m == nil || a[0] == 0x88 || over == overTLS && len(a) < 60 { // before, or a goodbye
								return
							}
							writes[fd]++
							if &a[0] != &m.Frame()[0] && (len(b) == 0 || &b[0] != &m.Frame()[0]) {
								copied++
							}
						}
					}}
				r := new(crowded)
				c.play(t, over, r)
				for fd, n := range writes {
					if n != 1 {
						t.Fatalf("%d writes to descriptor %d", n, fd)
					}
				}
				if len(writes) != clients {
					t.Errorf("writes to %d of %d", len(writes), clients)
				}
				if len(list) < 3 && over == plain && copied > 0 {
					t.Errorf("%d copies of what needs none", copied)
				}
				st := r.w.e.Stats()
				if all := int64(clients * len(list)); st.Delivered != all || st.MessagesOut != all || st.Published != int64(len(list)) || st.Dropped != 0 {
					t.Errorf("%+v", st)
				}
			})
		}
	})
}

// TestFanOutLeavesRoomForOthers: a turn serves so many subscribers, and then sockets
// have theirs.
func TestFanOutLeavesRoomForOthers(t *testing.T) {
	for name, size := range map[string]int{"many": 10, "long": 100_000} {
		t.Run(name, func(t *testing.T) {
			const clients = fanSubscribers + fanSubscribers/2
			var dirty []int
			c := crowd{clients: clients, buffer: 1 << 20,
				ops:     func(int) []op { return []op{hearAgain(), awaitMessages(1), hangUp(), closeWrite(), ended()} },
				publish: func(s callbacks.Session) { publishAll(t, s, "t", numbers(0, 1, size)) },
				tune: func(w *world) {
					w.writes = func(int, []byte, []byte) {
						if n := len(w.e.loops[0].dirty); n > 0 && (len(dirty) == 0 || dirty[len(dirty)-1] != n) {
							dirty = append(dirty, n)
						}
					}
				}}
			c.play(t, plain, new(crowded))
			want := []int{clients, clients - fanSubscribers}
			if size > 10 { // the budget of bytes
				want = want[:1]
				for n := clients; n > 0; {
					if n -= fanBytes/size + 1; n > 0 {
						want = append(want, n)
					}
				}
			}
			if fmt.Sprint(dirty) != fmt.Sprint(want) {
				t.Errorf("waiting turn by turn: %v, want %v", dirty, want)
			}
		})
	}
}

// TestSlowSubscriberHoldsNobody: what one does not read is for the others at once, and
// for the slow one it waits as a reference.
func TestSlowSubscriberHoldsNobody(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		const count, size = 300, 1000
		var queued, buffered int
		var quick time.Duration
		c := crowd{clients: 3, buffer: 4000, limits: Limits{SendHigh: 8000},
			publish: func(s callbacks.Session) { publishAll(t, s, "t", numbers(0, count, size)) }}
		r := new(crowded)
		c.ops = func(i int) []op {
			if i < 2 {
				return []op{awaitMessages(count), do(func(p *peer) { quick = max(quick, p.since()) }), hangUp(), closeWrite(), ended()}
			}
			return []op{wait(10 * time.Second), do(func(*peer) {
				s := inner(r.sessions[2])
				queued, buffered = s.link.Pending(), s.Buffered()
			}), hearAgain(), awaitMessages(count), hangUp(), closeWrite(), ended()}
		}
		c.play(t, over, r)
		if quick > 2*time.Second {
			t.Errorf("the others had to wait %v", quick)
		}
		if queued > 8000+2*size || queued < 4000 {
			t.Errorf("%d bytes are in the queue of the slow one", queued)
		}
		if want := count * (size + 4); buffered > want || buffered < want-4000-4000 {
			t.Errorf("Buffered is %d of %d", buffered, want)
		}
		for _, p := range r.peers {
			if got := p.heard(); len(got) != count || got[0] != 0 || got[count-1] != count-1 || p.end.Broken() {
				t.Errorf("%s heard %d, broken %v", p.name, len(got), p.end.Broken())
			}
		}
	})
}

// TestOverflowOfASlowSubscriber: what is left of a hundred messages by each policy.
func TestOverflowOfASlowSubscriber(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		const count, size, queue = 100, 500, 20_000
		for policy, c := range map[callbacks.Overflow]struct {
			newest bool // comes
			gap    bool
			code   ws.StatusCode
		}{
			callbacks.OverflowError:      {},
			callbacks.OverflowDropNewest: {},
			callbacks.OverflowDropOldest: {newest: true, gap: true},
			callbacks.OverflowClose:      {code: ws.StatusTryAgainLater},
		} {
			t.Run(policy.String(), func(t *testing.T) {
				r := new(crowded)
				crowd{clients: 2, buffer: 2000, queue: queue, policy: policy,
					publish: func(s callbacks.Session) {
						publishAll(t, s, "t", numbers(0, count, size)) // the healthy one reads nothing meanwhile, and gets what it can
					},
					ops: func(i int) []op {
						if i == 0 {
							return []op{wait(5 * time.Second), hangUp(), closeWrite(), ended()}
						}
						ops := []op{wait(2 * time.Second), hearAgain(), wait(2 * time.Second)}
						if c.code == 0 {
							return append(ops, hangUp(), closeWrite(), ended())
						}
						return append(ops, sendNow(clientFrame(0x88, closeData(int(c.code), ""))), closeWrite(), ended())
					}}.play(t, over, r)
				got := r.peers[1].heard()
				if len(got) < 10 || len(got) >= 60 {
					t.Fatalf("heard %v", got)
				}
				gaps := 0
				for i := 1; i < len(got); i++ {
					if got[i] <= got[i-1] {
						t.Fatalf("heard %v", got)
					}
					if got[i] != got[i-1]+1 {
						gaps++
					}
				}
				newest := got[len(got)-1] == count-1
				if got[0] != 0 || gaps > 1 || c.gap != (gaps == 1) || newest != c.newest {
					t.Errorf("heard %v", got)
				}
				e := r.ends[r.sessions[1].ID()]
				f := &r.peers[1].frames
				if c.code != 0 && (f.code != int(c.code) || f.reason != "send queue full" || !errors.Is(e.err, callbacks.ErrSendQueueFull)) {
					t.Errorf("closed with %d %q, %v", f.code, f.reason, e.err)
				}
				if c.code == 0 && (f.code != 1000 || e.err != nil) {
					t.Errorf("closed with %d, %v", f.code, e.err)
				}
				if st := r.w.e.Stats(); st.Dropped == 0 || st.Delivered+st.Dropped > 2*count || c.code == 0 && st.Delivered+st.Dropped != 2*count {
					t.Errorf("%d delivered, %d dropped", st.Delivered, st.Dropped)
				}
			})
		}
	})
}
