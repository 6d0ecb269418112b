// Package reactor owns sockets: a few loops, each with its poller, its
// connections, its timers and its mailbox. Bytes go in and out; what they mean
// is the business of the package above.
//
// # One turn of a loop
//
// The poller reports a batch of descriptors. For each of them the loop does
//
//  1. ready: find the connection, the listener or the dial attempt
//  2. flush, if it is writable: the queue goes out; Handler.Writable when it has drained
//  3. read, if it is readable: one read(2) into the loop's shared buffer, behind
//     what the connection had kept; Handler.Data; what was not used is kept again
//  4. settle: the owner's after-event hook (it flushes its cork), then the
//     connections that asked for something meanwhile: feed again, close
//
// and when the loop was woken, by another goroutine or by its clock, it does
//
//  5. mail: at most mailBudget letters, in the order of each sender
//  6. timers: all that are due
//  7. settle, as above
//
// Readiness is only a hint. On an error or a hang-up the loop calls read(2) and
// believes the answer, so a late event for a descriptor that has been reused
// does no harm.
//
// # Who runs what
//
// Everything of a Loop and a Conn belongs to the loop's goroutine, except
// Loop.Post. Handlers run there too and must not block. There is no goroutine per
// connection; the only others are short-lived ones that resolve host names.
//
// # Whose bytes
//
// The slice given to Handler.Data is the loop's and is overwritten by the next
// read. Write and WriteTwo send or copy before they return, so the caller keeps
// its slices.
package reactor
