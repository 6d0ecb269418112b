// Package handshakes keeps TLS handshakes off the event loops and within bounds: a [Gate] says how many may have
// begun, a [Pool] on how many goroutines their steps run.
//
//	   loop              Gate                     Pool               loop
//	accepted ──> Enter ──────── true ───────┐
//	               │                        v
//	               │ false                Begin ────> Job.Run ──> step is over
//	               v                        ^            ^             │
//	             waits ──> Waiter.Admitted ─┘            │   not done  v   done
//	                           ^              Continue ──┘ <───────────┴─────────> Leave
//	                           │                                                     │
//	                           └───────────────── next in turn ──────────────────────┘
//
// A handshake that has begun costs some 24 KB until it ends, so the gate counts those, in total and per address;
// one that waits costs its [Ticket]. A step signs, or blocks in somebody's key store, so it runs on a goroutine of
// the pool, which has none while there is nothing to do.
//
// Everything here may be called from any goroutine. Neither part knows about connections, and neither calls
// anybody while it holds its lock.
package handshakes
