// Package wheel is the timer wheel of one loop: hashed slots of intrusive nodes, no clock and no locks.
//
// A loop owns one [Wheel]. Whoever wants to be woken embeds a [Timer], sets its Owner once, and calls
// [Wheel.Arm]; the loop calls [Wheel.Advance] each turn with its monotonic clock and sleeps no longer
// than [Wheel.Next] says.
//
//	Arm(at) ──> slot = ceil(at/Tick) mod 4096 ──> list of timers, this round's and later rounds'
//	                                                │
//	Advance(now) ── visits occupied slots in (last, now] ── due: Expire(now)
//	                                                └────── of a later round: back into its slot
//
// Arm, Disarm and Next cost O(1). A timer further out than one round (17.2 s) is looked at once per round:
// that price is paid by the few long timers, where a hierarchy of wheels would have every timer moved
// several times.
//
// Everything here belongs to the loop's goroutine. Nothing allocates.
package wheel
