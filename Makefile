# What people and CI run. `make help` lists it.

CARGO ?= cargo
# Extra arguments, as in: make demo ARGS="--strategies sl,twap --threads 1"
ARGS ?=

# Python is needed for the Python package alone: cargo build and cargo test do without.
PYTHON ?= python3
VENV ?= .venv
VENV_PYTHON := $(CURDIR)/$(VENV)/bin/python
# Maturin tells the same to cargo: one interpreter, one build.
export PYO3_PYTHON = $(VENV_PYTHON)
# Maturin installs into the active environment, whichever that is.
export VIRTUAL_ENV = $(CURDIR)/$(VENV)

.DEFAULT_GOAL := help
.PHONY: help setup demo results test bench bench-latency bench-peers lint soak fuzz docs python test-python test-services test-dashboard screenshots test-sb3 \
	test-hftbacktest torch test-torch study-execution study-market-making study-portfolio study-trader clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Fetch all dependencies, so that everything else works offline
	$(CARGO) fetch --locked

# A new virtual environment when there is none or it is for another Python, and its packages again when their list has changed.
$(VENV)/.ready: pyproject.toml
	test -x $(VENV_PYTHON) && $(VENV_PYTHON) -c "" || $(PYTHON) -m venv --clear $(VENV)
	$(VENV_PYTHON) -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV_PYTHON) -m pip install --quiet --group test
	touch $@

# Everything that the extension is made of.
EXTENSION_SOURCES := Cargo.toml Cargo.lock pyproject.toml \
	$(shell find lob gym agents python config \( -name target -o -path python/torch \) -prune -o -type f \
		! -name '*.py' ! -name '*.pyi' ! -name '*.so' ! -name '*.pyc' -print)

$(VENV)/.extension: $(VENV)/.ready $(EXTENSION_SOURCES)
	$(VENV)/bin/maturin develop --locked --quiet
	touch $@

python: $(VENV)/.extension ## Build the Python package into .venv, quickly; `pip install .` builds the fast one

# The learners need libtorch of this version, which a Python environment has: .venv, the active one or $(PYTHON)'s, else it is installed.
TORCH := 2.11.0
TORCH_ENVIRONMENT = PATH="$(CURDIR)/$(VENV)/bin:$$PATH" LIBTORCH_USE_PYTORCH=1
TORCH_SOURCES := $(shell find python/torch -type f ! -name '*.pyc')

$(VENV)/.torch: $(VENV)/.ready python/torch/find_torch.py
	$(VENV_PYTHON) python/torch/find_torch.py $(TORCH) $(PYTHON) python3 python
	touch $@

$(VENV)/.torch-extension: $(VENV)/.torch $(VENV)/.extension $(TORCH_SOURCES)
	$(TORCH_ENVIRONMENT) $(VENV)/bin/maturin develop --locked --quiet --manifest-path python/torch/Cargo.toml
	touch $@

torch: $(VENV)/.torch-extension ## The learners: PyTorch (several GB, unless there is one), the command with `lobgym train`, and lobgym.train
	$(TORCH_ENVIRONMENT) $(CARGO) build --release --locked -p agents --features torch

demo: torch ## The main job: compare execution strategies in three markets and one calibrated to real data, train market makers in both (minutes); pages in out/
	mkdir -p out
	./target/release/lobgym compare --market all --lots all --episodes 2000 --html out/comparison.html --json out/comparison.json $(ARGS)
	rm -rf out/market_maker out/market_maker_real
	$(VENV_PYTHON) examples/python/train_market_maker.py --out out/market_maker
	./target/release/lobgym episode --policy policy:out/market_maker --seed 1 --png out/episode.png --json out/episode.json
	./target/release/lobgym compare --config config/market/bitstamp_2015_symmetric.yaml --lots 2 --episodes 2000 --html out/comparison_real.html $(ARGS)
	./target/release/lobgym train examples/train/market_making_bitstamp.yaml --out out/market_maker_real
	./target/release/lobgym evaluate out/market_maker_real --episodes 500 --html out/market_maker_real/beside_the_rules.html
	@printf '%s\n' "" "Look at out/comparison.html (execution), out/market_maker/report.html (learning curves)," \
		"out/market_maker/beside_the_rules.html (the trained market maker beside the rules), out/episode.png (one of its sessions)," \
		"and for the market calibrated to Bitstamp's data out/comparison_real.html and out/market_maker_real/."

