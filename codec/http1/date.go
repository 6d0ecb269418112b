package http1

import "time"

// imfFixdate is the only date format to send, RFC 9110 5.6.7.
const imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"

// AppendDate appends t as an HTTP-date, without field name or CRLF, as in
// "Sun, 06 Nov 1994 08:49:37 GMT". It is worth keeping for the second it says.
func AppendDate(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, imfFixdate)
}

// ParseDate reads an HTTP-date in any of the three formats of RFC 9110 5.6.7. A
// two-digit year that seems to be more than 50 years ahead is in the past.
func ParseDate(value string) (t time.Time, ok bool) {
	return parseDate(value, time.Now())
}

func parseDate(value string, now time.Time) (time.Time, bool) {
	if t, err := time.Parse(imfFixdate, value); err == nil {
		return t, true
	}
	if t, err := time.Parse("Monday, 02-Jan-06 15:04:05 GMT", value); err == nil {
		return inCentury(t, now), true
	}
	t, err := time.Parse(time.ANSIC, value)
	return t, err == nil
}

// inCentury puts a date of which only the year's last two digits are known into
// the century of now, or into the one before if that is far ahead.
func inCentury(t, now time.Time) time.Time {
	now = now.UTC()
	t = t.AddDate(now.Year()/100*100+t.Year()%100-t.Year(), 0, 0)
	if t.After(now.AddDate(50, 0, 0)) {
		t = t.AddDate(-100, 0, 0)
	}
	return t
}
