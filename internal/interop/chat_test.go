package interop

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/penstock-go/penstock/internal/wstest"
)

// TestBrowserChat: two people in two tabs, who tell their rooms apart, and a server
// that goes and comes back.
func TestBrowserChat(t *testing.T) {
	ctx := browser(t)
	server := startOn(t, chatBinary, "127.0.0.1:0")
	ada := seat{page{t, ctx}}
	ada.do(chromedp.Navigate(server.base + "/")) // starts the browser that the second tab is opened in
	tab, cancel := chromedp.NewContext(ctx)
	defer cancel()
	bob := seat{page{t, tab}}
	for _, p := range []struct {
		seat
		name string
	}{{ada, "ada"}, {bob, "bob <b>"}} {
		p.do(chromedp.Navigate(server.base + "/"))
		p.do(chromedp.SendKeys("#name", p.name+kb.Enter))
		p.state("connected to lobby")
	}
	ada.sees("#people", "ada|bob <b>")
	ada.says("hello, bob")
	bob.says("grüße & <i>tags</i>")
	for _, p := range []seat{ada, bob} {
		p.sees("#log p", "hello, bob|grüße & <i>tags</i>")
	}
	screenshot(ada.page)

	bob.do(chromedp.SendKeys("#other", "engines"+kb.Enter))
	bob.state("connected to engines")
	bob.sees("#people", "bob <b>")
	ada.sees("#people", "ada")
	ada.says("gone?")
	bob.says("penstocks")
	bob.sees("#log p", "penstocks")
	ada.sees("#log p", "hello, bob|grüße & <i>tags</i>|gone?")

	server.stop()
	ada.state("closed with 1") // 1001, and soon 1006 of the next attempt
	server.again()
	ada.state("connected to lobby")
	ada.says("back")
	ada.sees("#log p", "back")
}

// seat is the page of the chat as its user sees it.
type seat struct{ page }

func (p seat) says(text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys("#text", text+kb.Enter))
}

// sees waits until the elements hold these texts, without what stands in a face.
func (p seat) sees(selector, want string) {
	p.t.Helper()
	script := `[...document.querySelectorAll('` + selector + (map[string]string{"#people": " li"})[selector] + `')].map(e => e.lastChild.textContent).join('|')`
	got := ""
	defer func() {
		if p.t.Failed() {
			p.t.Logf("%s has %q, not %q", selector, got, want)
		}
	}()
	wstest.Eventually(p.t, "the page shows "+want, func() bool {
		got = p.text(script)
		return got == want
	})
}
