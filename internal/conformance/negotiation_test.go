package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The names of RFC 7692 section 7.
const (
	extensionName    = "permessage-deflate"
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverWindow     = "server_max_window_bits"
	clientWindow     = "client_max_window_bits"
)

const extensionsField = "Sec-WebSocket-Extensions: "

// extension is an offer or an answer.
type extension struct {
	name   string
	params []param
}

// param has no value if that is "".
type param struct{ name, value string }

// parseExtensions reads well-formed fields, whose quoted values have no commas or
// semicolons.
func parseExtensions(fields []string) (out []extension) {
	for _, one := range strings.Split(strings.Join(fields, ","), ",") {
		parts := strings.Split(one, ";")
		e := extension{name: strings.TrimSpace(parts[0])}
		if e.name == "" {
			continue
		}
		for _, part := range parts[1:] {
			name, value, _ := strings.Cut(part, "=")
			e.params = append(e.params, param{strings.TrimSpace(name), strings.Trim(value, " \"")})
		}
		out = append(out, e)
	}
	return out
}

// find returns a parameter.
func (e extension) find(name string) (value string, ok bool) {
	i := slices.IndexFunc(e.params, func(p param) bool { return p.name == name })
	if i < 0 {
		return "", false
	}
	return e.params[i].value, true
}

func (e extension) has(name string) bool {
	_, ok := e.find(name)
	return ok
}

// String is the field's value.
func (e extension) String() string {
	s := e.name
	for _, p := range e.params {
		s += "; " + p.name
		if p.value != "" {
			s += "=" + p.value
		}
	}
	return s
}

// params is what two ends agreed on.
type params struct{ server, client direction }

// bits reads a window parameter; 0 says that it is not one.
func (e extension) bits(name string) int {
	value, _ := e.find(name)
	n, err := strconv.Atoi(value)
	if err != nil || n < 8 || n > largest || strconv.Itoa(n) != value {
		return 0
	}
	return n
}

// check is what RFC 7692 7.1 says of any answer: which parameters it has, once each,
// and their values.
func (e extension) check() error {
	seen := map[string]bool{}
	for _, p := range e.params {
		switch {
		case seen[p.name]:
			return fmt.Errorf("%s is there twice", p.name)
		case (p.name == serverNoTakeover || p.name == clientNoTakeover) && p.value == "":
		case (p.name == serverWindow || p.name == clientWindow) && e.bits(p.name) != 0:
		default:
			return fmt.Errorf("%s=%s", p.name, p.value)
		}
		seen[p.name] = true
	}
	return nil
}

// agree is what follows from an answer to an offer, or why it is none.
func agree(offer, answer extension) (params, error) {
	if answer.name != extensionName {
		return params{}, fmt.Errorf("the extension is %s", answer.name)
	}
	if err := answer.check(); err != nil {
		return params{}, err
	}
	if offer.has(serverNoTakeover) && !answer.has(serverNoTakeover) {
		return params{}, fmt.Errorf("%s was asked for", serverNoTakeover) // section 7.1.1.1
	}
	if most := offer.bits(serverWindow); most != 0 && (!answer.has(serverWindow) || answer.bits(serverWindow) > most) {
		return params{}, fmt.Errorf("%s was to be %d at most", serverWindow, most) // section 7.1.2.1
	}
	if answer.has(clientWindow) {
		if !offer.has(clientWindow) {
			return params{}, fmt.Errorf("%s was not offered", clientWindow) // section 7.1.2.2
		}
		if most := offer.bits(clientWindow); most != 0 && answer.bits(clientWindow) > most {
			return params{}, fmt.Errorf("%s was to be %d at most", clientWindow, most)
		}
	}
	// Section 7.1.1.2: a client that offers to do without takeover does so, whatever the
	// answer is.
	return params{
		server: direction{answer.has(serverNoTakeover), answer.bits(serverWindow)},
		client: direction{answer.has(clientNoTakeover) || offer.has(clientNoTakeover), answer.bits(clientWindow)},
	}, nil
}

