package wheel

import (
	"math"
	"testing"
	"time"
	"unsafe"
)

const round = int64(slots) * int64(Tick)

// probe is a Timer with something to do when it expires.
type probe struct {
	Timer
	fired int
	at    int64
	then  func(now int64)
}

func newProbe() *probe {
	p := new(probe)
	p.Owner = p
	return p
}

func (p *probe) Expire(now int64) {
	p.fired++
	p.at = now
	if p.then != nil {
		p.then(now)
	}
}

func TestTimerIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Timer{}); size > 40 {
		t.Errorf("a Timer takes %d bytes, want 40 at most", size)
	}
}

func TestFiresAtTheFirstTickNotBefore(t *testing.T) {
	for _, at := range []int64{0, 1, int64(Tick) - 1, int64(Tick), int64(Tick) + 1, round - 1, round, round + 1, 5*round + 7, int64(time.Hour)} {
		var w Wheel
		p := newProbe()
		w.Arm(&p.Timer, at)
		for now := int64(0); p.fired == 0; now += int64(Tick) / 4 {
			w.Advance(now)
			if now > at+int64(Tick) {
				break
			}
		}
		if p.fired != 1 || p.at < at {
			t.Errorf("armed for %d: fired %d times, at %d", at, p.fired, p.at)
		}
		if late := p.at - max(at, 1); late >= int64(Tick)+int64(Tick)/4 {
			t.Errorf("armed for %d: %d late", at, late)
		}
	}
}

func TestATimeThatPassedMeansTheNextTick(t *testing.T) {
	var w Wheel
	w.Advance(100 * int64(Tick))
	for _, at := range []int64{math.MinInt64, -1, 0, 100*int64(Tick) - 1, 100 * int64(Tick)} {
		p := newProbe()
		w.Arm(&p.Timer, at)
		if next, _ := w.Next(); next != 101*int64(Tick) {
			t.Errorf("armed for %d: Next is %d", at, next)
		}
		w.Disarm(&p.Timer)
	}
}

func TestTheEndOfTimeNeverComes(t *testing.T) {
	var w Wheel
	p := newProbe()
	w.Arm(&p.Timer, math.MaxInt64)
	if w.Advance(int64(1e6 * time.Hour)); p.fired != 0 || !w.Armed(&p.Timer) {
		t.Fatalf("fired %d times", p.fired)
	}
	if next, ok := w.Next(); !ok || next <= int64(1e6*time.Hour) {
		t.Fatalf("Next is %d, %v", next, ok)
	}
}

func TestRearmMovesAndDisarmForgets(t *testing.T) {
	var w Wheel
	p := newProbe()
	w.Disarm(&p.Timer)
	w.Arm(&p.Timer, 10*int64(Tick))
	w.Arm(&p.Timer, 10*int64(Tick))
	w.Arm(&p.Timer, 20*int64(Tick))
	if w.Len() != 1 || !w.Armed(&p.Timer) {
		t.Fatalf("Len %d, armed %v after arming one timer three times", w.Len(), w.Armed(&p.Timer))
	}
	if w.Advance(19*int64(Tick)) != 0 || w.Advance(20*int64(Tick)) != 1 {
		t.Fatalf("the later time did not win: fired at %d", p.at)
	}
	w.Arm(&p.Timer, 30*int64(Tick))
	w.Arm(&p.Timer, 25*int64(Tick))
	w.Disarm(&p.Timer)
	if w.Advance(round*3) != 0 || w.Len() != 0 || w.Armed(&p.Timer) {
		t.Fatalf("a disarmed timer fired")
	}
	if at, ok := w.Next(); ok {
		t.Fatalf("an empty wheel wants to wake at %d", at)
	}
}

func TestNextIsExactForEverySlotAndPosition(t *testing.T) {
	for _, start := range []int64{0, 1, 62, 63, 64, 65, 4030, 4095, 4096, 5000} {
		var w Wheel
		w.Advance(start * int64(Tick))
		p := newProbe()
		for ahead := int64(1); ahead <= slots; ahead++ {
			want := (start + ahead) * int64(Tick)
			w.Arm(&p.Timer, want)
			if got, ok := w.Next(); !ok || got != want {
				t.Fatalf("tick %d, armed %d ahead: Next is %d ticks ahead", start, ahead, got/int64(Tick)-start)
			}
		}
	}
}

