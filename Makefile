# make demo | test | lint | docs | man | storm | course | conformance | bench | install | package | deb. Each installs what it lacks.
#   N=100               how often `make course` plays the obstacle course in a row
#   PROVIDER=adspower   the demo through the AdsPower emulator
#   BROWSER=chromium    test, course, storm, conformance: on the full browser, not on the headless shell
#   CHROME=/path        another Chromium than those that are found
#   KILLS=1000          how many processes the storm kills; SEED=… chooses them
#   STEPS=1000000       how many steps of profiles are simulated

PROVIDER ?= chromium
N ?= 100
CARGO ?= cargo
KILLS ?= 1000
BROWSER ?= shell

# The program and the tests use the headless shell by default; CHROME replaces it everywhere.
ifeq ($(BROWSER),chromium)
export CHROME := $(or $(CHROME),$(shell scripts/need chromium && scripts/need --print-chromium))
endif

.PHONY: demo test storm course conformance bench install lint docs man package deb

demo:
	@PROVIDER=$(PROVIDER) scripts/demo

# The full browser is for the tests of what only it does.
test: lint
	@scripts/need shell chromium nextest postgres tmux
	$(CARGO) build --example sandbox
	$(CARGO) nextest run --no-fail-fast $(if $(CI),--profile ci)
	$(CARGO) test --doc --quiet

# Reports every deviation of every round at the end.
course:
	@scripts/need shell
	$(CARGO) build --example sandbox
	COURSE_ROUNDS=$(N) $(CARGO) test --test it page::course -- --nocapture

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings
	@scripts/check-words

# Kills real processes until luck is ruled out: a fleet and its browsers, then the writers of the shared
# files.
storm:
	@scripts/need shell nextest
	$(CARGO) build --example sandbox
	KILLS=$(KILLS) PROFILES=20 $(CARGO) nextest run --profile storm --no-capture --test it -E 'test(storm::)'
	STEPS=1000000 $(CARGO) nextest run --profile storm --test sim
	STORM_SECONDS=60 $(CARGO) nextest run --profile storm --no-capture --lib \
		-E 'test(some_are_killed_lose_no_update) | test(no_kill_makes_a_call_too_early)'

# Checks by independent programs; needs Python and node.
conformance:
	@scripts/need shell node python
	CHROME="$$(scripts/need --print-shell)" tests/conformance/run

bench:
	@scripts/need shell node python
	CHROME="$$(scripts/need --print-shell)" benches/run
	benches/run fleet
	benches/run sources
	benches/run dashboard

install:
	$(CARGO) install --path . --locked

# The book in target/book. Compares its pages with the program, checks its links, and runs its command blocks
# on the practice site.
docs:
	@scripts/need shell python mdbook
	$(CARGO) build --quiet --bin regatta --example sandbox
	target/tools/bin/mdbook build docs
	scripts/check-docs --run

# target/man and target/completions, from the declarations that parse the command line.
man:
	$(CARGO) build --quiet --bin regatta --example man
	scripts/man

# An archive of the program with man pages, completions and a checksum, in target/package.
package: man
	$(CARGO) build --release --locked --bin regatta
	scripts/package

deb: man
	@scripts/need cargo-deb
	$(CARGO) build --release --locked --bin regatta
	PATH="$(CURDIR)/target/tools/bin:$$PATH" $(CARGO) deb --no-build --output target/package/
