//go:build !linux

package bench

import "testing"

func TestLinuxOnly(t *testing.T) {
	t.Skip("what this package measures with exists on Linux only")
}
