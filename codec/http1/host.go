package http1

// validHost reports whether b is uri-host [ ":" port ] (RFC 9110 7.2), with a
// host that is not empty and a port that fits in 16 bits or is empty.
func validHost(b []byte) bool {
	n := hostLen(b)
	return n > 0 && (n == len(b) || b[n] == ':' && validPort(b[n+1:]))
}

// validAuthority reports whether b is uri-host ":" port, both not empty: the
// target of CONNECT (RFC 9112 3.2.3).
func validAuthority(b []byte) bool {
	n := hostLen(b)
	return n > 0 && n+1 < len(b) && b[n] == ':' && validPort(b[n+1:])
}

// hostLen returns the length of the IP-literal, IPv4address or reg-name b
// begins with (RFC 3986 3.2.2), 0 if there is none.
func hostLen(b []byte) int {
	if len(b) > 0 && b[0] == '[' {
		return ipLiteralLen(b)
	}
	for i := 0; ; {
		i = span(b, i, isRegName)
		if i == len(b) || b[i] != '%' || !isEscape(b[i:]) {
			return i
		}
		i += 3
	}
}

func validPort(b []byte) bool {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
		if n = n*10 + int(c-'0'); n > 65535 {
			return false
		}
	}
	return true
}

// ipLiteralLen returns the length of the "[" ... "]" that b begins with. Zones
// (RFC 6874) mean something on one machine only and are refused.
func ipLiteralLen(b []byte) int {
	for i, c := range b {
		if c != ']' {
			continue
		}
		if validIPv6(b[1:i]) || validIPvFuture(b[1:i]) {
			return i + 1
		}
		break
	}
	return 0
}

// validIPv6 checks an IPv6address: eight groups of one to four hex digits, one
// run of which may be "::", the last two of which may be an IPv4 address.
func validIPv6(b []byte) bool {
	groups, gap := 0, false
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, b = true, b[2:]
	}
	for len(b) > 0 {
		n := span(b, 0, isHex)
		switch {
		case n < len(b) && b[n] == '.':
			return validIPv4(b) && complete(groups+2, gap)
		case n == 0 || n > 4:
			return false
		}
		groups++
		switch b = b[n:]; {
		case len(b) == 0:
		case b[0] != ':' || len(b) == 1:
			return false
		case b[1] != ':':
			b = b[1:]
		case gap:
			return false
		default:
			gap, b = true, b[2:]
		}
	}
	return complete(groups, gap)
}

// complete reports whether groups make an address, with a gap that stands for
// at least one.
func complete(groups int, gap bool) bool {
	if gap {
		return groups < 8
	}
	return groups == 8
}

// validIPv4 checks four decimal numbers up to 255 without leading zeros.
func validIPv4(b []byte) bool {
	for part := 0; ; part++ {
		i, n := 0, 0
		for i < len(b) && i < 3 && '0' <= b[i] && b[i] <= '9' {
			n = n*10 + int(b[i]-'0')
			i++
		}
		switch {
		case i == 0 || n > 255 || i > 1 && b[0] == '0':
			return false
		case part == 3:
			return i == len(b)
		case i == len(b) || b[i] != '.':
			return false
		}
		b = b[i+1:]
	}
}

// validIPvFuture checks "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ).
func validIPvFuture(b []byte) bool {
	if len(b) == 0 || lower[b[0]] != 'v' {
		return false
	}
	n := span(b, 1, isHex)
	if n == 1 || n == len(b) || b[n] != '.' || n+1 == len(b) {
		return false
	}
	for _, c := range b[n+1:] {
		if class[c]&isRegName == 0 && c != ':' {
			return false
		}
	}
	return true
}
