// Package callbackstest helps to test programs that are made of callbacks.
//
// A Session stands in for a connection: Call raises a reason, and what the
// callback did is there to look at.
//
//	s := callbackstest.NewSession(callbacks.Protocol{Callback: echo})
//	err := s.Call(callbacks.Receive, []byte("hi"))
//	// s.Writes is [{hi 0}]
//
// A Recorder wraps a callback that runs in a real engine: it notes every call
// and checks that reasons come in the order that package callbacks promises.
package callbackstest
