package http1

import "testing"

func TestKnownMethods(t *testing.T) {
	for method, want := range map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "DELETE": true,
		"CONNECT": true, "OPTIONS": true, "TRACE": true, "PATCH": true, "get": false, "BREW": false, "": false} {
		if KnownMethod([]byte(method)) != want {
			t.Errorf("KnownMethod(%q) is %v", method, !want)
		}
	}
}
