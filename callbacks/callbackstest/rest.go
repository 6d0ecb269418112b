package callbackstest

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
)

// ID is 1.
func (s *Session) ID() uint64 { return 1 }

// Handle returns a Handle that acts on s at once.
func (s *Session) Handle() callbacks.Handle { return handle{s} }

// Protocol is Bound.
func (s *Session) Protocol() *callbacks.Protocol { return &s.Bound }

// Vhost is "test".
func (s *Session) Vhost() string { return "test" }

// Client is IsClient.
func (s *Session) Client() bool { return s.IsClient }

// RemoteAddr is Remote.
func (s *Session) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.Remote) }

// LocalAddr is 192.0.2.2:80.
func (s *Session) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 80} }

// PeerSimple is Remote's address.
func (s *Session) PeerSimple() string { return s.Remote.Addr().String() }

// TLS is Secure.
func (s *Session) TLS() *tls.ConnectionState { return s.Secure }

// VerifyCerts is CertPool.
func (s *Session) VerifyCerts() *x509.CertPool { return s.CertPool }

// UserData is Data.
func (s *Session) UserData() any { return s.Data }

// SetUserData sets Data.
func (s *Session) SetUserData(v any) { s.Data = v }

// RequestWriteable sets WantsWriteable.
func (s *Session) RequestWriteable() { s.WantsWriteable = true }

// PauseReading sets Paused.
func (s *Session) PauseReading() { s.Paused = true }

// ResumeReading clears Paused.
func (s *Session) ResumeReading() { s.Paused = false }

// SetTimer sets Timer.
func (s *Session) SetTimer(d time.Duration) { s.Timer = max(d, -1) }

// CloseStatus is Code and Reason.
func (s *Session) CloseStatus() (ws.StatusCode, string) { return s.Code, s.Reason }

// Err is Ended.
func (s *Session) Err() error { return s.Ended }

// Kind is Receiving.
func (s *Session) Kind() callbacks.Kind { return s.Receiving }

// IsFirstFragment is derived from Receiving.
func (s *Session) IsFirstFragment() bool { return s.Receiving.Base() != callbacks.WriteContinuation }

// IsFinalFragment is derived from Receiving.
func (s *Session) IsFinalFragment() bool { return s.Receiving.Fin() }

// RemainingPacketPayload is Remaining.
func (s *Session) RemainingPacketPayload() uint64 { return s.Remaining }

// Request is what SetRequest was given, or nil.
func (s *Session) Request() *http1.Request { return s.request }

// Response is nil.
func (s *Session) Response() *http1.Response { return nil }

// Hold sets Held.
func (s *Session) Hold() { s.Held = true }

// Proceed clears Held.
func (s *Session) Proceed() error {
	if !s.Held {
		return callbacks.ErrRole
	}
	s.Held = false
	return nil
}

// handle acts on its Session without a loop in between.
type handle struct{ s *Session }

func (h handle) Post(f func(callbacks.Session) error) error { return f(h.s) }

func (h handle) Write(p []byte, kind callbacks.Kind) error { return h.s.Write(p, kind) }

func (h handle) RequestWriteable() error {
	h.s.RequestWriteable()
	return nil
}

func (h handle) Close(code ws.StatusCode, reason string) error { return h.s.Close(code, reason) }
