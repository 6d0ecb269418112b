// Package certstest makes throw-away certificates: for tests, and for trying the examples on one's own machine.
//
//	NewCA ──> CA ──Issue──> Issued: a tls.Certificate, and its parts in PEM
//	           └─Intermediate──> CA ──Issue──> the same, sent with the intermediate's certificate
//	SelfSigned ──> Issued
//
// Its keys lie in memory in the clear and its serial numbers are not kept: nothing made here is for production. All
// functions may be called from any goroutine.
package certstest
