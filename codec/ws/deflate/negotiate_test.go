package deflate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/codec/ws"
)

// generous is a server or client that would take over anything.
var generous = Config{Server: Direction{Takeover: true}, Client: Direction{Takeover: true}}

// narrow wants small windows.
var narrow = Config{Server: Direction{Takeover: true, WindowBits: 10}, Client: Direction{Takeover: true, WindowBits: 11}}

func TestAcceptAnswers(t *testing.T) {
	for _, c := range []struct {
		rule   string
		server Config
		offer  []string
		want   string // the response, or empty
	}{
		{"a server may demand no takeover of both unasked (7.1.1)", Config{}, []string{"permessage-deflate"},
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"without wishes all stays at its default", generous, []string{"permessage-deflate"}, "permessage-deflate"},
		{"server_no_context_takeover is accepted by repeating it (7.1.1.1)", generous,
			[]string{"permessage-deflate; server_no_context_takeover"}, "permessage-deflate; server_no_context_takeover"},
		{"client_no_context_takeover in an offer is a hint that we take (7.1.1.2)", generous,
			[]string{"permessage-deflate; client_no_context_takeover"}, "permessage-deflate; client_no_context_takeover"},
		{"server_max_window_bits is accepted with the same value (7.1.2.1)", generous,
			[]string{"permessage-deflate; server_max_window_bits=10"}, "permessage-deflate; server_max_window_bits=10"},
		{"or with a smaller one", narrow,
			[]string{"permessage-deflate; server_max_window_bits=12; client_max_window_bits"},
			"permessage-deflate; server_max_window_bits=10; client_max_window_bits=11"},
		{"also if it is the default", generous,
			[]string{"permessage-deflate; server_max_window_bits=15"}, "permessage-deflate; server_max_window_bits=15"},
		{"a smaller window may be announced unasked", narrow, []string{"permessage-deflate; client_max_window_bits"},
			"permessage-deflate; server_max_window_bits=10; client_max_window_bits=11"},
		{"8 is a window", generous, []string{"permessage-deflate; server_max_window_bits=8; client_max_window_bits=8"},
			"permessage-deflate; server_max_window_bits=8; client_max_window_bits=8"},
		{"client_max_window_bits without a value leaves the choice (7.1.2.2)", generous,
			[]string{"permessage-deflate; client_max_window_bits"}, "permessage-deflate"},
		{"client_max_window_bits of the offer is the most", narrow,
			[]string{"permessage-deflate; client_max_window_bits=9"},
			"permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"},
		{"client_max_window_bits MUST NOT be answered if not offered; memory is saved without it", narrow,
			[]string{"permessage-deflate"}, "permessage-deflate; client_no_context_takeover; server_max_window_bits=10"},
		{"all four at once, in any order", generous,
			[]string{"permessage-deflate; client_max_window_bits=12; server_no_context_takeover; server_max_window_bits=11; client_no_context_takeover"},
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; client_max_window_bits=12"},

		{"the first acceptable offer wins (5.1)", generous,
			[]string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, "permessage-deflate; server_max_window_bits=10"},
		{"a declined offer leaves the next", generous,
			[]string{"permessage-deflate; server_max_window_bits=16, permessage-deflate; server_no_context_takeover"},
			"permessage-deflate; server_no_context_takeover"},
		{"offers may be in several fields", generous,
			[]string{"permessage-deflate; unknown", "permessage-deflate; server_max_window_bits=9"}, "permessage-deflate; server_max_window_bits=9"},
		{"other extensions are passed over with their parameters", generous,
			[]string{`x-webkit-deflate-frame; server_max_window_bits=99, mux; max-channels=4; flow-control`, "permessage-deflate"}, "permessage-deflate"},
		{"no offer, no answer", generous, nil, ""},
		{"empty elements are skipped", generous, []string{"", " , ,permessage-deflate,\t"}, "permessage-deflate"},
		{"white space is free around the separators", generous,
			[]string{"permessage-deflate\t; server_max_window_bits = 10 ;client_max_window_bits"}, "permessage-deflate; server_max_window_bits=10"},
		{"a quoted value is the token in it (RFC 6455 9.1)", generous,
			[]string{`permessage-deflate; server_max_window_bits="10"`}, "permessage-deflate; server_max_window_bits=10"},
		{"also one with quoted pairs", generous,
			[]string{`permessage-deflate; server_max_window_bits="\1\0"`}, "permessage-deflate; server_max_window_bits=10"},

		{"decline an unknown parameter (7.1)", generous, []string{"permessage-deflate; foo"}, ""},
		{"decline a parameter of another name in case", generous, []string{"permessage-deflate; Server_No_Context_Takeover"}, ""},
		{"decline a duplicate flag", generous, []string{"permessage-deflate; client_no_context_takeover; client_no_context_takeover"}, ""},
		{"decline a duplicate server flag", generous, []string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, ""},
		{"decline a duplicate window", generous, []string{"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"}, ""},
		{"decline a duplicate bare window", generous, []string{"permessage-deflate; client_max_window_bits; client_max_window_bits=10"}, ""},
		{"decline a flag with a value", generous, []string{"permessage-deflate; server_no_context_takeover=true"}, ""},
		{"decline server_max_window_bits without a value", generous, []string{"permessage-deflate; server_max_window_bits"}, ""},
		{"decline 7", generous, []string{"permessage-deflate; server_max_window_bits=7"}, ""},
		{"decline 16", generous, []string{"permessage-deflate; client_max_window_bits=16"}, ""},
		{"decline 0", generous, []string{"permessage-deflate; client_max_window_bits=0"}, ""},
		{"decline a leading zero", generous, []string{"permessage-deflate; server_max_window_bits=08"}, ""},
		{"decline a leading zero before two digits", generous, []string{"permessage-deflate; server_max_window_bits=010"}, ""},
		{"decline a sign", generous, []string{"permessage-deflate; server_max_window_bits=+9"}, ""},
		{"decline what is no number", generous, []string{"permessage-deflate; client_max_window_bits=1a"}, ""},
		{"decline numbers beyond any integer", generous, []string{"permessage-deflate; client_max_window_bits=18446744073709551626"}, ""},
		{"another extension's name is not ours", generous, []string{"permessage-deflate2", "Permessage-Deflate"}, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p, ok, err := c.server.Accept(fields(c.offer...))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if ok {
				got = string(p.AppendResponse(nil))
			}
			if got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMalformedListsFailTheConnection(t *testing.T) {
	for _, list := range []string{
		";", "=", "a b", "a;", "a;;b", "a; =b", "a; b=", `a; b="`, `a; b=""`, `a; b="x`, `a; b="x y"`, `a; b="\"`, `a; b="x\`, `a; b="x"y`,
		"a; b=c=d", `"a"`, "a\x00", "permessage-deflate; server_max_window_bits=", "permessage-deflate, é",
		`permessage-deflate, x; "q"`, "a; b=c d", "(", `a; b="1,0"`,
	} {
		c := Config{}
		if _, ok, err := c.Accept(fields("permessage-deflate", list)); ok || !errors.Is(err, ErrExtensionList) {
			t.Errorf("server: %q: ok %v, %v", list, ok, err)
		}
		if _, ok, err := c.Confirm(fields(list)); ok || !errors.Is(err, ErrExtensionList) {
			t.Errorf("client: %q: ok %v, %v", list, ok, err)
		}
	}
}

func TestOffer(t *testing.T) {
	for _, c := range []struct {
		rule   string
		client Config
		want   string
	}{
		{"by default no window is kept", Config{}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"},
		{"client_max_window_bits lets a server choose", generous, "permessage-deflate; client_max_window_bits"},
		{"windows are named", narrow, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := string(c.client.AppendOffer([]byte("dst: "))); got != "dst: "+c.want {
				t.Fatalf("got %q", got)
			}
		})
	}
}

func TestConfirm(t *testing.T) {
	for _, c := range []struct {
		rule   string
		client Config
		answer []string
		want   string // Params, or the error
	}{
		{"no answer is no compression", Config{}, nil, "none"},
		{"an empty list is none", Config{}, []string{"", ","}, "none"},
		{"the default is both windows of 15 bits and takeover", generous, []string{"permessage-deflate"}, "server 15 takeover, client 15 takeover"},
		{"our own wish not to take over needs no consent", Config{Server: takeover}, []string{"permessage-deflate"}, "server 15 takeover, client 15"},
		{"a server that ignores the wish for no takeover is borne", Config{}, []string{"permessage-deflate"}, "server 15 takeover, client 15"},
		{"server_no_context_takeover may come unasked (7.1.1.1)", generous, []string{"permessage-deflate; server_no_context_takeover"}, "server 15, client 15 takeover"},
		{"client_no_context_takeover may come unasked (7.1.1.2)", generous, []string{"permessage-deflate; client_no_context_takeover"}, "server 15 takeover, client 15"},
		{"server_max_window_bits may come unasked (7.1.2.1)", generous, []string{"permessage-deflate; server_max_window_bits=9"}, "server 9 takeover, client 15 takeover"},
		{"it may be smaller than asked", narrow, []string{"permessage-deflate; server_max_window_bits=8"}, "server 8 takeover, client 11 takeover"},
		{"client_max_window_bits binds us (7.1.2.2)", generous, []string{"permessage-deflate; client_max_window_bits=8"}, "server 15 takeover, client 8 takeover"},
		{"without it our own hint holds", narrow, []string{"permessage-deflate; server_max_window_bits=10"}, "server 10 takeover, client 11 takeover"},
		{"quoted values count", generous, []string{`permessage-deflate; client_max_window_bits="12"`}, "server 15 takeover, client 12 takeover"},

		{"fail on a server window larger than asked", narrow, []string{"permessage-deflate; server_max_window_bits=11"}, ErrWindow.Error()},
		{"fail on a server that ignores the window asked", narrow, []string{"permessage-deflate"}, ErrWindow.Error()},
		{"fail on a client window larger than offered", narrow, []string{"permessage-deflate; server_max_window_bits=10; client_max_window_bits=12"}, ErrWindow.Error()},
		{"fail on an unknown parameter (7.1)", generous, []string{"permessage-deflate; foo=1"}, ErrParameter.Error()},
		{"fail on a duplicate", generous, []string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, ErrParameter.Error()},
		{"fail on a value out of range", generous, []string{"permessage-deflate; server_max_window_bits=16"}, ErrParameter.Error()},
		{"fail on a leading zero", generous, []string{"permessage-deflate; server_max_window_bits=09"}, ErrParameter.Error()},
		{"fail on client_max_window_bits without a value (7.1.2.2)", generous, []string{"permessage-deflate; client_max_window_bits"}, ErrParameter.Error()},
		{"fail on a flag with a value", generous, []string{"permessage-deflate; client_no_context_takeover=1"}, ErrParameter.Error()},
		{"fail on another extension (RFC 6455 4.1)", generous, []string{"x-webkit-deflate-frame"}, ErrNotOffered.Error()},
		{"fail on another extension besides", generous, []string{"permessage-deflate", "mux"}, ErrNotOffered.Error()},
		{"fail on ours twice", generous, []string{"permessage-deflate, permessage-deflate"}, ErrNotOffered.Error()},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p, ok, err := c.client.Confirm(fields(c.answer...))
			got := "none"
			switch {
			case err != nil && !ok && p == (Params{}):
				got = err.Error()
			case ok:
				got = describe(p)
			}
			if got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

func describe(p Params) string {
	one := func(d Direction) string {
		return strings.TrimRight(fmt.Sprintf("%d %s", d.WindowBits, map[bool]string{true: "takeover"}[d.Takeover]), " ")
	}
	return "server " + one(p.From(ws.Server)) + ", client " + one(p.From(ws.Client))
}

// TestBothEndsAgree: whatever the wishes, the server accepts the client's offer,
// the client the answer, and both mean the same by it.
func TestBothEndsAgree(t *testing.T) {
	for _, cs := range fewDirections {
		for _, cc := range fewDirections {
			for _, ss := range fewDirections {
				for _, sc := range fewDirections {
					client, server := Config{Server: cs, Client: cc}, Config{Server: ss, Client: sc}
					negotiate(t, &client, &server)
				}
			}
		}
	}
}

func negotiate(t testing.TB, client, server *Config) Params {
	t.Helper()
	offer := string(client.AppendOffer(nil))
	atServer, ok, err := server.Accept(fields(offer))
	if err != nil || !ok {
		t.Fatalf("server declines %q: %v", offer, err)
	}
	response := string(atServer.AppendResponse(nil))
	atClient, ok, err := client.Confirm(fields(response))
	if err != nil || !ok {
		t.Fatalf("client refuses %q to %q: %v", response, offer, err)
	}
	if describe(atServer) != describe(atClient) {
		t.Fatalf("%q, %q: server has %s, client %s", offer, response, describe(atServer), describe(atClient))
	}
	for _, c := range []*Config{client, server} {
		if p := atServer; p.Server.Takeover && !c.Server.Takeover || p.Client.Takeover && !c.Client.Takeover ||
			p.Server.WindowBits > c.Server.bits() || p.Client.Takeover && p.Client.WindowBits > c.Client.bits() {
			t.Fatalf("%+v wished, %s agreed", *c, describe(p))
		}
	}
	return atServer
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		config Config
		ok     bool
	}{
		{Config{}, true},
		{Config{Level: 9, Threshold: 1, Server: Direction{true, 8}, Client: Direction{true, 15}}, true},
		{Config{Level: 10}, false},
		{Config{Level: -1}, false},
		{Config{Threshold: -1}, false},
		{Config{Server: Direction{WindowBits: 7}}, false},
		{Config{Client: Direction{WindowBits: 16}}, false},
	} {
		err := c.config.Validate()
		if (err == nil) != c.ok || err != nil && !strings.HasPrefix(err.Error(), "deflate: ") {
			t.Errorf("%+v: %v", c.config, err)
		}
	}
}

func TestWorth(t *testing.T) {
	for _, c := range []struct {
		threshold, n int
		takeover     bool
		want         bool
	}{
		{0, 511, false, false}, {0, 512, false, true}, {0, 127, true, false}, {0, 128, true, true},
		{1, 0, false, false}, {1, 1, false, true}, {300, 299, false, false}, {300, 300, true, true},
	} {
		if got := (&Config{Threshold: c.threshold}).Worth(c.n, Direction{Takeover: c.takeover}); got != c.want {
			t.Errorf("threshold %d, %d bytes, takeover %v: %v", c.threshold, c.n, c.takeover, got)
		}
	}
}

func TestNegotiationAllocations(t *testing.T) {
	c := Config{}
	values := slices.Values([][]byte{[]byte("permessage-deflate; client_max_window_bits")})
	dst := make([]byte, 0, 200)
	if n := testing.AllocsPerRun(100, func() {
		p, _, _ := c.Accept(values)
		dst = p.AppendResponse(dst[:0])
	}); n > 4 {
		t.Errorf("%v allocations a handshake, want that of the visitor and those of the loop", n)
	}
}
