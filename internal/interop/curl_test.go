package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
	"github.com/penstock-go/penstock/internal/wstest"
)

// curl against examples/echo, by TCP and by TLS, and against vhosts of all kinds.

// curl runs curl with args and returns what it printed.
func curl(t *testing.T, args ...string) string {
	t.Helper()
	out, said, code := curlEnds(t, args...)
	if code != 0 {
		t.Fatalf("curl %q: %d\n%s", args, code, said)
	}
	return out
}

// curlEnds returns also what curl complained of, and its exit status.
func curlEnds(t *testing.T, args ...string) (out, said string, code int) {
	t.Helper()
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed; on Debian: apt-get install curl")
	}
	ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"-q", "-sS", "--noproxy", "*", "--cacert", caFile(t)}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if _, ended := errors.AsType[*exec.ExitError](err); !ended || ctx.Err() != nil {
			t.Fatalf("curl %q: %v\n%s", args, err, &stderr)
		}
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

func TestCurl(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		for _, test := range curlCases(p.base) {
			t.Run(test.name, func(t *testing.T) {
				if got := curl(t, test.args...); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		}
	})
}

type curlCase struct {
	name string
	args []string
	want string
}

func curlCases(url string) []curlCase {
	const report = "|%{http_version} %{http_code} %{num_connects}"
	return []curlCase{
		{"get", []string{url + "/plain"}, "Hello, World!"},
		{"http 1.0", []string{"--http1.0", "-w", report, url + "/plain"}, "Hello, World!|1.1 200 1"},
		{"post", []string{"-d", "a=b", url + "/form"}, "a=b"},
		{"post in 1.0", []string{"--http1.0", "-d", "a=b", url + "/form"}, "a=b"},
		{"chunked", []string{"-H", "Transfer-Encoding: chunked", "-d", "in chunks", url + "/x"}, "in chunks"},
		{"expect", []string{"-H", "Expect: 100-continue", "--expect100-timeout", "20", "-d", "expected", url + "/x"}, "expected"},
		{"put", []string{"-X", "PUT", "-d", "put", url + "/x"}, "put"},
		{"three urls", []string{"-w", report, url + "/plain", url + "/plain", url + "/plain"},
			"Hello, World!|1.1 200 1Hello, World!|1.1 200 0Hello, World!|1.1 200 0"},
		{"h2 is not taken", []string{"--http2", "-w", report, url + "/plain"}, "Hello, World!|1.1 200 1"},
		{"too long", []string{"-o", os.DevNull, "-w", "%{http_code}", "-H", "X: " + strings.Repeat("y", 100_000), url + "/plain"}, "431"},
	}
}

func TestCurlHead(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		got := curl(t, "-I", p.base+"/plain")
		if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.Contains(got, "\r\nContent-Length: 13\r\n") ||
			!strings.HasSuffix(got, "\r\n\r\n") {
			t.Errorf("got %q", got)
		}
	})
}

// curl asks for 100 (Continue) by itself before a body of this size.
func TestCurlLargeBody(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abcdef"), 16<<20/16)
	body := file(t, "body", want)
	withEcho(t, func(t *testing.T, p *process) {
		for _, args := range [][]string{{"--data-binary", "@" + body}, {"-T", body}, {"-H", "Transfer-Encoding: chunked", "-T", body}} {
			if got := curl(t, append(args, p.base+"/echo")...); got != string(want) {
				t.Errorf("%q: got %d bytes, or others", args, len(got))
			}
		}
	})
}

func TestCurlVersions(t *testing.T) {
	url := transports[1].startEcho(t).base + "/echo"
	want := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	body := file(t, "body", want)
	for _, version := range []string{"1.2", "1.3"} {
		t.Run(version, func(t *testing.T) {
			got, said, code := curlEnds(t, "-v", "--tlsv"+version, "--tls-max", version, "--data-binary", "@"+body, url)
			if code != 0 || got != string(want) {
				t.Errorf("status %d, %d bytes, or others", code, len(got))
			}
			if !strings.Contains(said, "SSL connection using TLSv"+version) || !strings.Contains(said, "server accepted http/1.1") {
				t.Errorf("it said %s", said)
			}
		})
	}
}

// The exit statuses are curl's: 60 for a certificate it does not like, 35 and 56
// for a handshake that did not come about.
func TestCurlDistrusts(t *testing.T) {
	own := certstest.Must(certstest.SelfSigned(certstest.Spec{}))
	url := startEcho(t, "-cert", file(t, "own.pem", append(own.Key, own.Cert...))).base + "/plain"
	if _, said, code := curlEnds(t, url); code != 60 {
		t.Errorf("exit status %d, %s", code, said)
	}
	if got := curl(t, "-k", url); got != "Hello, World!" {
		t.Errorf("with -k: %q", got)
	}
	if _, said, code := curlEnds(t, "-k", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", url); code != 35 {
		t.Errorf("by TLS 1.1: exit status %d, %s", code, said)
	}
}

