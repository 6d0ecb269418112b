// Package simnet is an operating system for tests: sockets, a poller and a clock
// that are simulated from a seed, behind the seam of package kernel. What it
// runs on it is the production code above that seam.
//
//	actors (scripted peers)      Net                          code under test
//	  Step --Send, Recv--> End ==wire== socket --Ready--> kernel.Handler
//	                                   poller.Run picks who is next
//
// # Who runs what
//
// There is one poller, so one loop, and its Run is the scheduler: on the loop's
// goroutine it picks, by seed, a ready descriptor to report, a step of an actor,
// a wake-up, or a late packet. When nothing of that is left it waits until the
// next time that anybody asked for. Faults are picked the same way: short reads
// and writes, EAGAIN on a ready socket, events for descriptors that are not
// ready or belong to somebody else by now, failing accepts.
//
// Everything happens in a bubble of testing/synctest. Its clock is the
// simulation's, so time passes only when nothing else can happen and costs
// nothing; before each choice synctest.Wait lets the other goroutines of the
// bubble come to rest, so a run depends on its seed and on nothing else.
//
// # Whose bytes
//
// Send and Write copy, Recv appends to its caller's slice.
package simnet
