package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/gorilla/websocket"

	"github.com/penstock-go/penstock/internal/wstest"
)

// peer is a WebSocket client of some library.
type peer interface {
	subprotocol() string
	write(text bool, p []byte) error
	fragments(text bool, parts ...[]byte) error
	read() (text bool, p []byte, err error)
	// ping waits for the pong.
	ping(payload string) error
	// shut closes with a code and returns the server's; 0 is an empty frame.
	shut(code int, reason string) (gotCode int, gotReason string, err error)
	// ended reads until the server closes.
	ended() (code int, reason string, err error)
	drop()
}

type library struct {
	name string
	dial func(url string, protocols ...string) (peer, error)
}

var libraries = []library{{"gorilla", dialGorilla}, {"coder", dialCoder}, {"gobwas", dialGobwas}}

func deadline() time.Time { return time.Now().Add(wstest.Patience) }

// gorillaPeer is github.com/gorilla/websocket.
type gorillaPeer struct{ *websocket.Conn }

func dialGorilla(url string, protocols ...string) (peer, error) {
	d := websocket.Dialer{Subprotocols: protocols, HandshakeTimeout: wstest.Patience, EnableCompression: true, TLSClientConfig: trust()}
	c, _, err := d.Dial(url, nil)
	if err != nil {
		return nil, err
	}
	_ = c.SetReadDeadline(deadline())
	_ = c.SetWriteDeadline(deadline())
	return gorillaPeer{c}, nil
}

func (g gorillaPeer) subprotocol() string { return g.Subprotocol() }
func (g gorillaPeer) drop()               { _ = g.Conn.Close() }

func gorillaKind(text bool) int {
	if text {
		return websocket.TextMessage
	}
	return websocket.BinaryMessage
}

func (g gorillaPeer) write(text bool, p []byte) error { return g.WriteMessage(gorillaKind(text), p) }

// fragments makes gorilla flush by writing more than its buffer of 4 KiB holds.
func (g gorillaPeer) fragments(text bool, parts ...[]byte) error {
	w, err := g.NextWriter(gorillaKind(text))
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return w.Close()
}

func (g gorillaPeer) read() (bool, []byte, error) {
	kind, p, err := g.ReadMessage()
	return kind == websocket.TextMessage, p, err
}

// errPong gets out of ReadMessage, which a pong does not.
var errPong = errors.New("the pong has come")

func (g gorillaPeer) ping(payload string) error {
	got := ""
	g.SetPongHandler(func(data string) error { got = data; return errPong })
	if err := g.WriteControl(websocket.PingMessage, []byte(payload), deadline()); err != nil {
		return err
	}
	if _, _, err := g.NextReader(); !errors.Is(err, errPong) || got != payload {
		return fmt.Errorf("pong %q: %w", got, err)
	}
	return nil
}

func (g gorillaPeer) shut(code int, reason string) (int, string, error) {
	var p []byte
	if code != 0 {
		p = websocket.FormatCloseMessage(code, reason)
	}
	if err := g.WriteControl(websocket.CloseMessage, p, deadline()); err != nil {
		return 0, "", err
	}
	return g.ended()
}

func (g gorillaPeer) ended() (int, string, error) {
	defer g.drop()
	for {
		_, _, err := g.ReadMessage()
		var c *websocket.CloseError
		if errors.As(err, &c) {
			if c.Code == websocket.CloseNoStatusReceived {
				return 0, "", nil
			}
			return c.Code, c.Text, nil
		}
		if err != nil {
			return 0, "", err
		}
	}
}

// coderPeer is github.com/coder/websocket.
type coderPeer struct {
	*coder.Conn
	ctx    context.Context
	cancel func()
}

func dialCoder(url string, protocols ...string) (peer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
	c, _, err := coder.Dial(ctx, url, &coder.DialOptions{Subprotocols: protocols, CompressionMode: coder.CompressionContextTakeover,
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: trust()}}})
	if err != nil {
		cancel()
		return nil, err
	}
	c.SetReadLimit(-1)
	return &coderPeer{c, ctx, cancel}, nil
}

func (c *coderPeer) subprotocol() string { return c.Subprotocol() }
func (c *coderPeer) drop()               { _ = c.CloseNow(); c.cancel() }

func coderKind(text bool) coder.MessageType {
	if text {
		return coder.MessageText
	}
	return coder.MessageBinary
}

func (c *coderPeer) write(text bool, p []byte) error { return c.Write(c.ctx, coderKind(text), p) }

func (c *coderPeer) fragments(text bool, parts ...[]byte) error {
	w, err := c.Writer(c.ctx, coderKind(text))
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return w.Close()
}

func (c *coderPeer) read() (bool, []byte, error) {
	kind, p, err := c.Read(c.ctx)
	return kind == coder.MessageText, p, err
}

