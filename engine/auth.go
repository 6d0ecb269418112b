package engine

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// BasicAuth protects a mount by HTTP's Basic authentication (RFC 7617), which sends the
// password with every request and so belongs on TLS. It holds for whatever leads to the
// mount, upgrades to WebSocket too, and comes before every callback about the request.
// Who is not let in is answered with 401 and asked for a name and a password. Who is let
// in is known by Request.BasicAuth and by AccessEntry.User.
//
// One of the fields behind Realm must be set. If several are, Check is asked about
// users that neither map has, and ByCallback about those that Check refuses.
type BasicAuth struct {
	// Realm is what browsers show, and by what they know where else the same password
	// is good.
	Realm string
	// Users are passwords by user. They are compared in a time that tells nothing about
	// them.
	Users map[string]string
	// UsersSHA256 are SHA-256 hashes of passwords by user. It keeps long random passwords
	// out of configurations; one that people have chosen is soon guessed from such a hash,
	// and needs a slow one.
	UsersSHA256 map[string][sha256.Size]byte
	// Check is asked on the loop, so it must be quick: of a slow hash keep the answers.
	Check func(user, password string) bool
	// ByCallback raises VerifyBasicAuthorization on the vhost's first protocol. A
	// Callback that does not know the reason lets everybody in.
	ByCallback bool
}

func (a *BasicAuth) check() error {
	switch {
	case !http1.ValidValue(a.Realm):
		return errors.New("the realm is no field value")
	case len(a.Users)+len(a.UsersSHA256) == 0 && a.Check == nil && !a.ByCallback:
		return errors.New("nothing says who may pass")
	}
	for user := range a.Users {
		if _, twice := a.UsersSHA256[user]; twice {
			return errors.New("a user has two passwords")
		}
	}
	return nil
}

// digest is a SHA-256 hash.
type digest = [sha256.Size]byte

// authentication is a BasicAuth in use.
type authentication struct {
	users      map[digest]digest // passwords by users
	verify     func(user, password string) bool
	byCallback bool
	challenge  []byte // the field WWW-Authenticate
}

func newAuthentication(a *BasicAuth) *authentication {
	if a == nil {
		return nil
	}
	use := &authentication{users: map[digest]digest{}, verify: a.Check, byCallback: a.ByCallback}
	for user, password := range a.Users {
		use.users[sha256.Sum256([]byte(user))] = sha256.Sum256([]byte(password))
	}
	for user, password := range a.UsersSHA256 {
		use.users[sha256.Sum256([]byte(user))] = password
	}
	use.challenge = http1.AppendChallenge([]byte("WWW-Authenticate: "), a.Realm)
	use.challenge = append(use.challenge, "\r\n"...)
	return use
}

// knows tells whether one of the users has the password. It takes the same time for
// users that there are not.
func (a *authentication) knows(user, password []byte) bool {
	want, there := a.users[sha256.Sum256(user)]
	got := sha256.Sum256(password)
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && there
}

// authorized lets the request in, or answers it. The connection lives on: browsers ask
// again on it.
func (h *httpRole) authorized(s *session) bool {
	a := h.mount.authentication()
	if a == nil {
		return true
	}
	var room [256]byte
	both, ok := h.req.AppendBasicAuth(room[:0])
	if ok {
		ok = a.passes(h, s, both)
	}
	if ok {
		h.flags |= httpKnown
	}
	if ok || s.state != stateOpen || h.flags&(httpStarted|httpRaw|httpHeld) != 0 {
		return ok
	}
	h.extra = append(h.extra[:0], a.challenge...)
	h.status(s, 401)
	return false
}

// passes tells whether "user:password" may pass. The program may have answered, if not.
func (a *authentication) passes(h *httpRole, s *session, both []byte) bool {
	user, password, _ := bytes.Cut(both, []byte{':'})
	if a.knows(user, password) {
		return true
	}
	if a.verify != nil {
		ok, err := a.asked(s, user, password)
		if err != nil {
			h.refuse(s, err, 500)
		}
		if ok || err != nil {
			return ok
		}
	}
	if !a.byCallback {
		return false
	}
	err := s.tell(callbacks.VerifyBasicAuthorization, both)
	if s.state != stateOpen || h.flags&(httpStarted|httpRaw|httpHeld) != 0 {
		return false
	}
	if h.chooses(err) {
		h.refuse(s, err, 401)
	}
	return err == nil
}

// asked calls the program's Check.
func (a *authentication) asked(s *session, user, password []byte) (ok bool, err error) {
	defer s.l.recovered(callbacks.VerifyBasicAuthorization, &err)
	return a.verify(string(user), string(password)), nil
}

// chooses tells whether err asks for another answer than a challenge.
func (h *httpRole) chooses(err error) bool {
	var status *http1.Error
	var panicked *PanicError
	return errors.As(err, &panicked) || errors.As(err, &status) && status.Status != 401 || errors.Is(err, callbacks.ErrClose)
}
