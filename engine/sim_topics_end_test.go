package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
)

// slowly makes a peer read so much every 100 ms, from now on.
func slowly(most int) op {
	return do(func(p *peer) { p.deaf, p.readMost, p.readWait = false, most, 100*time.Millisecond })
}

// mostQueued keeps the longest queue that the session of the last client has had.
func (r *crowded) mostQueued(w *world, most *int) {
	w.writes = func(int, []byte, []byte) {
		if n := len(r.sessions); n > 0 && r.sessions[n-1] != nil {
			if s := inner(r.sessions[n-1]); s.link != nil {
				*most = max(*most, s.link.Pending())
			}
		}
	}
}

// The clock of a peer that does not read is the same for what waits in its backlog.
func TestSubscriberWhoStopsReading(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		r := new(crowded)
		crowd{clients: 2, buffer: 1000, limits: Limits{StallTimeout: 5 * time.Second, SendHigh: 4000},
			publish: func(s callbacks.Session) { publishAll(t, s, "t", numbers(0, 100, 500)) },
			ops: func(i int) []op {
				if i == 0 {
					return []op{awaitMessages(100), hangUp(), closeWrite(), ended()}
				}
				return []op{wait(20 * time.Second), hearAgain(), ended()}
			}}.play(t, over, r)
		if e := r.ends[r.sessions[1].ID()]; !errors.Is(e.err, ErrStalled) || e.code != ws.StatusAbnormalClosure {
			t.Errorf("ended with %+v", e)
		}
		if !r.peers[1].end.Broken() || len(r.peers[0].frames.messages) != 100 {
			t.Errorf("broken %v, the other heard %d", r.peers[1].end.Broken(), len(r.peers[0].frames.messages))
		}
	})
}

// It runs, too, when it was not the high water mark that has filled the queue, but a
// limit below it.
func TestSubscriberWhoStopsReadingAtTheLimit(t *testing.T) {
	for name, pieces := range map[string]bool{"in a turn": false, "within a message": true} {
		t.Run(name, func(t *testing.T) {
			r, later := new(crowded), false
			crowd{clients: 1, buffer: 1000, limits: Limits{StallTimeout: 5 * time.Second, SendQueue: 3000},
				publish: func(s callbacks.Session) {
					if !later {
						publishAll(t, s, "t", numbers(0, 5, 490))
						later = true
						s.SetTimer(100 * time.Millisecond)
						return
					}
					if pieces {
						_ = s.Write(nil, callbacks.WriteText|callbacks.NoFin)
					}
					publishAll(t, s, "t", numbers(5, 6, 490))
					publishAll(t, s, "t", numbers(6, 7, 1000)) // has no room
					if pieces {
						_ = s.Write(nil, callbacks.WriteContinuation)
					}
				},
				ops: func(int) []op { return []op{wait(20 * time.Second), hearAgain(), ended()} }}.play(t, plain, r)
			if e := r.ends[r.sessions[0].ID()]; !errors.Is(e.err, ErrStalled) {
				t.Errorf("ended with %+v", e)
			}
			if st := r.w.e.Stats(); st.Delivered != 5 || st.Dropped != 2 {
				t.Errorf("%d delivered, %d dropped", st.Delivered, st.Dropped)
			}
		})
	}
}

// The answer to a ping leaves in one write with what was published in front of it.
func TestPongLeavesWithWhatWasPublished(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		writes := -1
		p := script{program: func(s callbacks.Session, why callbacks.Reason, in []byte) error {
			switch why {
			case callbacks.Established:
				return s.Subscribe("t")
			case callbacks.Receive:
				writes = 0
				publishAll(t, s, "t", []string{"one", "two"})
			}
			return nil
		}, peer: func(p *peer) {
			p.scan = scanFrames
			p.w.writes = func(int, []byte, []byte) {
				if writes >= 0 {
					writes++
				}
			}
		}, ops: []op{sendNow(upgradeRequest), sendNow(clientFrame(0x81, "go") + clientFrame(0x89, "?")), awaitMessages(2),
			do(func(*peer) {
				if writes != 1 {
					t.Errorf("%d writes", writes)
				}
			}), hangUp(), closeWrite(), ended()}}.play(t, over)
		if f := &p.frames; len(f.pongs) != 1 || len(f.messages) != 2 || f.code != 1000 {
			t.Errorf("%+v", f)
		}
	})
}

