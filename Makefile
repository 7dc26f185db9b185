# Every target sets up what it needs by itself, from pinned requirements with hashes, and repeats cheaply.
#   make PYTHON=/path/to/python ...   chooses the interpreter that .venv is made with

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

export PYTHON
export PYTHONPATH :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

VENV := .venv
BIN := $(VENV)/bin
PIP_PINNED := -m pip install -qq --require-hashes --no-deps -r
PIP_PROJECT := -m pip install -qq --no-deps --no-build-isolation --editable . --editable ./venue
PYTEST := python -bb -m pytest
# Files stay whole, since their tests share what they set up.
PARALLEL := -n auto
# What `make quick` compares with.
BASE := HEAD
OTHER_PYTHONS := 3.11 3.12 3.13 3.14 3.14t # t: free-threaded
# Tests that cover no line of the core that the others do not, and take long with it.
BESIDE_COVERAGE := tests/simulation tests/kill tests/failover tests/codegen

RUN := $(VENV)/run.stamp
DEV := $(VENV)/dev.stamp
DOCS := $(VENV)/docs.stamp

# The fault simulation: how many seeds, the first one, and on how many processors (all of them if empty).
SEEDS := 1000
FROM := 0
JOBS :=

# The search for broken promises: seconds in all, and which target (all of them if empty).
SECONDS := 60
TARGET :=
FUZZ := .venv-fuzz/fuzz.stamp

INTEROP := .venv-interop/interop.stamp
WHEELS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kalshi-fix-sansio/wheels
# The acceptance definitions of QuickFIX, which are not ours to keep here.
DEFINITIONS := $(dir $(WHEELS))definitions
export ACCEPTANCE_DEFINITIONS ?=
# Other definitions: which engine they were written for (quickfix, quickfixj), and the DefaultApplVerID (1137) to
# play them with in place of their own.
export ACCEPTANCE_LIKE ?= quickfix
export DEFAULT_APPL_VER_ID ?=
BENCH := .venv-bench/bench.stamp
BENCH_WHEELS := $(dir $(WHEELS))wheels-optimised
BENCH_RUN = PYTHONPATH=. .venv-bench/bin/python -m benchmarks
STUNNEL := $(dir $(WHEELS))stunnel

# A day at the simulated venue, played by the three clients: in how many rounds, and from which seed.
ROUNDS := 2000
SEED := 1
# Options of tools/revise.py.
ARGS :=
# Events of two traders whose orders, positions, money and order groups are compared with the simulated venue.
EVENTS := 1000000

.PHONY: help quick day ledger demo test check limits lint types imports coverage package matrix generate format interop bench \
	bench-quick bench-docs browser notebook animations fuzz soak stunnel postgres nats docs pins clean revise

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN) ## a first order, end to end, against the simulated venue
	@$(BIN)/kalshi-fix demo

quick: $(DEV) ## BASE=commit: format, lint, types, contracts, and the tests of what changed since then; before every commit
	$(BIN)/python tools/quick.py $(BASE)

test: $(DEV) ## the tests, on all processors
	$(BIN)/$(PYTEST) $(PARALLEL)

check: $(DEV) ## the whole gate: generated code, what of the dialect no code handles, format, lint, types, imports, tests with coverage, package, other Pythons
	$(BIN)/python -m codegen --check
	$(BIN)/python -m codegen downstream
	$(BIN)/python tools/state_diagrams.py --check
	$(BIN)/python tools/sbom.py --check
	@$(MAKE) --no-print-directory lint types imports package coverage limits matrix

lint: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tools/check_words.py
	$(BIN)/zizmor --offline --quiet .github

types: $(DEV)
	$(BIN)/mypy
	$(BIN)/python tools/check_types.py

imports: $(DEV)
	$(BIN)/lint-imports

coverage: $(DEV)
	$(BIN)/python -bb -m coverage run -m pytest $(addprefix --ignore ,$(BESIDE_COVERAGE))
	$(BIN)/coverage report
	$(BIN)/$(PYTEST) $(BESIDE_COVERAGE)

limits: $(DEV) ## the tests of the quick gate on a copy in which every limit of the venue is another: none is repeated by hand
	$(BIN)/python tools/other_limits.py

package: $(DEV)
	$(BIN)/python tools/check_package.py

matrix: $(DEV)
	@for version in $(OTHER_PYTHONS); do \
		if $(BIN)/python -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$$version')"; then continue; fi; \
		if python=$$(tools/find-python $$version); then \
			$(MAKE) --no-print-directory test-$$version PYTHON=$$python; \
		else \
			echo "skipped: the tests on $$version"; \
		fi; \
	done

