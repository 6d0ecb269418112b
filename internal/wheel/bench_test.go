package wheel

import (
	"testing"
	"time"
)

type sink struct {
	Timer
	w      *Wheel
	period int64
}

func (s *sink) Expire(now int64) { s.w.Arm(&s.Timer, now+s.period) }

// BenchmarkRearm moves a timer to a later slot. Budget: 20 ns.
func BenchmarkRearm(b *testing.B) {
	var w Wheel
	ts := make([]Timer, 1024)
	now := int64(0)
	for i := 0; b.Loop(); i++ {
		now += int64(Tick) / 4
		w.Arm(&ts[i%len(ts)], now+int64(10*time.Second))
	}
}

// BenchmarkAdvanceIdle is what a turn without due timers pays. Budget: 5 ns.
func BenchmarkAdvanceIdle(b *testing.B) {
	var w Wheel
	var t Timer
	w.Arm(&t, int64(1<<62))
	w.Advance(int64(time.Hour))
	for b.Loop() {
		w.Advance(int64(time.Hour))
	}
}

// BenchmarkNext finds the only occupied slot, half a round away. Budget: 5 ns.
func BenchmarkNext(b *testing.B) {
	var w Wheel
	var t Timer
	w.Arm(&t, round/2)
	for b.Loop() {
		w.Next()
	}
}

// BenchmarkExpire is one timer that fires and arms itself again, of 20,000. Budget: 100 ns.
func BenchmarkExpire(b *testing.B) {
	var w Wheel
	all := make([]sink, 20_000)
	for i := range all {
		all[i] = sink{w: &w, period: int64(10 * time.Second)}
		all[i].Owner = &all[i]
		w.Arm(&all[i].Timer, int64(i)*int64(10*time.Second)/int64(len(all)))
	}
	now, fired := int64(0), 0
	for b.Loop() {
		if fired > 0 {
			fired--
			continue
		}
		for fired == 0 {
			now += int64(Tick)
			fired = w.Advance(now)
		}
	}
}
