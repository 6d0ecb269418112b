package deflate

import (
	"iter"
	"strconv"
)

// The negotiation, RFC 7692 sections 5 and 7.1:
//
//	client                                         server
//	AppendOffer    -- Sec-WebSocket-Extensions -->  Accept: the first offer that
//	                                                  it can, or none
//	Confirm       <-- Sec-WebSocket-Extensions --  Params.AppendResponse
//	   |                                             |
//	Params                                         Params, the same
//
// terms.add holds the rules that one parameter can break, accept and confirm
// those of an offer and of a response as a whole.

// Name is the extension's name in Sec-WebSocket-Extensions.
const Name = "permessage-deflate"

// The parameters of RFC 7692 section 7.1.
const (
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverWindow     = "server_max_window_bits"
	clientWindow     = "client_max_window_bits"
)

// terms are the parameters of one offer or response.
type terms struct {
	serverNoTakeover, clientNoTakeover bool

	server, client window
	invalid        bool // the offer must be declined, the response refused
}

// window is a parameter that gives bits, or 0 where it has no value.
type window struct {
	named bool
	bits  uint8
}

// add takes a parameter by what section 7.1 says of it for an offer, or, if
// offer is false, for a response.
func (t *terms) add(name, value []byte, offer bool) {
	switch string(name) {
	case serverNoTakeover:
		t.flag(&t.serverNoTakeover, value)
	case clientNoTakeover:
		t.flag(&t.clientNoTakeover, value)
	case serverWindow:
		t.window(&t.server, value, false)
	case clientWindow:
		// Section 7.1.2.2: in an offer "This parameter has no value or a
		// decimal integer value", in a response it has one.
		t.window(&t.client, value, offer)
	default:
		// "contains an extension parameter not defined for use in an offer"
		t.invalid = true
	}
}

// flag takes one of the parameters of section 7.1.1, which have no value.
func (t *terms) flag(named *bool, value []byte) {
	// "contains multiple extension parameters with the same name"
	if *named || value != nil {
		t.invalid = true
	}
	*named = true
}

// window takes one of the parameters of section 7.1.2.
func (t *terms) window(w *window, value []byte, bare bool) {
	if w.named || value == nil && !bare {
		t.invalid = true
	}
	w.named = true
	if value == nil {
		return
	}
	if w.bits = parseBits(value); w.bits == 0 {
		t.invalid = true
	}
}

// parseBits reads "a decimal integer value without leading zeroes between 8 to
// 15, inclusive"; 0 says that value is none.
func parseBits(value []byte) uint8 {
	switch {
	case len(value) == 1 && value[0] >= '8' && value[0] <= '9':
		return value[0] - '0'
	case len(value) == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5':
		return 10 + value[1] - '0'
	}
	return 0
}

// or returns the bits that w gives, or most.
func (w window) or(most uint8) uint8 {
	if w.bits == 0 {
		return most
	}
	return w.bits
}

// Accept chooses the first offer of permessage-deflate that a server with the
// wishes c can agree to, and what is agreed; ok is false if there is none, and
// the server then answers without the extension. Answer with
// [Params.AppendResponse].
//
// offered yields the values of the request's Sec-WebSocket-Extensions fields in
// order; its slices are not kept. Other extensions, and offers of this one that
// RFC 7692 section 7.1 has a server decline, are passed over. A list that does
// not follow the grammar is ErrExtensionList.
func (c *Config) Accept(offered iter.Seq[[]byte]) (p Params, ok bool, err error) {
	s := server{want: c}
	if err := parseExtensions(offered, &s); err != nil {
		return Params{}, false, err
	}
	s.decide()
	return s.params, s.agreed, nil
}

// server visits a list of offers.
type server struct {
	want   *Config
	terms  terms
	open   bool // terms are those of an offer of ours
	agreed bool
	params Params
}

func (s *server) extension(name []byte) {
	s.decide()
	s.open, s.terms = string(name) == Name, terms{}
}

func (s *server) param(name, value []byte) {
	if s.open {
		s.terms.add(name, value, true)
	}
}

// decide looks at the offer that has ended, if none before it was accepted.
func (s *server) decide() {
	if s.open && !s.agreed && !s.terms.invalid {
		s.params, s.agreed = s.want.accept(&s.terms), true
	}
	s.open = false
}

