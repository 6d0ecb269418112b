package tlsbridge

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/penstock-go/penstock/internal/invariant"
)

func TestMessagesOfEveryLength(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		p := secured(t, first(configs(version)), second(configs(version)))
		for _, n := range []int{1, 2, 15, 16, 17, 255, 4096, RecordMost - 1, RecordMost, RecordMost + 1, 3 * RecordMost, 100_000, 1 << 20} {
			carry(t, p.client, p.server, pattern(n))
			carry(t, p.server, p.client, pattern(n))
		}
		p.part(t)
	})
}

func TestNoMessage(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		p := secured(t, first(configs(version)), second(configs(version)))
		if b, err := p.client.Seal([]byte("before"), nil); string(b) != "before" || err != nil {
			t.Errorf("nothing became %q, %v", b, err)
		}
		if b, used, err := p.server.Open([]byte("before"), nil); string(b) != "before" || used != 0 || err != nil {
			t.Errorf("nothing became %q, %d used, %v", b, used, err)
		}
		carry(t, p.client, p.server, []byte("something"))
	})
}

func TestManyRecordsAreOpenedAtOnceBehindWhatIsThere(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		p := secured(t, first(configs(version)), second(configs(version)))
		want := []byte("before ")
		var records []byte
		for i := range 300 {
			message := pattern(i * 7)
			want = append(want, message...)
			records = must(p.client.Seal(records, message))
		}
		got, used, err := p.server.Open([]byte("before "), records)
		if used != len(records) || err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d, %d used of %d, %v", len(got), len(want), used, len(records), err)
		}
		p.part(t)
	})
}

// TestTheBeginningOfARecordIsLeft cuts two records at every offset.
func TestTheBeginningOfARecordIsLeft(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		p := secured(t, first(configs(version)), second(configs(version)))
		for cut := 0; ; cut++ {
			one := must(p.client.Seal(nil, []byte("one")))
			all := must(p.client.Seal(slices.Clone(one), []byte("two")))
			if cut > len(all) {
				return
			}
			want, whole := "", 0
			switch {
			case cut == len(all):
				want, whole = "onetwo", len(all)
			case cut >= len(one):
				want, whole = "one", len(one)
			}
			behind := bytes.Repeat([]byte{0xAA}, 1000) // must be left alone
			buf := append(slices.Clone(all[:cut]), behind...)
			got, used, err := p.server.Open(nil, buf[:cut])
			if string(got) != want || used != whole || err != nil || !bytes.Equal(buf[cut:], behind) {
				t.Fatalf("cut at %d: %q, %d used, %v", cut, got, used, err)
			}
			if !bytes.Equal(buf[whole:cut], all[whole:cut]) {
				t.Fatalf("cut at %d: Open changed what it did not use", cut)
			}
			got, used, err = p.server.Open(got, all[whole:])
			if string(got) != "onetwo" || used != len(all)-whole || err != nil {
				t.Fatalf("behind the cut at %d: %q, %d used, %v", cut, got, used, err)
			}
		}
	})
}

func TestCloseNotifyBehindData(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		p := secured(t, first(configs(version)), second(configs(version)))
		records := must(p.client.Seal(nil, []byte("the last words")))
		records = p.client.CloseNotify(records)
		if again := p.client.CloseNotify(nil); len(again) != 0 {
			t.Errorf("a second close_notify: %x", again)
		}
		if _, err := p.client.Seal(nil, []byte("more")); err == nil {
			t.Error("data behind close_notify")
		}
		records = append(records, typeApplication, 3, 3, 0) // RFC 8446 6.1: to be ignored
		got, used, err := p.server.Open(nil, records)
		if string(got) != "the last words" || used != len(records) || err != io.EOF {
			t.Fatalf("%q, %d used of %d, %v", got, used, len(records), err)
		}
		if got, used, err := p.server.Open(nil, records); len(got) != 0 || used != len(records) || err != io.EOF {
			t.Errorf("again: %q, %v", got, err)
		}
		carry(t, p.server, p.client, pattern(100_000)) // half-closed
		if bye := p.server.CloseNotify(nil); len(bye) == 0 {
			t.Error("no close_notify in return")
		}
	})
}

// TestTheErrorStays changes one byte of a record, each in turn.
func TestTheErrorStays(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		for _, at := range []int{0, 1, 2, headerLen, -1} {
			p := secured(t, first(configs(version)), second(configs(version)))
			good := must(p.client.Seal(nil, []byte("good")))
			bad := must(p.client.Seal(nil, []byte("bad")))
			bad[(at+len(bad))%len(bad)] ^= 0x40
			got, used, err := p.server.Open(nil, append(good, bad...))
			if string(got) != "good" || used != len(good)+len(bad) {
				t.Errorf("byte %d: %q, %d used", at, got, used)
			}
			wantError(t, err)
			alert := p.server.Output()
			if _, _, err := p.client.Open(nil, alert); err == nil || err == io.EOF {
				t.Errorf("byte %d: the peer was told %x, and sees %v", at, alert, err)
			}
			if _, _, again := p.server.Open(nil, bad); again != err {
				t.Errorf("byte %d: then the error was %v", at, again)
			}
			if b, again := p.server.Seal(nil, []byte("more")); again != err || len(b) != 0 {
				t.Errorf("byte %d: sealed %x, %v", at, b, again)
			}
			if b := p.server.CloseNotify(nil); len(b) != 0 || len(p.server.Output()) != 0 {
				t.Errorf("byte %d: a close_notify behind the alert: %x", at, b)
			}
		}
	})
}

func TestReplayedAndLostRecordsAreErrors(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		p := secured(t, first(configs(version)), second(configs(version)))
		one := must(p.client.Seal(nil, []byte("one")))
		_, _, err := p.server.Open(nil, append(slices.Clone(one), one...))
		wantError(t, err)

		p = secured(t, first(configs(version)), second(configs(version)))
		_ = must(p.client.Seal(nil, []byte("lost")))
		got, _, err := p.server.Open(nil, must(p.client.Seal(nil, []byte("two"))))
		wantError(t, err)
		if len(got) != 0 {
			t.Errorf("%q behind a gap", got)
		}
	})
}

// TestDataWaitsForTheHandshake wants no handshake to begin on the quiet.
func TestDataWaitsForTheHandshake(t *testing.T) {
	p := newPair(configs(0))
	flight := p.client.Step(nil).Output
	defer p.client.Cancel()
	for name, use := range map[string]func() error{
		"Open":                            func() error { return third(p.server.Open(nil, flight)) },
		"Seal":                            func() error { return second(p.server.Seal(nil, flight)) },
		"Open, of a client in the middle": func() error { return third(p.client.Open(nil, flight)) },
		"Seal, of a client in the middle": func() error { return second(p.client.Seal(nil, flight)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := recover(); v == nil == invariant.Enabled {
					t.Errorf("it panicked with %v", v)
				}
			}()
			wantErrorWith(t, use(), "the handshake is not done")
		})
	}
	if out := p.server.CloseNotify([]byte("before")); string(out) != "before" || len(p.server.Output()) != 0 {
		t.Errorf("a close_notify before the handshake: %x", out)
	}
}
