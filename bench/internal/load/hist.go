package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations with a resolution of 1 in 64, in the manner of
// HdrHistogram: 64 buckets of equal width for each power of two of nanoseconds.
type Histogram struct {
	count  int
	bucket [64 * subBuckets]int32
}

const (
	subBits    = 6
	subBuckets = 1 << subBits
)

// Add counts d.
func (h *Histogram) Add(d time.Duration) {
	h.count++
	h.bucket[bucketOf(uint64(max(d, 0)))]++
}

// Quantile returns the duration that the share q of all is not longer than.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int(q * float64(h.count))
	for i, n := range h.bucket {
		if rank -= int(n); rank < 0 {
			return lowest(i)
		}
	}
	return 0
}

// bucketOf keeps the subBits bits below the highest one.
func bucketOf(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)<<subBits | int(v>>shift)&(subBuckets-1)
}

// lowest is the smallest duration in a bucket.
func lowest(i int) time.Duration {
	if i < subBuckets {
		return time.Duration(i)
	}
	shift := i>>subBits - 1
	return time.Duration(subBuckets|i&(subBuckets-1)) << shift
}
