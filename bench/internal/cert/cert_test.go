package cert

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"
)

func TestMake(t *testing.T) {
	f, err := Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Leaf.VerifyHostname("127.0.0.1"); err != nil {
		t.Error(err)
	}
}

func TestMakeTempIsRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f, remove, err := MakeTemp()
	if err != nil {
		t.Fatal(err)
	}
	remove()
	if _, err := os.Stat(f.Key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key is still there: %v", err)
	}
}

func TestFill(t *testing.T) {
	got := Files{"c.pem", "k.pem"}.Fill([]string{"echo", "-cert", "{cert}", "-key={key}", "{addr}"})
	if want := []string{"echo", "-cert", "c.pem", "-key=k.pem", "{addr}"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
