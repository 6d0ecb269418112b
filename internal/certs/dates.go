package certs

import (
	"crypto/tls"
	"crypto/x509"
	"iter"
	"time"
)

const (
	day = 24 * time.Hour

	// farthest is 120 years in doublings of an hour: a clock of 1970 reaches the certificates of 2090.
	farthest = time.Hour << 20

	// maxTries bounds the searches for a path under one set of roots. Each is one that a root in date was found for, so
	// only a server that sends certificates of several old CAs needs a second.
	maxTries = 8
)

// DaysLeft returns how many whole days are left before c ends, or the first of the certificates sent with it, which
// takes it along. It is negative once that is past: -1 on the first day. Certificates that do not parse do not count,
// and without any it is 0.
func DaysLeft(c *tls.Certificate, now time.Time) int {
	var end time.Time
	for _, der := range c.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err == nil && (end.IsZero() || cert.NotAfter.Before(end)) {
			end = cert.NotAfter
		}
	}
	if end.IsZero() {
		return 0
	}
	left := end.Sub(now)
	days := left / day
	if left%day < 0 {
		days--
	}
	return int(days)
}

// timeless returns copies of the certificates that are always in date. Signatures cover the bytes they were parsed
// from, which the copies share.
func timeless(chain []*x509.Certificate) []*x509.Certificate {
	out := make([]*x509.Certificate, len(chain))
	for i, c := range chain {
		always := *c
		always.NotBefore, always.NotAfter = time.Time{}, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
		out[i] = &always
	}
	return out
}

// verifyAtOtherTimes looks for a root that is not in date now. x509 checks a root's dates and says only in words what
// they are, and a pool does not list its roots, so what remains is to ask for other times. p.chain is timeless and sent
// has the true dates. Without an answer it returns err.
func (p *path) verifyAtOtherTimes(sent []*x509.Certificate, now time.Time, err error) error {
	tries := maxTries
	for at := range otherTimes(sent, now) {
		if !p.anchored(at) {
			continue
		}
		if again := p.verify(at); !lacksRoot(again) {
			return again
		}
		if tries--; tries == 0 {
			break
		}
	}
	return err
}

// anchored tells whether one of the certificates sent leads to a root at once. It is cheap where a search for a path
// from the leaf may cost a hundred signatures.
func (p *path) anchored(at time.Time) bool {
	for _, c := range p.chain {
		_, err := c.Verify(x509.VerifyOptions{
			Roots: p.roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		})
		if err == nil {
			return true
		}
	}
	return false
}

// otherTimes yields the dates of what was sent, since who signed it was in date at its beginning or is still at its
// end, and then times ever further from now. A root that went out of date d ago and was in date for longer than d is
// met, as one of the doublings lies between d and 2d.
func otherTimes(sent []*x509.Certificate, now time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for _, c := range sent {
			if !yield(c.NotBefore) || !yield(c.NotAfter) {
				return
			}
		}
		for step := time.Hour; step <= farthest; step *= 2 {
			if !yield(now.Add(-step)) || !yield(now.Add(step)) {
				return
			}
		}
	}
}
