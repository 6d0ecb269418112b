package conformance

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// works sends data both ways that shows a window or a takeover that was not agreed
// on, compressed and not.
func (p *peer) works() {
	p.t.Helper()
	far := testData()[0].data
	for i, n := range []int{100, 3000, 50_000, 3000, 200} {
		data := far[i : i+n]
		p.send(p.squeezed(wstest.Text, data, 700)...)
		p.want(event{wstest.Text, data})
		p.send(text(data))
		p.want(event{wstest.Text, data})
	}
	p.closes()
}

// offered are offers that a server can accept (RFC 7692 7.1). p.offers holds the
// answer against them.
func offered() (out []tcase) {
	add := func(id string, offers ...string) {
		out = append(out, tcase{id: "x.offer." + id, of: servers, run: unopened(func(p *peer) {
			p.offers(offers...)
			p.works()
		})})
	}
	add("alone", extensionName)
	add("client_no_context_takeover", extensionName+"; "+clientNoTakeover)
	add("server_no_context_takeover", extensionName+"; "+serverNoTakeover)
	add("client_max_window_bits", extensionName+"; "+clientWindow)
	for bits := 8; bits <= largest; bits++ {
		add(fmt.Sprintf("server_max_window_bits=%d", bits), fmt.Sprintf("%s; %s=%d", extensionName, serverWindow, bits))
		add(fmt.Sprintf("client_max_window_bits=%d", bits), fmt.Sprintf("%s; %s=%d", extensionName, clientWindow, bits))
	}
	add("all parameters", extensionName+"; "+serverNoTakeover+"; "+clientNoTakeover+"; "+serverWindow+"=9; "+clientWindow+"=10")
	add("quoted", extensionName+"; "+serverWindow+"=\"10\"; "+clientWindow+"=\"11\"")
	add("spaces", " "+extensionName+" ;\t"+serverWindow+" = 10 ; "+clientWindow+" ")
	add("no spaces", extensionName+";"+serverWindow+"=10;"+clientWindow)
	add("behind an unknown extension", "x-webkit-deflate-frame; x=1", usual)
	add("before an unknown extension", usual, "foo; bar=\"ab\"")
	add("behind empty elements", "", "", usual)
	add("second one only", extensionName+"; foo=1", extensionName+"; "+serverWindow+"=12")
	add("second one only, after a bad window", extensionName+"; "+serverWindow+"=16", extensionName)
	add("third one only", extensionName+"; "+serverWindow+"=7", extensionName+"; "+clientNoTakeover+"=1", extensionName)
	add("two that both will do", extensionName+"; "+serverWindow+"=9", extensionName)
	return append(out, tcase{id: "x.offer.in two fields", of: servers, run: unopened(func(p *peer) {
		p.Upgrade("/", extensionsField+"foo", extensionsField+extensionName+"; foo", extensionsField+extensionName)
		answer := parseExtensions(p.Head.Values("Sec-WebSocket-Extensions"))
		if len(answer) != 1 {
			p.t.Fatalf("answered with %v", answer)
		}
		a, err := agree(extension{name: extensionName}, answer[0])
		if err != nil {
			p.t.Fatal(err)
		}
		p.compresses(a)
		p.works()
	})})
}

