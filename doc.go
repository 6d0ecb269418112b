// Package penstock holds no code. Users import engine and callbacks, and a
// codec for what is its own, such as a header field or the settings of compression:
//
//	engine     Config, Vhost, Engine, Connect: the front door
//	callbacks  Reason, Session, Callback, Protocol: what a program implements
//	codec      the interface of a user's own wire protocol
//
// See README.md for the first program and ARCHITECTURE.md for how it works.
package penstock
