package engine

import (
	"fmt"
	"runtime/debug"

	"github.com/penstock-go/penstock/callbacks"
)

// errand is a Session.Go on its way to a worker and back.
type errand struct {
	h    callbacks.Handle
	e    *Engine
	work func()
	done func(callbacks.Session) error
}

// Go implements callbacks.Session.
func (s *session) Go(work func(), done func(callbacks.Session) error) error {
	s.l.assertHere()
	if s.state > stateOpen {
		return callbacks.ErrClosed
	}
	if !s.l.e.workers.Begin(&errand{s.Handle(), s.l.e, work, done}) {
		return callbacks.ErrBusy
	}
	return nil
}

// Run is the worker's part.
func (j *errand) Run() {
	err := j.e.safely(j.work)
	if err == nil && j.done == nil {
		return
	}
	_ = j.h.Post(func(s callbacks.Session) error {
		if err != nil {
			return err
		}
		return j.done(s)
	})
}

// safely calls the program's f on a worker. Its panic becomes an error.
func (e *Engine) safely(f func()) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		p := &PanicError{Value: v, Stack: debug.Stack()}
		if v == nil { // runtime.Goexit
			p.Value = fmt.Errorf("engine: the goroutine was ended")
		}
		e.log.Error("engine: a worker panicked", "panic", p.Value, "stack", string(p.Stack))
		err = p
	}()
	f()
	returned = true
	return nil
}
