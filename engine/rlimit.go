package engine

import "golang.org/x/sys/unix"

// descriptorLimit is how many descriptors the process may open.
func descriptorLimit() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur > 1<<30 {
		return 1 << 30
	}
	return int(r.Cur)
}
