package engine

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/handshakes"
	"github.com/penstock-go/penstock/tlsbridge"
)

// transport is what the peers of a run and the engine talk over.
type transport string

const (
	plain   transport = "plain"
	overTLS transport = "TLS"
)

// overBoth is for what has to be the same over either.
func overBoth(t *testing.T, test func(t *testing.T, over transport)) {
	for _, over := range [...]transport{plain, overTLS} {
		t.Run(string(over), func(t *testing.T) { test(t, over) })
	}
}

// simHosts are what the engine's clients connect to, and simName is what the peers
// call the engine.
var simHosts = []string{"*.example", "*.one.example", "*.two.example"}

const simName = "sim.example"

// simCertificate is everybody's. Nothing in it is left to chance, and its
// signatures are all of one length, so that no seed depends on them; its dates
// include those of bubbles.
var simCertificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	day := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: simHosts, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)},
		NotBefore: day(1990), NotAfter: day(2040)}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
})

// simTLS is the TLS of a world.
type simTLS struct {
	config    *tls.Config // of both sides, with cheap handshakes
	plaintext Plaintext
	ends      []*tlsEnd
}

func newSimTLS() *simTLS {
	cert, pool := simCertificate()
	return &simTLS{config: &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, ServerName: simName,
		CurvePreferences: []tls.CurveID{tls.X25519}, ClientSessionCache: tls.NewLRUClientSessionCache(0),
		DynamicRecordSizingDisabled: true}}
}

// secure puts TLS on what cfg has without.
func (w *world) secure(cfg *Config) {
	own := w.tls.config.Clone()
	own.ServerName = ""
	for i := range cfg.Vhosts {
		v := &cfg.Vhosts[i]
		v.TLS = &ServerTLS{Config: own, Plaintext: w.tls.plaintext}
		v.ClientTLS = &ClientTLS{Config: own}
	}
	lim := &cfg.Limits
	lim.TLSHandshakeSteps = 1 // the order of two at once would be left to chance
	if w.rng.IntN(2) == 0 && lim.TLSHandshakes == 0 {
		lim.TLSHandshakes = 1 + w.rng.IntN(4)
	}
	if lim.TLSHandshakeTimeout == 0 && !w.calm {
		lim.TLSHandshakeTimeout = 20 * time.Minute
	}
}

// peerConfig is that of one peer's end.
func (w *world) peerConfig(role tlsbridge.Role) *tls.Config {
	cfg := w.tls.config.Clone()
	if w.rng.IntN(4) == 0 {
		cfg.MaxVersion = tls.VersionTLS12
	}
	switch {
	case role == tlsbridge.Client && w.rng.IntN(2) == 0:
		cfg.ClientSessionCache = nil
	case role == tlsbridge.Server:
		cfg.SessionTicketsDisabled = w.rng.IntN(2) == 0
	}
	return cfg
}

// lookAtTLS looks for what is left of TLS. A coroutine that is left would keep the
// bubble from ending.
func (w *world) lookAtTLS() {
	for _, e := range w.tls.ends {
		e.tls.Cancel()
	}
	if s := w.e.Stats(); s.TLSPending != 0 || s.TLSWaiting != 0 || s.TLSSteps != 0 || s.TLSStepsQueued != 0 {
		w.failf("left: %d handshakes pending, %d waiting, %d steps, %d queued", s.TLSPending, s.TLSWaiting, s.TLSSteps, s.TLSStepsQueued)
	}
}

// tlsShare is how many runs without TLS there are for one with it, which costs
// more.
const tlsShare = 4

// lateWorkers make every step of a handshake take its time. Without that a step
// would be done before the next event, or be done in the middle of one.
type lateWorkers struct {
	stepper
	rng *rand.Rand // the network's goroutine asks for steps, nobody else
}

func (l lateWorkers) Begin(j handshakes.Job)    { l.stepper.Begin(l.later(j)) }
func (l lateWorkers) Continue(j handshakes.Job) { l.stepper.Continue(l.later(j)) }

func (l lateWorkers) later(j handshakes.Job) handshakes.Job {
	return lateJob{j, time.Duration(1 + l.rng.IntN(1<<l.rng.IntN(20)))}
}

type lateJob struct {
	handshakes.Job
	after time.Duration
}

func (j lateJob) Run() {
	<-time.After(j.after)
	j.Job.Run()
}
