// Command sse tells the time, and how many look at it, by server-sent events.
//
// It shows the pattern for many listeners: what is new is kept in one place, a Handle
// wakes each session, and each session writes what it has not seen. So a listener that
// reads slowly costs its send queue, misses what it comes too late for, and holds up
// nobody; one that reads nothing for Limits.StallTimeout is let go.
package main
