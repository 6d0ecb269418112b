package reactor

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

func TestAnErrorIsUnwrappedToItsNumber(t *testing.T) {
	for _, c := range []struct {
		err  error
		want kernel.Errno
	}{
		{nil, 0},
		{unix.EAGAIN, unix.EAGAIN},
		{os.NewSyscallError("read", unix.ECONNRESET), unix.ECONNRESET},
		{fmt.Errorf("deep: %w", os.NewSyscallError("accept4", unix.EMFILE)), unix.EMFILE},
		{io.ErrUnexpectedEOF, unix.EIO},
		{errors.Join(unix.EBADF), unix.EIO},
	} {
		if got := errnoOf(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestATargetBecomesASocketAddress(t *testing.T) {
	for _, c := range []struct {
		to     kernel.Target
		family int
		want   string
	}{
		{kernel.Target{Path: "@name"}, unix.AF_UNIX, "&{Name:@name "},
		{kernel.Target{Addr: netip.MustParseAddrPort("192.0.2.1:80")}, unix.AF_INET, "&{Port:80 Addr:[192 0 2 1] "},
		{kernel.Target{Addr: netip.MustParseAddrPort("[::ffff:192.0.2.1]:80")}, unix.AF_INET, "&{Port:80 Addr:[192 0 2 1] "},
		{kernel.Target{Addr: netip.MustParseAddrPort("[fe80::1%7]:80")}, unix.AF_INET6, "&{Port:80 ZoneId:7 Addr:[254 128 "},
	} {
		sa, family := sockaddrOf(c.to)
		if got := fmt.Sprintf("%+v", sa); family != c.family || !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: family %d, %s", c.to, family, got)
		}
	}
}

func TestAZoneIsItsInterface(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil || len(all) == 0 {
		t.Skip("this machine has no network interface to ask for")
	}
	for _, ifi := range all {
		if zoneName(uint32(ifi.Index)) != ifi.Name || zoneIndex(ifi.Name) != uint32(ifi.Index) {
			t.Errorf("%s is %d, and %d is %s", ifi.Name, zoneIndex(ifi.Name), ifi.Index, zoneName(uint32(ifi.Index)))
		}
	}
	if zoneIndex("") != 0 || zoneIndex("no interface") != 0 || zoneIndex("4000000") != 4000000 || zoneName(4000000) != "4000000" {
		t.Error("a zone that is no interface does not stay as it is")
	}
}

func TestALinkLocalPeerKeepsItsZone(t *testing.T) {
	g := newRig(t, Config{}).start()
	for _, text := range []string{"[fe80::1%eth9]:80", "[fe80::1]:80", "[2001:db8::1]:80", "192.0.2.1:80"} {
		want := netip.MustParseAddrPort(text)
		g.on(g.loops[0], func() {
			fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
			if err != nil {
				t.Error(err)
				return
			}
			c := g.loops[0].newConn(fd, want, stateOpen)
			c.SetHandler(&ear{})
			if c.Peer() != want {
				t.Errorf("peer is %v, want %v", c.Peer(), want)
			}
			c.Abort(nil)
		})
	}
}

func TestACallOnABadDescriptorIsRefused(t *testing.T) {
	k, bad, b := newSystemKernel(), 1<<20, make([]byte, 4)
	_, read := k.Read(bad, b)
	_, write := k.Write(bad, b)
	_, two := k.WriteTwo(bad, b, b)
	_, _, accept := k.Accept(bad)
	for name, e := range map[string]kernel.Errno{"read": read, "write": write, "writev": two, "accept": accept,
		"shutdown": k.CloseWrite(bad), "connect": k.ConnectResult(bad)} {
		if e != unix.EBADF {
			t.Errorf("%s: %v", name, e)
		}
	}
	if k.LocalAddr(bad) != nil || k.PeerAddr(bad) != nil {
		t.Error("a bad descriptor has addresses")
	}
}

func TestThePollersLogGoesToSlog(t *testing.T) {
	book := new(logBook)
	p := pollerLog{slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for level, say := range map[string]func(string, ...any){
		"DEBUG": p.Debugf, "INFO": p.Infof, "WARN": p.Warnf, "ERROR": p.Errorf,
	} {
		say("said %s", level)
		if book.count(`level=`+level+` msg="said `+level+`"`) != 1 {
			t.Errorf("%s is not in the log", level)
		}
	}
	p.Fatalf("not the %s of the process", "end")
	if book.count("not the end of the process") != 1 {
		t.Error("Fatalf is not in the log")
	}
}
