package callbacks

// WithState is a Callback with typed state per session: libwebsockets' user
// pointer. A *T, zeroed, is made when the session is bound to the protocol and
// stays until WSIDestroy; for HTTP it is zeroed again for each transaction. st
// is nil before the binding and for reasons that belong to no session. It is
// kept as the session's UserData; a *T that a client was given by
// ClientConnectInfo.UserData is used as it is.
func WithState[T any](f func(s Session, st *T, r Reason, in []byte) error) Callback {
	return func(s Session, r Reason, in []byte) error {
		st, _ := s.UserData().(*T)
		if r.binds() {
			if st == nil {
				st = new(T)
				s.SetUserData(st)
			} else if r == HTTPBindProtocol {
				*st = *new(T)
			}
		}
		return f(s, st, r, in)
	}
}

// binds tells whether r is the first a protocol hears of a session or
// transaction.
func (r Reason) binds() bool {
	switch r {
	case HTTPBindProtocol, WSServerBindProtocol, WSClientBindProtocol, RawSktBindProtocol, ClientHTTPBindProtocol:
		return true
	}
	return false
}