// Who reads slowly, but reads, gets all of it, though its queue is filled again and
// again and never gets shorter for long.
func TestSubscriberWhoReadsSlowly(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		r := new(crowded)
		crowd{clients: 1, buffer: 1000, limits: Limits{StallTimeout: 2 * time.Second, SendHigh: 4000},
			publish: func(s callbacks.Session) { publishAll(t, s, "t", numbers(0, 200, 500)) },
			ops: func(int) []op {
				return []op{slowly(500), awaitMessages(200), hangUp(), closeWrite(), ended()}
			}}.play(t, over, r)
		p := r.peers[0]
		if got := p.heard(); len(got) != 200 || p.end.Broken() || p.over < 15*time.Second {
			t.Errorf("heard %d, broken %v, over after %v", len(got), p.end.Broken(), p.over)
		}
	})
}

// What a slow subscriber sends is read while more is published than it can take, and
// pings are answered in front of what waits.
func TestSlowSubscriberIsHeard(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		r := new(crowded)
		heard, pong := time.Duration(0), time.Duration(0)
		crowd{clients: 1, buffer: 1000, limits: Limits{SendHigh: 4000},
			publish: func(s callbacks.Session) {
				publishAll(t, s, "t", numbers(0, 20, 500)) // twice what the client reads until then
				s.SetTimer(time.Second)
			},
			program: func(s callbacks.Session, why callbacks.Reason, in []byte) error {
				if why == callbacks.Receive {
					heard = r.peers[0].since()
					s.SetTimer(-1)
					return s.Unsubscribe("t")
				}
				return nil
			},
			ops: func(int) []op {
				return []op{slowly(500), wait(10 * time.Second), sendNow(clientFrame(0x89, "?")),
					await("a pong", func(p *peer) bool { return len(p.frames.pongs) > 0 }), do(func(p *peer) { pong = p.since() }),
					sendNow(clientFrame(0x81, "stop")), wait(time.Minute), hangUp(), closeWrite(), ended()}
			}}.play(t, over, r)
		got := r.peers[0].heard()
		if st := r.w.e.Stats(); int64(len(got)) != st.Published || st.Published < 200 || st.Delivered != st.Published {
			t.Errorf("heard %d of %d", len(got), st.Published)
		}
		if pong > 15*time.Second || heard > 17*time.Second {
			t.Errorf("the ping was answered at %v, the message received at %v", pong, heard)
		}
	})
}

// A shutdown says goodbye behind what was published, however long that takes to read,
// and copies none of it into a queue before its time.
func TestGoodbyeBehindABacklog(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		r, most := new(crowded), 0
		crowd{clients: 2, buffer: 1000, limits: Limits{StallTimeout: 2 * time.Second, CloseTimeout: time.Second, SendHigh: 4000},
			publish: func(s callbacks.Session) {
				publishAll(t, s, "t", numbers(0, 200, 500))
				close(r.w.stop)
			},
			tune: func(w *world) { r.mostQueued(w, &most) },
			ops: func(int) []op {
				return []op{slowly(500), await("the close frame", func(p *peer) bool { return p.frames.closed }),
					sendNow(clientFrame(0x88, closeData(1001, ""))), closeWrite(), ended()}
			}}.play(t, over, r)
		for _, p := range r.peers {
			if got := p.heard(); len(got) != 200 || p.frames.code != 1001 || p.end.Broken() {
				t.Errorf("%s heard %d, closed with %d, broken %v", p.name, len(got), p.frames.code, p.end.Broken())
			}
		}
		if most > 6000 {
			t.Errorf("%d bytes were in a queue at once", most)
		}
		if st := r.w.e.Stats(); st.Delivered != 400 || st.Dropped != 0 {
			t.Errorf("%d delivered, %d dropped", st.Delivered, st.Dropped)
		}
	})
}

// The time for the answer to a close frame that waited begins when it is sent.
func TestAnswerToACloseFrameThatWaited(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		r := new(crowded)
		crowd{clients: 1, buffer: 1000, limits: Limits{StallTimeout: time.Second, CloseTimeout: 10 * time.Second, SendHigh: 4000},
			publish: func(s callbacks.Session) {
				publishAll(t, s, "t", numbers(0, 100, 500))
				_ = s.Close(4000, "")
			},
			ops: func(int) []op {
				return []op{slowly(500), await("the close frame", func(p *peer) bool { return p.frames.closed }), wait(8 * time.Second),
					sendNow(clientFrame(0x88, closeData(4000, ""))), closeWrite(), ended()}
			}}.play(t, over, r)
		if p := r.peers[0]; len(p.heard()) != 100 || p.end.Broken() || r.ends[r.sessions[0].ID()].err != nil {
			t.Errorf("heard %d, broken %v, %+v", len(p.heard()), p.end.Broken(), r.ends)
		}
	})
}

