package engine_test

import "testing"

// againHere are those of again that only Linux has.
var againHere = []func(*testing.T){TestSlowDownloads}
