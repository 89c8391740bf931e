# Everything that people type here. `make` alone lists it.
#
# `make test` and `make demo` first run scripts/setup, which finds what the machine lacks (see there).

CARGO ?= cargo
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release
PEERS := $(or $(CARGO_TARGET_DIR),target)/bench-peers

# A GPU test that finds no adapter fails; `QUORATE_GPU_TESTS=skip make test` lets it pass.
export QUORATE_GPU_TESTS ?= require

.DEFAULT_GOAL := help
.PHONY: help demo test test-long check build bench bench-peers clean format-check clippy doc deny

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 16

demo: ## a million digits of pi, agreed on by an embedded cluster of three workers
	@scripts/setup build
	$(CARGO) build --release --locked --bin coordinator
	$(RELEASE)/coordinator submit jobs/pi-digits.toml

build: ## the programs, optimised: target/release/coordinator and target/release/worker
	@scripts/setup build
	$(CARGO) build --release --locked --bin coordinator --bin worker

# The end-to-end tests start the real programs, which they find beside their own executable: one build makes both, with
# the same features. Documentation examples run with the rest.
test: ## what CI runs: check, then every test
	@scripts/setup test
	@$(MAKE) --no-print-directory check
	$(CARGO) build --workspace --bins --tests --locked
	$(CARGO) test --workspace --locked

# Those marked #[ignore = "long: …"], with a line for each as it begins and ends, and a summary.
test-long: ## the tests that take minutes, with a summary: a thousand million digits skipped, and the like
	@scripts/setup test
	$(CARGO) build --workspace --bins --tests --locked
	@CARGO="$(CARGO)" scripts/test-long

check: format-check clippy doc deny ## formatting, lints, documentation, licences and advisories

format-check:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

deny:
	@if ! $(CARGO) deny --version >/dev/null 2>&1; then \
		echo "SKIPPED: licences, bans, sources and advisories (deny.toml): cargo-deny is not installed."; \
		echo "         To run them: cargo install --locked cargo-deny"; \
		exit 0; \
	fi; \
	$(CARGO) deny --log-level error check bans licenses sources || exit; \
	if $(CARGO) deny --log-level off fetch db >/dev/null 2>&1; then \
		$(CARGO) deny --log-level error check --disable-fetch advisories; \
	else \
		echo "SKIPPED: advisories (deny.toml): the database cannot be fetched from github.com; run make check again online."; \
	fi

bench: ## the figures: digits per second against a plain baseline, agreement throughput
	@scripts/setup build
	$(CARGO) bench --package quorate-benches --locked

PEERS_PYTHON = PYTHONPATH=benches PYTHONPYCACHEPREFIX=$(abspath $(PEERS))/cache $(PEERS)/venv/bin/python

# PEERS_OPTIONS=--quick tries it in some minutes and leaves the pages as they are.
bench-peers: ## Quorate beside Ray, Dask, Celery and others on this machine, in 10 to 15 minutes, into docs/benchmarks.md
	@scripts/setup peers
	@$(MAKE) --no-print-directory $(PEERS)/installed
	$(CARGO) build --release --locked --bin coordinator --bin worker
	$(PEERS_PYTHON) -m unittest peers.test_counting
	$(PEERS_PYTHON) -m peers --coordinator $(RELEASE)/coordinator --output $(PEERS) $(PEERS_OPTIONS)

# Python's packages stay in this folder.
$(PEERS)/installed: benches/peers/requirements.txt
	python3 -m venv --clear $(PEERS)/venv
	$(PEERS)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	touch $@

clean: ## remove everything that was built (results/ stays)
	$(CARGO) clean
