//go:build !linux

package engine

// inMemory is true where nobody can tell.
func inMemory(int, int64, int64) bool { return true }

// fetchFile has nothing to do then.
func fetchFile(int, int64, int64) {}
