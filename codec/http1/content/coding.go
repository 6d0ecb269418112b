package content

import "strings"

// Choose picks the content coding for an Accept-Encoding field (RFC 9110 12.5.3) among
// offers, the server's favourite first. "identity" is the representation without any. It
// returns the index of the acceptable offer with the highest weight, of several the
// first, or -1 if none is acceptable. Without the field, which may also have no value,
// only identity is: a client that can decode something says so.
func Choose(value string, offers ...string) int {
	best, most := -1, 0
	for i, coding := range offers {
		if q := quality(value, coding); q > most {
			best, most = i, q
		}
	}
	return best
}

// identityImplied is the weight of identity while nothing is said about it: it is
// acceptable, and anything that was asked for is better.
const identityImplied = 1

// quality is coding's weight, of which 2 is 0.001, and 0 means not acceptable.
func quality(value, coding string) int {
	star, named := -1, -1
	for value != "" {
		var item string
		item, value, _ = strings.Cut(value, ",")
		name, params, _ := strings.Cut(item, ";")
		switch name = trim(name); {
		case name == "*":
			star = max(star, weight(params))
		case sameCoding(name, coding):
			named = max(named, weight(params))
		}
	}
	switch {
	case named >= 0:
		return 2 * named
	case coding == "identity":
		if star == 0 {
			return 0
		}
		return identityImplied
	case star >= 0:
		return 2 * star
	}
	return 0
}

// sameCoding compares names; x-gzip is gzip (RFC 9110 8.4.1.3).
func sameCoding(name, coding string) bool {
	return strings.EqualFold(name, coding) || coding == "gzip" && strings.EqualFold(name, "x-gzip")
}

// weight reads a qvalue as thousandths (RFC 9110 12.4.2): 1000 if there is none, 0 if
// it cannot be read.
func weight(params string) int {
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		name, v, found := strings.Cut(p, "=")
		if found && strings.EqualFold(trim(name), "q") {
			return thousandths(trim(v))
		}
	}
	return 1000
}

func thousandths(v string) int {
	if v == "" || len(v) > len("0.000") || v[0] != '0' && v[0] != '1' || len(v) > 1 && v[1] != '.' {
		return 0
	}
	q, unit := int(v[0]-'0')*1000, 100
	for i := 2; i < len(v); i++ {
		if v[i] < '0' || v[i] > '9' {
			return 0
		}
		q += int(v[i]-'0') * unit
		unit /= 10
	}
	if q > 1000 {
		return 0
	}
	return q
}