# The mutants of the simulation judge the simulation, tests of failover wait for leases and servers, and codegen runs on
# one Python: whatever this one is. The page of the venue and the notebook are tried on that one only.
test-%: .venv-%/dev.stamp
	BROWSER_REQUIRED= NOTEBOOK_REQUIRED= .venv-$*/bin/$(PYTEST) --ignore tests/simulation/test_mutants.py --ignore tests/failover --ignore tests/codegen

revise: $(DEV) ## take in what the venue has changed, step by step; ARGS=--reviewed once you have read the new text
	$(BIN)/python tools/revise.py $(ARGS)

generate: $(DEV) ## write all generated files: the dialect, the schema of scenarios, the diagrams of the session's states, the SBOMs
	$(BIN)/python -m codegen
	$(BIN)/kalshi-fix venue schema > venue/kalshi_fix_venue/scenario/scenario.schema.json
	$(BIN)/python tools/state_diagrams.py
	$(BIN)/python tools/sbom.py

format: $(DEV) ## format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

interop: $(INTEROP) ## our engine and the simulated venue against QuickFIX, fixcore and kalshi-sdk; compiles QuickFIX at first, for some minutes
	@test -n "$$ACCEPTANCE_DEFINITIONS" || .venv-interop/bin/python -m interop.acceptance.fetch $(DEFINITIONS)
	ACCEPTANCE_DEFINITIONS=$${ACCEPTANCE_DEFINITIONS:-$(DEFINITIONS)} .venv-interop/bin/$(PYTEST) interop

bench: $(BENCH) ## what it costs, beside other engines; writes results, charts and what the docs show of them
	$(BENCH_RUN) $(BENCH_ARGS)

bench-quick: $(BENCH) ## the codec's part of it within a minute, compared with what is committed
	$(BENCH_RUN) --quick

bench-docs: $(DEV) ## charts and pages again, from what make bench measured last
	PYTHONPATH=. $(BIN)/python -m benchmarks --docs

stunnel: ## stunnel for its tests, from the machine's own distribution, if it is not installed
	@"$$(tools/find-python)" tools/fetch_stunnel.py $(STUNNEL)

postgres: ## Postgres and PgBouncer for their tests, from the distribution's packages, as root; starts neither
	@test -x /usr/sbin/pgbouncer -a -n "$$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" || { \
		apt-get update -qq; \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends postgresql pgbouncer; \
	}

browser: $(DEV) requirements/browser.txt ## Chromium, from the distribution's packages, as root, and Playwright, for the tests of the venue's page
	@test -x /usr/bin/chromium || { \
		apt-get update -qq; \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium; \
	}
	$(BIN)/python $(PIP_PINNED) requirements/browser.txt

notebook: $(DEV) requirements/notebook.txt ## Jupyter, pandas and matplotlib, for the test of the page about notebooks
	$(BIN)/python $(PIP_PINNED) requirements/notebook.txt

animations: browser ## the animations of the landing page, from screenshots of the venue's page and of watch
	$(BIN)/python tools/animate.py

nats: ## the NATS server for the tests of the bus, from the distribution's package, as root; does not start it
	@test -x "$$(command -v nats-server || echo /usr/sbin/nats-server)" || { \
		apt-get update -qq; \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends nats-server; \
	}

soak: $(DEV) ## SEEDS=n FROM=k: n seeds of the fault simulation from k on, on all processors or JOBS=j
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --from $(FROM) $(if $(JOBS),--jobs $(JOBS))

day: $(DEV) ## ROUNDS=n SEED=k: a longer day at the simulated venue than the tests', by three clients, faults in between
	$(BIN)/python -m tests.venue.testing.day --rounds $(ROUNDS) --seed $(SEED)

ledger: $(DEV) ## EVENTS=n SEED=k: compare what two traders keep with the ledger of the simulated venue, event by event
	$(BIN)/python -m tests.trading.soak --events $(EVENTS) --seed $(SEED)

fuzz: $(FUZZ) ## SECONDS=n TARGET=t: search for inputs that break a promise, on every target (then measure costs) or one
	.venv-fuzz/bin/python -m fuzz search --seconds $(SECONDS) $(addprefix --target ,$(TARGET))
ifndef TARGET
	.venv-fuzz/bin/python -m fuzz cost
	.venv-fuzz/bin/python -m fuzz memory --sample
endif

docs: $(DOCS) ## build the documentation into site/
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pins: ## pin the newest releases that pyproject.toml allows
	test -x .venv-pins/bin/uv || { "$$(tools/find-python)" -m venv .venv-pins; .venv-pins/bin/pip install --quiet uv; }
	tools/pin .venv-pins/bin/uv --upgrade

