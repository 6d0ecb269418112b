package callbacks

import "strconv"

// Reason is why a Callback is called. The names are libwebsockets' without the
// prefix, the numbers are libwebsockets' too, so that logs and ported programs
// line up; the order here is that of a session's life. Unless a reason says
// otherwise, in is empty and an error ends the session as the package comment
// describes. A Callback returns nil for reasons it does not know.
type Reason uint16

// Life cycle of the engine.
const (
	// ProtocolInit comes once for each protocol of each vhost, before its first
	// session; s has no connection. An error makes Run fail.
	ProtocolInit Reason = 27
	// ProtocolDestroy comes once for each protocol of each vhost, after its last
	// session. The error is ignored.
	ProtocolDestroy Reason = 28
	// EventWaitCancelled comes to every protocol of every vhost on each loop after
	// Engine.CancelService; s has no connection. The error is ignored.
	EventWaitCancelled Reason = 71
)

// Life cycle of a session, told to its vhost's first protocol.
const (
	// FilterNetworkConnection comes when a connection was accepted, before
	// anything is read; in is empty, Session.RemoteAddr tells who it is. An error
	// drops the connection without a word, and no other reason follows.
	FilterNetworkConnection Reason = 17
	// WSICreate is the first reason of every session that is let in. The error is
	// ignored.
	WSICreate Reason = 29
	// ServerNewClientInstantiated follows for a session that was accepted. The
	// error is ignored.
	ServerNewClientInstantiated Reason = 19
	// WSIDestroy is the last reason of every session. The error is ignored.
	WSIDestroy Reason = 30
)

// HTTP server.
const (
	// FilterHTTPConnection comes with the head of a request that is no upgrade; in
	// is the path. An error refuses the request: an *http1.Error with its status,
	// anything else with 403.
	FilterHTTPConnection Reason = 18
	// HTTPBindProtocol says that the transaction now belongs to this protocol. in
	// is empty. An error answers 500.
	HTTPBindProtocol Reason = 49
	// HTTPDropProtocol says that the transaction is over. The error is ignored.
	HTTPDropProtocol Reason = 50
	// CheckAccessRights comes before HTTP, and not for upgrades (those
	// have FilterProtocolConnection); in is the path. An error refuses the
	// request: an *http1.Error with its status, anything else with 401.
	CheckAccessRights Reason = 51
	// HTTP is a request; in is the path behind the mount point, as it was sent, with its
	// escapes: http1.UnescapePath undoes them.
	// Answer here or, if a body is to come, later; a request that is neither
	// answered nor held gets 404. An error before the answer has begun chooses it,
	// later it closes the connection.
	HTTP Reason = 12
	// HTTPBody is a piece of the request's body, without framing. Errors as for
	// HTTP.
	HTTPBody Reason = 13
	// HTTPBodyCompletion follows the last piece, in is empty; it comes for every
	// request that has a body, of no length too, and for POST, PUT and PATCH
	// without one. A request that is neither answered nor held by now gets 500.
	HTTPBodyCompletion Reason = 14
	// HTTPWriteable follows Session.RequestWriteable. Errors as for HTTP.
	HTTPWriteable Reason = 16
	// HTTPFileCompletion says that a file, the ranges of it that were asked for, or the
	// listing of a folder has been sent: by a mount of Files, or for Session.ServeFile. The
	// kernel has all of a long file then; a short one, and what goes over TLS, may be
	// Buffered still. HEAD, 304 and errors have none. The response has ended: ErrClose
	// closes, another error is logged and does, too.
	HTTPFileCompletion Reason = 15
	// ClosedHTTP says that a connection that has had a request is gone.
	// Session.Err may tell why. The error is ignored.
	ClosedHTTP Reason = 5
	// VerifyBasicAuthorization asks whether in, "user:password", may pass a mount's Basic
	// authentication, where that is left to callbacks (the engine's BasicAuth.ByCallback);
	// it comes to the vhost's first protocol, before anything else about the request. nil
	// lets the request in, where libwebsockets wants a result that is not 0; an
	// *http1.Error refuses with its status, and any other error with 401 and the question
	// for a password. Compare in constant time (crypto/subtle).
	VerifyBasicAuthorization Reason = 102
	// HTTPPMO brings the options of the mount that a request came by, before HTTP, if it has
	// some: in is a list like that of a query, in which http1.QueryValue finds an option
	// by its name, and must not be changed. Errors as for HTTP.
	HTTPPMO Reason = 56
)

