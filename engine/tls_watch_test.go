package engine

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/certs/certstest"
	"github.com/penstock-go/penstock/internal/simnet"
)

// watched is an engine on a simulated kernel and clock whose certificate lies in
// files.
type watched struct {
	*Engine
	t         *testing.T
	cert, key string
	mu        sync.Mutex
	heard     []string // what is told about certificates, and when
	stop      context.CancelFunc
	done      chan error
}

func (w *watched) callback(s callbacks.Session, r callbacks.Reason, in []byte) error {
	if r == callbacks.VhostCertAging || r == callbacks.VhostCertUpdate {
		w.hear(s.Vhost() + " " + r.String() + " " + string(in))
	}
	return io.ErrNoProgress // is ignored
}

func (w *watched) hear(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, strings.TrimSpace(what))
}

// Write takes the log; it is an event, too.
func (w *watched) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "could not be loaded") {
		w.hear("logged")
	}
	return len(b), nil
}

// watch runs the engine in the bubble.
func watch(t *testing.T, c *certstest.Issued, limits Limits) *watched {
	dir := t.TempDir()
	w := &watched{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), done: make(chan error, 1)}
	w.put(c)
	w.run(limits, &ServerTLS{CertFile: w.cert, KeyFile: w.key}, w.ignoringInit)
	return w
}

// run runs the engine, with f for its first protocol.
func (w *watched) run(limits Limits, st *ServerTLS, f callbacks.Callback) {
	t := w.t
	t.Helper()
	protocols := []callbacks.Protocol{{Name: "first", Callback: f}, {Name: "second", Callback: func(_ callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.VhostCertAging || r == callbacks.VhostCertUpdate {
			t.Errorf("%v for the second protocol", r)
		}
		return nil
	}}}
	e, err := New(Config{Loops: 1, Limits: limits, Logger: slog.New(slog.NewTextHandler(w, nil)), kernel: simnet.New(simnet.Config{}),
		Vhosts: []Vhost{{Name: "v", Listen: []string{"tcp://127.0.0.1:443"}, Protocols: protocols, TLS: st}}})
	if err != nil {
		t.Fatal(err)
	}
	w.Engine = e
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	go func() { w.done <- e.Run(ctx) }()
}

// ignoringInit is callback, without the error that would end Run.
func (w *watched) ignoringInit(s callbacks.Session, r callbacks.Reason, in []byte) error {
	if r == callbacks.ProtocolInit {
		return nil
	}
	return w.callback(s, r, in)
}

// put replaces the files as tools do: a new file takes the name.
func (w *watched) put(c *certstest.Issued) { w.putParts(c.Chain, c.Key) }

func (w *watched) putParts(cert, key []byte) {
	w.t.Helper()
	for name, b := range map[string][]byte{w.cert: cert, w.key: key} {
		if err := os.WriteFile(name+".new", b, 0o600); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			w.t.Fatal(err)
		}
	}
}

// granularity is more than the engine's alarms come late by.
const granularity = 100 * time.Millisecond

// after lets time pass and returns what was heard. In a bubble time goes on only
// when all that was due is done.
func (w *watched) after(d time.Duration) string {
	<-time.After(d + granularity)
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.heard = nil }()
	return strings.Join(w.heard, ", ")
}

func (w *watched) end() {
	w.stop()
	if err := <-w.done; err != nil {
		w.t.Error(err)
	}
}

// current is the certificate that the next handshake shows.
func (w *watched) current() *tls.Certificate {
	return &w.vhosts[0].tls.current.Load().Certificates[0]
}

func issued(t *testing.T, days int) *certstest.Issued {
	t.Helper()
	ca := certstest.Must(certstest.NewCA(certstest.Spec{}))
	from := time.Now().AddDate(0, 0, -100)
	return certstest.Must(ca.Issue(certstest.Spec{NotBefore: from, NotAfter: time.Now().AddDate(0, 0, days).Add(time.Hour)}))
}