// Who reads nothing is not waited for.
func TestGoodbyeToWhoDoesNotRead(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		r, most := new(crowded), 0
		crowd{clients: 1, buffer: 1000, limits: Limits{StallTimeout: 2 * time.Second, CloseTimeout: time.Second, SendHigh: 4000},
			publish: func(s callbacks.Session) {
				publishAll(t, s, "t", numbers(0, 200, 500))
				if err := s.Close(4000, ""); err != nil {
					t.Error(err)
				}
				if err := s.Subscribe("other"); !errors.Is(err, callbacks.ErrClosed) {
					t.Errorf("Subscribe while closing: %v", err)
				}
				if err := s.Write(nil, callbacks.WriteText); !errors.Is(err, callbacks.ErrClosed) {
					t.Errorf("Write while closing: %v", err)
				}
				publishAll(t, s, "t", numbers(200, 210, 500)) // to nobody any more
			},
			tune: func(w *world) { r.mostQueued(w, &most) },
			ops:  func(int) []op { return []op{wait(30 * time.Second), hearAgain(), ended()} }}.play(t, over, r)
		e := r.ends[r.sessions[0].ID()]
		if !errors.Is(e.err, ErrCloseTimeout) || !r.peers[0].end.Broken() || most > 6000 {
			t.Errorf("%+v, broken %v, %d bytes queued", e, r.peers[0].end.Broken(), most)
		}
		if st := r.w.e.Stats(); st.Delivered+st.Dropped != 200 || st.Dropped < 150 {
			t.Errorf("%d delivered, %d dropped", st.Delivered, st.Dropped)
		}
	})
}

// A peer that closes while much waits for it gets its close frame back behind what is
// in the queue, and no more.
func TestPeerWhoClosesGivesUpItsBacklog(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		r := new(crowded)
		crowd{clients: 1, buffer: 1000, limits: Limits{SendHigh: 4000},
			publish: func(s callbacks.Session) { publishAll(t, s, "t", numbers(0, 400, 500)) },
			ops: func(int) []op {
				return []op{slowly(500), hangUp(), await("the close frame", func(p *peer) bool { return p.frames.closed }), closeWrite(), ended()}
			}}.play(t, over, r)
		p := r.peers[0]
		got := p.heard()
		if len(got) == 0 || len(got) > 100 || got[len(got)-1] != len(got)-1 || p.frames.code != 1000 || p.end.Broken() {
			t.Errorf("heard %d, closed with %d, broken %v", len(got), p.frames.code, p.end.Broken())
		}
	})
}

// A Writeable that was asked for waits until nothing waits that was published,
// whichever was first.
func TestWriteableBehindABacklog(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		for name, first := range map[string]bool{"asked for first": true, "asked for later": false} {
			t.Run(name, func(t *testing.T) {
				r := new(crowded)
				var buffered []int
				crowd{clients: 1, buffer: 1000, limits: Limits{SendHigh: 4000},
					publish: func(s callbacks.Session) {
						if first {
							s.RequestWriteable()
						}
						publishAll(t, s, "t", numbers(0, 100, 500))
						if !first {
							s.RequestWriteable()
						}
					},
					program: func(s callbacks.Session, why callbacks.Reason, in []byte) error {
						if why != callbacks.ServerWriteable {
							return nil
						}
						buffered = append(buffered, s.Buffered())
						if inner(s).role.(*wsRole).subscriber().first != nil {
							t.Error("there is more")
						}
						return s.Write([]byte("000100"), callbacks.WriteText)
					},
					ops: func(int) []op {
						return []op{slowly(500), awaitMessages(101), hangUp(), closeWrite(), ended()}
					}}.play(t, over, r)
				got := r.peers[0].heard()
				if len(buffered) != 1 || buffered[0] >= 4000 || len(got) != 101 || got[100] != 100 {
					t.Errorf("Writeable with %v bytes, heard %d", buffered, len(got))
				}
			})
		}
	})
}

