package http1

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// TestValidHost has the grammar of RFC 3986 3.2.2 and 3.2.3.
func TestValidHost(t *testing.T) {
	for host, want := range map[string]bool{
		"a":                        true,
		"example.org":              true,
		"example.org.":             true,
		"under_score":              true,
		"xn--caf-dma.example":      true,
		"127.0.0.1:7681":           true,
		"999.999.999.999":          true, // a reg-name
		"a:":                       true,
		"a:0":                      true,
		"a:65535":                  true,
		"a:00080":                  true,
		"a!$&'()*+,;=b":            true,
		"%41":                      true,
		"[::]":                     true,
		"[::1]:80":                 true,
		"[2001:db8::ff00:42:8329]": true,
		"[1:2:3:4:5:6:7:8]":        true,
		"[1:2:3:4:5:6:1.2.3.4]":    true,
		"[::ffff:1.2.3.4]":         true,
		"[v1.a:b]":                 true,
		"[VF.~]":                   true,
		"":                         false,
		":80":                      false,
		"a:65536":                  false,
		"a:99999999999999999999":   false,
		"a:b":                      false,
		"a:80:80":                  false,
		"a:-1":                     false,
		"a b":                      false,
		"a/b":                      false,
		"u@a":                      false,
		"a?b":                      false,
		"a#b":                      false,
		"a\\b":                     false,
		"caf\xe9":                  false,
		"a%4":                      false,
		"a%zz":                     false,
		"::1":                      false,
		"[]":                       false,
		"[::1":                     false,
		"[::1]x":                   false,
		"[::1]80":                  false,
		"[1.2.3.4]":                false,
		"[fe80::1%25eth0]":         false,
		"[::1::]":                  false,
		"[1:2:3:4:5:6:7::]":        true,
		"[::2:3:4:5:6:7:8]":        true,
		"[1:2:3:4::5:6:7:8]":       false,
		"[1:2:3:4:5:6:7:8::]":      false,
		"[::1:2:3:4:5:6:1.2.3.4]":  false,
		"[1:2:3:4:5:6:7:1.2.3.4]":  false,
		"[1:2:3:4:5:6:7]":          false,
		"[1:2:3:4:5:6:7:8:9]":      false,
		"[v1]":                     false,
		"[v1.]":                    false,
		"[v.a]":                    false,
		"[v1.a/b]":                 false,
		"a[::1]":                   false,
	} {
		equal(t, host, validHost([]byte(host)), want)
		equal(t, host, ValidHost(host), want)
	}
}

func TestValidAuthorityNeedsAPort(t *testing.T) {
	for authority, want := range map[string]bool{
		"a:80": true, "[::1]:443": true, "a": false, "a:": false, ":80": false, "": false, "[::1]": false,
		"a:80/": false, "a:x": false, "a:65536": false,
	} {
		equal(t, authority, validAuthority([]byte(authority)), want)
	}
}

// TestValidIPv6AgreesWithNetip compares with the standard library over addresses
// made of the pieces that matter.
func TestValidIPv6AgreesWithNetip(t *testing.T) {
	pieces := []string{":", ":", ":", "::", "1", "ab", "FFFF", "0", "12345", "1.2.3.4", "255.0.0.1", "256.1.1.1", "01.1.1.1", "g", "."}
	rnd := rand.New(rand.NewPCG(3, 4))
	valid := 0
	for range 200000 {
		s := randomPieces(rnd, pieces)
		if rnd.IntN(2) == 0 { // nearer to eight groups
			s = strings.TrimPrefix(strings.Repeat(":1", rnd.IntN(9)), ":") + pieces[rnd.IntN(4)] +
				strings.TrimPrefix(strings.Repeat(":ab", rnd.IntN(9)), ":") + []string{"", ":1.2.3.4"}[rnd.IntN(2)]
		}
		addr, err := netip.ParseAddr(s)
		want := err == nil && addr.Is6()
		if got := validIPv6([]byte(s)); got != want {
			t.Fatalf("validIPv6(%q) = %v, netip says %v", s, got, err)
		}
		if want {
			valid++
		}
	}
	if valid < 1000 {
		t.Errorf("only %d valid addresses tried", valid)
	}
}

func randomPieces(rnd *rand.Rand, pieces []string) (s string) {
	for range 1 + rnd.IntN(17) {
		s += pieces[rnd.IntN(len(pieces))]
	}
	return s
}
