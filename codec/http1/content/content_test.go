package content

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

var modified = time.Date(2024, 5, 6, 7, 8, 9, 500_000_000, time.UTC)

const (
	exactly = "Mon, 06 May 2024 07:08:09 GMT"
	before  = "Mon, 06 May 2024 07:08:08 GMT"
	later   = "Mon, 06 May 2024 07:08:10 GMT"
)

// TestConditions goes through RFC 9110 13.1 and 13.2.2.
func TestConditions(t *testing.T) {
	strong := Validators{ETag: `"a"`, Modified: modified, Settled: true}
	weak := Validators{ETag: `W/"a"`, Modified: modified, Settled: true}
	none := Validators{}
	for _, c := range []struct {
		name string
		cond Conditions
		v    Validators
		get  Verdict
		put  Verdict
	}{
		{"no condition", Conditions{}, strong, Proceed, Proceed},
		{"If-Match with the tag", Conditions{IfMatch: `"a"`}, strong, Proceed, Proceed},
		{"If-Match with a list", Conditions{IfMatch: `"x", "a" ,"y"`}, strong, Proceed, Proceed},
		{"If-Match with empty elements", Conditions{IfMatch: `, ,"a",`}, strong, Proceed, Proceed},
		{"If-Match with another tag", Conditions{IfMatch: `"b"`}, strong, PreconditionFailed, PreconditionFailed},
		{"If-Match compares strongly", Conditions{IfMatch: `W/"a"`}, weak, PreconditionFailed, PreconditionFailed},
		{"If-Match: * and there is something", Conditions{IfMatch: `*`}, none, Proceed, Proceed},
		{"If-Match and no tag", Conditions{IfMatch: `"a"`}, none, PreconditionFailed, PreconditionFailed},
		{"If-Match that is malformed", Conditions{IfMatch: `a`}, strong, PreconditionFailed, PreconditionFailed},
		{"a comma in a tag", Conditions{IfMatch: `"x,"a"`}, strong, PreconditionFailed, PreconditionFailed},
		{"If-Unmodified-Since that time", Conditions{IfUnmodifiedSince: exactly}, strong, Proceed, Proceed},
		{"If-Unmodified-Since before", Conditions{IfUnmodifiedSince: before}, strong, PreconditionFailed, PreconditionFailed},
		{"If-Unmodified-Since that is no date", Conditions{IfUnmodifiedSince: "yesterday"}, strong, Proceed, Proceed},
		{"If-Unmodified-Since and no time", Conditions{IfUnmodifiedSince: before}, none, Proceed, Proceed},
		{"If-Match goes before If-Unmodified-Since", Conditions{IfMatch: `"a"`, IfUnmodifiedSince: before}, strong, Proceed, Proceed},
		{"If-None-Match with the tag", Conditions{IfNoneMatch: `"a"`}, strong, NotModified, PreconditionFailed},
		{"If-None-Match compares weakly", Conditions{IfNoneMatch: `"a"`}, weak, NotModified, PreconditionFailed},
		{"If-None-Match, weak in the list", Conditions{IfNoneMatch: `"b", W/"a"`}, strong, NotModified, PreconditionFailed},
		{"If-None-Match: *", Conditions{IfNoneMatch: ` * `}, none, NotModified, PreconditionFailed},
		{"If-None-Match with another tag", Conditions{IfNoneMatch: `"b"`}, strong, Proceed, Proceed},
		{"If-None-Match goes before If-Modified-Since", Conditions{IfNoneMatch: `"b"`, IfModifiedSince: later}, strong, Proceed, Proceed},
		{"If-Modified-Since that time", Conditions{IfModifiedSince: exactly}, strong, NotModified, Proceed},
		{"If-Modified-Since later", Conditions{IfModifiedSince: later}, strong, NotModified, Proceed},
		{"If-Modified-Since before", Conditions{IfModifiedSince: before}, strong, Proceed, Proceed},
		{"If-Modified-Since in RFC 850's way", Conditions{IfModifiedSince: "Monday, 06-May-24 07:08:09 GMT"}, strong, NotModified, Proceed},
		{"If-Modified-Since that is no date", Conditions{IfModifiedSince: "0"}, strong, Proceed, Proceed},
		{"If-Modified-Since and no time", Conditions{IfModifiedSince: later}, none, Proceed, Proceed},
		{"If-Match fails before If-None-Match", Conditions{IfMatch: `"b"`, IfNoneMatch: `"a"`}, strong, PreconditionFailed, PreconditionFailed},
		{"both dates", Conditions{IfUnmodifiedSince: exactly, IfModifiedSince: exactly}, strong, NotModified, Proceed},
	} {
		if got := c.cond.Evaluate(true, c.v); got != c.get {
			t.Errorf("%s: GET gets %d, want %d", c.name, got, c.get)
		}
		if got := c.cond.Evaluate(false, c.v); got != c.put {
			t.Errorf("%s: PUT gets %d, want %d", c.name, got, c.put)
		}
	}
}

