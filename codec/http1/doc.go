// Package http1 reads and writes HTTP/1.1 messages (RFC 9110, RFC 9112), both
// directions, without doing any I/O: the caller brings bytes and takes bytes.
//
// The way of a message:
//
//	bytes ──> ParseRequest / ParseResponse ──> head, n bytes long
//	                  │ Framing()
//	                  v
//	bytes ──> Body.Start, Body.Next ... ─────> data pieces, done, Trailer()
//
//	status, fields, data ──> AppendStatusLine, AppendField, AppendChunk ... ──> bytes
//
// # Reading
//
// ParseRequest and ParseResponse are given everything that came of a head so
// far, always from its first byte. They return 0 and no error while the head
// is incomplete; the Request or Response remembers how far it looked, so a head
// that comes byte by byte costs the same as one that comes whole. What is wrong
// is refused as soon as it is wrong, not at the end of the head.
//
// Body is the opposite: it keeps its own state, is given each byte once and
// hands out pieces of the caller's buffer.
//
// # Strictness
//
// Whatever two HTTP implementations could read differently is refused, because
// that difference is how requests are smuggled: bare LF, bare CR, obs-fold,
// space before a colon, Content-Length that repeats or is not plain digits,
// Content-Length beside Transfer-Encoding, codings other than chunked, a missing
// or repeated Host, a repeated Authorization. An *Error says which rule was broken and what to answer.
//
// # Ownership
//
// Nothing here keeps a caller's buffer after the call, with one exception that
// is the point of the package: after success the slices of a Request or Response
// alias the parsed bytes and are valid as long as those are. CopyTo makes them
// independent. Encoders append to the slice they are given and return it.
//
// No type is safe for concurrent use, and none starts a goroutine. The zero
// value of every type is ready.
package http1
