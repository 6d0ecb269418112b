# Everything a change has to pass is "make ci"; it needs Go, and gcc for the race detector.

MODULES  = . $(patsubst ./%/go.mod,%,$(shell find . -mindepth 2 -name go.mod -not -path './tools/*' | sort))
FUZZTIME = 10s
LINT     = go tool -modfile=$(CURDIR)/tools/go.mod staticcheck

# each runs a go command in the root and in every nested module, and stops at the first that fails.
each = @set -e; for m in $(MODULES); do echo "[$$m] go $(1)"; go -C $$m $(1); done

# echo builds the echo server in a directory that goes with it, and runs it there with flags for TLS or without. An interrupt
# is the server's to handle. The certificate is made by a program that comes with Go.
echo = @dir=$$(mktemp -d); trap 'rm -rf $$dir' EXIT; trap : INT; go build -o $$dir/echo ./examples/echo && cd $$dir && \
	$(if $(1),go run "$$(go env GOROOT)/src/crypto/tls/generate_cert.go" -host localhost$(comma)127.0.0.1 -ecdsa-curve P256 -duration 24h && \
	printf 'try: curl --cacert %s/cert.pem https://127.0.0.1:7681/plain\n' $$dir &&) ./echo $(1)
comma = ,

.PHONY: help build run run-tls test race invariants fuzz fmt vet lint cross bench tidy ci

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

build: ## compile everything
	$(call each,build ./...)

run: ## run the echo server of the examples
	$(echo)

run-tls: ## run it with TLS, by a certificate that is thrown away
	$(call echo,-cert cert.pem -key key.pem)

test: ## run all tests
	$(call each,test ./...)

# What bench measures under the race detector, or with the tag below, would say nothing.
race invariants: MODULES := $(filter-out bench,$(MODULES))
race: ## run all tests under the race detector, in random order
	$(call each,test -race -shuffle=on ./...)

invariants: ## run all tests with the checks of the invariants tag
	$(call each,test -tags invariants -shuffle=on ./...)

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh $(MODULES)

fmt: ## format all Go files
	gofmt -l -w .

vet: ## run go vet, with and without the invariants tag
	$(call each,vet ./...)
	$(call each,vet -tags invariants ./...)

lint: ## run staticcheck
	@set -e; for m in $(MODULES); do echo "[$$m] staticcheck"; (cd $$m && $(LINT) ./...); done

cross: ## vet and build for the other systems, and for 32 bits
	@set -e; for os in darwin freebsd netbsd openbsd; do echo "[$$os]"; GOOS=$$os go vet ./...; GOOS=$$os go build ./...; done
	@echo "[dragonfly]"; GOOS=dragonfly go build ./...
	@echo "[linux/386]"; GOARCH=386 go vet ./...

bench: ## run the benchmarks of all packages
	$(call each,test -run '^$$' -bench . -benchmem ./...)

tidy: ## hold the style of the project over the checkout
	go test ./internal/tidy

# What is quick and often broken comes first. There are many fuzz targets, and fifteen minutes for all of it.
ci: ## all of the above but bench, in the order that fails early
	$(MAKE) build tidy vet
	$(MAKE) test lint race invariants cross
	$(MAKE) fuzz FUZZTIME=6s
	@echo "ci: everything passed"
