package interop

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/penstock-go/penstock/internal/wstest"
)

// findBrowser returns the path of Chromium, or skips the test.
func findBrowser(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium is installed; on Debian: apt-get install chromium")
	return ""
}

// browser starts a headless Chromium that knows nothing and calls nobody.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := findBrowser(t)
	profile, err := os.MkdirTemp("", "penstock-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*wstest.Patience)
	ctx, cancelProcess := chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(900, 700),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", pin(t)))
	ctx, cancelTab := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the end of the process
		cancelTab()
		cancelProcess()
		cancel()
		_ = os.RemoveAll(profile)
	})
	return ctx
}

// pin is what Chromium takes for a certificate of echoKey, whoever issued it.
func pin(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(echoKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// page is the echo page as a user sees it.
type page struct {
	t   *testing.T
	ctx context.Context
}

func (p page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// text returns what an expression of the page's script is.
func (p page) text(expression string) string {
	p.t.Helper()
	s, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// state waits for the state line.
func (p page) state(want string) {
	p.t.Helper()
	wstest.Eventually(p.t, "the page says "+want, func() bool {
		return strings.HasPrefix(p.text(`document.getElementById('state').textContent`), want)
	})
}

// says types text and presses Enter, and waits for its echo.
func (p page) says(text string, nth string) {
	p.t.Helper()
	p.do(chromedp.SendKeys("#text", text+kb.Enter))
	wstest.Eventually(p.t, "the echo of "+text, func() bool {
		return p.text(`[...document.querySelectorAll('#log .got')].map(li => li.textContent).join('|')`) == nth
	})
}

func TestBrowser(t *testing.T) {
	withEcho(t, func(t *testing.T, server *process) { echoPage(t, browser(t), server) })
}

func echoPage(t *testing.T, ctx context.Context, server *process) {
	p := page{t, ctx}
	p.do(chromedp.Navigate(server.base + "/"))
	p.state("connected, echo-protocol")
	p.says("hello", "hello")
	p.says("grüße, 水 & <b>tags</b>", "hello|grüße, 水 & <b>tags</b>")
	if got := p.text(`document.getElementById('text').value`); got != "" {
		t.Errorf("the input still holds %q", got)
	}
	screenshot(p)

	server.stop()
	p.state("closed with 1001")
	server.again()
	p.state("connected, echo-protocol")
	p.says("again", "hello|grüße, 水 & <b>tags</b>|again")
}

// screenshot writes what the page looks like to the file SCREENSHOT, if that is
// set.
func screenshot(p page) {
	p.t.Helper()
	file := os.Getenv("SCREENSHOT")
	if file == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(file, png, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// What a page can do with a WebSocket and a browser's own checks: kinds, sizes,
// close codes.
func TestBrowserSockets(t *testing.T) {
	withEcho(t, func(t *testing.T, server *process) { sockets(t, browser(t), server) })
}

func sockets(t *testing.T, ctx context.Context, server *process) {
	page{t, ctx}.do(chromedp.Navigate(server.base + "/"))
	for name, script := range map[string]string{
		"text":   `ws.send('x'.repeat(100000)); const e = await next; return typeof e.data + e.data.length`,
		"binary": `ws.binaryType = 'arraybuffer'; ws.send(new Uint8Array(200000)); const e = await next; return typeof e.data + e.data.byteLength`,
		"empty":  `ws.send(''); const e = await next; return typeof e.data + e.data.length`,
		"close":  `ws.close(3456, 'reason'); const e = await closed; return e.code + e.reason + e.wasClean`,
		"plain":  `ws.close(); const e = await closed; return e.code + e.reason + e.wasClean`,
		"xhr":    `return await (await fetch('/plain')).text()`,
		"post":   `return await (await fetch('/x', {method: 'POST', body: 'y'.repeat(1e6)})).text().then(s => s.length + '')`,
	} {
		want := map[string]string{"text": "string100000", "binary": "object200000", "empty": "string0", "close": "3456reasontrue",
			"plain": "1005true", "xhr": "Hello, World!", "post": "1000000"}[name]
		t.Run(name, func(t *testing.T) {
			got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => {
				const ws = new WebSocket(location.href.replace(/^http/, 'ws'));
				const closed = new Promise(done => ws.onclose = done), next = new Promise(done => ws.onmessage = done);
				await new Promise(done => ws.onopen = done);
				`+script+`
			})()`, chromedp.EvalAwaitPromise))
			if err != nil || got != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		})
	}
}
