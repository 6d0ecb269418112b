// Package interop holds the tests of this project against programs and libraries
// of others: WebSocket libraries on either side, net/http, crypto/tls, curl,
// openssl and a browser. It is a module of its own, so that what it drives is no
// requirement of the library.
package interop
