package wheel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// model is the wheel as a naive list: what is armed, and the tick it is due at.
type model struct {
	t     *testing.T
	rng   *rand.Rand
	w     Wheel
	now   int64
	all   []*entry
	inAdv bool
	fired int
}

type entry struct {
	Timer
	m     *model
	armed bool
	at    int64 // as given to Arm
	since int64 // the clock when armed
	adv   bool  // armed from inside the running Advance
}

func (e *entry) Expire(now int64) {
	m := e.m
	m.fired++
	switch {
	case !e.armed:
		m.t.Fatalf("a disarmed timer fired at %d", now)
	case now < e.at:
		m.t.Fatalf("fired at %d, %d early", now, e.at-now)
	case e.adv:
		m.t.Fatalf("armed and fired in the same Advance")
	case m.w.Armed(&e.Timer):
		m.t.Fatalf("armed while it expires")
	}
	e.armed = false
	for range m.rng.IntN(4) {
		m.step()
	}
}

// step arms or disarms some timer.
func (m *model) step() {
	e := m.all[m.rng.IntN(len(m.all))]
	if m.rng.IntN(3) == 0 {
		m.w.Disarm(&e.Timer)
		e.armed = false
		return
	}
	e.at, e.since, e.armed, e.adv = m.now+m.delay(), m.now, true, m.inAdv
	m.w.Arm(&e.Timer, e.at)
}

func (m *model) delay() int64 {
	switch m.rng.IntN(6) {
	case 0:
		return -m.rng.Int64N(int64(time.Second))
	case 1:
		return m.rng.Int64N(int64(Tick) * 3)
	case 2:
		return round * m.rng.Int64N(4) // crowds one slot
	case 3:
		return m.rng.Int64N(int64(time.Hour))
	default:
		return m.rng.Int64N(2 * round)
	}
}

// pass moves the clock, by ticks, by what Next says, or by hours.
func (m *model) pass() {
	switch m.rng.IntN(8) {
	case 0:
		m.now += m.rng.Int64N(int64(3 * time.Hour))
	case 1, 2:
		m.now += m.rng.Int64N(round)
	case 3, 4:
		if at, ok := m.w.Next(); ok {
			m.now = max(m.now, at)
		}
	default:
		m.now += m.rng.Int64N(int64(Tick) * 20)
	}
	m.fired, m.inAdv = 0, true
	if n := m.w.Advance(m.now); n != m.fired {
		m.t.Fatalf("Advance returned %d, fired %d", n, m.fired)
	}
	m.inAdv = false
	m.check()
}

// check compares the wheel with the list after an Advance.
func (m *model) check() {
	n, nearest := 0, int64(-1)
	for _, e := range m.all {
		if e.armed != m.w.Armed(&e.Timer) {
			m.t.Fatalf("Armed %v, want %v", !e.armed, e.armed)
		}
		if !e.armed {
			continue
		}
		n++
		due := max(e.at, e.since) + int64(Tick) // and the loop's own delay is over: Advance was just called
		if !e.adv && m.now >= due {
			m.t.Fatalf("due at %d and not fired at %d", due, m.now)
		}
		e.adv = false
		if nearest < 0 || due < nearest {
			nearest = due
		}
	}
	if n != m.w.Len() {
		m.t.Fatalf("Len %d, want %d", m.w.Len(), n)
	}
	at, ok := m.w.Next()
	if ok != (n > 0) || ok && (at > nearest || at <= m.now-int64(Tick)) {
		m.t.Fatalf("Next %d, %v at %d with %d armed, the nearest at %d", at, ok, m.now, n, nearest)
	}
}

func TestAgainstANaiveList(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &model{t: t, rng: rand.New(rand.NewPCG(seed, 1))}
			for range 1 + m.rng.IntN(200) {
				e := &entry{m: m}
				e.Owner = e
				m.all = append(m.all, e)
			}
			for range 400 {
				for range m.rng.IntN(10) {
					m.step()
				}
				m.pass()
			}
		})
	}
}
