package engine

// A client may send request upon request without waiting (RFC 9112 9.3.2), and one
// read brings thousands of small ones. They are answered in their order, and one at a
// time, so the order needs no queue:
//
//	held       an answer that is to come stops the reading; what has been read waits
//	           with the reactor, the rest in the kernel, where TCP holds the client back
//	in turns   Limits.Pipelined of them are served in one turn of the loop, then the
//	           other sockets have theirs
//	unread     a client that does not read its answers is not read from (Limits.SendHigh)

// inTurn follows a request that has been served while more of the connection's bytes
// are there, and gives the other sockets their turn when this one has had its share.
func (s *session) inTurn() {
	l := s.l
	l.pipelined++
	if l.pipelined < l.e.limits.Pipelined || s.state != stateOpen {
		return
	}
	s.pause(pauseTurn)
	l.pipelines = append(l.pipelines, s)
	if len(l.pipelines) == 1 {
		l.r.Defer(l.readPipelines)
	}
}

// readPipelines goes on, a turn later.
func (l *loop) readPipelines() {
	list := l.pipelines
	l.pipelines = nil
	for _, s := range list {
		s.unpause(pauseTurn)
	}
}
