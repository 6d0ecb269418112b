package callbacks

import "errors"

// MaxTopic is the longest name of a topic, in bytes. Any string that is not empty
// and not longer is one: names are compared as they are, and nothing in them is a
// wildcard. A name costs memory in each loop that has subscribers of it.
const MaxTopic = 1 << 10

// ErrTopic is the answer to a topic whose name is empty or longer than MaxTopic.
var ErrTopic = errors.New("callbacks: a topic's name has 1 to 1024 bytes")

// ErrTopics is the answer to a Subscribe that would take the session past the
// engine's Limits.Topics. The subscriptions that it has stay.
var ErrTopics = errors.New("callbacks: the session has subscribed to too many topics")

// ValidTopic tells whether name can be that of a topic.
func ValidTopic(name string) bool { return name != "" && len(name) <= MaxTopic }
