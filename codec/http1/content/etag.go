package content

import "strings"

// StrongMatch is the strong comparison of RFC 9110 8.8.3.2: neither tag is weak, and
// they are the same.
func StrongMatch(a, b string) bool { return a == b && a != "" && a[0] == '"' }

// WeakMatch is the weak comparison of RFC 9110 8.8.3.2: the tags are the same but for
// a W/ before either.
func WeakMatch(a, b string) bool {
	a, b = strings.TrimPrefix(a, "W/"), strings.TrimPrefix(b, "W/")
	return a == b && a != ""
}

// ScanETag takes the entity-tag that s begins with (RFC 9110 8.8.3). A tag may have
// commas in it, and obs-text.
func ScanETag(s string) (tag, rest string, ok bool) {
	start := 0
	if strings.HasPrefix(s, "W/") {
		start = 2
	}
	if start == len(s) || s[start] != '"' {
		return "", s, false
	}
	for i := start + 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:], true
		case c < 0x21 || c == 0x7f:
			return "", s, false
		}
	}
	return "", s, false
}

// ETagIn tells whether the list of an If-Match or If-None-Match has an entity-tag that
// match accepts beside tag, which is "" for a representation that has none. "*" is in
// favour of every representation. A list that cannot be read to its end has what was
// read of it: whoever sent it meant at least that.
func ETagIn(list, tag string, match func(a, b string) bool) bool {
	if trim(list) == "*" {
		return true
	}
	for list = trim(list); list != ""; {
		if list[0] == ',' {
			list = trim(list[1:])
			continue
		}
		one, rest, ok := ScanETag(list)
		if !ok {
			return false
		}
		if match(one, tag) {
			return true
		}
		list = trim(rest)
	}
	return false
}

func trim(s string) string { return strings.Trim(s, " \t") }
