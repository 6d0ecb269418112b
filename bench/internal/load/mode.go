package load

// Mode is what travels.
type Mode string

const (
	// Raw sends Size bytes and waits for as many.
	Raw Mode = "raw"
	// WS sends masked binary messages of Size bytes and waits for their echo.
	WS Mode = "ws"
	// WSS is WS over TLS.
	WSS Mode = "wss"
	// WSZ sends text that resembles JSON, compressed by permessage-deflate, and waits
	// for its echo, compressed or not.
	WSZ Mode = "wsz"
	// HTTP gets Path.
	HTTP Mode = "http"
	// File is HTTP for a long answer, of which most is not looked at.
	File Mode = "file"
	// HTTPS is HTTP over TLS.
	HTTPS Mode = "https"
	// Fan sends text on one WebSocket and waits until it has come on all of them, that
	// one included, before it sends the next. Each arrival counts as a message.
	Fan Mode = "fan"
	// FanZ is Fan with permessage-deflate.
	FanZ Mode = "fanz"
	// RawFan is Fan with bare bytes.
	RawFan Mode = "rawfan"
)

// traits is what modes are made of.
type traits struct {
	plain             Mode // what it is without the rest
	tls, deflate, fan bool
}

var modes = map[Mode]traits{
	Raw:    {plain: Raw},
	WS:     {plain: WS},
	WSS:    {plain: WS, tls: true},
	WSZ:    {plain: WS, deflate: true},
	HTTP:   {plain: HTTP},
	File:   {plain: HTTP},
	HTTPS:  {plain: HTTP, tls: true},
	Fan:    {plain: WS, fan: true},
	FanZ:   {plain: WS, deflate: true, fan: true},
	RawFan: {plain: Raw, fan: true},
}

// Secure tells that there is TLS.
func (m Mode) Secure() bool { return modes[m].tls }

// Deflated tells that messages are compressed.
func (m Mode) Deflated() bool { return modes[m].deflate }

// Fans tells that one connection's messages go to all.
func (m Mode) Fans() bool { return modes[m].fan }

// Texts tells that messages are text and differ, and frames are parsed.
func (m Mode) Texts() bool { return m.Plain() == WS && (m.Fans() || m.Deflated()) }

// Plain is Raw, WS or HTTP: the mode without what else it has.
func (m Mode) Plain() Mode { return modes[m].plain }

// smallest is how many bytes a message has at least: nothing can be waited for if
// it is nothing, and nothing compressed.
func (m Mode) smallest() int {
	if m.Plain() == Raw || m.Deflated() {
		return 1
	}
	return 0
}
