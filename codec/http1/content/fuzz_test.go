package content

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzRanges: whatever is sent, what comes out lies in the file, and each part is
// wanted by somebody.
func FuzzRanges(f *testing.F) {
	for _, seed := range []string{"bytes=0-499", "bytes=-5", "bytes=5-", "bytes=0-0,-1", "bytes=1-2, 1-3, 900-", "bytes=--1", "lines=1-2", "bytes=99999999999999999999-"} {
		f.Add(seed, int64(1000))
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		if size < 0 {
			return
		}
		list, verdict := ParseRanges(nil, value, size)
		if (verdict == RangeSatisfiable) != (len(list) > 0) || len(list) > RangesMost {
			t.Fatalf("%d with %v", verdict, list)
		}
		total := int64(0)
		for _, r := range list {
			if r.Start < 0 || r.Length < 1 || r.Length > size || r.Start > size-r.Length {
				t.Fatalf("%v is not in %d bytes", r, size)
			}
			if total += r.Length; total > size {
				t.Fatalf("%v is more than %d bytes", list, size)
			}
		}
	})
}

// FuzzConditions compares with net/http's ServeContent: where that takes a request's
// fields for what they are, the answers have the same status, and one range the same
// place.
func FuzzConditions(f *testing.F) {
	f.Add(`"a"`, "", "", "", "", "bytes=0-4", uint8(0))
	f.Add("", `"b", W/"a"`, exactly, "", "", "", uint8(1))
	f.Add("", "", before, later, `"a"`, "bytes=-3", uint8(2))
	f.Add("*", "*", "", "", exactly, "bytes=2-", uint8(3))
	f.Fuzz(func(t *testing.T, match, noneMatch, since, until, ifRange, ranges string, kind uint8) {
		const body = "0123456789"
		v := Validators{ETag: `"a"`, Modified: modified.Truncate(time.Second), Settled: true}
		if kind&1 != 0 {
			v.ETag = `W/"a"`
		}
		if kind&2 != 0 {
			v.ETag = ""
		}
		c := Conditions{match, noneMatch, since, until, ifRange}
		status, list := http.StatusOK, []Range(nil)
		switch c.Evaluate(true, v) {
		case NotModified:
			status = http.StatusNotModified
		case PreconditionFailed:
			status = http.StatusPreconditionFailed
		default:
			if ranges != "" && c.RangeHolds(v) {
				var verdict RangeVerdict
				if list, verdict = ParseRanges(nil, ranges, int64(len(body))); verdict == RangeUnsatisfiable {
					status = http.StatusRequestedRangeNotSatisfiable
				} else if verdict == RangeSatisfiable {
					status = http.StatusPartialContent
				}
			}
		}
		if differs(&c, ranges) {
			return
		}
		r := httptest.NewRequest("GET", "/", nil)
		for name, value := range map[string]string{"If-Match": match, "If-None-Match": noneMatch, "If-Modified-Since": since,
			"If-Unmodified-Since": until, "If-Range": ifRange, "Range": ranges} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		if v.ETag != "" {
			w.Header().Set("Etag", v.ETag)
		}
		http.ServeContent(w, r, "x.txt", v.Modified, strings.NewReader(body))
		got := w.Result()
		if got.StatusCode != status {
			t.Fatalf("%d, and net/http says %d: %+v, Range %q", status, got.StatusCode, c, ranges)
		}
		if len(list) == 1 && status == http.StatusPartialContent && !strings.HasPrefix(got.Header.Get("Content-Type"), "multipart") {
			want, _ := io.ReadAll(got.Body)
			if mine := body[list[0].Start : list[0].Start+list[0].Length]; mine != string(want) {
				t.Fatalf("%q, and net/http says %q for Range %q", mine, want, ranges)
			}
		}
	})
}

// differs tells the fields that net/http reads in its own way: it takes no RFC 850 or
// asctime date of a year that we put into another century, answers 416 to a Range that
// is malformed, which the RFC has ignored, and 206 to one for the last 0 bytes, and looks
// at an If-None-Match that has nothing in it.
func differs(c *Conditions, ranges string) bool {
	for _, date := range []string{c.IfModifiedSince, c.IfUnmodifiedSince, c.IfRange} {
		if strings.Contains(date, "-") || strings.TrimSpace(date) != date {
			return true
		}
	}
	for _, list := range []string{c.IfMatch, c.IfNoneMatch} {
		if strings.Trim(list, " \t\r\n,") != list || strings.Contains(list, "*") && list != "*" {
			return true
		}
	}
	if strings.ContainsAny(c.IfRange, "\r\n") || strings.Contains(c.IfRange, ",") {
		return true
	}
	if ranges == "" {
		return false
	}
	_, verdict := ParseRanges(nil, ranges, 10)
	return verdict == RangeIgnored || !strings.HasPrefix(ranges, "bytes=") || strings.ContainsAny(ranges, " \t\r\n,") ||
		verdict == RangeUnsatisfiable && strings.HasPrefix(ranges, "bytes=-")
}