// WebSocket server.
const (
	// HTTPConfirmUpgrade comes with an upgrade to WebSocket, to the vhost's first
	// protocol; in is "websocket". An *http1.Error refuses with its status, any
	// other error with 403. Here and in the reasons up to AddHeaders, Session.Respond
	// refuses with any status and body, Session.AddHeader is for the refusal as for
	// the 101, and Session.Hold leaves the decision for later.
	HTTPConfirmUpgrade Reason = 86
	// WSServerBindProtocol says that the session now belongs to this protocol. An
	// error refuses like FilterProtocolConnection's.
	WSServerBindProtocol Reason = 77
	// FilterProtocolConnection comes when the handshake is in order and its Origin is
	// one of Protocol.Origins; in is the subprotocol, empty for none, and
	// Session.Request has the head. An *http1.Error refuses with its status, any other
	// error with 403.
	FilterProtocolConnection Reason = 20
	// ConfirmExtensionOkay asks whether the extension named by in,
	// "permessage-deflate", may be used, which the client has offered and
	// Protocol.Deflate allows; an error declines it, and the handshake goes on
	// unless the callback has answered or closed.
	ConfirmExtensionOkay Reason = 25
	// AddHeaders is the time for Session.AddHeader on the 101. An error refuses
	// with 500.
	AddHeaders Reason = 53
	// Established says that the 101 is on its way. Writing is fine here.
	Established Reason = 0
	// Receive is a message, or a piece of one; see Protocol.RxBufferSize. in may
	// be changed.
	Receive Reason = 6
	// ReceivePong is a pong's payload: the answer to a ping of the program's, or one
	// that nobody asked for. What answers the engine's own pings becomes Session.RTT.
	ReceivePong Reason = 7
	// ServerWriteable follows Session.RequestWriteable.
	ServerWriteable Reason = 11
	// WSPeerInitiatedClose says that the peer wants to close, on both sides; in is
	// its close frame's payload: empty, or two bytes of code and a reason. The
	// engine echoes it unless the callback has called Session.Close or returns an
	// error that chooses something else.
	WSPeerInitiatedClose Reason = 38
	// WSServerDropProtocol says that the session is about to leave this protocol.
	// The error is ignored.
	WSServerDropProtocol Reason = 78
	// Closed says that an established WebSocket is gone; Session.CloseStatus and
	// Err tell how. The error is ignored.
	Closed Reason = 4
)

// Client.
const (
	// WSClientBindProtocol says that a client session belongs to this protocol. An
	// error fails the connection.
	WSClientBindProtocol Reason = 79
	// ClientHTTPBindProtocol is the same for an HTTP client.
	ClientHTTPBindProtocol Reason = 85
	// Connecting comes when a connection is about to be made, and not when one of before
	// is used again. An error fails it.
	Connecting Reason = 105
	// ClientConfirmExtensionSupported asks whether the extension named by in,
	// "permessage-deflate", may be offered, which Protocol.Deflate allows; an error
	// does not.
	ClientConfirmExtensionSupported Reason = 26
	// WSExtDefaults is the time to choose the options of the extension named by in,
	// which is about to be offered: Session.Deflate has them. An error fails the
	// connection.
	WSExtDefaults Reason = 39
	// ClientAppendHandshakeHeader is the time for Session.AddHeader on the
	// request. An error fails the connection.
	ClientAppendHandshakeHeader Reason = 24
	// ClientFilterPreEstablish comes with a good reply to an upgrade, which
	// Session.Response shows for the last time, or with any response to an HTTP request.
	// An error fails the connection.
	ClientFilterPreEstablish Reason = 2
	// ClientEstablished says that the WebSocket is open. Writing is fine here.
	ClientEstablished Reason = 3
	// ClientReceive is a message, or a piece of one; see Protocol.RxBufferSize. in
	// may be changed.
	ClientReceive Reason = 8
	// ClientReceivePong is the same for a client.
	ClientReceivePong Reason = 9
	// ClientWriteable follows Session.RequestWriteable.
	ClientWriteable Reason = 10
	// WSClientDropProtocol says that the session is about to leave this protocol.
	// The error is ignored.
	WSClientDropProtocol Reason = 80
	// ClientHTTPDropProtocol is the same for an HTTP client.
	ClientHTTPDropProtocol Reason = 76
	// ClientConnectionError says that a client session could not be established;
	// in is the reason as text, Session.Err has the error. The error is ignored.
	ClientConnectionError Reason = 1
	// ClientClosed says that an established client WebSocket is gone;
	// Session.CloseStatus and Err tell how. The error is ignored.
	ClientClosed Reason = 75
	// ClientRetrying says that a client waits until it is connected again, by its
	// RetryPolicy: after an attempt that has failed, or, as the second reason of a new
	// session, because an established one has ended. in is the delay and the cause as
	// text, "1.2s: dial tcp 192.0.2.1:80: connect: connection refused"; Session.Err
	// has the cause. Connecting follows when the time has come. An error gives up.
	// It is not libwebsockets'.
	ClientRetrying Reason = 900
	// ChildClosing tells a session that one it is the parent of
	// (ClientConnectInfo.Parent) has ended. The error is ignored.
	ChildClosing Reason = 69
)