// What a Handle writes is dropped, too, where the policy is to drop, and else ends the
// session as it always has.
func TestHandleWritesUnderOverflow(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		for policy, code := range map[callbacks.Overflow]int{callbacks.OverflowError: 1013, callbacks.OverflowDropNewest: 1000,
			callbacks.OverflowDropOldest: 1013, callbacks.OverflowClose: 1013} {
			t.Run(policy.String(), func(t *testing.T) {
				r := new(crowded)
				crowd{clients: 1, buffer: 1000, queue: 10_000, policy: policy,
					publish: func(s callbacks.Session) {
						for _, text := range numbers(0, 100, 500) {
							if err := s.Handle().Write([]byte(text), callbacks.WriteText); err != nil {
								t.Error(err)
							}
						}
					},
					ops: func(int) []op {
						return []op{wait(time.Second), hearAgain(), wait(time.Second), sendLate(func(p *peer) []byte {
							return []byte(clientFrame(0x88, closeData(code, "")))
						}), closeWrite(), ended()}
					}}.play(t, over, r)
				f := &r.peers[0].frames
				if got := r.peers[0].heard(); f.code != code || len(got) < 15 || len(got) > 40 || got[len(got)-1] != len(got)-1 {
					t.Errorf("closed with %d, heard %v", f.code, got)
				}
				if st := r.w.e.Stats(); (st.Dropped > 0) != (code == 1000) {
					t.Errorf("%d dropped", st.Dropped)
				}
			})
		}
	})
}

// The policy drops the oldest of the same topic, not what is rare.
func TestDropOldestSparesOtherTopics(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		r := new(crowded)
		crowd{clients: 1, buffer: 1000, queue: 20_000, policy: callbacks.OverflowDropOldest,
			publish: func(s callbacks.Session) {
				if err := s.Subscribe("rare"); err != nil {
					t.Error(err)
				}
				publishAll(t, s, "t", numbers(0, 20, 500)) // beyond what the kernel and the queue take
				publishAll(t, s, "rare", numbers(20, 21, 500))
				publishAll(t, s, "t", numbers(21, 200, 500))
				if o, err := s.Send(make([]byte, 10_000), callbacks.WriteText); o != callbacks.Refused || err != callbacks.ErrSendQueueFull {
					t.Errorf("a write beside it: %v, %v", o, err)
				}
				if err := s.Publish("rare", callbacks.NewMessage(make([]byte, 19_000), callbacks.WriteBinary)); err != nil {
					t.Error(err) // is dropped itself, with the other of its topic
				}
			},
			ops: func(int) []op {
				return []op{wait(time.Second), hearAgain(), wait(time.Second), hangUp(), closeWrite(), ended()}
			}}.play(t, over, r)
		got := r.peers[0].heard()
		if slices.Contains(got, 20) || len(got) < 20 || got[len(got)-1] != 199 || !slices.IsSorted(got) {
			t.Errorf("heard %v", got)
		}

		r = new(crowded)
		crowd{clients: 1, buffer: 1000, queue: 20_000, policy: callbacks.OverflowDropOldest,
			publish: func(s callbacks.Session) {
				_ = s.Subscribe("rare")
				publishAll(t, s, "t", numbers(0, 20, 500))
				publishAll(t, s, "rare", numbers(20, 21, 500))
				publishAll(t, s, "t", numbers(21, 200, 500))
			},
			ops: func(int) []op {
				return []op{wait(time.Second), hearAgain(), wait(time.Second), hangUp(), closeWrite(), ended()}
			}}.play(t, over, r)
		if got := r.peers[0].heard(); !slices.Contains(got, 20) || slices.Contains(got, 21) || got[len(got)-1] != 199 || !slices.IsSorted(got) {
			t.Errorf("heard %v", got)
		}
	})
}

