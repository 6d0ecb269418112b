package http1

// Refused returns what the request line of a head says that ParseRequest has refused,
// for logs: head is what ParseRequest was given, and the slices alias it. They are nil
// if the request line itself was malformed or is not complete.
func (r *Request) Refused(head []byte) (method, target []byte) {
	if r.err == nil || r.phase == phaseStartLine {
		return nil, nil
	}
	return r.method.of(head), r.target.of(head)
}
