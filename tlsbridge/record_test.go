package tlsbridge

import (
	"crypto/tls"
	"encoding/binary"
	"slices"
	"testing"
)

// wholeByTheBook is Whole as simple as can be.
func wholeByTheBook(b []byte) int {
	switch {
	case len(b) < 5:
		return 0
	case b[1] >= 0x10 || int(b[3])<<8+int(b[4]) > 16384+2048:
		return len(b)
	}
	n := 5 + int(b[3])<<8 + int(b[4])
	if n > len(b) {
		return 0
	}
	return n + wholeByTheBook(b[n:])
}

// helloByTheBook is HelloWhole: it joins the fragments first.
func helloByTheBook(b []byte) bool {
	var message []byte
	for range 64 {
		switch {
		case len(b) == 0:
			return false
		case b[0] != 22:
			return true
		case len(b) < 5:
			return false
		case b[1] >= 0x10 || int(b[3])<<8+int(b[4]) > 16384+2048 || b[3] == 0 && b[4] == 0:
			return true
		}
		n := 5 + int(b[3])<<8 + int(b[4])
		if n > len(b) {
			return false
		}
		message = append(message, b[5:n]...)
		b = b[n:]
		if message[0] != 1 {
			return true
		}
		head := slices.Concat(message, make([]byte, 3)) // a length that is there in part is at least that
		want := int(binary.BigEndian.Uint32(head) & 0xffffff)
		if want > 65536 || len(message)-4 >= want {
			return true
		}
	}
	return true
}

func checkRecords(t testing.TB, b []byte) {
	t.Helper()
	if got, want := Whole(b), wholeByTheBook(b); got != want {
		t.Fatalf("Whole(%x) is %d, not %d", b, got, want)
	}
	if got, want := HelloWhole(b), helloByTheBook(b); got != want {
		t.Fatalf("HelloWhole(%x) is %v, not %v", b, got, want)
	}
}

// hellos are what clients of this Go begin with.
func hellos() [][]byte {
	_, c12 := configs(tls.VersionTLS12)
	_, c13 := configs(tls.VersionTLS13)
	_, long := configs(0)
	for range 300 { // more than a record
		long.NextProtos = append(long.NextProtos, string(pattern(200)))
	}
	var out [][]byte
	for _, cfg := range []*tls.Config{c12, c13, long} {
		var c Conn
		c.Init(Client, cfg, nil, nil)
		out = append(out, c.Step(nil).Output)
		c.Cancel()
	}
	return out
}

func TestHelloWholeAtEveryOffset(t *testing.T) {
	for i, hello := range hellos() {
		for cut := range hello {
			if HelloWhole(hello[:cut]) {
				t.Fatalf("hello %d is whole with %d bytes of %d", i, cut, len(hello))
			}
			if cut < 3000 {
				checkRecords(t, hello[:cut])
			}
		}
		if !HelloWhole(hello) || !HelloWhole(append(slices.Clone(hello), "behind"...)) || !IsTLS(hello) {
			t.Errorf("hello %d is not whole with all its bytes", i)
		}
	}
}

// TestHelloInManyRecords frames it anew: with few records all of it is waited for.
func TestHelloInManyRecords(t *testing.T) {
	hello := hellos()[1]
	message := hello[headerLen:]
	for _, size := range []int{1, 2, 3, 4, 5, 20, 100, 1000} {
		var b []byte
		records := 0
		for part := range slices.Chunk(message, size) {
			b = append(b, typeHandshake, 3, 1, byte(len(part)>>8), byte(len(part)))
			b = append(b, part...)
			records++
		}
		whole := 0
		for !HelloWhole(b[:whole]) {
			checkRecords(t, b[:whole])
			whole++
		}
		if want := min(len(b), helloRecords*(headerLen+size)); whole != want {
			t.Errorf("%d records of %d: whole with %d bytes of %d", records, size, whole, want)
		}
	}
}

func TestWhatIsNoHello(t *testing.T) {
	for name, c := range map[string]struct {
		b     string
		whole bool
	}{
		"nothing":                  {"", false},
		"one byte":                 {"\x16", false},
		"a request":                {"G", true},
		"an alert":                 {"\x15", true},
		"a header":                 {"\x16\x03\x01\x00\x05", false},
		"an empty record":          {"\x16\x03\x01\x00\x00", true},
		"another message":          {"\x16\x03\x01\x00\x01\x02", true},
		"another version":          {"\x16\x0f\xff\x00\x01", false},
		"no version":               {"\x16\x10\x00\x00\x01", true},
		"the longest record":       {"\x16\x03\x01\x48\x00", false},
		"too long a record":        {"\x16\x03\x01\x48\x01", true},
		"the longest message":      {"\x16\x03\x01\x00\x04\x01\x01\x00\x00", false},
		"too long a message":       {"\x16\x03\x01\x00\x04\x01\x01\x00\x01", true},
		"half its length":          {"\x16\x03\x01\x00\x02\x01\x01", false},
		"half its length, already": {"\x16\x03\x01\x00\x02\x01\x02", true},
		"then an empty record":     {"\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x00", true},
		"then too long a record":   {"\x16\x03\x01\x00\x01\x01\x16\x03\x01\x48\x01\x00", true},
		"then another version":     {"\x16\x03\x01\x00\x01\x01\x16\x10\x01\x00\x01\x00", true},
		"an empty message":         {"\x16\x03\x01\x00\x04\x01\x00\x00\x00", true},
		"an alert behind the half": {"\x16\x03\x01\x00\x04\x01\x00\x00\x09\x15", true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := HelloWhole([]byte(c.b)); got != c.whole {
				t.Errorf("whole: %v", got)
			}
			checkRecords(t, []byte(c.b))
		})
	}
	if IsTLS([]byte("GET / HTTP/1.1")) || IsTLS([]byte{0x80, 0x2e}) {
		t.Error("anything is TLS")
	}
}

// TestNonsenseIsRefused has crypto/tls look at headers that Whole calls complete:
// it must not ask for more.
func TestNonsenseIsRefused(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		for _, header := range []string{"\x16\x10\x00\x00\x05", "\x16\x03\x03\x48\x01", "\x17\xff\xff\xff\xff", "GET /"} {
			noCoroutineLeft(t)
			p := newPair(first(configs(version)), second(configs(version)))
			if r := p.server.Step([]byte(header)); r.Status != Failed || r.Used != len(header) {
				t.Errorf("%q instead of a ClientHello: %+v", header, r)
			}
			p.toServer = p.client.Step(nil).Output
			if r := p.client.Step([]byte(header)); r.Status != Failed {
				t.Errorf("%q instead of a ServerHello: %+v", header, r)
			}
			p = secured(t, first(configs(version)), second(configs(version)))
			_, used, err := p.server.Open(nil, []byte(header))
			wantError(t, err)
			if used != len(header) {
				t.Errorf("%q instead of data: %d used", header, used)
			}
		}
	})
}

func FuzzRecords(f *testing.F) {
	for _, hello := range hellos() {
		f.Add(hello[:min(len(hello), 4000)])
	}
	f.Add([]byte("\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x03\x00\x00\x01\x16\x03\x01\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkRecords(t, b)
		n := Whole(b)
		if Whole(b[:n]) != n {
			t.Errorf("Whole(%x) is %d, and fewer of that", b, n)
		}
	})
}
