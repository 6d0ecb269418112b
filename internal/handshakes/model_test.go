package handshakes

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// model is the gate as a naive list of who is in and who waits, counted anew for each question.
type model struct {
	most, perIP int
	in, out     []guest  // admitted, waiting; in the order of Enter
	turns       []string // groups that wait and have room of their own, in the order in which they came to be so
}

type guest struct{ name, group string }

func (m *model) room(group string) bool {
	n := 0
	for _, x := range m.in {
		if x.group == group {
			n++
		}
	}
	return m.perIP <= 0 || group == "none" || n < m.perIP
}

func (m *model) waits(group string) int {
	return slices.IndexFunc(m.out, func(x guest) bool { return x.group == group })
}

// settle brings the turns of a group up to date.
func (m *model) settle(group string) {
	in, may := slices.Index(m.turns, group), m.waits(group) >= 0 && m.room(group)
	switch {
	case may && in < 0:
		m.turns = append(m.turns, group)
	case !may && in >= 0:
		m.turns = slices.Delete(m.turns, in, in+1)
	}
}

func (m *model) full() bool { return m.most > 0 && len(m.in) >= m.most }

func (m *model) enter(x guest) bool {
	if !m.full() && m.room(x.group) && m.waits(x.group) < 0 {
		m.in = append(m.in, x)
		return true
	}
	m.out = append(m.out, x)
	m.settle(x.group)
	return false
}

// leave returns who is admitted instead.
func (m *model) leave(x guest) (told []string) {
	m.in = slices.DeleteFunc(m.in, func(y guest) bool { return x == y })
	m.settle(x.group)
	for !m.full() && len(m.turns) > 0 {
		group := m.turns[0]
		m.turns = m.turns[1:]
		i := m.waits(group)
		m.in = append(m.in, m.out[i])
		told = append(told, m.out[i].name)
		m.out = slices.Delete(m.out, i, i+1)
		m.settle(group)
	}
	return told
}

func (m *model) forget(x guest) (admitted bool) {
	if i := slices.Index(m.out, x); i >= 0 {
		m.out = slices.Delete(m.out, i, i+1)
		m.settle(x.group)
		return false
	}
	return slices.Contains(m.in, x)
}

func (m *model) groups() int {
	seen := make(map[string]bool)
	for _, x := range slices.Concat(m.in, m.out) {
		seen[x.group] = true
	}
	return len(seen)
}

// origins are addresses and what they have to count as.
var origins = []struct{ ip, group string }{
	{"192.0.2.1", "one"}, {"::ffff:192.0.2.1", "one"},
	{"192.0.2.2", "two"},
	{"2001:db8::1", "six"}, {"2001:db8::2", "six"}, {"2001:db8::ffff:0:0:9", "six"},
	{"2001:db8:0:1::1", "seven"},
	{"", "none"},
}

// run compares a gate with the model over some thousand steps of one seed.
type run struct {
	*bench
	rng   *rand.Rand
	m     model
	guest []guest // all, idle ones too
	grow  int     // percent of steps that bring somebody
}

func newRun(t *testing.T, seed uint64) *run {
	rng := newRNG(t, seed)
	limits := []int{-1, 0, 1, 2, 3, 5, 8, 13}
	most, perIP := limits[rng.IntN(len(limits))], limits[rng.IntN(6)]
	return &run{
		bench: newBench(t, most, perIP),
		rng:   rng,
		m:     model{most: most, perIP: perIP},
		guest: make([]guest, 0, 64),
		grow:  20 + rng.IntN(60),
	}
}

func (r *run) step() {
	switch n := r.rng.IntN(100); {
	case n < r.grow:
		r.enterOne()
	case n < r.grow+(100-r.grow)*2/3 && len(r.m.in) > 0:
		r.leaveOne(r.m.in[r.rng.IntN(len(r.m.in))])
	case len(r.guest) > 0:
		r.forgetOne(r.guest[r.rng.IntN(len(r.guest))])
	}
}

// enterOne takes a guest who is idle again, or a new one, from some address.
func (r *run) enterOne() {
	o := origins[r.rng.IntN(len(origins))]
	x := guest{fmt.Sprint(len(r.guest)), o.group}
	if i := r.rng.IntN(len(r.guest) + 1); i < len(r.guest) {
		x = guest{r.guest[i].name, o.group}
		busy := func(y guest) bool { return y.name == x.name }
		if slices.ContainsFunc(r.m.in, busy) || slices.ContainsFunc(r.m.out, busy) {
			return
		}
		r.guest[i] = x
	} else {
		r.guest = append(r.guest, x)
	}
	ip, _ := netip.ParseAddr(o.ip)
	if got, want := r.enter(x.name, ip), r.m.enter(x); got != want {
		r.t.Fatalf("%v entered: admitted %v, want %v", x, got, want)
	}
}

func (r *run) leaveOne(x guest) {
	r.g.Leave(&r.peers[x.name].Ticket)
	if got, want := r.took(), strings.Join(r.m.leave(x), " "); got != want {
		r.t.Fatalf("%v left: told %q, want %q", x, got, want)
	}
}

func (r *run) forgetOne(x guest) {
	if got, want := r.g.Forget(&r.peers[x.name].Ticket), r.m.forget(x); got != want {
		r.t.Fatalf("%v forgotten: admitted %v, want %v", x, got, want)
	}
}

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newRun(t, seed)
			for range 1000 {
				r.step()
				if told := r.took(); told != "" {
					t.Fatalf("told %s without a Leave", told)
				}
				r.check(len(r.m.in), len(r.m.out), r.m.groups())
				if t.Failed() {
					return
				}
			}
			for _, x := range slices.Clone(r.m.out[:len(r.m.out)/2]) {
				r.forgetOne(x)
			}
			for len(r.m.in) > 0 {
				r.leaveOne(r.m.in[0])
			}
			r.check(0, 0, 0)
		})
	}
}