// HTTP client.
const (
	// ClientHTTPWriteable asks for some of the request's body: once when it is time to
	// begin, and again after each Session.RequestWriteable. It is sent by Session.Write
	// with WriteHTTP, the last of it with WriteHTTPFinal. It may still come behind
	// EstablishedClientHTTP, for a server that answers early, but not once that has
	// said that it does not want the rest. An error fails the transaction.
	ClientHTTPWriteable Reason = 57
	// ClientHTTPRedirect says that the server sends a client to the URL in, which is
	// absolute; Session.Response has the answer. An error refuses to follow and fails the
	// connection, nil is followed by Connecting.
	ClientHTTPRedirect Reason = 104
	// EstablishedClientHTTP is the head of the response, whatever its status, and not of an
	// interim one (1xx), of which the program does not hear;
	// Session.Response has it from here on until the session's end. It follows
	// ClientFilterPreEstablish, whose error is ClientConnectionError. From here on the
	// end is ClosedClientHTTP.
	EstablishedClientHTTP Reason = 44
	// ReceiveClientHTTP says that some of the response's body has come, which follows in
	// ReceiveClientHTTPRead. A program that does not want it yet pauses reading here,
	// and hears of it again when it has resumed: that is what is left of libwebsockets'
	// lws_http_client_read.
	ReceiveClientHTTP Reason = 46
	// ReceiveClientHTTPRead is a piece of the response's body, without framing. in may
	// be changed. An error breaks the connection off.
	ReceiveClientHTTPRead Reason = 48
	// CompletedClientHTTP says that the response is complete, be there a body or none;
	// Session.Trailer has its trailers. A response that is cut short has none.
	CompletedClientHTTP Reason = 47
	// ClosedClientHTTP says that an HTTP client's transaction is over;
	// EstablishedClientHTTP has come before. If CompletedClientHTTP has not,
	// Session.Err tells why. The error is ignored.
	ClosedClientHTTP Reason = 45
)

// Raw sessions.
const (
	// RawSktBindProtocol says that a raw session belongs to this protocol. An
	// error ends it.
	RawSktBindProtocol Reason = 81
	// RawAdopt says that a raw session was accepted.
	RawAdopt Reason = 62
	// RawConnected says that a raw client is connected.
	RawConnected Reason = 101
	// RawRX is what has arrived, or a message of the protocol's Codec. in may be
	// changed.
	RawRX Reason = 59
	// RawWriteable follows Session.RequestWriteable.
	RawWriteable Reason = 61
	// RawSktDropProtocol says that the session is about to leave this protocol.
	// The error is ignored.
	RawSktDropProtocol Reason = 82
	// RawClose says that a raw session is gone; Session.Err may tell why. The
	// error is ignored.
	RawClose Reason = 60
)

// Timers and TLS.
const (
	// Timer follows Session.SetTimer.
	Timer Reason = 73
	// OpenSSLLoadExtraClientVerifyCerts is raised on the first protocol of a vhost
	// with a ClientTLS, before ProtocolInit: Session.VerifyCerts is the pool that
	// servers' certificates are verified against, and may be added to. The error is
	// ignored.
	OpenSSLLoadExtraClientVerifyCerts Reason = 21
	// OpenSSLLoadExtraServerVerifyCerts is the same for a vhost with a ServerTLS and
	// its clients' certificates.
	OpenSSLLoadExtraServerVerifyCerts Reason = 22
	// OpenSSLPerformClientCertVerification shows a client's certificate to a server,
	// when everything else about it has been verified: in is the certificate in DER,
	// Session.TLS has it parsed with its chain. It is raised inside the handshake,
	// which waits; an error refuses the client with the alert bad_certificate. It
	// comes also when a session is resumed. The session belongs to the vhost that
	// SNI has chosen, and nothing can be written yet.
	OpenSSLPerformClientCertVerification Reason = 23
	// OpenSSLPerformServerCertVerification is the same for a client and the server's
	// certificate. What ClientConnectInfo.Flags allow has been allowed by then.
	OpenSSLPerformServerCertVerification Reason = 58
	// VhostCertAging tells how many days a vhost's certificate is still good: in is
	// the number as text, negative when it is out of date. It is raised 5 s after the
	// start and then daily, on the vhost's first protocol and for each certificate.
	// The error is ignored.
	VhostCertAging Reason = 72
	// VhostCertUpdate says that a vhost's certificate was replaced, by
	// Engine.UpdateCert or because its files have changed. It is raised on the
	// vhost's first protocol. The error is ignored.
	VhostCertUpdate Reason = 74
)