// TestTLSChangedFilesAreRead: within the interval, once, and only what fits together.
func TestTLSChangedFilesAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := issued(t, 30), issued(t, 60)
		w := watch(t, first, Limits{})
		if got := w.after(6 * time.Second); got != "v VhostCertAging 30" {
			t.Errorf("after 6 s: %q", got)
		}
		if got := w.after(time.Hour); got != "" {
			t.Errorf("nothing has changed: %q", got)
		}
		w.put(second)
		if got := w.after(reloadInterval); got != "v VhostCertUpdate" || !w.current().Leaf.Equal(second.TLS.Leaf) {
			t.Errorf("after a change: %q", got)
		}
		w.put(second)
		if got := w.after(reloadInterval); got != "" {
			t.Errorf("the same in a new file: %q", got)
		}
		w.putParts(first.Chain, second.Key)
		if got := w.after(3 * reloadInterval); got != "logged" || !w.current().Leaf.Equal(second.TLS.Leaf) {
			t.Errorf("half a change: %q", got)
		}
		w.put(first)
		if got := w.after(reloadInterval); got != "v VhostCertUpdate" || !w.current().Leaf.Equal(first.TLS.Leaf) {
			t.Errorf("the other half: %q", got)
		}
		w.end()
	})
}

// TestTLSFilesAreReadBesideLoopsAndWorkers: handshakes do not wait for a disk, nor it
// for them; and a disk that hangs is asked once.
func TestTLSFilesAreReadBesideLoopsAndWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, issued(t, 30), Limits{TLSHandshakeSteps: 1})
		w.after(6 * time.Second)
		hang := make(chan struct{})
		w.steps.Begin(jobFunc(func() { <-hang }))
		w.put(issued(t, 60))
		if got := w.after(reloadInterval); got != "v VhostCertUpdate" {
			t.Errorf("with no worker free: %q", got)
		}
		close(hang)
		w.reloading <- struct{}{}
		w.put(issued(t, 90))
		if got := w.after(time.Minute); got != "" {
			t.Errorf("while a read hangs: %q", got)
		}
		<-w.reloading
		if got := w.after(reloadInterval); got != "v VhostCertUpdate" {
			t.Errorf("behind it: %q", got)
		}
		w.end()
	})
}

type jobFunc func()

func (f jobFunc) Run() { f() }

// TestTLSCertificatesAge: first soon, then daily, negative when it is over.
func TestTLSCertificatesAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, issued(t, 2), Limits{})
		if got := w.after(firstAging - time.Second); got != "" {
			t.Errorf("before its time: %q", got)
		}
		for _, want := range []string{"2", "1", "0", "-1"} {
			if got := w.after(2 * time.Second); got != "v VhostCertAging "+want {
				t.Errorf("got %q, want %s days", got, want)
			}
			w.after(agingInterval - 2*time.Second - 2*granularity)
		}
		w.end()
	})
}

// TestTLSProgramRenewsWhatAges: who is told of the age of one certificate of several
// may replace them all.
func TestTLSProgramRenewsWhatAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{t: t, done: make(chan error, 1)}
		next := issued(t, 90)
		w.run(Limits{}, &ServerTLS{Config: &tls.Config{Certificates: []tls.Certificate{issued(t, 30).TLS, issued(t, 60).TLS}}},
			func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				if r == callbacks.VhostCertAging {
					if err := w.UpdateCert("v", next.Chain, next.Key); err != nil {
						t.Error(err)
					}
				}
				return w.ignoringInit(s, r, in)
			})
		want := "v VhostCertAging 30, v VhostCertAging 60, v VhostCertUpdate, v VhostCertUpdate"
		if got := w.after(firstAging + time.Second); got != want {
			t.Errorf("got %q", got)
		}
		if !w.current().Leaf.Equal(next.TLS.Leaf) {
			t.Error("it is not the new certificate that is shown")
		}
		w.end()
	})
}