// accept returns what a server answers a valid offer with. All can be met.
func (c *Config) accept(t *terms) Params {
	p := Params{
		// Section 7.1.1.1: the offer's demand must be met, and a server may
		// say so unasked.
		Server: Direction{
			Takeover:   c.Server.Takeover && !t.serverNoTakeover,
			WindowBits: min(c.Server.bits(), t.server.or(maxWindowBits)),
		},
		// Section 7.1.1.2: the offer's is a hint, and a server may demand it.
		Client: Direction{
			Takeover:   c.Client.Takeover && !t.clientNoTakeover,
			WindowBits: min(c.Client.bits(), t.client.or(maxWindowBits)),
		},
		windowAsked: t.server.named,
	}
	// Section 7.1.2.2: without the parameter in the offer "the response MUST
	// NOT include" it. The wish is about memory, which is saved the other way.
	if !t.client.named && c.Client.bits() < maxWindowBits {
		p.Client = Direction{Takeover: false, WindowBits: maxWindowBits}
	}
	return p
}

// AppendResponse appends the value of the server's Sec-WebSocket-Extensions
// field that tells the client p, the result of [Config.Accept], and returns the
// extended dst.
func (p *Params) AppendResponse(dst []byte) []byte {
	dst = append(dst, Name...)
	dst = appendFlags(dst, p.Server, p.Client)
	if p.windowAsked || p.Server.WindowBits < maxWindowBits {
		dst = appendWindow(dst, serverWindow, p.Server.WindowBits)
	}
	if p.Client.WindowBits < maxWindowBits {
		dst = appendWindow(dst, clientWindow, p.Client.WindowBits)
	}
	return dst
}

// AppendOffer appends the value of the client's Sec-WebSocket-Extensions field
// that offers permessage-deflate with the wishes c, and returns the extended
// dst.
func (c *Config) AppendOffer(dst []byte) []byte {
	dst = append(dst, Name...)
	dst = appendFlags(dst, c.Server, c.Client)
	if bits := c.Server.bits(); bits < maxWindowBits {
		dst = appendWindow(dst, serverWindow, bits)
	}
	if bits := c.Client.bits(); bits < maxWindowBits {
		return appendWindow(dst, clientWindow, bits)
	}
	// Any window is fine. Saying so is what lets the server choose one.
	return append(append(dst, "; "...), clientWindow...)
}

func appendFlags(dst []byte, server, client Direction) []byte {
	if !server.Takeover {
		dst = append(append(dst, "; "...), serverNoTakeover...)
	}
	if !client.Takeover {
		dst = append(append(dst, "; "...), clientNoTakeover...)
	}
	return dst
}

func appendWindow(dst []byte, name string, bits uint8) []byte {
	dst = append(append(dst, "; "...), name...)
	return strconv.AppendUint(append(dst, '='), uint64(bits), 10)
}

// Confirm checks the server's answer to the offer of [Config.AppendOffer], and
// returns what is agreed; ok is false if the server did not take the offer.
// After an error the client must fail the connection.
//
// answered yields the values of the response's Sec-WebSocket-Extensions fields
// in order; its slices are not kept. A server that ignores the wish for no
// takeover is accepted, as many do: Params then has it, and this end keeps the
// window. One that ignores the wish for a smaller window is not.
func (c *Config) Confirm(answered iter.Seq[[]byte]) (p Params, ok bool, err error) {
	var a answer
	if err := parseExtensions(answered, &a); err != nil {
		return Params{}, false, err
	}
	switch {
	case a.foreign || a.n > 1:
		return Params{}, false, ErrNotOffered
	case a.terms.invalid:
		return Params{}, false, ErrParameter
	case a.n == 0:
		return Params{}, false, nil
	}
	return c.confirm(&a.terms)
}

// answer visits what a server chose.
type answer struct {
	terms   terms
	n       int  // how often it chose ours
	foreign bool // it chose another
}

func (a *answer) extension(name []byte) {
	if string(name) == Name {
		a.n++
	} else {
		a.foreign = true
	}
}

func (a *answer) param(name, value []byte) { a.terms.add(name, value, false) }

// confirm holds the rules for a valid response as an answer to this offer. Every
// offer has client_max_window_bits, so a response always may.
func (c *Config) confirm(t *terms) (p Params, ok bool, err error) {
	p = Params{
		Server: Direction{Takeover: !t.serverNoTakeover, WindowBits: t.server.or(maxWindowBits)},
		Client: Direction{
			Takeover:   c.Client.Takeover && !t.clientNoTakeover,
			WindowBits: t.client.or(c.Client.bits()),
		},
		windowAsked: t.server.named,
	}
	// Section 7.1.2.1: "the same or smaller value as the offer"; section
	// 7.1.2.2 the same of the client's.
	if p.Server.WindowBits > c.Server.bits() || p.Client.WindowBits > c.Client.bits() {
		return Params{}, false, ErrWindow
	}
	return p, true, nil
}
