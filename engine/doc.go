// Package engine is the front door of the library: an Engine serves the vhosts of
// its Config and connects as a client, and tells the program about it through
// callbacks.
//
//	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
//		Listen:    []string{"tcp://:7681"},
//		Protocols: []callbacks.Protocol{{Name: "echo", Callback: echo}},
//	}}})
//	...
//	err = e.Run(ctx) // drains and says 1001 to every WebSocket when ctx ends
//
// # The way of a byte
//
//	reactor.Loop   reads from the socket                       plainHandler.Data
//	session        gives bytes to the current role             session.received
//	role           HTTP server, WebSocket, client, raw, codec  role.receive
//	codec          parses in place                             http1.ParseRequest, ws.Reader
//	dispatch       calls the program, catches its panics       session.tell
//	Session.Write  encodes into the loop's cork                session.begin, commit
//	cork           one write when the event is over            cork.flush
//	reactor.Conn   sends, or queues what the socket refuses
//
// With TLS, secured.Data opens records in front of session.received, and
// secured.Write seals behind cork.flush.
//
// An upgrade is an assignment: the HTTP role answers 101, the session's role
// becomes the WebSocket one, and the rest of the same buffer goes to it.
//
// # Who runs what
//
// A session belongs to one event loop, and everything about it happens there.
// Engine's methods may be called from any goroutine, and so may a Handle's.
package engine
