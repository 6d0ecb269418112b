package inspect

import "testing"

func TestReportIsItsLine(t *testing.T) {
	want := Report{Goroutines: 7, HeapBytes: 1 << 30, StackBytes: 4096}
	if got, err := Parse(want.String()); got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Parse("listening on 127.0.0.1"); err == nil {
		t.Error("any line is a report")
	}
}
