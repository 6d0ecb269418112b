// Package workers runs what may block, and so must not run on an event loop, on a
// bounded number of goroutines with a bounded queue in front.
//
//	loop ── Begin ──> queue ──> Job.Run, on one of at most N goroutines
//	          │ false: both are full
//	loop ── Continue ──> a second queue, without a bound, for parts of what has begun
//
// A job at rest in the queue costs its pointer. Goroutines start when there are jobs
// and end when there are none left: a pool that nobody uses is memory only. Each one
// that takes a job starts the next if there is more to do, so that none is kept back by
// jobs that block, and a batch of short ones needs few.
package workers
