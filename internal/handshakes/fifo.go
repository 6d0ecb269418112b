package handshakes

// spare is the capacity, in jobs, that an empty queue keeps: 1 KiB, enough for a pool that keeps up with its
// work never to allocate.
const spare = 64

// fifo is a queue of jobs. Its zero value is empty.
type fifo struct {
	jobs []Job
	head int // jobs before it have been taken
}

func (q *fifo) len() int { return len(q.jobs) - q.head }

func (q *fifo) push(j Job) {
	// A queue that never drains would grow for ever: reuse what was taken, once it is half of all, so that a
	// job is moved once on average.
	if len(q.jobs) == cap(q.jobs) && q.head > len(q.jobs)/2 {
		n := copy(q.jobs, q.jobs[q.head:])
		clear(q.jobs[n:])
		q.jobs, q.head = q.jobs[:n], 0
	}
	q.jobs = append(q.jobs, j)
}

// pop takes the oldest job, or nil if there is none.
func (q *fifo) pop() Job {
	if q.len() == 0 {
		return nil
	}
	j := q.jobs[q.head]
	q.jobs[q.head] = nil // it may hold a connection
	q.head++
	if q.len() == 0 {
		q.reset()
	}
	return j
}

// reset lets go of what a burst has taken.
func (q *fifo) reset() {
	q.head = 0
	if cap(q.jobs) > spare {
		q.jobs = nil
		return
	}
	q.jobs = q.jobs[:0]
}
