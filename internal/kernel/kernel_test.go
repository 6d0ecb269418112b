package kernel

import "testing"

// Pollers and their tests turn one into the other.
func TestAnEventHasTheBitOfItsInterest(t *testing.T) {
	if Readable != Event(WatchRead) || Writable != Event(WatchWrite) {
		t.Errorf("Readable %b, WatchRead %b; Writable %b, WatchWrite %b", Readable, WatchRead, Writable, WatchWrite)
	}
}
