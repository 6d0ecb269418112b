package conformance

import "strings"

// texts are all of g in the order of their numbers, which is the one they are
// listed in: no group but the boundaries and the prefixes mixes good and bad.
func (g sequence) texts() []string {
	if g.order != nil {
		return g.order
	}
	return append(append([]string(nil), g.good...), g.bad...)
}

// sequence is one of the sections 6.5 to 6.23: texts, good or bad.
type sequence struct {
	name      string
	good, bad []string
	order     []string // if it is not good ones first
}

// utf8Sequences are the sections 6.5 to 6.23.
func utf8Sequences() []sequence {
	return []sequence{
		{name: "some that are good", good: []string{
			"hello$world", "hello\u00a2world", "hello\u20acworld", "hello\U00024b62world", kosme,
		}},
		prefixes(kosme),
		{name: "the first of each length", good: []string{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}},
		{name: "the first of five and six octets", bad: []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
		{name: "the last of each length", good: []string{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}},
		{name: "the last of the lengths' patterns", bad: []string{
			"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf",
		}},
		{name: "other boundaries",
			good: []string{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf"},
			bad:  []string{"\xf4\x90\x80\x80"}},
		{name: "continuations of nothing", bad: continuations()},
		{name: "starts of nothing", bad: starts()},
		{name: "the last octet missing", bad: incomplete},
		{name: "all of these in a row", bad: []string{strings.Join(incomplete, "")}},
		{name: "impossible octets", bad: []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
		{name: "overlong slashes", bad: []string{
			"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf",
		}},
		{name: "the highest overlong ones", bad: []string{
			"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf",
		}},
		{name: "overlong NULs", bad: []string{
			"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80",
		}},
		{name: "single surrogates", bad: []string{
			"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf",
		}},
		{name: "pairs of surrogates", bad: surrogates()},
		{name: "noncharacters", good: noncharacters()},
		{name: "specials", good: []string{"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff"}},
	}
}

// incomplete are sequences without their last octet, lowest and highest.
var incomplete = []string{
	"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
	"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
}

// prefixes are all beginnings of s, which are good where a character ends.
func prefixes(s string) sequence {
	g := sequence{name: "all beginnings of a text"}
	for n := 1; n <= len(s); n++ {
		g.order = append(g.order, s[:n])
		if n == len(s) || s[n]&0xc0 != 0x80 {
			g.good = append(g.good, s[:n])
		} else {
			g.bad = append(g.bad, s[:n])
		}
	}
	return g
}

func continuations() []string {
	out := []string{"\x80", "\xbf"}
	for n := 2; n <= 6; n++ {
		out = append(out, strings.Repeat("\x80\xbf", 3)[:n])
	}
	var all strings.Builder
	for b := byte(0x80); b < 0xbf; b++ {
		all.WriteByte(b)
	}
	return append(out, all.String())
}

// starts are the first octets of each length, each with a space behind it.
func starts() (out []string) {
	for _, r := range [][2]byte{{0xc0, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf7}, {0xf8, 0xfb}, {0xfc, 0xfd}} {
		var all strings.Builder
		for b := r[0]; b < r[1]; b++ {
			all.Write([]byte{b, ' '})
		}
		out = append(out, all.String())
	}
	return out
}

func surrogates() (out []string) {
	for _, high := range []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf"} {
		for _, low := range []string{"\xed\xb0\x80", "\xed\xbf\xbf"} {
			out = append(out, high+low)
		}
	}
	return out
}

// noncharacters are the last two code points of planes, good by RFC 3629.
func noncharacters() []string {
	out := []string{"\ufffe", "\uffff"}
	for plane := rune(1); plane <= 16; plane++ {
		out = append(out, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return out
}