study-execution: torch ## The execution paper's twelve trainings, those beyond it, and their table (half an hour): docs/results.md
	for kind in logistic_normal dirichlet ppo; do for market in noise flow strategic; do for lots in 20 60; do \
		./target/release/lobgym train config/train/execution_$$kind.yaml --set env.market=$$market --set env.lots=$$lots \
			--out runs/study/$${kind}_$${market}_$$lots || exit 1; done; done; done
	for market in noise flow strategic; do for lots in 20 60; do run=policy:runs/study; cell=$${market}_$$lots; \
		./target/release/lobgym compare --market $$market --lots $$lots --episodes 10000 --seed 1 \
			--strategies sl,twap,$$run/logistic_normal_$$cell,$$run/dirichlet_$$cell,$$run/ppo_$$cell:decision=mode || exit 1; done; done

study-market-making: torch ## Market makers for both books and three appetites for risk, beside the whole grid (half an hour): docs/results.md
	for book in frozen live; do for risk in 0.001 0.003 0.01; do \
		./target/release/lobgym train config/train/market_making_ppo.yaml --set env.opening_book=$$book --set env.risk_aversion=$$risk \
			--out runs/study/making_$${book}_$$risk || exit 1; done; \
		./target/release/lobgym evaluate runs/study/making_$${book}_* --grid --episodes 2000 --seed 0 \
			--html runs/study/making_$$book.html --json runs/study/making_$$book.json || exit 1; done

# Monthly prices of eight shares and indices since 1997, which matplotlib has among its sample data; before and after 2010.
runs/study/stocks_early.csv: $(VENV)/.ready
	mkdir -p runs/study
	$(VENV_PYTHON) -m pip install --quiet matplotlib
	file=`$(VENV_PYTHON) -c "from matplotlib.cbook import get_sample_data as data; print(data('Stocks.csv', asfileobj=False))"`; \
		grep -v '^#' $$file | awk -F, 'NR == 1 || $$1 >= "2010"' > runs/study/stocks_late.csv; \
		grep -v '^#' $$file | awk -F, 'NR == 1 || $$1 < "2010"' > $@

STOCKS = {block_bootstrap: {mean_block: 6, csv: {file: $(CURDIR)/runs/study/stocks_$(1).csv, repair: [sort, drop_duplicates, drop_incomplete], \
	assets: [IBM, AAPL, MSFT, XRX, AMZN, ADBE, ^GSPC, ^IXIC]}}}
RULES := equal_weight,equal_weight:band=0.05,buy_and_hold,minimum_variance,mean_variance,cost_aware,risk_parity
LOBGYM := ./target/release/lobgym

