# Anteroom. `make demo` shows it; `make check` is what stands between a change and main.

.NOTPARALLEL:
.DEFAULT_GOAL := help

export BROWSER ?= /usr/bin/chromium
# Everywhere, so that every step finds what another has compiled: SQLite takes minutes.
export GOFLAGS := $(GOFLAGS) -trimpath
# Counted, not timed: when its time is up, go test may call a run in progress a failure.
FUZZ ?= 2000x
# Without the checkout's own stamp: the same files and RELEASE make the same bytes, with .git beside them or not.
STATIC = -buildvcs=false -tags sqlite_omit_load_extension,netgo,osusergo \
	-ldflags '-s -w -X main.release=$(RELEASE) -linkmode external -extldflags "-static"'
RELEASE ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),development)
# Tables of thousands of requests, one after another: no two things happen at once in them, and the race detector takes minutes.
ONE_BY_ONE = ^(TestRoutesAndPeople|TestAccessMatrix|TestNonsenseIsNoFault|TestEveryAnswerPassesTheGraders)$$
staticcheck = go tool -modfile=tools/go.mod staticcheck
govulncheck = go tool -modfile=tools/go.mod govulncheck
step = @printf '\n== %s\n' '$@: $(1)'

.PHONY: help build demo check bench prove screenshots fmt clean static licenses vulncheck
.PHONY: setup format vet lint modules test fuzz spam story reproduce

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

build: ## build ./anteroom
	$(call step,./anteroom)
	go build -o anteroom .

demo: build ## build, and serve an invented practice on http://localhost:8080
	./anteroom demo

check: setup format vet lint modules build test fuzz spam story reproduce ## everything that CI runs, and the set-up it needs
	@printf '\n== check: all of it passed\n'

bench: static ## measure: search over 100,000 clients, invitations, cold start, memory
	$(call step,the program beside its parts turn by turn)
	ANTEROOM_PROGRAM=$(CURDIR)/anteroom go test -run '^$$' -bench '^BenchmarkAnteroom$$' -benchtime 1x -timeout 15m .

prove: FUZZ = 200000x
prove: setup fuzz ## what takes too long for every change: fuzz, kill the program 1,000 times, flood it with 5,000 guesses, compare 20,000 answers' times, type every hostile string everywhere
	$(call step,the program killed 1000 times while letters leave)
	ANTEROOM_KILLS=1000 go test -count=1 -v -timeout 30m -run '^Test(Killed|Terminated)' .
	$(call step,many guess passwords at once: others wait less than a second)
	ANTEROOM_FLOOD=5000 go test -count=1 -v -timeout 30m -run '^TestLoginFlood$$' .
	$(call step,how long signing in and a forgotten password take for known and unknown accounts: 5000 times each)
	ANTEROOM_TIMINGS=5000 go test -count=1 -v -timeout 30m -run '^TestTimingTellsNothing$$' .
	$(call step,every hostile string through every field to every place that shows it)
	ANTEROOM_HOSTILE=100000 ANTEROOM_BROWSER=$(BROWSER) go test -count=1 -v -timeout 60m -run '^Test(HostileStringsStayText|StoryHostile)$$' .

screenshots: setup ## take the pictures in docs/images anew
	$(call step,docs/images)
	ANTEROOM_BROWSER=$(BROWSER) ANTEROOM_SCREENSHOTS=$(CURDIR)/docs/images go test -count=1 -run '^TestStory$$' .

static: ## build ./anteroom for release: one static file
	$(call step,./anteroom)
	CGO_ENABLED=1 go build $(STATIC) -o anteroom .
	@ls -l anteroom
	@test "$$(stat -c %s anteroom)" -le 26214400 || { echo 'the binary is larger than 25 MB'; exit 1; }

licenses: ## write licenses.txt anew: whose work is in the program, and under which licence
	$(call step,licenses.txt)
	@mkdir -p .cache
	@go -C tools build -o ../.cache/licenses ./licenses
	@.cache/licenses >.cache/licenses.txt
	@mv .cache/licenses.txt licenses.txt

vulncheck: ## ask the Go vulnerability database about every module and the toolchain; needs the internet
	$(call step,govulncheck)
	$(govulncheck) ./...

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

clean: ## remove what the other targets made
	rm -rf anteroom .cache

# The steps of check.

setup:
	$(call step,Chromium with fonts and SpamAssassin; once)
	@test -x $(BROWSER) || { as=; test "$$(id -u)" = 0 || as=sudo; \
		$$as apt-get update && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-dejavu-core; }
	@command -v spamassassin >/dev/null || { as=; test "$$(id -u)" = 0 || as=sudo; \
		$$as apt-get update && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends spamassassin; }
	@$(BROWSER) --version
	@spamassassin --version | head -1

format:
	$(call step,gofmt)
	@found=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$found" || { echo "not formatted, run make fmt: $$found"; exit 1; }

vet:
	$(call step,go vet)
	go vet ./...
	go -C tools vet ./licenses

lint:
	$(call step,staticcheck)
	$(staticcheck) ./...

modules:
	$(call step,go.mod is tidy and all modules are what go.sum says)
	go mod tidy -diff
	go mod verify
	go -C tools mod verify

test:
	$(call step,every test but the browser story: with the race detector and then four tables without)
	go test -race -timeout 12m -skip '$(ONE_BY_ONE)' ./...
	go test -timeout 12m -run '$(ONE_BY_ONE)' ./handlers
	go -C tools test ./licenses

fuzz:
	$(call step,each fuzz target $(FUZZ))
	@set -e; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ) $$package; \
		done; \
	done

spam:
	$(call step,every kind of letter as SpamAssassin sees it)
	@mkdir -p .cache
	@ANTEROOM_SPAMASSASSIN=1 go test -count=1 -v -timeout 5m -run '^TestNoLetterLooksLikeSpam$$' ./practice 2>&1 | tee .cache/spam.log; \
		! grep -qE '^(FAIL|--- FAIL|\s*--- SKIP|panic:)' .cache/spam.log && grep -q '^--- PASS: TestNoLetterLooksLikeSpam' .cache/spam.log

story:
	$(call step,the story in a real browser and axe on every screen)
	@mkdir -p .cache
	@ANTEROOM_BROWSER=$(BROWSER) go test -count=1 -v -timeout 12m -run '^TestStory' . 2>&1 | tee .cache/story.log; \
		! grep -qE '^(FAIL|--- FAIL|\s*--- SKIP|panic:)' .cache/story.log && grep -q '^--- PASS: TestStory' .cache/story.log

# Here with what was compiled before, and from a copy in another folder with nothing: neither a cache nor an unpacked module.
reproduce:
	$(call step,the release built here and in another folder is the same to the byte)
	@mkdir -p .cache
	@set -e; other=$$(mktemp -d); trap 'rm -rf "$$other"' EXIT; \
		git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read --files-from=- | tar -x -C "$$other"; \
		CGO_ENABLED=1 go build $(STATIC) -o .cache/release .; \
		modules=$$(go env GOMODCACHE)/cache/download; cd "$$other"; \
		GOCACHE="$$other/.go/build" GOMODCACHE="$$other/.go/mod" GOPROXY="file://$$modules" GOFLAGS="$(GOFLAGS) -modcacherw" \
			CGO_ENABLED=1 go build $(STATIC) -o release .; \
		sha256sum $(CURDIR)/.cache/release release; cmp $(CURDIR)/.cache/release release
