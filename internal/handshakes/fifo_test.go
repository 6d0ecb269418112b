package handshakes

import (
	"slices"
	"testing"
)

func TestFIFOAgainstASlice(t *testing.T) {
	const rounds = 20_000
	rng := newRNG(t, 1)
	var q fifo
	var want []Job
	for i := range rounds {
		// The chance to grow swings, so that the queue fills and drains several times.
		if rng.IntN(100) < 35+30*(i/2000%2) {
			j := new(counter)
			q.push(j)
			want = append(want, j)
		} else {
			got := q.pop()
			switch {
			case len(want) == 0 && got != nil:
				t.Fatalf("round %d: an empty queue gave %v", i, got)
			case len(want) > 0:
				if got != want[0] {
					t.Fatalf("round %d: not the oldest", i)
				}
				want = want[1:]
			}
		}
		if q.len() != len(want) {
			t.Fatalf("round %d: length %d, want %d", i, q.len(), len(want))
		}
		taken := slices.Concat(q.jobs[:q.head], q.jobs[len(q.jobs):cap(q.jobs)])
		if slices.ContainsFunc(taken, func(j Job) bool { return j != nil }) {
			t.Fatalf("round %d: a job that was taken is still held", i)
		}
	}
}

func TestFIFOMemory(t *testing.T) {
	var q fifo
	j := new(counter)
	q.push(j)
	q.pop()
	if cap(q.jobs) == 0 {
		t.Error("a small queue gives its memory away each time it drains")
	}
	for range 10_000 {
		q.push(j)
	}
	for q.pop() != nil {
	}
	if cap(q.jobs) > spare {
		t.Errorf("room for %d jobs is kept after a burst", cap(q.jobs))
	}
	for range 100 {
		q.push(j)
	}
	for range 100_000 {
		q.push(j)
		q.pop()
	}
	if cap(q.jobs) > 1000 {
		t.Errorf("100 jobs take room for %d in a queue that never drains", cap(q.jobs))
	}
}
