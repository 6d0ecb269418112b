package http1

import (
	"slices"
	"strings"
	"testing"
)

func header(t testing.TB, fields ...string) *Header {
	return parse(t, head(append([]string{"GET / HTTP/1.0"}, fields...)...)).Header()
}

func TestHeaderKeepsOrderAndCase(t *testing.T) {
	h := header(t, "X-b: 1", "x-A:2", "X-B:  3  ")
	equal(t, "fields", describeHeader(h), "[X-b=1][x-A=2][X-B=3]")
	equal(t, "Len", h.Len(), 3)
}

func TestHeaderGetIsTheFirstInAnyCase(t *testing.T) {
	h := header(t, "Accept: a", "ACCEPT: b", "Empty:")
	for _, c := range []struct {
		name, want string
		ok         bool
	}{
		{"accept", "a", true},
		{"Accept", "a", true},
		{"aCCEPt", "a", true},
		{"empty", "", true},
		{"accep", "", false},
		{"acceptx", "", false},
		{"", "", false},
	} {
		value, ok := h.Get(c.name)
		equal(t, c.name, string(value), c.want)
		equal(t, c.name+" is there", ok, c.ok)
	}
}

// TestHeaderNamesFoldLettersOnly: 0x20 apart is not the same for what is no
// letter.
func TestHeaderNamesFoldLettersOnly(t *testing.T) {
	h := header(t, "a^b: 1", "a_b: 2", "K: 3")
	for name, want := range map[string]bool{"a~b": false, "A^B": true, "a\x7fb": false, "k": true, "\u212a": false} {
		_, ok := h.Get(name)
		equal(t, name, ok, want)
	}
}

func TestHeaderCountAndValues(t *testing.T) {
	h := header(t, "V: 1", "W: x", "v: 2", "V: ")
	equal(t, "Count", h.Count("V"), 3)
	equal(t, "Count of what is not there", h.Count("X"), 0)
	var got []string
	for v := range h.Values("v") {
		got = append(got, string(v))
	}
	equal(t, "Values", strings.Join(got, "|"), "1|2|")
	for v := range h.Values("v") {
		equal(t, "first of Values", string(v), "1")
		break
	}
}

func TestHeaderHasToken(t *testing.T) {
	h := header(t, "L: a, B ,\tc", "L: d,,e", "M: ab", "N:")
	for _, c := range []struct {
		name, token string
		want        bool
	}{
		{"l", "a", true},
		{"l", "b", true},
		{"l", "C", true},
		{"l", "d", true},
		{"l", "e", true},
		{"l", "a, B", false},
		{"m", "a", false},
		{"m", "b", false},
		{"n", "a", false},
		{"o", "a", false},
	} {
		equal(t, c.name+" has "+c.token, h.HasToken(c.name, c.token), c.want)
	}
}

func TestZeroHeaderIsEmpty(t *testing.T) {
	var h Header
	if _, ok := h.Get("a"); ok || h.Len() != 0 || h.Count("a") != 0 || h.HasToken("a", "b") {
		t.Error("the zero Header has something")
	}
}

func TestNextElementSplitsLists(t *testing.T) {
	for list, want := range map[string][]string{
		"":          {""},
		"a":         {"a"},
		" a\t":      {"a"},
		"a,b":       {"a", "b"},
		" a , b c ": {"a", "b c"},
		",a,":       {"", "a", ""},
	} {
		var got []string
		for rest := []byte(list); rest != nil; {
			var elem []byte
			elem, rest = nextElement(rest)
			got = append(got, string(elem))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", list, got, want)
		}
	}
}
