package http1

import (
	"bytes"
	"encoding/base64"
)

// BasicAuth returns what an Authorization field of the scheme Basic says (RFC 7617).
// The base64 must have the padding that RFC 4648 wants, and neither part control
// characters; a second such field ParseRequest has refused. The bytes are as they were sent: UTF-8 if
// the challenge asked for that and the client has listened.
func (r *Request) BasicAuth() (user, password string, ok bool) {
	both, ok := r.AppendBasicAuth(nil)
	if !ok {
		return "", "", false
	}
	u, p, _ := bytes.Cut(both, []byte{':'})
	return string(u), string(p), true
}

// AppendBasicAuth is BasicAuth that appends "user:password" to dst, and returns dst as
// it was if there is none. The first colon parts them, a user has none.
func (r *Request) AppendBasicAuth(dst []byte) (both []byte, ok bool) {
	value, _ := r.Header().Get("Authorization")
	scheme, rest, found := bytes.Cut(value, []byte{' '})
	if !found || !equalFold(scheme, "Basic") {
		return dst, false
	}
	was := len(dst)
	dst, err := base64.StdEncoding.Strict().AppendDecode(dst, trimOWS(rest))
	if text := dst[was:]; err != nil || bytes.IndexByte(text, ':') < 0 || bytes.ContainsFunc(text, isControl) {
		return dst[:was], false
	}
	return dst, true
}

// isControl tells CTL, RFC 5234 B.1.
func isControl(c rune) bool { return c < 0x20 || c == 0x7f }

// AppendChallenge appends the value of a WWW-Authenticate field that asks for Basic
// authentication in UTF-8 (RFC 7617 2.1). The realm must be a valid field value.
func AppendChallenge(dst []byte, realm string) []byte {
	dst = append(dst, `Basic realm="`...)
	for i := range len(realm) {
		if c := realm[i]; c == '"' || c == '\\' { // a quoted-pair, RFC 9110 5.6.4
			dst = append(dst, '\\')
		}
		dst = append(dst, realm[i])
	}
	return append(dst, `", charset="UTF-8"`...)
}
