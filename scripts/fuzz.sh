#!/usr/bin/env bash
# Runs every fuzz target of the given modules (default: the one here) for FUZZTIME each.
set -euo pipefail

fuzztime=${FUZZTIME:-10s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# targets prints "package target" for each target of the module in folder $1.
targets() {
	go -C "$1" test -list '^Fuzz' ./... |
		awk '/^Fuzz/ { name[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print $2, name[i]; n = 0 }'
}

# fuzz runs target $3 of package $2 in module $1. Without a bound on it, most of the time goes into making interesting
# inputs smaller.
fuzz() {
	go -C "$1" test "$2" -run "^$3\$" -fuzz "^$3\$" -fuzztime "$fuzztime" -fuzzminimizetime 1x 2>&1 | tee "$log"
}

# again repeats a run that failed only because the fuzzing engine lost a race with its own deadline, for which there is no
# failing input (go.dev/issue/75804, mended in Go 1.27).
again() {
	grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" || return 1
	fuzz "$@"
}

count=0
for module in "${@:-.}"; do
	list=$(targets "$module")
	while read -r package target; do
		[ -n "$package" ] || continue
		echo "[$module] $package $target for $fuzztime"
		fuzz "$module" "$package" "$target" || again "$module" "$package" "$target" || exit 1
		count=$((count + 1))
	done <<<"$list"
done
echo "fuzz: $count targets passed"
