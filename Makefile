# make demo | test | conformance | bench | install. Each installs what it lacks.
#   PROVIDER=adspower   the demo through the AdsPower emulator
#   CHROME=/path        another Chromium than the one that is found

PROVIDER ?= chromium
CARGO ?= cargo

.PHONY: demo test conformance bench install lint

demo:
	@PROVIDER=$(PROVIDER) scripts/demo

test: lint
	@scripts/need chromium nextest
	$(CARGO) build --example sandbox
	CHROME="$$(scripts/need --print-chromium)" $(CARGO) nextest run --no-fail-fast
	$(CARGO) test --doc --quiet

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings

# Checks by programs nobody here wrote; needs Python and node.
conformance:
	@scripts/need chromium node python
	CHROME="$$(scripts/need --print-chromium)" tests/conformance/run

bench:
	@scripts/need chromium node python
	CHROME="$$(scripts/need --print-chromium)" benches/run
	benches/run fleet

install:
	$(CARGO) install --path . --locked