// compresses sets p up for what is agreed on.
func (p *peer) compresses(a params) {
	ours, theirs := a.client, a.server
	if p.client != nil {
		ours, theirs = theirs, ours
	}
	p.pack, p.unpack = &packer{direction: ours}, &unpacker{direction: theirs}
}

// offers upgrades as a client, with these offers, one of which must be accepted.
// The answer says which: agree takes it for one of them.
func (p *peer) offers(offers ...string) params {
	p.t.Helper()
	p.Upgrade("/", extensionsField+strings.Join(offers, ", "))
	answer := parseExtensions(p.Head.Values("Sec-WebSocket-Extensions"))
	if len(answer) != 1 {
		p.t.Fatalf("the offers %q are answered with %v", offers, answer)
	}
	var why error
	for _, offer := range parseExtensions(offers) {
		if offer.name != extensionName {
			continue
		}
		a, err := agree(offer, answer[0])
		if err == nil {
			p.compresses(a)
			return a
		}
		why = err
	}
	p.t.Fatalf("the offers %q are answered with %s: %v", offers, answer[0], why)
	return params{}
}

// offered reads a client's request, and returns its offers.
func (p *peer) offered() []extension {
	p.t.Helper()
	p.ReadUpgrade()
	offers := parseExtensions(p.Head.Values("Sec-WebSocket-Extensions"))
	for _, o := range offers {
		if o.name != extensionName {
			p.t.Errorf("the client offers %s", o)
		}
		for _, q := range o.params {
			if q.name == clientWindow && q.value == "" {
				continue // section 7.1.2.2: it may do without
			}
			if err := (extension{o.name, []param{q}}).check(); err != nil {
				p.t.Errorf("the client offers %s: %v", o, err)
			}
		}
	}
	if len(offers) == 0 {
		p.t.Fatal("the client offers nothing")
	}
	return offers
}

// answers accepts an offer of a client as a server does that has no wishes but
// these. Of the programs, as Autobahn does, it wants an offer that names each; RFC
// 7692 7.1.1.2 lets a server ask for client_no_context_takeover in any case.
func (p *peer) answers(wishes ...param) params {
	p.t.Helper()
	for _, offer := range p.offered() {
		answer := extension{name: extensionName}
		for _, q := range offer.params {
			if q.name == serverNoTakeover || q.name == serverWindow {
				answer.params = append(answer.params, q)
			}
		}
		_, strict := p.client.(*process)
		if slices.ContainsFunc(wishes, func(w param) bool {
			return !offer.has(w.name) && (strict || w.name != clientNoTakeover)
		}) {
			continue
		}
		for _, w := range wishes {
			if !strict {
				w = w.within(offer)
			}
			answer.params = append(answer.params, w)
		}
		a, err := agree(offer, answer)
		if err != nil {
			p.t.Fatalf("%s to %s: %v", answer, offer, err)
		}
		p.AcceptUpgrade(extensionsField + answer.String())
		p.compresses(a)
		return a
	}
	p.t.Fatalf("no offer of %q allows %v", p.Head.Values("Sec-WebSocket-Extensions"), wishes)
	return params{}
}

// within lowers a wish for a window to what the offer allows.
func (w param) within(offer extension) param {
	most := offer.bits(clientWindow)
	if n, err := strconv.Atoi(w.value); w.name == clientWindow && err == nil && most != 0 && n > most {
		w.value = strconv.Itoa(most)
	}
	return w
}

// usual is what most clients offer: what may be asked of them.
const usual = extensionName + "; " + clientNoTakeover + "; " + clientWindow

// compressed upgrades with what is usual.
func (p *peer) compressed() {
	p.t.Helper()
	if p.client != nil {
		p.answers()
		return
	}
	p.offers(usual)
}
