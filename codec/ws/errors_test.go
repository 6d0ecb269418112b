package ws

import (
	"errors"
	"fmt"
	"testing"
)

func TestCloseErrorText(t *testing.T) {
	for _, c := range []struct {
		err  CloseError
		want string
	}{
		{CloseError{Code: 1000}, `ws: closed with 1000`},
		{CloseError{Code: 1001, Reason: "restart"}, `ws: closed with 1001: "restart"`},
		{CloseError{Code: 1001, Reason: "a\nb", Remote: true}, `ws: closed by peer with 1001: "a\nb"`},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestKindNames(t *testing.T) {
	for k, want := range []string{"none", "data", "ping", "pong", "close", "unknown"} {
		if got := Kind(k).String(); got != want {
			t.Errorf("%d is %q, want %q", k, got, want)
		}
	}
}

func ExampleCloseError() {
	var r Reader
	var ev Event
	_, err := r.Receive([]byte("\x81\x02hi"), nil, &ev) // not masked

	var ce *CloseError
	if errors.As(err, &ce) {
		fmt.Println(errors.Is(err, ErrUnmasked), err)
		fmt.Printf("% x\n", AppendClose(nil, ce.Code, ce.Reason)[:4])
	}
	// Output:
	// true ws: closed with 1002: "frame from client is not masked"
	// 88 21 03 ea
}
