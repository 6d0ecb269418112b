// Package content decides which representation of a resource answers a request, and
// how much of it: conditional requests (RFC 9110 13), ranges (RFC 9110 14) and the
// negotiation of a content coding (RFC 9110 12.5.3). Nothing here does I/O, keeps what
// it is given, or knows what a file is.
//
//	Accept-Encoding ──> Choose ──────────────> which representation
//	If-*            ──> Conditions.Evaluate ─> go on, 304 or 412
//	Range, If-Range ──> Conditions.RangeHolds, ParseRanges ─> 200, 206 or 416
//
// What comes from a client may be anything: a field that cannot be read counts as not
// sent, as the RFC says for each of them.
package content
