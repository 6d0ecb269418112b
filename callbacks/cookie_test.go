package callbacks_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
)

func TestSetCookieRefuses(t *testing.T) {
	for name, c := range map[string]*http.Cookie{
		"no name":         {Value: "v"},
		"a name's space":  {Name: "a b", Value: "v"},
		"a line in it":    {Name: "a", Value: "v\r\nX: y"},
		"a value's comma": {Name: "a", Value: "v;w"},
		"a path":          {Name: "a", Value: "v", Path: "/\n"},
		"a domain":        {Name: "a", Value: "v", Domain: "-"},
	} {
		s := new(callbackstest.Session)
		if err := callbacks.SetCookie(s, c); !errors.Is(err, callbacks.ErrHeader) || len(s.Header) != 0 {
			t.Errorf("%s: %v, %q", name, err, s.Header)
		}
	}
}

func ExampleSetCookie() {
	s := new(callbackstest.Session)
	err := callbacks.SetCookie(s, &http.Cookie{Name: "session", Value: "8f14e45f", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	fmt.Println(s.Header, err)
	// Output: [{Set-Cookie session=8f14e45f; Path=/; HttpOnly; SameSite=Lax}] <nil>
}
