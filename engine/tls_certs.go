package engine

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strconv"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/certs"
	"github.com/penstock-go/penstock/reactor"
)

const (
	// reloadInterval is how often the files of certificates are looked at.
	reloadInterval = 10 * time.Second

	// reloadPatience is how long Run waits for a read of them that hangs.
	reloadPatience = time.Second

	// firstAging and agingInterval are libwebsockets' times for VhostCertAging.
	firstAging    = 5 * time.Second
	agingInterval = 24 * time.Hour
)

// ownConfig clones the user's tls.Config, which may be nil, and with it the pools of
// CAs: what the program adds for one vhost must not be trusted by another.
func ownConfig(from *tls.Config) *tls.Config {
	if from == nil {
		return new(tls.Config)
	}
	cfg := from.Clone()
	if cfg.ClientCAs != nil {
		cfg.ClientCAs = cfg.ClientCAs.Clone()
	}
	if cfg.RootCAs != nil {
		cfg.RootCAs = cfg.RootCAs.Clone()
	}
	return cfg
}

// loadExtraCAs lets the program add to the CAs, before anything runs.
func (e *Engine) loadExtraCAs() error {
	l := e.loops[0]
	for i, v := range e.vhosts {
		if v.tls != nil {
			if err := l.loadExtraServerCAs(v); err != nil {
				return fmt.Errorf("%w (vhost %q)", err, v.name)
			}
		}
		if e.cfg.Vhosts[i].ClientTLS != nil {
			l.roots = func() *x509.CertPool { return trusted(v.clientTLS) }
			_ = l.tellAbout(v, callbacks.OpenSSLLoadExtraClientVerifyCerts, nil)
		}
	}
	l.roots = nil
	return nil
}

// loadExtraServerCAs may have UpdateCert called beside it, or by the callback.
func (l *loop) loadExtraServerCAs(v *vhost) error {
	pool := v.tls.current.Load().ClientCAs
	if pool != nil {
		pool = pool.Clone()
	}
	l.roots = func() *x509.CertPool {
		if pool == nil {
			pool = x509.NewCertPool()
		}
		return pool
	}
	_ = l.tellAbout(v, callbacks.OpenSSLLoadExtraServerVerifyCerts, nil)
	return v.tls.change(func(cfg *tls.Config) error {
		cfg.ClientCAs = pool
		return settleClientAuth(cfg)
	})
}

// settleClientAuth asks for certificates if there is a CA to verify them by, and
// refuses to verify them by the system's, which would take anybody's.
func settleClientAuth(cfg *tls.Config) error {
	switch {
	case cfg.ClientAuth == tls.NoClientCert && cfg.ClientCAs != nil && !cfg.ClientCAs.Equal(x509.NewCertPool()):
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	case cfg.ClientAuth >= tls.VerifyClientCertIfGiven && cfg.ClientCAs == nil:
		return configErrorf("client certificates are to be verified, and no CA is given")
	}
	return nil
}

// trusted are the roots of a client's tls.Config, to be added to.
func trusted(cfg *tls.Config) *x509.CertPool {
	if cfg.RootCAs == nil {
		pool, err := x509.SystemCertPool()
		if err != nil { // a system without any
			pool = x509.NewCertPool()
		}
		cfg.RootCAs = pool
	}
	return cfg.RootCAs
}

// watchCertificates begins to look at files and dates, on the first loop's clock.
func (e *Engine) watchCertificates() {
	l := e.loops[0]
	files := false
	for _, v := range e.vhosts {
		if v.tls != nil {
			l.every(firstAging, agingInterval, func() { l.tellAge(v) })
			files = files || v.tls.files != nil
		}
	}
	if files {
		l.every(reloadInterval, reloadInterval, e.reload)
	}
}

// recurring is an alarm that comes again and again.
type recurring struct {
	alarm    reactor.Timer
	l        *loop
	interval time.Duration
	f        func()
}

// every calls f on the loop, which does not run yet, after first and then at
// intervals.
func (l *loop) every(first, interval time.Duration, f func()) {
	t := &recurring{l: l, interval: interval, f: f}
	t.alarm.Owner = t
	l.recurring = append(l.recurring, t)
	_ = l.r.Post(reactor.Func(func() { l.r.Arm(&t.alarm, l.r.Now()+int64(first)) }))
}

// Expire is for the wheel only.
func (t *recurring) Expire(now int64) {
	t.l.r.Arm(&t.alarm, now+int64(t.interval))
	t.f()
}

// stopWatching takes the alarms back, when the loops have ended, and waits for a
// disk that answers.
func (e *Engine) stopWatching() {
	for _, l := range e.loops {
		for _, t := range l.recurring {
			l.r.Disarm(&t.alarm)
		}
	}
	select { // a read in hand ends
	case e.reloading <- struct{}{}:
	case <-time.After(reloadPatience):
	}
}

// warnOfAge logs certificates that no client will accept.
func (e *Engine) warnOfAge(v *vhost) {
	if v.tls == nil {
		return
	}
	list := v.tls.current.Load().Certificates
	for i := range list {
		if days := certs.DaysLeft(&list[i], time.Now()); days < 0 {
			e.log.Warn("engine: a certificate is out of date", "vhost", v.name, "days", -days)
		}
	}
}

// tellAge raises VhostCertAging.
func (l *loop) tellAge(v *vhost) {
	list := v.tls.current.Load().Certificates // the program may replace it meanwhile
	for i := range list {
		days := certs.DaysLeft(&list[i], time.Now())
		_ = l.tellAbout(v, callbacks.VhostCertAging, strconv.AppendInt(nil, int64(days), 10))
	}
}

// reload looks at the files on a goroutine of its own: a disk that hangs must
// neither hold a loop nor the handshakes, and is asked once.
func (e *Engine) reload() {
	select {
	case e.reloading <- struct{}{}:
		go func() {
			defer func() { <-e.reloading }()
			e.reloadAll()
		}()
	default:
	}
}

func (e *Engine) reloadAll() {
	for _, v := range e.vhosts {
		if v.tls == nil || v.tls.files == nil {
			continue
		}
		changed, err := v.tls.files.Changed()
		switch {
		case err != nil:
			e.log.Error("engine: a changed certificate could not be loaded", "vhost", v.name, "err", err)
		case changed:
			v.tls.replace(v.tls.files.Certificate())
			e.warnOfAge(v)
			e.updated(v)
		}
	}
}

// updated raises VhostCertUpdate.
func (e *Engine) updated(v *vhost) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.loops) > 0 {
		l := e.loops[0]
		_ = l.r.Post(reactor.Func(func() { _ = l.tellAbout(v, callbacks.VhostCertUpdate, nil) }))
	}
}

// tellAbout raises a reason of a vhost's that belongs to no session.
func (l *loop) tellAbout(v *vhost, r callbacks.Reason, in []byte) error {
	return l.tellNobody(v, v.first(), r, in)
}
