package deflate_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// The opening handshake: a browser's offer, a server that saves memory.
func ExampleConfig_Accept() {
	config := &deflate.Config{Server: deflate.Direction{Takeover: true}}
	offered := slices.Values([][]byte{[]byte("permessage-deflate; client_max_window_bits")})
	p, ok, err := config.Accept(offered)
	if err != nil {
		fmt.Println(err) // answer with 400
		return
	}
	if ok {
		fmt.Printf("%s\n", p.AppendResponse(nil))
	}
	// Output: permessage-deflate; client_no_context_takeover
}

func ExampleConfig_AppendOffer() {
	config := &deflate.Config{}
	fmt.Printf("%s\n", config.AppendOffer(nil))
	// Output: permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits
}

func ExampleConfig_Confirm() {
	config := &deflate.Config{}
	answered := slices.Values([][]byte{[]byte("permessage-deflate; server_no_context_takeover; server_max_window_bits=16")})
	_, _, err := config.Confirm(answered)
	fmt.Println(err) // fail the connection
	// Output: deflate: invalid parameter in the server's response
}

// A message as a server sends it.
func ExampleCompressor_AppendSmaller() {
	var c deflate.Compressor // of the loop
	var h deflate.History    // of the session
	var d deflate.Direction  // of its Params, From(ws.Server)
	var scratch, cork []byte // of the loop
	message := []byte(strings.Repeat("all work and no play makes jack a dull boy. ", 20))

	payload, ok := c.AppendSmaller(scratch[:0], message, d, &h)
	if !ok {
		payload = message
	}
	cork = ws.AppendHeader(cork, ws.OpText, true, ok, len(payload))
	cork = append(cork, payload...)
	fmt.Println(len(message) > 5*len(cork))
	// Output: true
}

func ExampleCompressor_Append() {
	var c deflate.Compressor
	var h deflate.History
	var d deflate.Direction
	fmt.Printf("% x\n", c.Append(nil, []byte("Hello"), true, d, &h))
	fmt.Printf("% x\n", c.Append(nil, nil, true, d, &h))
	// Output:
	// 00 05 00 fa ff 48 65 6c 6c 6f 00
	// 00
}

// What a server does with a message that is there whole.
func ExampleInflater_Append() {
	var f deflate.Inflater // of the loop
	var h deflate.History  // of the session
	d := deflate.Direction{Takeover: true}

	for _, payload := range []string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00"} {
		text, err := f.Append(nil, []byte(payload), d, &h, 1<<20)
		fmt.Printf("%s, %v\n", text, err)
	}
	// Output:
	// Hello, <nil>
	// Hello, <nil>
}

// What it does with pieces that are delivered at once.
func ExampleStream_Append() {
	var f deflate.Inflater
	var h deflate.History
	var s deflate.Stream
	var d deflate.Direction

	for _, ev := range []ws.Event{
		{Payload: []byte("\xf2\x48\x05\x00\x00\x00\xff\xff")}, // flushed
		{Payload: []byte("\xca\xc9")},
		{Payload: []byte("\xc9\x07\x00"), Final: true},
	} {
		text, err := s.Append(&f, nil, ev.Payload, ev.Final, d, &h, 1<<20)
		fmt.Printf("%q, %v\n", text, err)
	}
	// Output:
	// "He", <nil>
	// "", <nil>
	// "llo", <nil>
}