clean: ## remove everything that was built or installed here
	rm -rf .venv .venv-* .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist build site \
		tests/fix50sp2/dialect tests/fix50sp2/.dialect-* examples/fixt/dialect examples/fixt/.dialect-*

%/made.stamp:
	@python=$$(tools/find-python); echo "setting up $* with $$($$python --version)"; $$python -m venv --clear $*
	@touch $@

%/run.stamp: %/made.stamp requirements/run.txt pyproject.toml venue/pyproject.toml
	@echo "installing requirements/run.txt and this project into $*"
	@$*/bin/python $(PIP_PINNED) requirements/run.txt
	@$*/bin/python $(PIP_PROJECT)
	@touch $@

%/dev.stamp: %/run.stamp requirements/dev.txt
	@echo "installing requirements/dev.txt into $*"
	@$*/bin/python $(PIP_PINNED) requirements/dev.txt
	@touch $@

# QuickFIX comes as source only. Its wheel is kept outside the tree, so that a fresh clone need not compile it again;
# without optimisation, because that halves the wait and the scenarios are short.
%/interop.stamp: %/run.stamp requirements/interop.txt requirements/bench-sdk.txt requirements/quickfix.txt
	@echo "installing requirements/interop.txt and bench-sdk.txt into $*"
	@$*/bin/python $(PIP_PINNED) requirements/interop.txt
	@$*/bin/python $(PIP_PINNED) requirements/bench-sdk.txt --ignore-requires-python
	@mkdir -p $(WHEELS)
	@quickfix=$$(sed -n 's/^\(quickfix==[^ ]*\).*/\1/p' requirements/quickfix.txt); \
	install="$*/bin/python -m pip install -qq --no-index --no-deps --find-links $(WHEELS) $$quickfix"; \
	$$install 2>/dev/null || { \
		echo "compiling $$quickfix, once: this takes some minutes"; \
		CXXFLAGS="-O0 -g0" $*/bin/python -m pip wheel -qq --no-cache-dir --no-build-isolation --no-deps \
			--require-hashes -r requirements/quickfix.txt --wheel-dir $(WHEELS); \
		$$install; \
	}
	@touch $@

# Here QuickFIX is compiled as its authors have it, with optimisation: it is measured. kalshi-sdk wants Python 3.12.
.venv-bench/made.stamp:
	@python=$$(tools/find-python 3.12 2>/dev/null || tools/find-python); \
	echo "setting up .venv-bench with $$($$python --version)"; $$python -m venv --clear .venv-bench
	@touch $@

# What cannot be had is left out and named: the others are measured all the same. The other client for Kalshi says
# that it wants Python 3.12, and runs on 3.11.
%/bench.stamp: %/run.stamp requirements/bench.txt requirements/bench-sdk.txt requirements/quickfix.txt
	@echo "installing requirements/bench.txt into $*"
	@$*/bin/python $(PIP_PINNED) requirements/bench.txt
	@$*/bin/python $(PIP_PINNED) requirements/bench-sdk.txt --ignore-requires-python || { \
		echo "kalshi-sdk could not be installed, and is left out"; \
		echo "to try again: rm $@"; \
	}
	@mkdir -p $(BENCH_WHEELS)
	@quickfix=$$(sed -n 's/^\(quickfix==[^ ]*\).*/\1/p' requirements/quickfix.txt); \
	install="$*/bin/python -m pip install -qq --no-index --no-deps --find-links $(BENCH_WHEELS) $$quickfix"; \
	$$install 2>/dev/null || { \
		echo "compiling $$quickfix with optimisation, once: this takes about six minutes"; \
		$*/bin/python -m pip wheel -qq --no-cache-dir --no-build-isolation --no-deps \
			--require-hashes -r requirements/quickfix.txt --wheel-dir $(BENCH_WHEELS) && $$install; \
	} || { \
		echo "QuickFIX could not be compiled (it wants a C++ compiler): it is left out, and case f with it, whose"; \
		echo "acceptor it is; to try again: rm $@"; \
	}
	@touch $@

%/docs.stamp: %/run.stamp requirements/docs.txt
	@echo "installing requirements/docs.txt into $*"
	@$*/bin/python $(PIP_PINNED) requirements/docs.txt
	@touch $@

%/fuzz.stamp: %/run.stamp requirements/fuzz.txt
	@echo "installing requirements/fuzz.txt into $*"
	@$*/bin/python $(PIP_PINNED) requirements/fuzz.txt
	@touch $@

.PRECIOUS: %/made.stamp %/run.stamp %/dev.stamp %/docs.stamp %/interop.stamp %/bench.stamp %/fuzz.stamp
