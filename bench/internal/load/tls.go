package load

import (
	"crypto/tls"
	"flag"
	"fmt"
	"strings"
)

// TLS is what the generator offers to a server. The zero value is what crypto/tls
// offers by itself.
type TLS struct {
	// Version is the only one, such as tls.VersionTLS12; 0 leaves the choice.
	Version uint16
	// Groups are for the key exchange; nil is crypto/tls's own, with ML-KEM first.
	Groups []tls.CurveID
}

// Flags defines what is in t as flags of a command.
func (t *TLS) Flags(f *flag.FlagSet) {
	f.Func("tls", "the only TLS `version` to offer, 1.2 or 1.3 (default both)", func(v string) (err error) {
		t.Version, err = parseVersion(v)
		return err
	})
	f.Func("groups", "TLS key exchange `groups` to offer, such as X25519,CurveP256 (default as crypto/tls, X25519MLKEM768 first)", func(v string) (err error) {
		t.Groups, err = parseGroups(v)
		return err
	})
}

func parseVersion(v string) (uint16, error) {
	for _, known := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if tls.VersionName(known) == "TLS "+v {
			return known, nil
		}
	}
	return 0, fmt.Errorf("no TLS version %q", v)
}

func parseGroups(v string) (groups []tls.CurveID, err error) {
	known := map[string]tls.CurveID{}
	for _, g := range []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521} {
		known[g.String()] = g
	}
	for name := range strings.SplitSeq(v, ",") {
		g, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("no group %q", name)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// config trusts every server: they are this module's own, with certificates made
// for the occasion. Records have their full size from the start, as they would
// after the first hundred kilobytes.
func (t TLS) config() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify:          true,
		MinVersion:                  t.Version,
		MaxVersion:                  t.Version,
		CurvePreferences:            t.Groups,
		DynamicRecordSizingDisabled: true,
	}
}

func describe(s tls.ConnectionState) string {
	return fmt.Sprintf("%s, %s, %v", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.CurveID)
}
