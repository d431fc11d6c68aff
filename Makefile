# make demo | test | storm | course | conformance | bench | install. Each installs what it lacks.
#   N=100               how often `make course` plays the obstacle course in a row
#   PROVIDER=adspower   the demo through the AdsPower emulator
#   CHROME=/path        another Chromium than the one that is found
#   KILLS=1000          how many processes the storm kills; SEED=… chooses them
#   STEPS=1000000       how many steps of profiles are simulated

PROVIDER ?= chromium
N ?= 100
CARGO ?= cargo
KILLS ?= 1000

.PHONY: demo test storm course conformance bench install lint

demo:
	@PROVIDER=$(PROVIDER) scripts/demo

test: lint
	@scripts/need chromium nextest postgres
	$(CARGO) build --example sandbox
	CHROME="$$(scripts/need --print-chromium)" $(CARGO) nextest run --no-fail-fast
	$(CARGO) test --doc --quiet

# Every deviation of every round is told, at the end.
course:
	@scripts/need chromium
	$(CARGO) build --example sandbox
	CHROME="$$(scripts/need --print-chromium)" COURSE_ROUNDS=$(N) $(CARGO) test --test it page::course -- --nocapture

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings

# Real processes are killed until nobody can say that it was luck: a fleet and its browsers, then the
# writers of the shared files.
storm:
	@scripts/need chromium nextest
	$(CARGO) build --example sandbox
	CHROME="$$(scripts/need --print-chromium)" KILLS=$(KILLS) PROFILES=20 \
		$(CARGO) nextest run --profile storm --no-capture --test it -E 'test(storm::)'
	STEPS=1000000 $(CARGO) nextest run --profile storm --test sim
	STORM_SECONDS=60 $(CARGO) nextest run --profile storm --no-capture --lib \
		-E 'test(some_are_killed_lose_no_update) | test(no_kill_makes_a_call_too_early)'

# Checks by programs nobody here wrote; needs Python and node.
conformance:
	@scripts/need chromium node python
	CHROME="$$(scripts/need --print-chromium)" tests/conformance/run

bench:
	@scripts/need chromium node python
	CHROME="$$(scripts/need --print-chromium)" benches/run
	benches/run fleet
	benches/run sources
	benches/run dashboard

install:
	$(CARGO) install --path . --locked
