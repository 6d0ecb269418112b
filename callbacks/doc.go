// Package callbacks is what a program implements: one function per protocol,
// called with a reason, in the model of libwebsockets.
//
//	func echo(s callbacks.Session, r callbacks.Reason, in []byte) error {
//		switch r {
//		case callbacks.Receive:
//			return s.Write(in, s.Kind())
//		case callbacks.HTTP:
//			return s.Respond(200, "text/plain", []byte("hello\n"))
//		}
//		return nil
//	}
//
// Four rules hold for every callback:
//
//   - It runs on its session's event loop and must not block: every other session
//     of that loop waits for it.
//   - in, and everything reached from it or from the Session, dies when it returns.
//     Copy what you keep. The Session itself is good until WSIDestroy, in callbacks.
//   - One Callback serves sessions of several loops at once: what they share needs a
//     lock, or engine.Config.Loops = 1, which is libwebsockets' one thread.
//   - From other goroutines only a Handle may be used; Session.Handle gives one.
//
// What it returns decides how the session goes on: nil goes on, an error ends it.
// A *ws.CloseError or an *http1.Error chooses what the peer is told, ErrClose
// closes normally, anything else, also a code that must not be sent, is logged and
// becomes 1011 or 500. A panic is caught, logged with its stack and treated like such
// an error: it ends one session, never the process.
//
// # Order
//
// For one session the reasons come in this order, each line at most once unless
// it has a star:
//
//	server, HTTP   FilterNetworkConnection, WSICreate, ServerNewClientInstantiated,
//	               ( FilterHTTPConnection, HTTPBindProtocol, CheckAccessRights, HTTP,
//	                 HTTPBody*, HTTPBodyCompletion, HTTPWriteable*, HTTPDropProtocol )*,
//	               ClosedHTTP, WSIDestroy
//	server, ws     ..., HTTPConfirmUpgrade, WSServerBindProtocol, FilterProtocolConnection,
//	               AddHeaders, Established, ( Receive | ReceivePong | ServerWriteable )*,
//	               WSPeerInitiatedClose, WSServerDropProtocol, Closed, WSIDestroy
//	client, ws     WSICreate, WSClientBindProtocol, Connecting, ClientAppendHandshakeHeader,
//	               ClientFilterPreEstablish, ClientEstablished,
//	               ( ClientReceive | ClientReceivePong | ClientWriteable )*,
//	               WSPeerInitiatedClose, WSClientDropProtocol, ClientClosed, WSIDestroy
//	client, HTTP   WSICreate, ClientHTTPBindProtocol, Connecting, ClientAppendHandshakeHeader,
//	               ClientHTTPWriteable*, ClientFilterPreEstablish, EstablishedClientHTTP,
//	               ( ReceiveClientHTTP | ReceiveClientHTTPRead | ClientHTTPWriteable )*,
//	               CompletedClientHTTP, ClientHTTPDropProtocol, ClosedClientHTTP, WSIDestroy
//	client, failed ..., the drop, ClientConnectionError, WSIDestroy
//	raw            ..., RawSktBindProtocol, RawAdopt or RawConnected,
//	               ( RawRX | RawWriteable )*, RawSktDropProtocol, RawClose, WSIDestroy
//
// A client goes back from any point before ClientEstablished, EstablishedClientHTTP or
// RawConnected to Connecting, which a connection that is used again does not have: by ClientHTTPRedirect when its server sends it elsewhere, and by
// ClientRetrying when its RetryPolicy tries again.
//
// Timer comes whenever it was asked for. WSICreate is first (after the filter of
// an accepted connection) and WSIDestroy last, once each. Closed comes if and
// only if Established did; a client gets exactly one of ClientConnectionError
// and ClientClosed or ClosedClientHTTP; nothing is received after the peer's close.
package callbacks
