package engine

// role is what a session speaks now. Upgrading is assigning another one.
type role interface {
	// receive uses a prefix of b and returns its length; 0 wants more bytes. It
	// may call s.become. An error ends the session by way of fail.
	receive(s *session, b []byte) (n int, err error)
	// eof says that the peer sends no more.
	eof(s *session)
	// writeable raises the role's Writeable callback, if it has one.
	writeable(s *session)
	// timeout says that s.deadline has passed.
	timeout(s *session, now int64)
	// settle follows an event in which the session asked for it with s.later.
	settle(s *session)
	// fail gives err its wire answer and begins to end the session.
	fail(s *session, err error)
	// goodbye begins an orderly end, for Shutdown.
	goodbye(s *session)
	// closed gives the last callbacks; the link is gone.
	closed(s *session)

	// write and close are Session.Write and Session.Close.
	writer
}

// become gives the session another role. The unread rest of the bytes in hand
// goes to it.
func (s *session) become(r role) { s.role = r }
