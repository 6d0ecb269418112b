package engine

import "github.com/penstock-go/penstock/codec/http1"

// refusalMost is how much of a refusal's body is read for HandshakeError.Body: enough
// for what says why, and no page.
const refusalMost = 1 << 10

// refusing is a response that is no good and whose body is awaited.
type refusing struct {
	err  error   // what it will be
	text *[]byte // in err
	body http1.Body
}

// refuse ends the attempt by err, an answer that is no good and, if it has a body,
// when the beginning of that is there. text is where it goes.
func (d *dialRole) refuse(s *session, r *http1.Response, method string, err error, text *[]byte) {
	d.heed(r)
	f, bad := r.Framing(method)
	if bad != nil || f.Empty() {
		s.shut(err)
		return
	}
	d.refusing = &refusing{err: err, text: text}
	d.refusing.body.Start(f, &s.l.e.limits.HTTP)
}

// refused reads the body of a refusal.
func (d *dialRole) refused(s *session, b []byte) int {
	x := d.refusing
	used := 0
	for used < len(b) {
		n, data, done, err := x.body.Next(b[used:])
		used += n
		*x.text = append(*x.text, data[:min(len(data), refusalMost-len(*x.text))]...)
		if done || err != nil || len(*x.text) == refusalMost {
			s.shut(x.err)
			break
		}
	}
	return used
}

// unanswered is why there is no answer: err, unless it is known that it would be no
// good, or that it is a proxy's.
func (d *dialRole) unanswered(err error) error {
	switch {
	case d.refusing != nil:
		return d.refusing.err
	case d.tunnel != nil:
		return &ProxyError{Text: "no answer", Err: err}
	}
	return err
}
