package engine

import (
	"html"
	"io/fs"
	"net/url"
	"strings"

	"github.com/penstock-go/penstock/callbacks"
)

// listMost is how many names a listing has: a page of more is of no use, and costs
// memory.
const listMost = 10_000

// listing is the worker's part.
func (t *transfer) listing() {
	list, err := fs.ReadDir(t.m.fsys, t.want.name)
	if err != nil {
		t.err = err
		return
	}
	var b strings.Builder
	title := html.EscapeString("/" + strings.TrimPrefix(t.want.name, "."))
	b.WriteString("<!DOCTYPE html>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n<title>" + title + "</title>\n<h1>" + title + "</h1>\n<ul>\n")
	if t.want.name != "." {
		b.WriteString("<li><a href=\"../\">../</a>\n")
	}
	for i, e := range list {
		if i == listMost {
			b.WriteString("<li>and more\n")
			break
		}
		t.listOne(&b, e)
	}
	b.WriteString("</ul>\n")
	t.page = b.String()
}

// listOne shows what a request for it could get.
func (t *transfer) listOne(b *strings.Builder, e fs.DirEntry) {
	name := e.Name()
	if strings.HasPrefix(name, ".") && !t.m.opt.Dotfiles || strings.Contains(name, `\`) {
		return
	}
	if e.IsDir() {
		name += "/"
	}
	// As a URL a name with a colon in it begins with "./", or it would be a scheme.
	link := (&url.URL{Path: name}).String()
	b.WriteString("<li><a href=\"" + html.EscapeString(link) + "\">" + html.EscapeString(name) + "</a>\n")
}

// listed answers.
func (t *transfer) listed() {
	if t.err != nil {
		t.fail(statusOfFile(t.err), t.err)
		return
	}
	h, s := t.h, t.s
	page := t.page
	t.end()
	err := h.respond(s, 200, "text/html; charset=utf-8", []byte(page))
	if err == nil {
		err = s.tell(callbacks.HTTPFileCompletion, nil)
	}
	h.called(s, err)
}
