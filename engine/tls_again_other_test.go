//go:build !linux

package engine_test

import "testing"

// againHere are those of again that only this system has.
var againHere []func(*testing.T)
