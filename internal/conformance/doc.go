// Package conformance holds the example programs to RFC 6455 and RFC 7692, and to those
// of HTTP/1.1, case by case. WebSockets are tried in the manner of the Autobahn testsuite,
// and under its numbers:
//
//	1 framing          5 fragmentation   9 sizes                    x beyond it:
//	2 pings and pongs  6 UTF-8          10 fragments of odd size      frames, compression
//	3 reserved bits    7 closing        12 compressed data            and negotiation as the
//	4 opcodes                           13 compression's parameters   RFCs demand them
//
// All of it is in test files. TestServer plays the client against examples/echo,
// TestClient the server against examples/websocket_client -echo; each does so on TCP
// and TLS, and with -deflate where the programs know that flag. The programs are
// built, with the race detector if the test has it, and run as processes of their
// own.
//
// A case passes if the peer answers with the expected events in their order and
// nothing else, and if the connection ends as it should: with a close frame of the
// expected code from each side, and with the server as the first to close TCP. What
// Autobahn calls non-strict fails here, and of what it leaves open one behaviour is
// demanded.
//
// Frames, masks and compression are the tests' own, see internal/wstest, deflate_test.go
// and inflate_test.go, so that a fault of the project's codecs cannot hide by being on
// both sides.
//
// TestHTTP holds examples/echo to RFC 9110, RFC 9112 and RFC 3986, byte by byte: tables
// of raw requests, each named by its rule. What the RFCs call valid is answered, once,
// wherever it is cut in two, and the request behind it too; anything else is refused
// with a 4xx or 5xx and a close, and nothing behind it is answered.
//
// Plain go test sends fewer messages in the sections 9, 12 and 13, and leaves out half of
// the cases of the long sections for clients by TLS; under the race detector it runs a
// quarter of them. PENSTOCK_CONFORMANCE=full sends as many as Autobahn does,
// a number instead of full so many of each case; both also run the sections 1 to 10
// against programs with -deflate, with and without it being negotiated, and print a
// summary. A run with 10 takes some minutes, a full one more than an hour:
//
//	PENSTOCK_CONFORMANCE=full go -C internal/conformance test -timeout 3h
//
// Given a list of packages instead, go test shows the summary of failures only.
package conformance