func TestSlotOrderThenArmingOrder(t *testing.T) {
	var w Wheel
	var got []int
	for i, tick := range []int64{7, 3, 7, 5, 3} {
		p := newProbe()
		p.then = func(int64) { got = append(got, i) }
		w.Arm(&p.Timer, tick*int64(Tick))
	}
	w.Advance(10 * int64(Tick))
	for i, want := range []int{1, 4, 3, 0, 2} {
		if got[i] != want {
			t.Fatalf("order %v", got)
		}
	}
}

func TestALongTimerIsVisitedOncePerRound(t *testing.T) {
	var w Wheel
	p := newProbe()
	w.Arm(&p.Timer, int64(time.Hour))
	wakes := int64(0)
	for p.fired == 0 {
		next, ok := w.Next()
		if !ok || next <= w.tick<<tickShift {
			t.Fatalf("Next is %d, %v: no progress", next, ok)
		}
		w.Advance(next)
		wakes++
	}
	if most := int64(time.Hour)/round + 2; wakes > most {
		t.Errorf("%d wakes for an hour, want %d at most", wakes, most)
	}
}

// With every slot occupied, a walk of all the rounds in the gap would take an hour, not a millisecond.
func TestAGapOfMonthsWalksTheWheelOnce(t *testing.T) {
	var w Wheel
	far := make([]*probe, slots)
	for i := range far {
		far[i] = newProbe()
		w.Arm(&far[i].Timer, math.MaxInt64/2+int64(i)*int64(Tick))
	}
	near := newProbe()
	w.Arm(&near.Timer, int64(time.Second))
	if n := w.Advance(math.MaxInt64 / 4); n != 1 || near.fired != 1 || w.Len() != slots {
		t.Fatalf("fired %d: near %d, left %d", n, near.fired, w.Len())
	}
	if n := w.Advance(math.MaxInt64/2 + 2*round); n != slots || w.Len() != 0 {
		t.Fatalf("fired %d, left %d", n, w.Len())
	}
}

func TestExpireMayDoAnythingToTheSameSlot(t *testing.T) {
	var w Wheel
	const at = 5 * int64(Tick)
	first, victim, moved, last := newProbe(), newProbe(), newProbe(), newProbe()
	added := newProbe()
	first.then = func(int64) {
		w.Arm(&first.Timer, at)         // itself, as soon as may be
		w.Disarm(&victim.Timer)         // one that waits behind it
		w.Arm(&moved.Timer, at+round)   // one that waits, to the same slot of the next round
		w.Arm(&added.Timer, at+2*round) // a new one, to the same slot
	}
	last.then = func(int64) { w.Disarm(&first.Timer) }
	for _, p := range []*probe{first, victim, moved, last} {
		w.Arm(&p.Timer, at)
	}
	if n := w.Advance(at); n != 2 || first.fired != 1 || last.fired != 1 || victim.fired+moved.fired+added.fired != 0 {
		t.Fatalf("fired %d: first %d, victim %d, moved %d, last %d", n, first.fired, victim.fired, moved.fired, last.fired)
	}
	if n := w.Advance(at + round); n != 1 || moved.fired != 1 {
		t.Fatalf("next round fired %d, moved %d", n, moved.fired)
	}
	if n := w.Advance(at + 2*round); n != 1 || added.fired != 1 || w.Len() != 0 {
		t.Fatalf("third round fired %d, added %d, left %d", n, added.fired, w.Len())
	}
}

func TestATimerThatAlwaysRearmsDoesNotHoldAdvance(t *testing.T) {
	var w Wheel
	p := newProbe()
	p.then = func(now int64) { w.Arm(&p.Timer, now-1) }
	w.Arm(&p.Timer, 1)
	for i := int64(1); i <= 3; i++ {
		if n := w.Advance(i * round * 10); n != 1 {
			t.Fatalf("Advance fired it %d times", n)
		}
	}
}

func TestTheClockDoesNotGoBack(t *testing.T) {
	var w Wheel
	p := newProbe()
	w.Advance(50 * int64(Tick))
	w.Arm(&p.Timer, 52*int64(Tick))
	if w.Advance(3*int64(Tick)) != 0 || w.Advance(52*int64(Tick)) != 1 {
		t.Fatalf("fired %d times", p.fired)
	}
}

func TestNothingAllocates(t *testing.T) {
	var w Wheel
	ps := make([]*probe, 100)
	for i := range ps {
		ps[i] = newProbe()
	}
	now := int64(0)
	got := testing.AllocsPerRun(100, func() {
		for i, p := range ps {
			w.Arm(&p.Timer, now+int64(i)*int64(Tick)*100)
		}
		w.Disarm(&ps[7].Timer)
		w.Next()
		now += 70 * 100 * int64(Tick)
		w.Advance(now)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
