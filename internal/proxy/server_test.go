package proxy

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("x", 256)
	for text, want := range map[string]string{
		"http://proxy":                            "http proxy 80",
		"http://proxy:3128":                       "http proxy 3128",
		"HTTP://proxy:3128/":                      "http proxy 3128",
		"http://[::1]:3128":                       "http ::1 3128",
		"http://user@proxy":                       "http proxy 80 user",
		"http://us%20er:p%3Ass%2F@proxy":          "http proxy 80 us er p:ss/",
		"socks5://192.0.2.1":                      "socks5 192.0.2.1 1080",
		"socks5h://user:pass@proxy:1":             "socks5 proxy 1 user pass",
		"socks5://us%3Aer:pass@proxy":             "socks5 proxy 1080 us:er pass",
		"socks5://" + long[:255] + "@proxy":       "socks5 proxy 1080 " + long[:255],
		"http://" + long + ":" + long + "@proxy":  "http proxy 80 " + long + " " + long,
		"":                                        "",
		"proxy:3128":                              "",
		"//proxy:3128":                            "",
		"https://proxy":                           "",
		"socks4://proxy":                          "",
		"http://":                                 "",
		"http://:80":                              "",
		"http://proxy:0":                          "",
		"http://proxy:65536":                      "",
		"http://proxy:x":                          "",
		"http://proxy/path":                       "",
		"http://proxy?query":                      "",
		"http://proxy/#fragment":                  "",
		"http://:pass@proxy":                      "",
		"http://us%3Aer:pass@proxy":               "",
		"http://us%0Aer:pass@proxy":               "",
		"http://user:pa%00ss@proxy":               "",
		"socks5://" + long + "@proxy":             "",
		"socks5://user:" + long + "@proxy":        "",
		"http://user:secret@proxy:port/something": "",
	} {
		s, err := Parse(text)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
		got := ""
		if err == nil {
			got = strings.TrimSpace(fmt.Sprintln([]string{"http", "socks5"}[s.Kind], s.Host, s.Port, s.User, s.Password))
		}
		if got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestReaches(t *testing.T) {
	var s Server
	for host, want := range map[string]bool{
		"example": true, "192.0.2.1": true, "2001:db8::1": true, strings.Repeat("x", 255): true,
		"fe80::1%eth0": false, strings.Repeat("x", 256): false,
	} {
		if err := s.Reaches(host); (err == nil) != want {
			t.Errorf("%q: %v", host, err)
		}
	}
}

// TestAppendConnect has net/http read what is written.
func TestAppendConnect(t *testing.T) {
	for _, c := range []struct{ user, password, authority string }{
		{"", "", "example:443"}, {"user", "", "192.0.2.1:80"}, {"us er", "p:ss", "[2001:db8::1]:80"},
	} {
		s := Server{User: c.user, Password: c.password}
		b := s.AppendConnect([]byte("behind this "), c.authority)
		text, _ := strings.CutPrefix(string(b), "behind this ")
		r, err := http.ReadRequest(readerOf(text))
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if c.user != "" {
			want = "Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.password))
		}
		if r.Method != "CONNECT" || r.RequestURI != c.authority || r.Host != c.authority || r.Header.Get("Proxy-Authorization") != want ||
			!strings.HasSuffix(text, "\r\n\r\n") {
			t.Errorf("%+v: %q", c, text)
		}
	}
}
