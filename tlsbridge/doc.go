// Package tlsbridge drives crypto/tls from an event loop: ciphertext in,
// plaintext out, and no goroutine behind a connection.
//
//	            worker                                  loop
//	records --> Step --> Done      then    records --> Open --> plaintext
//	   ^         |  \                      records <-- Seal <-- plaintext
//	   |         v   +--> Asking: Answer, Step
//	   +------- More
//
// # The handshake
//
// crypto/tls blocks while it shakes hands, and an error, even a temporary one,
// ends it for good. So it runs in a coroutine (iter.Pull) that is suspended
// whenever it wants to read what has not come. Step resumes it, on whatever
// goroutine: a private-key operation or a slow GetCertificate belongs on a
// worker, not on a loop. The calls for one Conn must not overlap. A coroutine
// exists from the first Step to the one that returns Done or Failed, or to
// Cancel, and holds about 24 KB; nothing else of the package needs one.
//
// # Afterwards
//
// Open and Seal run on the loop. crypto/tls resumes after a read that failed
// with a temporary net.Error, which is what running out of records is to it.
// Writing never fails, because it appends to memory: whoever has limits checks
// them before Seal. A test pins both, with what breaks if a Go changes them.
//
// Under the race detector a process grows by some hundred KB with each coroutine:
// its runtime does not free them. Do not look for leaks there.
//
// # Memory
//
// A tls.Conn keeps the buffer it received its longest record in, which is 2 KB
// after a handshake and 18 KB after one full record. Open lends it the caller's
// buffer instead; see inside.go. Nobody keeps a slice that is passed in, but for
// the time of the call.
package tlsbridge
