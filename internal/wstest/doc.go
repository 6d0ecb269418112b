// Package wstest is what the tests of whole programs share: it runs a program
// inside the test, talks to it over loopback sockets, and looks for what it left
// behind. It knows HTTP and WebSocket from the standard library and RFC 6455
// alone, so that a fault of this project's codecs cannot hide by being on both
// sides.
//
// All of it is called on the test's goroutine; what fails ends the test. Nothing
// waits longer than Patience.
package wstest
