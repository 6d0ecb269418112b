package form

import (
	"bytes"
	"fmt"
	"io"
	stdmultipart "mime/multipart"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzURLEncoded: any split gives the same, and what both accept net/url reads the same
// way.
func FuzzURLEncoded(f *testing.F) {
	for _, s := range []string{"a=b&c=d", "a=%41+b", "%", "a=%4", "&&=", "a=b;c", "a=%zz"} {
		f.Add(s, 1, 2)
	}
	req := request(f, "application/x-www-form-urlencoded")
	lim := &Limits{Fields: 1 << 20, Name: 1 << 20, Value: 1 << 20, Memory: 1 << 20}
	f.Fuzz(func(t *testing.T, body string, first, then int) {
		whole, err := receive(t, req, lim, body, len(body))
		parts, partErr := receive(t, req, lim, body, first, then)
		if err != partErr || err == nil && !slices.Equal(whole.events, parts.events) {
			t.Fatalf("whole %q, %v; in parts %q, %v", whole.events, err, parts.events, partErr)
		}
		theirs, theirErr := url.ParseQuery(body)
		if err != nil || theirErr != nil {
			if theirErr == nil {
				t.Fatalf("we say %v, net/url has %v", err, theirs)
			}
			return
		}
		got := url.Values{}
		form, _ := New(req, lim, nil)
		_ = form.Write([]byte(body))
		_ = form.Close()
		for name, value := range form.All() {
			got.Add(name, value)
		}
		if got.Encode() != theirs.Encode() {
			t.Fatalf("ours %v, theirs %v", got, theirs)
		}
	})
}

// FuzzMultipart: any split gives the same, and what we accept mime/multipart reads the
// same way. The other way round does not hold: it is less strict.
func FuzzMultipart(f *testing.F) {
	for _, s := range []string{
		parts(textPart("a", "1"), filePart("f", "n.txt", "hello")), "--x--", parts(), "--x\r\n\r\n\r\n--x--",
		parts(textPart("a", "\r\n--\r\n-")), "pre\r\n" + parts(filePart("f", "", "")) + "post", parts(filePart("f", `C:\a`, "\r\n\r\n")),
		parts("Content-Transfer-Encoding: 8bit\n" + textPart("a", "b")), "--x \r\nContent-Disposition: form-data; name*=utf-8''a\r\n\r\n--x--",
	} {
		f.Add([]byte(s), 1, 2)
	}
	req := request(f, "multipart/form-data; boundary=x")
	f.Fuzz(func(t *testing.T, body []byte, first, then int) {
		whole, err := receive(t, req, nil, string(body), len(body))
		inParts, partErr := receive(t, req, nil, string(body), first, then)
		if err != partErr || err == nil && !slices.Equal(whole.events, inParts.events) {
			t.Fatalf("whole %q, %v; in parts %q, %v", whole.events, err, inParts.events, partErr)
		}
		if err != nil {
			return
		}
		theirs, err := read(body)
		if err != nil {
			t.Fatalf("we have %q, mime/multipart says %v", whole.events, err)
		}
		slices.Sort(theirs)
		slices.Sort(whole.events)
		if !slices.Equal(whole.events, theirs) {
			t.Fatalf("\n  ours %q\ntheirs %q", whole.events, theirs)
		}
	})
}

// read is what mime/multipart makes of a body.
func read(body []byte) (events []string, err error) {
	r := stdmultipart.NewReader(bytes.NewReader(body), "x")
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		// Its FileName knows no backslashes.
		if name := p.FileName(); strings.Trim(name, `/\`) != "" {
			events = append(events, fmt.Sprintf("%s<%s;%s>%q", p.FormName(), baseName(name), p.Header.Get("Content-Type"), content))
		} else {
			events = append(events, fmt.Sprintf("%s=%q", p.FormName(), content))
		}
	}
}
