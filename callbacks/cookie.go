package callbacks

import (
	"fmt"
	"net/http"
)

// SetCookie adds a Set-Cookie field to the response that is about to be sent. The errors are
// those of AddHeader, and ErrHeader for a cookie that is not Valid, of which nothing is
// sent. Request.Cookie has the browser's answer. What a browser may not show to a script is
// HttpOnly, what it may only send by TLS is Secure, and what no other site may make it send
// is SameSite.
func SetCookie(s Session, c *http.Cookie) error {
	if err := c.Valid(); err != nil {
		return fmt.Errorf("%w: %w", ErrHeader, err)
	}
	return s.AddHeader("Set-Cookie", c.String())
}
