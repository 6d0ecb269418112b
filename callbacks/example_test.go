package callbacks_test

import (
	"fmt"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
)

// State of each session, with a type.
func ExampleWithState() {
	type visitor struct{ messages int }
	count := callbacks.WithState(func(s callbacks.Session, v *visitor, r callbacks.Reason, in []byte) error {
		if r == callbacks.Receive {
			v.messages++
			return s.Write(fmt.Appendf(nil, "%d: %s", v.messages, in), callbacks.WriteText)
		}
		return nil
	})

	s := callbackstest.NewSession(callbacks.Protocol{Callback: count})
	_ = s.Call(callbacks.WSServerBindProtocol, nil) // the engine does this
	_ = s.Call(callbacks.Receive, []byte("hello"))
	_ = s.Call(callbacks.Receive, []byte("again"))
	fmt.Println(s.Writes)
	// Output: [{1: hello 0} {2: again 0}]
}

// Functions instead of a switch.
func ExampleFuncs() {
	f := callbacks.Funcs{
		Open:    func(s callbacks.Session) error { return s.Write([]byte("welcome"), callbacks.WriteText) },
		Message: func(s callbacks.Session, msg []byte) error { return s.Write(msg, s.Kind()) },
	}
	s := callbackstest.NewSession(callbacks.Protocol{Callback: f.Callback()})
	_ = s.Call(callbacks.Established, nil)
	_ = s.Call(callbacks.Receive, []byte("hi"))
	fmt.Println(s.Writes)
	// Output: [{welcome 0} {hi 0}]
}

func ExampleCallbackHTTPDummy() {
	s := callbackstest.NewSession(callbacks.Protocol{Callback: callbacks.CallbackHTTPDummy})
	s.SetRequest("GET /missing HTTP/1.1\r\nHost: example.com\r\n\r\n")
	_ = s.Call(callbacks.HTTP, []byte("/missing"))
	fmt.Println(s.Responses[0].Status)
	// Output: 404
}
