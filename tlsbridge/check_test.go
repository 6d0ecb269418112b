package tlsbridge

import (
	"errors"
	"strings"
	"testing"
)

func first[A, B any](a A, _ B) A         { return a }
func third[A, B, C any](_ A, _ B, c C) C { return c }

func second[A, B any](_ A, b B) B { return b }

// must is for what does not fail on a sound connection.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// wantError wants what the package promises of its errors.
func wantError(t testing.TB, err error) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || errors.Unwrap(err) != e.Err || !strings.HasPrefix(err.Error(), "tlsbridge: ") {
		t.Errorf("the error is %T %v", err, err)
	}
}

// wantErrorWith wants the error of crypto/tls or a callback to say something.
func wantErrorWith(t testing.TB, err error, text string) {
	t.Helper()
	wantError(t, err)
	if err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("the error is %q, without %q", err, text)
	}
}
