// Package certs is what stands around crypto/tls: loading certificates in whatever form they come, checking a server's
// chain with single checks switched off, and keeping a pair of files fresh.
//
//	memory, PEM or DER ──> Pair ──> tls.Certificate ──┐
//	files on disk ──────> Files ──> Certificate() ────┴──> tls.Config of a listener or a client
//	CA bundle ──────────> Pool ───> x509.CertPool ──┐
//	what a server sent ─────────────────────────────┴──> Verify ──> nil, or x509's own error in a wrapper
//
// Nothing here starts a goroutine or a timer. [Files.Changed] and [OpenFiles] read the disk, and [Verify] computes for
// up to some milliseconds, so all three belong off the loops. [Files.Certificate] may be called from anywhere.
//
// No function keeps or changes the bytes it is given: certificates and keys are parsed into memory of their own.
package certs
