// Package load drives a server from one thread with many connections, in a closed
// loop: every connection keeps a fixed number of messages in flight and sends the
// next one when an answer is complete; or one connection sends to all, and again
// when all have it.
//
//	Open   dial.go      connect, and the handshakes
//	       tls.go       what is offered to a server with TLS
//	       dialogue.go  what a connection sends and has to get back, in each mode:
//	       exchange.go  the same again and again,
//	       text.go      or text that differs,
//	       extension.go compressed, if the server agrees
//	Run    load.go      the event loop: warm up, measure, wait for the last answers
//	       conn.go      one connection: bytes out, bytes in, checked
//	       outgoing.go  the bytes it sends
//	       framed.go    the frames it gets, if they differ
//	       wire.go      the socket below it
//	       secure.go    the socket with crypto/tls on it
//	       hist.go      latencies
//
// What it measures that a shared machine cannot spoil is the processor time that
// the server spends on a message, read at both ends of the measured time from a
// clock which the caller gives it. Answers are checked, so that a server cannot be
// fast by being wrong. It uses epoll and is for Linux.
package load
