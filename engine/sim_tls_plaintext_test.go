package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/simnet"
)

// TestSimPlaintext has peers that speak to TLS listeners without TLS, beside others
// that know better.
func TestSimPlaintext(t *testing.T) {
	sc := scenario{name: "plaintext", over: overTLS, config: func(w *world, _ *simnet.Config, _ *Config) {
		w.tls.plaintext = Plaintext(w.rng.IntN(3))
	}, play: func(w *world) {
		for i := range 1 + w.rng.IntN(4) {
			w.addPlain(fmt.Sprintf("plain %d", i))
		}
		w.addHTTPClient("secure")
	}}
	sc.runSeeds(t, simCount/tlsShare)
}

// addPlain adds a client without TLS. Where plaintext is served it is like any
// other; elsewhere it gets one answer, or none where it would not understand it.
func (w *world) addPlain(name string) {
	switch {
	case w.tls.plaintext == PlaintextServe:
		add := [...]func(string){func(n string) { w.addWSClient(n) }, w.addHTTPClient, w.addRawClient}
		add[w.rng.IntN(len(add))](name)
		w.peers[len(w.peers)-1].bare = true
	case w.rng.IntN(4) == 0:
		w.addPlainRaw(name)
	default:
		w.addPlainHTTP(name)
	}
}

func (w *world) addPlainRaw(name string) {
	port := [...]string{"raw", "line"}[w.rng.IntN(2)]
	p := w.add(name, rest(time.Second), dial(func(w *world) int { return w.port[port] }), send([]byte(w.text(1+w.size()))), ended())
	p.bare = true
	w.checks = append(w.checks, func() {
		if len(p.got) > 0 || !p.end.Broken() {
			w.failf("%s: got %.80q, broken %v", name, p.got, p.end.Broken())
		}
	})
}

func (w *world) addPlainHTTP(name string) {
	method := [...]string{"GET", "HEAD", "POST", "PUT"}[w.rng.IntN(4)]
	body := ""
	if method[0] == 'P' {
		body = w.text(w.size())
	}
	request := fmt.Sprintf("%s /path?query HTTP/1.1\r\nHost: sim\r\nContent-Length: %d\r\n\r\n%s", method, len(body), body)
	p := w.add(name, rest(time.Second), dial(httpPort), send([]byte(request)), ended())
	p.bare = true
	want := "HTTP/1.1 400 "
	if w.tls.plaintext == PlaintextRedirect {
		want = map[bool]string{false: "HTTP/1.1 301 ", true: "HTTP/1.1 308 "}[method[0] == 'P']
	}
	w.checks = append(w.checks, func() {
		got := string(p.got)
		located := strings.Contains(got, "\r\nLocation: https://http/path?query\r\n") // the vhost is called http
		if !strings.HasPrefix(got, want) || located != (w.tls.plaintext == PlaintextRedirect) || strings.Count(got, "HTTP/1.1") != 1 || p.end.Broken() {
			w.failf("%s: %s is answered with %.200q, broken %v", name, method, got, p.end.Broken())
		}
	})
}
