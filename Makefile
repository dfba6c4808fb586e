# What people and CI run. `make help` lists it.

CARGO ?= cargo
# Extra arguments, as in: make demo ARGS="--workload small --runs 9"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench bench-peers lint soak docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Fetch all dependencies, so that everything else works offline
	$(CARGO) fetch --locked

demo: ## The main job: build, then measure the order book on generated streams
	$(CARGO) build --release --locked
	./target/release/lobgym bench latency $(ARGS)

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
