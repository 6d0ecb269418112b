package certs

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

func TestDaysLeftRoundsDown(t *testing.T) {
	leaf := certstest.Must(certstest.SelfSigned(valid(-days, 0))).TLS
	for _, c := range []struct {
		name string
		left time.Duration
		want int
	}{
		{"thirty days", 30 * days, 30},
		{"a nanosecond less", 30*days - 1, 29},
		{"a day", days, 1},
		{"an hour", time.Hour, 0},
		{"the last second", 0, 0},
		{"just over", -1, -1},
		{"a day over", -days, -1},
		{"more than a day over", -days - time.Second, -2},
		{"ninety years", 90 * 365 * days, 90 * 365},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := DaysLeft(&leaf, clock.Add(-c.left)); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestDaysLeftIsOfTheFirstToEnd(t *testing.T) {
	root := certstest.Must(certstest.NewCA(inDate()))
	short := certstest.Must(root.Intermediate(valid(-days, 3*days)))
	long := certstest.Must(root.Intermediate(valid(-days, 9*days)))
	for name, c := range map[string]struct {
		by   *certstest.CA
		want int
	}{
		"the leaf":         {long, 5},
		"the intermediate": {short, 3},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := certstest.Must(c.by.Issue(valid(-days, 5*days))).TLS
			if got := DaysLeft(&leaf, clock); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
			leaf.Certificate = append(leaf.Certificate, []byte("does not parse"))
			if got := DaysLeft(&leaf, clock); got != c.want {
				t.Errorf("got %d with a certificate that does not parse, want %d", got, c.want)
			}
			leaf.Leaf = nil
			if got := DaysLeft(&leaf, clock); got != c.want {
				t.Errorf("got %d without Leaf, want %d", got, c.want)
			}
		})
	}
}

func TestDaysLeftOfNothing(t *testing.T) {
	if got := DaysLeft(&tls.Certificate{}, clock); got != 0 {
		t.Errorf("got %d", got)
	}
}