// refusedOffers are what a server declines: it goes on without the extension, and
// then RSV1 is a breach. What is not even a list, it refuses (RFC 6455 9.1).
func refusedOffers() (out []tcase) {
	for _, offer := range []string{
		"foo", "permessage-deflate2", "x-webkit-deflate-frame", "permessage-bzip2; client_max_window_bits",
		"; foo", "; foo=1", "; " + serverWindow, "; " + serverWindow + "=7", "; " + serverWindow + "=16", "; " + serverWindow + "=08",
		"; " + serverWindow + "=0", "; " + serverWindow + "=256", "; " + serverWindow + "=+9", "; " + serverWindow + "=1a", "; " + serverWindow + "=\"016\"",
		"; " + clientWindow + "=7", "; " + clientWindow + "=16", "; " + clientWindow + "=010", "; " + clientWindow + "=x",
		"; " + serverNoTakeover + "=1", "; " + serverNoTakeover + "=\"true\"", "; " + clientNoTakeover + "=0",
		"; " + serverNoTakeover + "; " + serverNoTakeover, "; " + clientNoTakeover + "; " + clientNoTakeover,
		"; " + serverWindow + "=10; " + serverWindow + "=10", "; " + serverWindow + "=10; " + serverWindow + "=11", "; " + clientWindow + "; " + clientWindow,
		"; server-no-context-takeover",
	} {
		if strings.HasPrefix(offer, ";") {
			offer = extensionName + offer
		}
		out = append(out, tcase{id: "x.declined." + offer, of: servers, run: unopened(func(p *peer) {
			p.Upgrade("/", extensionsField+offer)
			if answer := p.Head.Values("Sec-WebSocket-Extensions"); len(answer) > 0 {
				p.t.Fatalf("answered with %q", answer)
			}
			p.send(text(hello), ping("p"), zipped(true, wstest.Text, helloFixed))
			p.want(echo(text(hello), ping("p"))...)
			p.failed(1002)
		})})
	}
	for _, offer := range []string{
		";", "=", ";foo", "permessage-deflate;", "permessage-deflate; ;", "permessage-deflate; =1", "permessage-deflate; foo=", "permessage-deflate foo",
		"permessage-deflate; foo=\"", "permessage-deflate; foo=\"a", "permessage-deflate; foo=\"a\"b", "permessage-deflate; foo=a b", "\"permessage-deflate\"",
		"permessage-deflate, ;", "permessage(deflate)", "permessage-deflate; foo=\"a b\"",
	} {
		out = append(out, tcase{id: "x.malformed." + offer, of: servers, run: unopened(func(p *peer) {
			p.Send("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + extensionsField + offer + "\r\n\r\n")
			if resp := p.Response("GET"); resp.StatusCode != 400 {
				p.t.Errorf("answered with %s", resp.Status)
			}
		})})
	}
	return out
}

// unopened gives a case its connection, on which no HTTP was said.
func unopened(run func(p *peer)) func(*target, *testing.T) {
	return func(g *target, t *testing.T) { run(g.connect(t)) }
}

// answered are answers that RFC 7692 7.1 allows to an offer of any window. A client
// that has offered less must refuse those of more, and take the others.
func answered() (out []tcase) {
	add := func(id, answer string) {
		out = append(out, tcase{id: "x.answer." + id, of: clients, run: unopened(func(p *peer) {
			offer := p.offered()[0]
			p.AcceptUpgrade(extensionsField + answer)
			a, err := agree(offer, parseExtensions([]string{answer})[0])
			if err != nil {
				p.refusedByClient()
				return
			}
			p.compresses(a)
			p.works()
		})})
	}
	resets := extensionName + "; " + serverNoTakeover
	add("neither takes over", resets+"; "+clientNoTakeover)
	add("the client may", resets)
	for bits := 8; bits <= largest; bits++ {
		add(fmt.Sprintf("client_max_window_bits=%d", bits), fmt.Sprintf("%s; %s=%d; %s=8", resets, clientWindow, bits, serverWindow))
		add(fmt.Sprintf("server_max_window_bits=%d", bits), fmt.Sprintf("%s; %s=%d; %s=8", resets, serverWindow, bits, clientWindow))
		add(fmt.Sprintf("both of %d", bits), fmt.Sprintf("%s;%s=%d;%s;%s=\"%d\"", resets, serverWindow, bits, clientNoTakeover, clientWindow, bits))
	}
	return append(out, tcase{id: "x.answer.none", of: clients, run: unopened(func(p *peer) {
		p.offered()
		p.AcceptUpgrade()
		data := text(testData()[0].data[:5000])
		p.send(data)
		p.want(echo(data)...)
		p.send(zipped(true, wstest.Text, helloFixed))
		p.failed(1002)
	})})
}

// refusedAnswers are what makes a client fail the connection: extensions it has not
// offered (RFC 6455 4.1), and parameters that RFC 7692 7.1 does not allow.
func refusedAnswers() (out []tcase) {
	for _, answer := range []string{
		"foo", "x-webkit-deflate-frame", extensionName + ", foo", "foo, " + extensionName, extensionName + ", " + extensionName,
		"; foo", "; foo=1", "; " + serverWindow, "; " + serverWindow + "=7", "; " + serverWindow + "=16", "; " + serverWindow + "=08", "; " + clientWindow,
		"; " + clientWindow + "=7", "; " + clientWindow + "=16", "; " + serverNoTakeover + "=1", "; " + clientNoTakeover + "=1",
		"; " + clientNoTakeover + "; " + clientNoTakeover, "; " + serverWindow + "=9; " + serverWindow + "=9", "; " + clientWindow + "=9; " + clientWindow + "=9",
		";", "; =", "; foo=", "; " + serverWindow + "=\"9",
	} {
		if strings.HasPrefix(answer, ";") {
			answer = extensionName + answer
		}
		out = append(out, tcase{id: "x.refused." + answer, of: clients, run: unopened(func(p *peer) {
			p.ReadUpgrade()
			p.AcceptUpgrade(extensionsField + answer)
			p.refusedByClient()
		})})
	}
	return out
}

// refusedByClient wants a client that gives a handshake up: no frame, the end of TCP
// in one way or another, and an error.
func (p *peer) refusedByClient() {
	p.t.Helper()
	if b, err := p.R.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Errorf("read %q, %v; want the end", b, err)
	}
	_ = p.Close()
	if err := p.client.wait(); err == nil {
		p.t.Errorf("the client took it:\n%s", p.client.printed())
	}
}

// unasked are answers to a client that has offered nothing.
func unasked() (out []tcase) {
	for _, answer := range []string{extensionName, extensionName + "; " + serverNoTakeover, "foo", "foo, bar"} {
		out = append(out, tcase{id: "x.unasked." + answer, of: clients, run: unopened(func(p *peer) {
			p.ReadUpgrade()
			if offers := p.Head.Values("Sec-WebSocket-Extensions"); len(offers) > 0 {
				p.t.Errorf("the client offers %q", offers)
			}
			p.AcceptUpgrade(extensionsField + answer)
			p.refusedByClient()
		})})
	}
	return append(out, tcase{id: "x.unasked.server without -deflate", of: servers, run: unopened(func(p *peer) {
		p.Upgrade("/", extensionsField+usual)
		if answer := p.Head.Values("Sec-WebSocket-Extensions"); len(answer) > 0 {
			p.t.Errorf("answered with %q", answer)
		}
		p.send(text(hello), zipped(true, wstest.Text, helloFixed))
		p.want(echo(text(hello))...)
		p.failed(1002)
	})})
}
