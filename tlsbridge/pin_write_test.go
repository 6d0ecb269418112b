package tlsbridge

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// TestPinWriteErrorsLast is why pipe.Write never fails.
func TestPinWriteErrorsLast(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := newStock(t, first(configs(version)), second(configs(version)))
		s.serverEnd.broken = errEmpty
		if _, err := s.server.Write([]byte("data")); err == nil {
			t.Fatal("no error")
		}
		if _, err := s.server.Write([]byte("data")); err == nil {
			t.Error("a Write went on behind a temporary error: in this Go pipe.Write may fail, and limits need not be checked before Seal")
		}
	})
}

// TestPinOneWritePerRecord wants a whole record in each Write to the transport,
// none of them kept back.
func TestPinOneWritePerRecord(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := newStock(t, first(configs(version)), second(configs(version)))
		for _, n := range []int{1, RecordMost, RecordMost + 1, 5 * RecordMost} {
			s.serverEnd.writes = 0
			_ = s.serverEnd.out.take()
			_ = must(s.server.Write(pattern(n)))
			b, records := s.serverEnd.out.take(), 0
			for len(b) > 0 && firstOf(b) > 0 {
				b = b[firstOf(b):]
				records++
			}
			want := (n + RecordMost - 1) / RecordMost
			if records != want || s.serverEnd.writes != want || len(b) != 0 {
				t.Errorf("%d bytes went out as %d records in %d writes, with %d bytes over, not as %d full ones: DynamicRecordSizingDisabled does not do in this Go what Sealed, and the engine's limits with it, count on", n, records, s.serverEnd.writes, len(b), want)
			}
		}
	})
}

// TestPinCloseWrite wants close_notify from CloseWrite, and nothing of the
// transport: it is the caller who closes.
func TestPinCloseWrite(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := newStock(t, first(configs(version)), second(configs(version)))
		_ = s.serverEnd.out.take()
		for range 2 {
			if err := s.server.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		if b := s.serverEnd.out.take(); firstOf(b) != len(b) || len(b) == 0 || s.serverEnd.out.closed {
			t.Errorf("CloseWrite twice sent %x, and closed the transport: %v; Conn.CloseNotify promises one alert and nothing else", b, s.serverEnd.out.closed)
		}
	})
}

// allSuites12 are the suites of TLS 1.2 that this Go has. Those with RSA key
// exchange come with a certificate that can do it.
func allSuites12() []*tls.CipherSuite {
	return slices.DeleteFunc(slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()), func(s *tls.CipherSuite) bool {
		return !slices.Contains(s.SupportedVersions, tls.VersionTLS12)
	})
}

// TestSealedIsAnUpperBound seals with all suites, and the oldest versions.
func TestSealedIsAnUpperBound(t *testing.T) {
	try := func(name string, version, suite uint16) {
		t.Run(name, func(t *testing.T) {
			sc, cc := configs(version)
			sc.Certificates = append(sc.Certificates, cert(certstest.RSA, certstest.Server).TLS)
			if suite != 0 {
				sc.CipherSuites, cc.CipherSuites = []uint16{suite}, []uint16{suite}
			}
			p := secured(t, sc, cc)
			if got := p.server.State().CipherSuite; suite != 0 && got != suite {
				t.Fatalf("suite %s", tls.CipherSuiteName(got))
			}
			sealedLengths(t, p)
		})
	}
	for _, s := range allSuites12() {
		try(s.Name, tls.VersionTLS12, s.ID)
	}
	try("TLS 1.3", tls.VersionTLS13, 0)
	try("TLS 1.0", tls.VersionTLS10, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA)
	try("TLS 1.1", tls.VersionTLS11, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA)
}

func sealedLengths(t *testing.T, p *pair) {
	message := pattern(100_000)
	dst := make([]byte, 0, 2*len(message))
	for n := 0; n <= len(message); n++ {
		border := (n+18)%RecordMost <= 20 && (n < 2*RecordMost || n > 6*RecordMost-20)
		if n > 40 && !border && n%9973 != 0 {
			continue // what matters is near the borders of records, and of blocks
		}
		if sealed := must(p.client.Seal(dst, message[:n])); len(sealed) > Sealed(n) {
			t.Fatalf("%d bytes have become %d, and Sealed says %d: connections fail in Write that Fits has let through", n, len(sealed), Sealed(n))
		}
	}
	if wasted := Sealed(len(message)) - len(must(p.client.Seal(dst, message))); wasted > 7*(recordOverhead-headerLen-16) {
		t.Errorf("Sealed is %d bytes too high", wasted)
	}
}
