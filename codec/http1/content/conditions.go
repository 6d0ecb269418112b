package content

import (
	"time"

	"github.com/penstock-go/penstock/codec/http1"
)

// Conditions are the fields of a request that depend on what there is. Lines of the
// same name are joined by commas; a field that was not sent is "".
type Conditions struct {
	// IfMatch and the rest are the fields' values.
	IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince, IfRange string
}

// Validators are what a representation is recognized by.
type Validators struct {
	// ETag is its entity-tag with quotes, "" if it has none.
	ETag string
	// Modified is when it was last modified, the zero value if nobody knows.
	Modified time.Time
	// Settled says that Modified is so long ago that it cannot have been modified a
	// second time in that second: then it is a strong validator (RFC 9110 8.8.2.2).
	Settled bool
}

// Verdict is what conditions come to.
type Verdict uint8

// The verdicts: the request is to be done, or answered with 304, or with 412.
const (
	Proceed Verdict = iota
	NotModified
	PreconditionFailed
)

// Evaluate goes through the steps of RFC 9110 13.2.2 for a representation that exists.
// The last of them, If-Range, is RangeHolds.
func (c *Conditions) Evaluate(reads bool, v Validators) Verdict {
	// Step 1 and 2.
	switch {
	case c.IfMatch != "":
		if !ETagIn(c.IfMatch, v.ETag, StrongMatch) {
			return PreconditionFailed
		}
	case c.IfUnmodifiedSince != "":
		if t, ok := http1.ParseDate(c.IfUnmodifiedSince); ok && !v.Modified.IsZero() && v.second().After(t) {
			return PreconditionFailed
		}
	}
	// Step 3 and 4. The date is for GET and HEAD only (RFC 9110 13.1.3).
	switch {
	case c.IfNoneMatch != "":
		if !ETagIn(c.IfNoneMatch, v.ETag, WeakMatch) {
			return Proceed
		}
		if reads {
			return NotModified
		}
		return PreconditionFailed
	case c.IfModifiedSince != "" && reads:
		if t, ok := http1.ParseDate(c.IfModifiedSince); ok && !v.Modified.IsZero() && !v.second().After(t) {
			return NotModified
		}
	}
	return Proceed
}

// RangeHolds is step 5: whether a Range still means what the client has a part of. Its
// entity-tag must match strongly (RFC 9110 13.1.5), its date exactly.
func (c *Conditions) RangeHolds(v Validators) bool {
	value := trim(c.IfRange)
	if value == "" {
		return true
	}
	if tag, rest, ok := ScanETag(value); ok {
		return rest == "" && StrongMatch(tag, v.ETag)
	}
	t, ok := http1.ParseDate(value)
	return ok && v.Settled && !v.Modified.IsZero() && v.second().Equal(t)
}

// second is Modified as Last-Modified says it.
func (v *Validators) second() time.Time { return v.Modified.Truncate(time.Second) }
