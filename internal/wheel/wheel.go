package wheel

import (
	"math/bits"
	"time"

	"github.com/penstock-go/penstock/internal/invariant"
)

const (
	tickShift = 22 // a shift, not a division, on a path that every Arm takes

	// Tick is the granularity, 4.194304 ms: a power of two near the 4 ms that kernels' own coarse clocks
	// have. The shortest timeout of a protocol is some hundred milliseconds, so one tick late is
	// noise, and a busy loop does timer work 240 times a second at most.
	Tick = time.Duration(1) << tickShift

	// slots makes a round of 17.2 s: longer than a ping or header timeout, so those are looked at once.
	// It is 64*64 because then one word says which words of the bitmap are not empty. 32 KiB a loop.
	slots    = 64 * 64
	slotMask = slots - 1
)

// Expirer is what a Timer wakes.
type Expirer interface {
	// Expire is called from Advance, with the now given to it, when the timer is already disarmed.
	// It may arm and disarm any timer, its own included, but may not call Advance.
	Expire(now int64)
}

// Timer is a node to embed. Its zero value is disarmed. An armed Timer must not be copied or freed for reuse:
// Disarm it first.
type Timer struct {
	next, prev *Timer // a ring; next is nil when disarmed
	due        int64  // in ticks
	// Owner is woken. It is set before the first Arm, and the wheel never changes it.
	Owner Expirer
}

// Wheel is ready as its zero value and must not be copied. It is 33 KiB: embed it in something that lives long.
type Wheel struct {
	tick    int64  // Advance is done with this tick and all before it
	n       int    // armed timers
	firing  *Timer // the slot being visited, detached so that Expire may arm into the same slot
	summary uint64 // bit i: occupied[i] is not 0
	// bit i%64 of occupied[i/64]: slot[i] is not nil
	occupied [slots / 64]uint64
	slot     [slots]*Timer // heads of rings, oldest first
}

// Arm makes t expire at the first tick that is not before at, in nanoseconds of the clock given to Advance; a time
// that has passed means the next tick. Arming an armed timer moves it.
func (w *Wheel) Arm(t *Timer, at int64) {
	due := at >> tickShift
	if at&int64(Tick-1) != 0 {
		due++ // up, so as never to fire early
	}
	due = max(due, w.tick+1)
	if t.next != nil {
		if t.due == due {
			return
		}
		w.unlink(t)
	}
	t.due = due
	w.link(t)
}

// Disarm makes t not expire. It does nothing to a disarmed timer.
func (w *Wheel) Disarm(t *Timer) {
	if t.next != nil {
		w.unlink(t)
	}
}

// Armed reports whether t will expire. Inside its own Expire it does not until armed again.
func (w *Wheel) Armed(t *Timer) bool { return t.next != nil }

// Len returns how many timers are armed.
func (w *Wheel) Len() int { return w.n }

// Next returns when Advance must be called next, or false if no timer is armed. It is exact while the nearest
// occupied slot holds a timer of this round, and early (by whole rounds) if it holds only later ones. Advance
// at that time always moves the wheel past that slot, so a loop that follows Next wakes once per round.
func (w *Wheel) Next() (at int64, ok bool) {
	if w.n == 0 {
		return 0, false
	}
	first := w.tick + 1
	return (first + w.distance(first)) << tickShift, true
}

// Advance expires every timer due at now or before, and returns how many. The order is that of the slots, and within
// a slot that of arming. A timer armed meanwhile waits for the next Advance, so Advance always ends. A gap of any
// length visits each slot at most once. A now before the last one does nothing.
func (w *Wheel) Advance(now int64) (fired int) {
	invariant.Check(w.firing == nil, "wheel: Advance called from Expire")
	target, first := now>>tickShift, w.tick+1
	if target < first {
		return 0
	}
	end := min(target+1, first+slots)
	w.tick = target // before anything fires: Arm counts from here
	for w.n > 0 {
		first += w.distance(first)
		if first >= end {
			break
		}
		fired += w.visit(int(first&slotMask), now)
		first++
	}
	return fired
}

// visit expires what is due in slot i and puts the rest back.
func (w *Wheel) visit(i int, now int64) (fired int) {
	w.firing, w.slot[i] = w.slot[i], nil
	w.vacate(i)
	for w.firing != nil {
		t := w.firing
		w.unlink(t)
		if t.due > w.tick {
			w.link(t)
			continue
		}
		fired++
		t.Owner.Expire(now)
	}
	return fired
}

// distance counts the slots from tick from to the first occupied one, 0 to slots-1, or slots if there is none.
func (w *Wheel) distance(from int64) int64 {
	i := int(from & slotMask)
	word, bit := i/64, i%64
	if m := w.occupied[word] >> bit; m != 0 {
		return int64(bits.TrailingZeros64(m))
	}
	// Bring the word after ours to bit 0; ours comes last, for its bits below i.
	m := bits.RotateLeft64(w.summary, -(word + 1))
	if m == 0 {
		return slots
	}
	word += 1 + bits.TrailingZeros64(m)
	at := word*64 + bits.TrailingZeros64(w.occupied[word%64])
	return int64(at - i)
}

func (w *Wheel) link(t *Timer) {
	i := int(t.due & slotMask)
	w.n++
	head := w.slot[i]
	if head == nil {
		t.next, t.prev = t, t
		w.slot[i] = t
		w.occupied[i/64] |= 1 << (i % 64)
		w.summary |= 1 << (i / 64)
		return
	}
	t.next, t.prev = head, head.prev
	head.prev.next, head.prev = t, t
}

// unlink takes t out of its slot or, in the middle of a visit, out of firing: only as a head does it matter which.
func (w *Wheel) unlink(t *Timer) {
	i := int(t.due & slotMask)
	head := &w.slot[i]
	if w.firing == t {
		head = &w.firing
	}
	w.n--
	switch {
	case t.next == t:
		*head = nil
	case *head == t:
		*head = t.next
	}
	t.prev.next, t.next.prev = t.next, t.prev
	t.next, t.prev = nil, nil
	if w.slot[i] == nil {
		w.vacate(i)
	}
}

func (w *Wheel) vacate(i int) {
	w.occupied[i/64] &^= 1 << (i % 64)
	if w.occupied[i/64] == 0 {
		w.summary &^= 1 << (i / 64)
	}
}