study-portfolio: torch runs/study/stocks_early.csv ## Portfolios: the no-trade band, four heads, four models of costs, and shares that there were (half an hour): docs/results.md
	$(LOBGYM) train config/train/portfolio_band_ppo.yaml --out runs/study/band
	$(LOBGYM) evaluate runs/study/band --grid --against buy_and_hold --episodes 2000 --seed 1
	$(LOBGYM) train config/train/portfolio_ppo.yaml --out runs/study/portfolio
	for head in softmax_gaussian logistic_normal dirichlet; do \
		deviations="initial_deviation=1.0 final_deviation=0.3"; \
		if test $$head = dirichlet; then deviations="initial_deviation=1.0 final_deviation=null network.policy_bias=[2,2,2,2,2,2,2,2,2,2]"; fi; \
		$(LOBGYM) train config/train/portfolio_ppo.yaml --set env.action=targets --set env.adjustment=0.1 --set train.head=$$head \
			`for setting in $$deviations; do echo --set train.$$setting; done` --out runs/study/portfolio_$$head || exit 1; \
		$(LOBGYM) evaluate --config runs/study/portfolio_$$head/config.yaml --episodes 2000 --seed 1 \
			--policies policy:runs/study/portfolio_$$head:decision=mode,$(RULES) || exit 1; done
	for costs in transaction_cost=0.001 'impact={square_root: {y: 1.0, memory_seconds: 23400}}' \
		'impact={almgren_chriss: {temporary: 21.7, temporary_exponent: 0.6, permanent: 0.00205}}' \
		'impact={transient: {coefficient: 0.15, decay: {exponential: {seconds: 11700}}}}'; do \
		$(LOBGYM) evaluate runs/study/portfolio --set env.capital=100000000 --set env.transaction_cost=0 --set "env.$$costs" --episodes 2000 --seed 1 \
			|| exit 1; done
	$(LOBGYM) train config/train/portfolio_ppo.yaml --set 'env.prices=$(call STOCKS,early)' --set env.assets=8 --set env.steps=120 \
		--set env.return_windows=[12] --set env.risk_window=12 --set train.rollout_steps=120 --set env.max_change=0.05 --set train.discount=0.98 \
		--set train.steps=5000000 --out runs/study/stocks
	$(LOBGYM) evaluate runs/study/stocks --set 'env.prices=$(call STOCKS,early)' --episodes 2000 --seed 1
	$(LOBGYM) evaluate runs/study/stocks --set 'env.prices=$(call STOCKS,late)' --episodes 2000 --seed 1

study-trader: torch ## Traders: a market whose best policy is known, five hours of Bitstamp (needs ../shared/data), and a calibrated book (half an hour): docs/results.md
	mkdir -p runs/study
	$(VENV_PYTHON) examples/python/mean_reverting_bars.py runs/study/reverting.csv
	$(LOBGYM) train config/train/trader_ppo_mlp.yaml --set env.bars=$(CURDIR)/runs/study/reverting.csv --set env.capital=5000 --set env.transaction_cost=0.001 \
		--set train.steps=4000000 --out runs/study/trader_reverting
	$(LOBGYM) evaluate runs/study/trader_reverting --policies lowrider,lowrider:policy=runs/study/trader_reverting,buy_and_hold,random,cash --episodes 2000 --seed 1
	$(LOBGYM) data bars ../shared/data/bitstamp_l3_btcusd_2015-05-01.csv.xz --interval 10 --out runs/study/bitstamp_10s.csv
	for kind in ppo_mlp reinforce ppo_tcn_futures; do run=runs/study/trader_bitstamp_$$kind; \
		$(LOBGYM) train config/train/trader_$$kind.yaml --set env.bars=$(CURDIR)/runs/study/bitstamp_10s.csv --set env.capital=5000 --set env.steps=200 \
			--set env.transaction_cost=0.0005 --out $$run || exit 1; \
		$(LOBGYM) evaluate $$run --policies lowrider,lowrider:policy=$$run,buy_and_hold,random,cash --episodes 2000 --seed 1 || exit 1; done
	for kind in ppo_mlp reinforce ppo_tcn_futures; do run=runs/study/trader_book_$$kind; \
		$(LOBGYM) train config/train/trader_$$kind.yaml --set env.market=$(CURDIR)/config/market/bitstamp_2015_symmetric.yaml --set env.opening_book=null \
			--set env.interval_seconds=10 --set env.capital=5000 --out $$run || exit 1; \
		$(LOBGYM) evaluate $$run --policies lowrider:reluctance=1:first=0.25,buy_and_hold,random,cash --episodes 500 --seed 1 || exit 1; done

bench-latency: ## Time, exactness and memory of the order book on generated streams, beside a yardstick
	$(CARGO) run --release --locked -p agents -- bench latency $(ARGS)

results: ## The tables of docs/results.md (a minute)
	$(CARGO) build --release --locked
	mkdir -p out
	./target/release/lobgym compare --market all --lots all --episodes 10000 --seed 0 --html out/results.html --json out/results.json

test: lint docs ## Everything CI checks: format, clippy, documentation, types, and all tests in Rust and Python, learners included
	$(CARGO) test --locked
	$(MAKE) test-torch

test-python: $(VENV)/.extension ## The Python package: stub and types, then its tests; those of the learners too, if `make torch` has been run
	$(VENV_PYTHON) -m mypy.stubtest lobgym._core
	$(VENV_PYTHON) -m mypy python/lobgym
	$(VENV_PYTHON) -m pytest -q $(ARGS)

