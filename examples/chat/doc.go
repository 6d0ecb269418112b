// Command chat is a chat with rooms, each of which is a topic. Open its page twice:
//
//	GET /                          the page
//	WebSocket /?room=ROOM&name=ME  a seat in a room
//
// What is said goes to everybody in the room, on whichever loop they are. Who joins
// gets what was said last. Who cannot keep up with a busy room misses its oldest
// messages, and delays nobody.
package main
