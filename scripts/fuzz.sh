#!/usr/bin/env bash
# Runs every fuzz target of the given modules (default: the one here) for FUZZTIME each, one on each processor at a time.
set -euo pipefail

fuzztime=${FUZZTIME:-10s}
logs=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$logs"' EXIT

# targets prints "module package target" for each target of the module in folder $1.
targets() {
	go -C "$1" test -list '^Fuzz' ./... |
		awk -v module="$1" '/^Fuzz/ { name[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print module, $2, name[i]; n = 0 }'
}

# fuzz runs target $3 of package $2 in module $1, with its output in file $4. Without a bound on it, most of the time goes
# into making interesting inputs smaller.
fuzz() {
	go -C "$1" test "$2" -run "^$3\$" -fuzz "^$3\$" -fuzztime "$fuzztime" -fuzzminimizetime 1x -parallel 1 >"$4" 2>&1
}

# again repeats a run that failed only because the fuzzing engine lost a race with its own deadline, for which there is no
# failing input (go.dev/issue/75804, mended in Go 1.27).
again() {
	grep -q 'context deadline exceeded' "$4" && ! grep -q 'Failing input' "$4" || return 1
	fuzz "$@"
}

# report fuzzes one target and tells how that went.
report() {
	local log status=0
	log=$(mktemp -p "$logs")
	fuzz "$@" "$log" || again "$@" "$log" || status=1
	echo "[$1] $2 $3 for $fuzztime"
	if [ $status -eq 0 ]; then tail -n 1 "$log"; else cat "$log"; fi
	return $status
}

list=$(for module in "${@:-.}"; do targets "$module"; done)
count=0 running=0
while read -r module package target; do
	[ -n "$package" ] || continue
	if [ "$running" -ge "$(nproc)" ]; then
		wait -n
		running=$((running - 1))
	fi
	report "$module" "$package" "$target" &
	running=$((running + 1))
	count=$((count + 1))
done <<<"$list"
while [ "$running" -gt 0 ]; do
	wait -n
	running=$((running - 1))
done
echo "fuzz: $count targets passed"