// The program's own.
const (
	// User is the first number that the engine will never use.
	User Reason = 1000
)

// String returns the constant's name.
func (r Reason) String() string {
	if name, ok := reasonNames[r]; ok {
		return name
	}
	return "Reason(" + strconv.Itoa(int(r)) + ")"
}

var reasonNames = map[Reason]string{
	ProtocolInit:                         "ProtocolInit",
	ProtocolDestroy:                      "ProtocolDestroy",
	EventWaitCancelled:                   "EventWaitCancelled",
	FilterNetworkConnection:              "FilterNetworkConnection",
	WSICreate:                            "WSICreate",
	ServerNewClientInstantiated:          "ServerNewClientInstantiated",
	WSIDestroy:                           "WSIDestroy",
	FilterHTTPConnection:                 "FilterHTTPConnection",
	HTTPBindProtocol:                     "HTTPBindProtocol",
	HTTPDropProtocol:                     "HTTPDropProtocol",
	CheckAccessRights:                    "CheckAccessRights",
	HTTP:                                 "HTTP",
	HTTPBody:                             "HTTPBody",
	HTTPBodyCompletion:                   "HTTPBodyCompletion",
	HTTPWriteable:                        "HTTPWriteable",
	HTTPFileCompletion:                   "HTTPFileCompletion",
	ClosedHTTP:                           "ClosedHTTP",
	VerifyBasicAuthorization:             "VerifyBasicAuthorization",
	HTTPPMO:                              "HTTPPMO",
	HTTPConfirmUpgrade:                   "HTTPConfirmUpgrade",
	WSServerBindProtocol:                 "WSServerBindProtocol",
	FilterProtocolConnection:             "FilterProtocolConnection",
	ConfirmExtensionOkay:                 "ConfirmExtensionOkay",
	AddHeaders:                           "AddHeaders",
	Established:                          "Established",
	Receive:                              "Receive",
	ReceivePong:                          "ReceivePong",
	ServerWriteable:                      "ServerWriteable",
	WSPeerInitiatedClose:                 "WSPeerInitiatedClose",
	WSServerDropProtocol:                 "WSServerDropProtocol",
	Closed:                               "Closed",
	WSClientBindProtocol:                 "WSClientBindProtocol",
	ClientHTTPBindProtocol:               "ClientHTTPBindProtocol",
	Connecting:                           "Connecting",
	ClientConfirmExtensionSupported:      "ClientConfirmExtensionSupported",
	WSExtDefaults:                        "WSExtDefaults",
	ClientAppendHandshakeHeader:          "ClientAppendHandshakeHeader",
	ClientFilterPreEstablish:             "ClientFilterPreEstablish",
	ClientEstablished:                    "ClientEstablished",
	ClientReceive:                        "ClientReceive",
	ClientReceivePong:                    "ClientReceivePong",
	ClientWriteable:                      "ClientWriteable",
	WSClientDropProtocol:                 "WSClientDropProtocol",
	ClientHTTPDropProtocol:               "ClientHTTPDropProtocol",
	ClientConnectionError:                "ClientConnectionError",
	ClientClosed:                         "ClientClosed",
	ClientRetrying:                       "ClientRetrying",
	ChildClosing:                         "ChildClosing",
	EstablishedClientHTTP:                "EstablishedClientHTTP",
	ReceiveClientHTTP:                    "ReceiveClientHTTP",
	ReceiveClientHTTPRead:                "ReceiveClientHTTPRead",
	CompletedClientHTTP:                  "CompletedClientHTTP",
	ClientHTTPWriteable:                  "ClientHTTPWriteable",
	ClientHTTPRedirect:                   "ClientHTTPRedirect",
	ClosedClientHTTP:                     "ClosedClientHTTP",
	RawSktBindProtocol:                   "RawSktBindProtocol",
	RawAdopt:                             "RawAdopt",
	RawConnected:                         "RawConnected",
	RawRX:                                "RawRX",
	RawWriteable:                         "RawWriteable",
	RawSktDropProtocol:                   "RawSktDropProtocol",
	RawClose:                             "RawClose",
	Timer:                                "Timer",
	OpenSSLLoadExtraClientVerifyCerts:    "OpenSSLLoadExtraClientVerifyCerts",
	OpenSSLLoadExtraServerVerifyCerts:    "OpenSSLLoadExtraServerVerifyCerts",
	OpenSSLPerformClientCertVerification: "OpenSSLPerformClientCertVerification",
	OpenSSLPerformServerCertVerification: "OpenSSLPerformServerCertVerification",
	VhostCertAging:                       "VhostCertAging",
	VhostCertUpdate:                      "VhostCertUpdate",
	User:                                 "User",
}
