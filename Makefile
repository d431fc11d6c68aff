# make demo | test | course | conformance | bench | install. Each installs what it lacks.
#   N=100               how often `make course` plays the obstacle course in a row
#   PROVIDER=adspower   the demo through the AdsPower emulator
#   CHROME=/path        another Chromium than the one that is found

PROVIDER ?= chromium
N ?= 100
CARGO ?= cargo

.PHONY: demo test course conformance bench install lint

demo:
	@PROVIDER=$(PROVIDER) scripts/demo

test: lint
	@scripts/need chromium nextest
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

# Checks by programs nobody here wrote; needs Python.
conformance:
	@scripts/need chromium python
	CHROME="$$(scripts/need --print-chromium)" tests/conformance/run

bench:
	@scripts/need chromium node python
	CHROME="$$(scripts/need --print-chromium)" benches/run

install:
	$(CARGO) install --path . --locked
