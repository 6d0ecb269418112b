// Package penstock holds no code. Users import engine and callbacks, and a
// codec only to name a status code:
//
//	engine     Config, Vhost, Engine, Connect: the front door
//	callbacks  Reason, Session, Callback, Protocol: what a program implements
//	codec      the interface of a user's own wire protocol
//
// See README.md for the first program and ARCHITECTURE.md for how it works.
package penstock