// whoami answers a request with its vhost, and with its client's certificate.
func whoami(s callbacks.Session, r callbacks.Reason, _ []byte) error {
	if r != callbacks.HTTP {
		return nil
	}
	client := "nobody"
	if st := s.TLS(); st != nil && len(st.PeerCertificates) > 0 {
		client = st.PeerCertificates[0].Subject.CommonName
	}
	return s.Respond(200, "text/plain", []byte(client+" at "+s.Vhost()))
}

func TestCurlClientCertificate(t *testing.T) {
	secure := issue(t, certstest.Spec{}).server()
	secure.ClientCAMem = authority.PEM
	e := newEngine(t, engine.Config{Vhosts: []engine.Vhost{{
		Name: "only", Listen: []string{"tcp://127.0.0.1:0"}, TLS: secure, Protocols: []callbacks.Protocol{{Callback: whoami}},
	}}})
	url := "https://" + e.Addrs()[0].String() + "/"
	alice := issue(t, certstest.Spec{Name: "alice", Usage: certstest.Client})
	stranger := issueBy(t, certstest.Must(certstest.NewCA(certstest.Spec{Name: "Elsewhere"})), certstest.Spec{Name: "eve", Usage: certstest.Client})
	for _, version := range []string{"1.2", "1.3"} {
		t.Run(version, func(t *testing.T) {
			if got := curl(t, "--tls-max", version, "--cert", alice.cert, "--key", alice.key, url); got != "alice at only" {
				t.Errorf("got %q", got)
			}
			for name, args := range map[string][]string{"none": nil, "of another authority": {"--cert", stranger.both}} {
				if got, said, code := curlEnds(t, append(args, "--tls-max", version, url)...); code != 35 && code != 56 {
					t.Errorf("%s: got %q, exit status %d, %s", name, got, code, said)
				}
			}
		})
	}
	if got := e.Stats().TLSFailed; got != 4 {
		t.Errorf("%d handshakes failed", got)
	}
}

// Two names on one address, each with a certificate of its own.
func TestCurlNames(t *testing.T) {
	var vhosts []engine.Vhost
	for _, name := range []string{"one.test", "two.test"} {
		vhosts = append(vhosts, engine.Vhost{
			Name: name, Listen: []string{"tcp://127.0.0.1:0"}, Protocols: []callbacks.Protocol{{Callback: whoami}},
			TLS: issue(t, certstest.Spec{Hosts: []string{name}}).server(),
		})
	}
	e := newEngine(t, engine.Config{Vhosts: vhosts})
	port := e.Addrs()[0].(interface{ AddrPort() netip.AddrPort }).AddrPort().Port()
	for _, name := range []string{"one.test", "two.test"} {
		resolve := fmt.Sprintf("%s:%d:127.0.0.1", name, port)
		if got := curl(t, "--resolve", resolve, fmt.Sprintf("https://%s:%d/", name, port)); got != "nobody at "+name {
			t.Errorf("%s: got %q", name, got)
		}
	}
	got := curl(t, "--resolve", fmt.Sprintf("one.test:%d:127.0.0.1", port), "-H", "Host: two.test", "-w", "%{http_code}", "-o", os.DevNull,
		fmt.Sprintf("https://one.test:%d/", port))
	if got != "421" {
		t.Errorf("for another name than the certificate's: %s", got)
	}
}

func TestCurlPlaintext(t *testing.T) {
	for policy, want := range map[engine.Plaintext]string{
		engine.PlaintextRefuse: "400 0 ", engine.PlaintextRedirect: "nobody at 200 1 https", engine.PlaintextServe: "nobody at 200 0 http",
	} {
		secure := issue(t, certstest.Spec{}).server()
		secure.Plaintext = policy
		e := newEngine(t, engine.Config{Vhosts: []engine.Vhost{{
			Listen: []string{"tcp://127.0.0.1:0"}, TLS: secure, Protocols: []callbacks.Protocol{{Callback: whoami}},
		}}})
		args := []string{"-L", "-w", "%{http_code} %{num_redirects} %{scheme}", "http://" + e.Addrs()[0].String() + "/a?b=c"}
		if got := strings.ToLower(curl(t, args...)); !strings.Contains(got, want) {
			t.Errorf("policy %d: got %q, want %q", policy, got, want)
		}
	}
}

// Two connections of one curl: the second handshake is an abbreviated one. In
// TLS 1.2 curl takes no tickets.
func TestCurlResumes(t *testing.T) {
	addr, _ := transports[1].engine(t, whoami)
	url := "https://" + addr + "/"
	_, said, code := curlEnds(t, "-v", "--tlsv1.3", "-H", "Connection: close", url, url)
	if code != 0 || !strings.Contains(said, "SSL re-using session ID") {
		t.Errorf("exit status %d, %s", code, said)
	}
}
