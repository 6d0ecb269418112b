package engine

import (
	"bytes"
	"os"

	"github.com/penstock-go/penstock/codec/http1"
)

// ErrorPage is the body of an answer that the engine gives in the program's place.
type ErrorPage struct {
	// ContentType is "text/html; charset=utf-8" if it is empty.
	ContentType string
	// Body is sent as it is.
	Body []byte
	// File is read by New in the place of Body.
	File string
}

func checkErrorPages(pages map[int]ErrorPage) error {
	for status, p := range pages {
		switch {
		case status != 0 && (status < 400 || status > 599):
			return configErrorf("error page for status %d", status)
		case !http1.ValidValue(p.ContentType):
			return configErrorf("error page for status %d: content type %q", status, p.ContentType)
		case p.File != "" && p.Body != nil:
			return configErrorf("error page for status %d: both a file and a body", status)
		}
	}
	return nil
}

// loadErrorPages makes pages ready to be sent, with files read.
func loadErrorPages(pages map[int]ErrorPage) (map[int]*ErrorPage, error) {
	use := make(map[int]*ErrorPage, len(pages))
	for status, p := range pages {
		p.Body = bytes.Clone(p.Body)
		if p.File != "" {
			var err error
			if p.Body, err = os.ReadFile(p.File); err != nil {
				return nil, configErrorf("error page for status %d: %w", status, err)
			}
		}
		if p.ContentType == "" {
			p.ContentType = "text/html; charset=utf-8"
		}
		use[status] = &p
	}
	return use, nil
}

// errorPage is what a status is answered with, or nil.
func (v *vhost) errorPage(status int) *ErrorPage {
	if len(v.pages) == 0 || status < 400 {
		return nil
	}
	if p := v.pages[status]; p != nil {
		return p
	}
	return v.pages[0]
}

// busyAnswer is what a connection over the limit is told, of which no request is read.
func (v *vhost) busyAnswer() []byte {
	page := v.errorPage(503)
	if page == nil {
		page = &ErrorPage{ContentType: "text/plain", Body: []byte("Service Unavailable\n")}
	}
	b := http1.AppendStatusLine(nil, 503)
	b = http1.AppendField(b, "Content-Type", page.ContentType)
	b = http1.AppendContentLength(b, int64(len(page.Body)))
	b = append(b, "Connection: close\r\n"...)
	b = append(b, v.fields.plain.all...)
	return append(http1.AppendEnd(b), page.Body...)
}