test-hftbacktest: $(VENV)/.extension ## Replays against the package hftbacktest, which it installs (100 MB), order by order; needs ../shared/data
	$(VENV_PYTHON) -m pip install --quiet "hftbacktest>=2.4.4"
	$(VENV_PYTHON) -m pytest -q -rs tests/python/test_market_data.py tests/python/test_replay.py $(ARGS)

# What the dashboard and its tests need, besides what is in .venv.
$(VENV)/.dashboard: $(VENV)/.ready pyproject.toml
	$(VENV_PYTHON) -m pip install --quiet --group dashboard-test
	touch $@

test-dashboard: $(VENV)/.extension $(VENV)/.dashboard ## The dashboard's pages, and all of it in a headless Chromium, which it installs (Debian's package)
	tests/chromium.sh $(VENV_PYTHON) -m pytest -q -rs tests/python/test_dashboard_pages.py tests/python/test_dashboard_browser.py $(ARGS)

screenshots: torch $(VENV)/.dashboard ## The pictures in docs/dashboard_*.png: trains, compares and opens the dashboard in a headless Chromium (minutes)
	$(TORCH_ENVIRONMENT) tests/chromium.sh $(VENV_PYTHON) tests/python/dashboard_screenshots.py $(ARGS)

test-services: $(VENV)/.extension test-dashboard ## Stores in a PostgreSQL server, which it installs (Debian's package) and starts; `lobgym serve` under load and schemathesis
	$(VENV_PYTHON) -m pip install --quiet --group serve-test
	LOBGYM_TEST_SERVICES=1 tests/services.sh $(VENV_PYTHON) -m pytest -q tests/python/test_live_store.py tests/python/test_serve*.py $(ARGS)

test-sb3: $(VENV)/.extension ## The tests that need Stable-Baselines3 and PyTorch, which it installs (several GB)
	$(VENV_PYTHON) -m pip install --quiet "stable-baselines3>=2.7" "torch>=2.3"
	$(VENV_PYTHON) -m pytest -q tests/python/test_sb3.py tests/python/test_examples.py $(ARGS)

# Without the other tests in Rust: they do not touch the learners.
test-torch: $(VENV)/.torch-extension ## The learners in Rust, then all of test-python (PyTorch as `make torch`; compiles libtorch's bindings: minutes)
	$(TORCH_ENVIRONMENT) $(CARGO) clippy -p agents -p lobgym-torch --features agents/torch --all-targets --locked -- -D warnings
	$(TORCH_ENVIRONMENT) $(CARGO) test -p agents --features torch --locked --lib --test 'rl_*'
	$(VENV_PYTHON) -m mypy.stubtest lobgym._torch
	$(VENV_PYTHON) -m pip install --quiet --group agents-test
	$(MAKE) test-python

lint: $(VENV)/.ready ## Format, clippy and ruff, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --exclude lobgym-torch --all-targets --locked -- -D warnings
	$(VENV)/bin/ruff check python tests/python examples/python
	$(VENV)/bin/ruff format --check python tests/python examples/python

docs: $(VENV)/.ready ## Build the API documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --exclude lobgym-torch --no-deps --locked

bench: ## The criterion suites (target/criterion keeps the results)
	$(CARGO) bench --locked -p lobgym-benches $(ARGS)

bench-peers: ## The order book beside other crates (Rust 1.95 or later, about 7 minutes)
	$(CARGO) run --release --locked -p agents --features peers -- bench latency --peers $(ARGS)

fuzz: ## Damage market data in every way for ten minutes (LOBGYM_FUZZ_SECONDS, LOBGYM_FUZZ_SEED): docs/market_data.md
	$(CARGO) test --locked -p lob --test market_data_fuzz -- --ignored --nocapture

soak: ## 50 million requests against invariants and conservation (minutes)
	$(CARGO) test --release --locked -p lobgym-tests --test soak -- --ignored --nocapture

clean: ## Remove build output
	$(CARGO) clean
	rm -rf $(VENV) python/lobgym/*.so
