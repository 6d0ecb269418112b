package proxy

import (
	"bufio"
	"errors"
	"strings"
	"testing"
)

func readerOf(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }

var (
	anonymous = &Server{Kind: SOCKS5}
	someone   = &Server{Kind: SOCKS5, User: "me", Password: "secret"}
)

// converse gives the proxy's answers to an exchange in pieces of at most so many bytes
// and returns what is said, and how much of the answers it was.
func converse(s *Server, host, answers string, most int) (said string, used int, done bool, err error) {
	var x Socks5
	out := x.Greet(nil, s, host, 443)
	have := 0
	for err == nil && !x.Done() {
		var n int
		out, n, err = x.Next(out, []byte(answers[used:have]))
		used += n
		if n == 0 {
			if have == len(answers) {
				break
			}
			have = min(have+most, len(answers))
		}
	}
	return string(out), used, x.Done(), err
}

const (
	greeting  = "\x05\x01\x00"
	greeting2 = "\x05\x02\x00\x02"
	login     = "\x01\x02me\x06secret"
	request   = "\x05\x01\x00"
	port443   = "\x01\xbb"
	reply     = "\x05\x00\x00\x01\x7f\x00\x00\x01\x10\x00"
)

func TestSocks5(t *testing.T) {
	byName := request + "\x03\x07example" + port443
	for name, c := range map[string]struct {
		from    *Server
		host    string
		answers string
		said    string
		rest    int // bytes behind the exchange
		err     error
	}{
		"a name":                        {anonymous, "example", "\x05\x00" + reply, greeting + byName, 0, nil},
		"an IPv4 address":               {anonymous, "192.0.2.1", "\x05\x00" + reply, greeting + request + "\x01\xc0\x00\x02\x01" + port443, 0, nil},
		"an IPv4 address in IPv6":       {anonymous, "::ffff:192.0.2.1", "\x05\x00" + reply, greeting + request + "\x01\xc0\x00\x02\x01" + port443, 0, nil},
		"an IPv6 address":               {anonymous, "2001:db8::1", "\x05\x00" + reply, greeting + request + "\x04 \x01\r\xb8" + strings.Repeat("\x00", 11) + "\x01" + port443, 0, nil},
		"with a password":               {someone, "example", "\x05\x02\x01\x00" + reply, greeting2 + login + byName, 0, nil},
		"a password nobody asks for":    {someone, "example", "\x05\x00" + reply, greeting2 + byName, 0, nil},
		"a judge of another version":    {someone, "example", "\x05\x02\x05\x00" + reply, greeting2 + login + byName, 0, nil},
		"a reply by name":               {anonymous, "example", "\x05\x00\x05\x00\x00\x03\x04here\x00\x01", greeting + byName, 0, nil},
		"a reply by an empty name":      {anonymous, "example", "\x05\x00\x05\x00\x00\x03\x00\x00\x01", greeting + byName, 0, nil},
		"a reply by IPv6":               {anonymous, "example", "\x05\x00\x05\x00\x00\x04" + strings.Repeat("x", 16) + "\x00\x01", greeting + byName, 0, nil},
		"what follows is the server's":  {anonymous, "example", "\x05\x00" + reply + "hello", greeting + byName, 5, nil},
		"SOCKS4":                        {anonymous, "example", "\x00\x5a", greeting, 2, ErrVersion},
		"HTTP":                          {anonymous, "example", "HTTP/1.1 400", greeting, 12, ErrVersion},
		"no method":                     {anonymous, "example", "\x05\xff", greeting, 2, ErrMethod},
		"a method that was not offered": {anonymous, "example", "\x05\x02", greeting, 2, ErrMethod},
		"GSSAPI":                        {someone, "example", "\x05\x01", greeting2, 2, ErrMethod},
		"a wrong password":              {someone, "example", "\x05\x02\x01\x01", greeting2 + login, 2, ErrPassword},
		"a reply of another version":    {anonymous, "example", "\x05\x00\x04\x00", greeting + byName, 2, ErrVersion},
		"refused":                       {anonymous, "example", "\x05\x00\x05\x05", greeting + byName, 2, ReplyRefused},
		"refused at length":             {anonymous, "example", "\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", greeting + byName, 10, ReplyNotAllowed},
		"a reply without an address":    {anonymous, "example", "\x05\x00\x05\x00\x00\x02xxx", greeting + byName, 7, ErrAddress},
		"half an exchange":              {anonymous, "example", "\x05\x00" + reply[:9], greeting + byName, 9, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for most := 1; most <= len(c.answers); most++ {
				said, used, done, err := converse(c.from, c.host, c.answers, most)
				want := c.err == nil && name != "half an exchange"
				if said != c.said || !errors.Is(err, c.err) || done != want || len(c.answers)-used != c.rest {
					t.Fatalf("by %d bytes: said %q, %d of %d used, done %v, %v; want %q", most, said, used, len(c.answers), done, err, c.said)
				}
			}
		})
	}
}

func TestRepliesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := Reply(1); r <= 9; r++ {
		if text := r.Error(); seen[text] || !strings.HasPrefix(text, "socks5: ") {
			t.Errorf("reply %d: %q", r, text)
		}
		seen[r.Error()] = true
	}
}

// FuzzSocks5: however the answers are cut, the exchange is the same, and it uses no
// byte twice.
func FuzzSocks5(f *testing.F) {
	f.Add("\x05\x00"+reply+"hello", "example", uint8(1), false)
	f.Add("\x05\x02\x01\x00"+reply, "192.0.2.1", uint8(3), true)
	f.Add("\x05\x00\x05\x05", "::1", uint8(2), false)
	f.Fuzz(func(t *testing.T, answers, host string, most uint8, known bool) {
		s := anonymous
		if known {
			s = someone
		}
		if s.Reaches(host) != nil {
			return
		}
		said, used, done, err := converse(s, host, answers, max(len(answers), 1))
		said2, used2, done2, err2 := converse(s, host, answers, int(most)+1)
		if said != said2 || used != used2 || done != done2 || err != err2 {
			t.Fatalf("%q %d %v %v, but by %d bytes %q %d %v %v", said, used, done, err, most+1, said2, used2, done2, err2)
		}
		if done && err != nil || used > len(answers) {
			t.Fatalf("done %v with %v, %d of %d", done, err, used, len(answers))
		}
	})
}

// FuzzParse: what is taken can be written to the wire.
func FuzzParse(f *testing.F) {
	f.Add("http://user:pass@proxy:3128/")
	f.Add("socks5h://[::1]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		if s.Host == "" || s.Port == 0 {
			t.Fatalf("%+v", s)
		}
		if s.Kind == SOCKS5 && (len(s.User) > 255 || len(s.Password) > 255) {
			t.Fatalf("no room for %+v", s)
		}
		if b := string(s.AppendConnect(nil, "a:1")); strings.Count(b, "\r\n") != strings.Count(b, "\n") || strings.Count(b, "\n") > 4 {
			t.Fatalf("%+v: %q", s, b)
		}
	})
}
