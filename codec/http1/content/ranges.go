package content

import (
	"slices"
	"strconv"
	"strings"
)

// Range is a part of a representation.
type Range struct {
	// Start is the offset of its first byte.
	Start int64
	// Length is how many bytes it has; there is at least one.
	Length int64
}

// RangesMost is how many ranges a request may ask for. Whoever asks for more is sent
// everything: it has either lost its way or wants to see how much work a short request
// can make (RFC 9110 17.15).
const RangesMost = 64

// gapMost is the gap between two ranges that is sent rather than another part's head,
// which is about as long (RFC 9110 15.3.7.2).
const gapMost = 80

// RangeVerdict is what a Range field comes to.
type RangeVerdict uint8

// The verdicts: everything is to be sent, as if there were no Range; the ranges; or 416,
// for none of them has a byte in the representation.
const (
	RangeIgnored RangeVerdict = iota
	RangeSatisfiable
	RangeUnsatisfiable
)

// ParseRanges reads a Range field (RFC 9110 14.1.2, 14.2) for a representation of size
// bytes. A field that is malformed, in another unit, or asks for more than RangesMost
// ranges is ignored, and so is one for an empty representation. Ranges that overlap, or nearly touch, become one, and then they
// come in the order of the file; others come in the order they were asked for. dst is
// used if it has room.
func ParseRanges(dst []Range, value string, size int64) ([]Range, RangeVerdict) {
	unit, set, found := strings.Cut(value, "=")
	if !found || !strings.EqualFold(trim(unit), "bytes") {
		return nil, RangeIgnored
	}
	out, specs := dst[:0], 0
	for set != "" {
		var spec string
		spec, set, _ = strings.Cut(set, ",")
		if spec = trim(spec); spec == "" {
			continue // a list may have empty elements (RFC 9110 5.6.1)
		}
		r, ok := parseSpec(spec, size)
		if specs++; !ok || specs > RangesMost {
			return nil, RangeIgnored
		}
		if r.Length > 0 {
			out = append(out, r)
		}
	}
	switch {
	case specs == 0 || size == 0: // of nothing there is no part, and some ask for the first bytes of everything
		return nil, RangeIgnored
	case len(out) == 0:
		return nil, RangeUnsatisfiable
	}
	return coalesce(out), RangeSatisfiable
}

// parseSpec reads int-range or suffix-range. A range without a byte in the
// representation has no length.
func parseSpec(spec string, size int64) (r Range, ok bool) {
	first, last, found := strings.Cut(spec, "-")
	first, last = trim(first), trim(last)
	switch {
	case !found:
		return r, false
	case first == "":
		n, ok := parsePos(last)
		n = min(n, size)
		return Range{size - n, n}, ok
	}
	from, ok := parsePos(first)
	if !ok {
		return r, false
	}
	to := size - 1
	if last != "" {
		n, ok := parsePos(last)
		if !ok || n < from {
			return r, false
		}
		to = min(to, n)
	}
	return Range{from, max(0, to-from+1)}, true
}

// parsePos reads 1*DIGIT. What does not fit is beyond every representation's end.
func parsePos(s string) (n int64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n = 1<<63 - 1
	}
	return n, s != ""
}

// coalesce joins ranges if any two of them overlap or nearly touch.
func coalesce(list []Range) []Range {
	if len(list) == 1 {
		return list
	}
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b Range) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		}
		return 0
	})
	joined := sorted[:1]
	for _, r := range sorted[1:] {
		if last := &joined[len(joined)-1]; r.Start-(last.Start+last.Length) <= gapMost {
			last.Length = max(last.Length, r.Start+r.Length-last.Start)
		} else {
			joined = append(joined, r)
		}
	}
	if len(joined) == len(list) {
		return list
	}
	return append(list[:0], joined...)
}

// AppendContentRange appends the value of Content-Range for r (RFC 9110 14.4).
func AppendContentRange(dst []byte, r Range, size int64) []byte {
	dst = append(dst, "bytes "...)
	dst = strconv.AppendInt(dst, r.Start, 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, r.Start+r.Length-1, 10)
	dst = append(dst, '/')
	return strconv.AppendInt(dst, size, 10)
}