// ping chooses its own payload; somebody has to read meanwhile.
func (c *coderPeer) ping(string) error {
	read := make(chan error, 1)
	go func() {
		_, _, err := c.read()
		read <- err
	}()
	if err := c.Ping(c.ctx); err != nil {
		return err
	}
	return errors.Join(c.write(true, []byte("for the reader")), <-read)
}

func (c *coderPeer) shut(code int, reason string) (int, string, error) {
	defer c.cancel()
	if code == 0 {
		code = int(coder.StatusNoStatusRcvd)
	}
	// Close returns nil only when the peer has sent the same code back.
	if err := c.Conn.Close(coder.StatusCode(code), reason); err != nil {
		return 0, "", err
	}
	if code == int(coder.StatusNoStatusRcvd) {
		code = 0
	}
	return code, reason, nil
}

func (c *coderPeer) ended() (int, string, error) {
	defer c.drop()
	for {
		_, _, err := c.read()
		var e coder.CloseError
		if errors.As(err, &e) {
			if e.Code == coder.StatusNoStatusRcvd {
				return 0, "", nil
			}
			return int(e.Code), e.Reason, nil
		}
		if err != nil {
			return 0, "", err
		}
	}
}

// gobwasPeer is github.com/gobwas/ws.
type gobwasPeer struct {
	net.Conn
	protocol string
}

func dialGobwas(url string, protocols ...string) (peer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
	defer cancel()
	c, br, hs, err := ws.Dialer{Protocols: protocols, TLSConfig: trust()}.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	if br != nil {
		return nil, fmt.Errorf("%d bytes behind the handshake", br.Buffered())
	}
	return gobwasPeer{c, hs.Protocol}, c.SetDeadline(deadline())
}

func (g gobwasPeer) subprotocol() string { return g.protocol }
func (g gobwasPeer) drop()               { _ = g.Conn.Close() }

func gobwasKind(text bool) ws.OpCode {
	if text {
		return ws.OpText
	}
	return ws.OpBinary
}

func (g gobwasPeer) write(text bool, p []byte) error {
	return wsutil.WriteClientMessage(g.Conn, gobwasKind(text), append([]byte(nil), p...))
}

func (g gobwasPeer) fragments(text bool, parts ...[]byte) error {
	op := gobwasKind(text)
	for i, p := range parts {
		f := ws.NewFrame(op, i == len(parts)-1, append([]byte(nil), p...))
		if err := ws.WriteFrame(g.Conn, ws.MaskFrameInPlace(f)); err != nil {
			return err
		}
		op = ws.OpContinuation
	}
	return nil
}

func (g gobwasPeer) read() (bool, []byte, error) {
	p, op, err := wsutil.ReadServerData(g.Conn)
	return op == ws.OpText, p, err
}

// control reads a frame that should be a control frame.
func (g gobwasPeer) control() (ws.Frame, error) {
	h, err := ws.ReadHeader(g.Conn)
	if err != nil || h.Length > ws.MaxControlFramePayloadSize {
		return ws.Frame{Header: h}, fmt.Errorf("a frame of %d bytes: %w", h.Length, err)
	}
	p := make([]byte, h.Length)
	_, err = io.ReadFull(g.Conn, p)
	return ws.Frame{Header: h, Payload: p}, err
}

func (g gobwasPeer) ping(payload string) error {
	if err := wsutil.WriteClientMessage(g.Conn, ws.OpPing, []byte(payload)); err != nil {
		return err
	}
	f, err := g.control()
	if err != nil || f.Header.OpCode != ws.OpPong || string(f.Payload) != payload {
		return fmt.Errorf("opcode %d %q: %w", f.Header.OpCode, f.Payload, err)
	}
	return nil
}

func (g gobwasPeer) shut(code int, reason string) (int, string, error) {
	var p []byte
	if code != 0 {
		p = ws.NewCloseFrameBody(ws.StatusCode(code), reason)
	}
	if err := wsutil.WriteClientMessage(g.Conn, ws.OpClose, p); err != nil {
		return 0, "", err
	}
	return g.ended()
}

func (g gobwasPeer) ended() (int, string, error) {
	defer g.drop()
	f, err := g.control()
	if err != nil || f.Header.OpCode != ws.OpClose || len(f.Payload) == 1 {
		return 0, "", fmt.Errorf("opcode %d %q: %w", f.Header.OpCode, f.Payload, err)
	}
	// Answers a close frame of the server's; after one of ours nobody reads it.
	_ = wsutil.WriteClientMessage(g.Conn, ws.OpClose, append([]byte(nil), f.Payload...))
	if _, err := io.Copy(io.Discard, g.Conn); err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Timeout() {
			return 0, "", errors.New("the server did not close the connection")
		}
	}
	if len(f.Payload) == 0 {
		return 0, "", nil
	}
	c, reason := ws.ParseCloseFrameData(f.Payload)
	return int(c), reason, nil
}