// TestIfRange is RFC 9110 13.1.5.
func TestIfRange(t *testing.T) {
	strong := Validators{ETag: `"a"`, Modified: modified, Settled: true}
	for _, c := range []struct {
		name, value string
		v           Validators
		holds       bool
	}{
		{"not there", "", strong, true},
		{"the tag", `"a"`, strong, true},
		{"another tag", `"b"`, strong, false},
		{"a weak tag", `W/"a"`, Validators{ETag: `W/"a"`}, false},
		{"a list", `"a", "b"`, strong, false},
		{"the date", exactly, strong, true},
		{"a later date", later, strong, false},
		{"an earlier date", before, strong, false},
		{"the date of what may yet change in that second", exactly, Validators{Modified: modified}, false},
		{"a date and no time", exactly, Validators{Settled: true}, false},
		{"nonsense", "a", strong, false},
	} {
		if got := (&Conditions{IfRange: c.value}).RangeHolds(c.v); got != c.holds {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestRanges is RFC 9110 14.1.2 and 14.2, for a representation of 1000 bytes.
func TestRanges(t *testing.T) {
	many := "bytes=0-0"
	for i := 1; i < RangesMost; i++ {
		many += fmt.Sprintf(",%d-%d", 200*i, 200*i)
	}
	for _, c := range []struct {
		name, value string
		size        int64
		verdict     RangeVerdict
		want        []Range
	}{
		{"the first bytes", "bytes=0-499", 1000, RangeSatisfiable, []Range{{0, 500}}},
		{"the rest", "bytes=500-", 1000, RangeSatisfiable, []Range{{500, 500}}},
		{"the last bytes", "bytes=-300", 1000, RangeSatisfiable, []Range{{700, 300}}},
		{"a byte", "bytes=999-999", 1000, RangeSatisfiable, []Range{{999, 1}}},
		{"beyond the end", "bytes=900-2000", 1000, RangeSatisfiable, []Range{{900, 100}}},
		{"a suffix longer than all", "bytes=-2000", 1000, RangeSatisfiable, []Range{{0, 1000}}},
		{"a number that does not fit", "bytes=1-99999999999999999999999", 1000, RangeSatisfiable, []Range{{1, 999}}},
		{"a start that does not fit", "bytes=99999999999999999999999-", 1000, RangeUnsatisfiable, nil},
		{"another case", "Bytes=0-0", 1000, RangeSatisfiable, []Range{{0, 1}}},
		{"white space", "bytes= 0-0 , 500-500 ", 1000, RangeSatisfiable, []Range{{0, 1}, {500, 1}}},
		{"empty elements", "bytes=,0-0,,", 1000, RangeSatisfiable, []Range{{0, 1}}},
		{"the order that was asked for", "bytes=500-600,0-99", 1000, RangeSatisfiable, []Range{{500, 101}, {0, 100}}},
		{"overlapping", "bytes=500-700,601-999,0-0", 1000, RangeSatisfiable, []Range{{0, 1}, {500, 500}}},
		{"touching", "bytes=0-499,500-999", 1000, RangeSatisfiable, []Range{{0, 1000}}},
		{"a gap shorter than a part's head", "bytes=0-0,50-50", 1000, RangeSatisfiable, []Range{{0, 51}}},
		{"one inside of another", "bytes=0-900,10-20", 1000, RangeSatisfiable, []Range{{0, 901}}},
		{"one of them beyond the end", "bytes=0-0,1000-", 1000, RangeSatisfiable, []Range{{0, 1}}},
		{"all of them beyond the end", "bytes=1000-,2000-3000", 1000, RangeUnsatisfiable, nil},
		{"the last no bytes", "bytes=-0", 1000, RangeUnsatisfiable, nil},
		{"the last no bytes among others", "bytes=-0,5-5", 1000, RangeSatisfiable, []Range{{5, 1}}},
		{"of nothing", "bytes=0-10", 0, RangeIgnored, nil},
		{"the last of nothing", "bytes=-10", 0, RangeIgnored, nil},
		{"as many as may be", many, 1 << 20, RangeSatisfiable, nil},
		{"more than that", many + ",900000-", 1 << 20, RangeIgnored, nil},
		{"another unit", "lines=0-1", 1000, RangeIgnored, nil},
		{"no unit", "0-1", 1000, RangeIgnored, nil},
		{"no ranges", "bytes=", 1000, RangeIgnored, nil},
		{"only commas", "bytes=,,", 1000, RangeIgnored, nil},
		{"backwards", "bytes=5-4", 1000, RangeIgnored, nil},
		{"backwards beside a good one", "bytes=0-0,5-4", 1000, RangeIgnored, nil},
		{"no numbers", "bytes=-", 1000, RangeIgnored, nil},
		{"a sign", "bytes=+1-2", 1000, RangeIgnored, nil},
		{"two minuses", "bytes=--1", 1000, RangeIgnored, nil},
		{"letters", "bytes=a-b", 1000, RangeIgnored, nil},
		{"one number", "bytes=5", 1000, RangeIgnored, nil},
		{"white space in a number", "bytes=1 0-20", 1000, RangeIgnored, nil},
	} {
		got, verdict := ParseRanges(nil, c.value, c.size)
		if verdict != c.verdict || c.want != nil && !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %d; want %v, %d", c.name, got, verdict, c.want, c.verdict)
		}
		if c.name == "as many as may be" && len(got) != RangesMost {
			t.Errorf("%s: %d", c.name, len(got))
		}
	}
	if s := string(AppendContentRange(nil, Range{5, 10}, 99)); s != "bytes 5-14/99" {
		t.Errorf("Content-Range: %s", s)
	}
}

// TestChoose is RFC 9110 12.5.3.
func TestChoose(t *testing.T) {
	all := []string{"br", "zstd", "gzip", "identity"}
	for _, c := range []struct {
		name, accept string
		offers       []string
		want         string
	}{
		{"nothing said", "", all, "identity"},
		{"one of them", "gzip", all, "gzip"},
		{"the server's favourite among equals", "gzip, deflate, br, zstd", all, "br"},
		{"the client's favourite", "br;q=0.5, gzip;q=0.8, zstd;q=0.25", all, "gzip"},
		{"weights of three digits", "br;q=0.798, gzip;q=0.799", all, "gzip"},
		{"none wanted, though there", "br;q=0", all, "identity"},
		{"anything", "*", all, "br"},
		{"anything but", "br;q=0, *", all, "zstd"},
		{"identity is the worst unless named", "gzip;q=0.001", all, "gzip"},
		{"identity named and better", "identity, gzip;q=0.5", all, "identity"},
		{"not identity", "identity;q=0, gzip", all, "gzip"},
		{"not identity and nothing else there", "identity;q=0, compress", all, ""},
		{"nothing at all", "*;q=0", all, ""},
		{"nothing but identity", "*;q=0, identity", all, "identity"},
		{"nothing but gzip", "*;q=0, gzip", []string{"identity"}, ""},
		{"unknown codings", "compress, foo", all, "identity"},
		{"x-gzip", "x-gzip", all, "gzip"},
		{"another case", "GZIP;Q=1.000", all, "gzip"},
		{"white space", "  br ; q=0 ,\tgzip\t;\tq=0.3", all, "gzip"},
		{"a weight over one", "gzip;q=1.5", all, "identity"},
		{"a weight that is none", "gzip;q=high", all, "identity"},
		{"four digits", "gzip;q=0.1234", all, "identity"},
		{"another parameter", "gzip;level=9", all, "gzip"},
		{"twice", "gzip;q=0, gzip", all, "gzip"},
		{"empty elements", ",,gzip,", all, "gzip"},
	} {
		got := ""
		if i := Choose(c.accept, c.offers...); i >= 0 {
			got = c.offers[i]
		}
		if got != c.want {
			t.Errorf("%s: %q for %q, want %q", c.name, got, c.accept, c.want)
		}
	}
}

func TestTypes(t *testing.T) {
	for ext, want := range map[string]string{
		".html": "text/html; charset=utf-8", ".HTML": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".wasm": "application/wasm", "": "", ".nothing": "", "html": "",
	} {
		if got := TypeByExtension(ext); got != want {
			t.Errorf("%q is %q, want %q", ext, got, want)
		}
	}
	for mediaType, want := range map[string]bool{
		"text/html; charset=utf-8": true, "image/svg+xml": true, "application/json": true, "application/problem+json": true, "Text/Plain": true,
		"image/png": false, "application/gzip": false, "video/mp4": false, "text/event-stream": false, "": false, "font/woff2": false,
	} {
		if Compressible(mediaType) != want {
			t.Errorf("Compressible(%q) is %v", mediaType, !want)
		}
	}
}

func TestHotFunctionsAllocateNothing(t *testing.T) {
	var dst [4]Range
	c := Conditions{IfNoneMatch: `"x", "y"`, IfMatch: `"a"`, IfRange: `"a"`}
	v := Validators{ETag: `"a"`, Modified: modified}
	offers := []string{"br", "gzip", "identity"}
	if n := testing.AllocsPerRun(100, func() {
		ParseRanges(dst[:0], "bytes=0-1", 1000)
		c.Evaluate(true, v)
		c.RangeHolds(v)
		Choose("gzip, deflate, br;q=0.9", offers...)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