// A message of the program's that is being sent in pieces is not interrupted, what is
// published meanwhile follows it, and a close in the middle of it gives that up.
func TestPublishedBetweenPieces(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		for name, c := range map[string]struct {
			ends bool
			want string
		}{"that come to an end": {true, "before,one two,a,b,last"}, "of which the last is missing": {false, "before"}} {
			t.Run(name, func(t *testing.T) {
				r := new(crowded)
				crowd{clients: 1, buffer: 1 << 20,
					publish: func(s callbacks.Session) {
						must := func(err error) {
							if err != nil {
								t.Error(err)
							}
						}
						publishAll(t, s, "t", []string{"before"})
						must(s.Write([]byte("one "), callbacks.WriteText|callbacks.NoFin))
						publishAll(t, s, "t", []string{"a"})
						must(s.Write(nil, callbacks.WritePing))
						publishAll(t, s, "t", []string{"b"})
						if n := s.Buffered(); n < len("before")+len("one ")+2 {
							t.Errorf("%d bytes are buffered", n)
						}
						if !c.ends {
							must(s.Close(4000, ""))
							return
						}
						must(s.Write([]byte("two"), callbacks.WriteContinuation))
						must(s.Write([]byte("last"), callbacks.WriteText))
					},
					ops: func(int) []op {
						return []op{hearAgain(), wait(time.Second), hangUp(), closeWrite(), ended()}
					}}.play(t, over, r)
				f := &r.peers[0].frames
				var got []string
				for _, m := range f.messages {
					got = append(got, m.data)
				}
				if strings.Join(got, ",") != c.want || f.bad != "" || f.pings != 1 || !f.closed || r.peers[0].end.Broken() {
					t.Errorf("got %q, %s, %d pings", got, f.bad, f.pings)
				}
			})
		}
	})
}

// TestOverflowOfPieces: a message that is dropped is dropped whole, and half a message
// cannot be.
func TestOverflowOfPieces(t *testing.T) {
	type step struct {
		size    int
		kind    callbacks.Kind
		outcome callbacks.Outcome
		err     error
	}
	const full = callbacks.Refused
	const more, piece = callbacks.WriteText | callbacks.NoFin, callbacks.WriteContinuation
	queueFull := callbacks.ErrSendQueueFull
	for name, c := range map[string]struct {
		policy callbacks.Overflow
		steps  []step
		code   int
	}{
		"the first piece has no room": {callbacks.OverflowDropNewest, []step{
			{9000, callbacks.WriteText, callbacks.Queued, nil}, {2000, more, callbacks.Dropped, nil}, {1, callbacks.WriteText, full, callbacks.ErrFragment},
			{0, callbacks.WritePing, callbacks.Queued, nil}, {1, piece | callbacks.NoFin, callbacks.Dropped, nil}, {1, piece, callbacks.Dropped, nil},
			{1, piece, full, callbacks.ErrFragment}, {1, callbacks.WriteText, callbacks.Queued, nil}}, 1000},
		"a later piece has no room": {callbacks.OverflowDropNewest, []step{
			{9000, more, callbacks.Queued, nil}, {2000, piece, full, queueFull}, {1, piece, full, callbacks.ErrClosed}}, 1013},
		"a later piece may come again": {callbacks.OverflowError, []step{
			{9000, more, callbacks.Queued, nil}, {2000, piece, full, queueFull}, {1, piece, callbacks.Queued, nil}}, 1000},
		"a message has no room": {callbacks.OverflowClose, []step{
			{9000, callbacks.WriteText, callbacks.Queued, nil}, {2000, callbacks.WriteText, full, queueFull}, {1, callbacks.WriteText, full, callbacks.ErrClosed}}, 1013},
		"a ping has no room": {callbacks.OverflowClose, []step{
			{9800, callbacks.WriteText, callbacks.Queued, nil}, {120, callbacks.WritePing, full, queueFull}, {1, callbacks.WriteText, callbacks.Queued, nil}}, 1000},
		"longer than all": {callbacks.OverflowDropNewest, []step{
			{10, callbacks.WriteText, callbacks.Sent, nil}, {20_000, callbacks.WriteText, callbacks.Dropped, nil}, {10, callbacks.WriteText, callbacks.Sent, nil}}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			r := new(crowded)
			crowd{clients: 1, buffer: 10, queue: 10_000, policy: c.policy,
				publish: func(s callbacks.Session) {
					for i, x := range c.steps {
						if o, err := s.Send(make([]byte, x.size), x.kind); o != x.outcome && !(x.outcome == callbacks.Queued && o == callbacks.Sent) || !errors.Is(err, x.err) {
							t.Errorf("step %d: %v, %v", i, o, err)
						}
					}
				},
				ops: func(int) []op {
					return []op{wait(time.Second), hearAgain(), wait(10 * time.Second), hangUp(), closeWrite(), ended()}
				}}.play(t, plain, r)
			if f := &r.peers[0].frames; f.code != c.code || f.bad != "" {
				t.Errorf("closed with %d, %s", f.code, f.bad)
			}
		})
	}
}
