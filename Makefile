# What people and CI run. `make help` lists it.

CARGO ?= cargo
# Extra arguments, as in: make demo ARGS="--strategies sl,twap --threads 1"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo results test bench bench-latency bench-peers lint soak docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Fetch all dependencies, so that everything else works offline
	$(CARGO) fetch --locked

demo: ## The main job: build, then compare execution strategies in three markets and write out/comparison.html
	$(CARGO) build --release --locked
	mkdir -p out
	./target/release/lobgym compare --market all --lots all --episodes 2000 --html out/comparison.html --json out/comparison.json $(ARGS)

bench-latency: ## Time, exactness and memory of the order book on generated streams, beside a yardstick
	$(CARGO) run --release --locked -p agents -- bench latency $(ARGS)

results: ## The tables of docs/results.md (a minute)
	$(CARGO) build --release --locked
	mkdir -p out
	./target/release/lobgym compare --market all --lots all --episodes 10000 --seed 0 --html out/results.html --json out/results.json

test: lint docs ## Everything CI checks: format, clippy, documentation, unit, property, doc and command-line tests
	$(CARGO) test --workspace --locked

lint: ## Format and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

docs: ## Build the API documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

bench: ## The criterion suites (target/criterion keeps the results)
	$(CARGO) bench --locked -p lobgym-benches $(ARGS)

bench-peers: ## The order book beside other crates (Rust 1.95 or later, about 7 minutes)
	$(CARGO) run --release --locked -p agents --features peers -- bench latency --peers $(ARGS)

soak: ## 50 million requests against invariants and conservation (minutes)
	$(CARGO) test --release --locked -p lobgym-tests --test soak -- --ignored --nocapture

clean: ## Remove build output
	$(CARGO) clean
