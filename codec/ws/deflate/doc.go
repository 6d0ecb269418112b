// Package deflate is permessage-deflate, the compression extension of RFC 7692,
// both sides, as pure functions over byte slices: the negotiation, compressed
// messages out, messages inflated. It does no I/O and starts no goroutine.
//
//	ws.Reader, an Event with Compressed           a message of the application
//	        |                                            |
//	  whole: ws.Assembler, then Inflater.Append    Compressor.AppendSmaller, or
//	  pieces: Stream.Append                        Append for each piece
//	        |          ^                              ^  |
//	        |          | History: received       sent |  |
//	        v          +---- of the session ----------+  v
//	plaintext: check its UTF-8, deliver it        ws.AppendHeader with RSV1, payload
//
// # Negotiation
//
// A [Config] holds the wishes of one end; a server uses [Config.Accept] and
// [Params.AppendResponse], a client [Config.AppendOffer] and [Config.Confirm].
// [Params.From] then gives the [Direction] for each call that follows.
//
// # What belongs to a loop, and what to a session
//
// A [Compressor] and an [Inflater] belong to a loop and serve all its sessions in
// turn: nothing of a message stays in them. A session has a [Params] and, for each
// direction, a [History]: the last plaintext bytes, which is all that takeover
// needs. Before each message the loop's writer or reader is set back to them.
// That costs a sender about 2 us for 1 KiB, which is why it keeps 2 KiB, and a
// receiver 1 us for its 32 KiB; a writer of a session's own would cost 1 MB.
// A [Stream] holds bytes inside a message only.
//
// Memory of a session at rest, by what is agreed for a direction:
//
//	                  sent           received
//	no takeover       0              0
//	takeover          up to 2 KiB    up to 32 KiB, or 2^WindowBits
//
// A History grows to that as messages come, and a sender's may be dropped between
// messages at any time; package engine does that when a session has been silent for
// its PingInterval. What 5,000 sessions of package engine measured, in bytes of heap
// each, all messages done with and the windows full:
//
//	plain                                 313
//	compressed, no takeover               378    whole messages and in pieces
//	takeover of what is sent            2,520      470 after silence
//	takeover both ways, 4 KiB windows   6,620    4,570 after silence
//	takeover both ways                 35,290   33,240 after silence
//
// Of a loop, once used: a Compressor 0.8 to 1.4 MB by level, and 1.1 MB for each
// window size below 32 KiB that a peer asked for and longer messages needed, of which
// there are seven; an Inflater 40 KB, and 16 KB of buffers.
//
// # Who owns which bytes
//
// Append-like methods extend dst as the append builtin does, and keep neither dst
// nor the payload, which they do not change. On an error dst comes back as it
// was.
//
// # Limits
//
// The plaintext of a message is limited: a message that grows beyond it is given
// up after at most 32 KiB more. Its compressed length is for ws.Limits to bound,
// and a Stream bounds what it holds.
//
// What a peer can make an Inflater work for a byte is up to 0.2 us by blocks that
// describe Huffman codes and use none, and 2 us by zeros, of which a thousand are a
// byte. The latter is bounded by the limit of the plaintext, the former only by that of
// the compressed length: 16 MiB of it are seconds. So an Inflater has a Yield, by which
// others get their turn behind each [Slice] of a long message, and its Work tells what
// short ones have cost.
//
// Distances are not checked against the window that was agreed: a peer that refers
// back further inside of one message is understood.
//
// Nothing here is safe for concurrent use.
package deflate
