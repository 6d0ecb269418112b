package form

import "bytes"

// urlencoded parses application/x-www-form-urlencoded (URL Standard 5.1):
//
//	between --any byte--> name --'='--> value
//	   ^  ^                 |             |
//	   |  +-------'&'-------+             |
//	   +----------------'&'---------------+
//
// and in name and value an escape may be under way.
type urlencoded struct {
	f      *Form
	within bool  // a field
	escape uint8 // how many of an escape's bytes have come
	high   byte  // the first of its digits
}

func (u *urlencoded) write(p []byte) error {
	for len(p) > 0 {
		n, err := u.step(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// step takes the first byte of p, or all that stand for themselves.
func (u *urlencoded) step(p []byte) (n int, err error) {
	if u.escape > 0 {
		return 1, u.digit(p[0])
	}
	if p[0] == '&' {
		u.endField()
		return 1, nil
	}
	if !u.within {
		u.within = true
		u.f.open()
		if err := u.f.begin(); err != nil {
			return 0, err
		}
	}
	switch p[0] {
	case '%':
		u.escape = 1
		return 1, nil
	case '+':
		return 1, u.f.add([]byte{' '})
	case '=':
		if u.f.name < 0 {
			u.f.endName()
			return 1, nil
		}
	}
	n = bytes.IndexAny(p[1:], "&=%+") + 1
	if n == 0 {
		n = len(p)
	}
	return n, u.f.add(p[:n])
}

// digit takes the next byte of an escape.
func (u *urlencoded) digit(c byte) error {
	v, ok := unhex(c)
	switch {
	case !ok:
		return ErrEscape
	case u.escape == 1:
		u.escape, u.high = 2, v
		return nil
	}
	u.escape = 0
	return u.f.add([]byte{u.high<<4 | v})
}

func unhex(c byte) (v byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return (c | 0x20) - 'a' + 10, true
	}
	return 0, false
}

func (u *urlencoded) endField() {
	if u.within {
		u.f.keep()
		u.within = false
	}
}

func (u *urlencoded) end() error {
	if u.escape > 0 {
		return ErrEscape
	}
	u.endField()
	return nil
}
