package conformance

import (
	"crypto/tls"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// mode is how a program is run and spoken to.
type mode struct {
	tls        bool
	deflate    bool // the program has -deflate
	negotiated bool // and it is agreed on, also where a case does not need it
	pieces     bool // messages come back in pieces, before they are whole
}

// String is the name of the mode's subtest.
func (m mode) String() string {
	name := "plain"
	if m.tls {
		name = "tls"
	}
	switch {
	case m.negotiated:
		return name + " negotiated"
	case m.deflate:
		return name + " deflate"
	}
	return name
}

// target is a program under test in one mode: a server that runs, or a client to be
// run once for each connection.
type target struct {
	mode   mode
	server *process
	addr   string // the server's

	cert   wstest.Certificate
	listen net.Listener               // for clients
	dial   func(t *testing.T) running // runs one; nil runs the program
	own    *tls.Config                // of listen
}

var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// serve runs examples/echo.
func serve(t *testing.T, m mode, args ...string) *target {
	t.Helper()
	g := &target{mode: m}
	args = append([]string{"-addr", "127.0.0.1:0", "-loops", "2"}, args...)
	if m.tls {
		g.cert = wstest.MakeCertificate(t)
		args = append(args, "-cert", g.cert.Cert, "-key", g.cert.Key)
	}
	if m.deflate {
		args = append(args, "-deflate")
	}
	g.server = start(t, serverProgram, args...)
	wstest.Eventually(t, "the server prints where it listens", func() bool {
		g.addr = address.FindString(g.server.out.String())
		return g.addr != "" || g.server.over()
	})
	if g.addr == "" {
		t.Fatalf("%v\n%s", g.server.wait(), g.server.out.String())
	}
	return g
}

// listen waits for clients.
func listen(t *testing.T, m mode) *target {
	t.Helper()
	g := &target{mode: m, listen: wstest.Listen(t)}
	if m.tls {
		g.cert = wstest.MakeCertificate(t)
		pair, err := tls.LoadX509KeyPair(g.cert.Cert, g.cert.Key)
		if err != nil {
			t.Fatal(err)
		}
		g.own = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	return g
}

// knowsDeflate tells whether a program has the flag.
func knowsDeflate(t *testing.T, folder string) bool {
	t.Helper()
	p := start(t, folder, "-h")
	_ = p.wait() // flag.ErrHelp
	help := p.out.String()
	return strings.Contains(help, "-deflate")
}

// connect makes a connection with the program on which no HTTP was said.
func (g *target) connect(t *testing.T) *peer {
	t.Helper()
	if g.listen == nil {
		if g.mode.tls {
			return &peer{Conn: wstest.ConnectTLS(t, g.addr, g.cert.Trust), t: t, mode: g.mode}
		}
		return &peer{Conn: wstest.Connect(t, g.addr), t: t, mode: g.mode}
	}
	p := &peer{t: t, mode: g.mode}
	if g.dial != nil {
		p.client = g.dial(t)
	} else {
		p.client = start(t, clientProgram, g.clientArgs()...)
	}
	p.Conn = wstest.Accept(t, g.listen)
	if g.mode.tls {
		secured := tls.Server(p.Conn.Conn, g.own)
		if err := secured.Handshake(); err != nil {
			t.Fatalf("%v\n%s", err, p.client.printed())
		}
		p.Conn.Conn = secured
		p.R.Reset(secured)
	}
	return p
}

func (g *target) clientArgs() []string {
	args := []string{"-echo", "-url"}
	if g.mode.tls {
		args = append(args, "wss://"+g.listen.Addr().String()+"/", "-ca", g.cert.CA)
	} else {
		args = append(args, "ws://"+g.listen.Addr().String()+"/")
	}
	if g.mode.deflate {
		args = append(args, "-deflate")
	}
	return args
}

// open makes a connection a WebSocket, with compression if the mode says so.
func (g *target) open(t *testing.T) *peer {
	t.Helper()
	p := g.connect(t)
	switch {
	case g.mode.negotiated:
		p.compressed()
	case p.client != nil:
		p.ReadUpgrade()
		p.AcceptUpgrade()
	default:
		p.Upgrade("/")
	}
	return p
}

// tcase is a case: what its number is and what is done on a connection of its own.
type tcase struct {
	id  string
	run func(g *target, t *testing.T)
	// never says that the case makes no sense with compression agreed on.
	never bool
	// of is whom the case is about.
	of side
}

// side is whom a case is about: the zero value is both.
type side uint8

const (
	servers side = 1 + iota
	clients
)

// about tells whether the case is about g.
func (c tcase) about(g *target) bool {
	return c.of == 0 || (c.of == clients) == (g.listen != nil)
}

// section is the part of the number that the scoreboard counts by.
func (c tcase) section() string {
	first, _, _ := strings.Cut(c.id, ".")
	return first
}

// cases are the ones of a mode.
func cases(m mode) []tcase {
	plain := slices.Concat(framing(), fragmentation(), utf8Handling(), closing(), sizes())
	switch {
	case m.negotiated:
		return slices.DeleteFunc(plain, func(c tcase) bool { return c.never })
	case m.deflate && full():
		return append(plain, withDeflate()...)
	case m.deflate:
		return withDeflate()
	}
	return slices.Concat(plain, beyond(m))
}

// withDeflate are those that need a program with the flag.
func withDeflate() []tcase { return append(compression(), beyondCompression()...) }

// modes are those that run.
func modes(t *testing.T, folder string) []mode {
	t.Helper()
	needsDeflate(t, folder)
	all := []mode{{}, {tls: true}, {deflate: true}, {tls: true, deflate: true}}
	if full() {
		all = append(all, mode{deflate: true, negotiated: true}, mode{tls: true, deflate: true, negotiated: true})
	}
	return all
}

func TestServer(t *testing.T) {
	for _, m := range modes(t, serverProgram) {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			g := serve(t, m)
			runAll(t, g)
			g.server.interrupt()
		})
	}
}

func TestClient(t *testing.T) {
	for _, m := range modes(t, clientProgram) {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			runAll(t, listen(t, m))
		})
	}
}

// runAll runs the cases of the target's mode.
func runAll(t *testing.T, g *target) {
	who := "client "
	if g.listen == nil {
		who = "server "
	}
	runCases(t, who+g.mode.String(), g, cases(g.mode))
}

func runCases(t *testing.T, row string, g *target, all []tcase) {
	failed := 0
	all = slices.DeleteFunc(slices.Clone(all), func(c tcase) bool { return !c.about(g) })
	for i, c := range all {
		if i%g.every(c.section()) != 0 {
			continue
		}
		ok := t.Run(c.id, func(t *testing.T) {
			t.Cleanup(func() { board.count(row, c.section(), !t.Failed()) })
			c.run(g, t)
		})
		if ok {
			continue
		}
		if failed++; failed == enough && !full() {
			t.Fatalf("the cases behind %s are left out", c.id)
		}
	}
}

// enough failures end a quick run of a mode. Many are failures to do something, which
// take wstest.Patience each.
const enough = 10

// every thins the long sections out where a case costs most, which is where it needs a
// process of its own: all of them run as plain clients, by TLS every second one, and
// with the race detector every fourth.
func (g *target) every(section string) int {
	switch {
	case full() || !slices.Contains([]string{"6", "9", "12", "13", "x"}, section):
		return 1
	case raced:
		return 4
	case g.listen != nil && g.mode.tls:
		return 2
	}
	return 1
}
