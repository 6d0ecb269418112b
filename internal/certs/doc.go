// Package certs is what stands around crypto/tls: loading certificates in whatever form they come, checking a server's
// chain with single checks switched off, and keeping a pair of files fresh.
//
//	memory, PEM or DER ──> Pair ──> tls.Certificate ──┐
//	files on disk ──────> Files ──> Certificate() ────┴──> tls.Config of a listener or a client
//	CA bundle ──────────> Pool ───> x509.CertPool ──┐
//	what a server sent ─────────────────────────────┴──> Verify ──> nil, or x509's own error in a wrapper
//
// Nothing here starts a goroutine or a timer. [Files.Changed] and [OpenFiles] read the disk, and [Verify] computes: a
// fraction of a millisecond as a rule, some tens of them if relaxed and facing a hostile server. All three belong off
// the loops. Every function may be called from any goroutine.
//
// No function keeps or changes the bytes it is given: certificates and keys are parsed into memory of their own.
package certs
