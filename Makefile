# Every target installs its own requirements, with pinned versions and hashes. Repeating a target is cheap.
#   make PYTHON=/path/to/python ...   creates .venv with this interpreter

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
# The tests of a file run on one processor, because they share fixtures.
PARALLEL := -n auto
# `make quick` runs the tests of files that have changed since this commit.
BASE := HEAD
OTHER_PYTHONS := 3.11 3.12 3.13 3.14 3.14t # t: free-threaded
# Tests that are slow with coverage measurement, and cover no additional lines of the core.
BESIDE_COVERAGE := tests/simulation tests/kill tests/failover tests/codegen

RUN := $(VENV)/run.stamp
DEV := $(VENV)/dev.stamp
DOCS := $(VENV)/docs.stamp

# The fault simulation: number of seeds, first seed, and number of processors (all if empty).
SEEDS := 1000
FROM := 0
JOBS :=

# The fuzz search: total seconds, and the target (all if empty).
SECONDS := 60
TARGET :=
FUZZ := .venv-fuzz/fuzz.stamp

INTEROP := .venv-interop/interop.stamp
WHEELS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kalshi-fix-sansio/wheels
# The acceptance definitions of QuickFIX. They are downloaded, because they do not belong to this project.
DEFINITIONS := $(dir $(WHEELS))definitions
export ACCEPTANCE_DEFINITIONS ?=
# Settings for other definitions: the engine that they were written for (quickfix or quickfixj), and a
# DefaultApplVerID (1137) that replaces theirs.
export ACCEPTANCE_LIKE ?= quickfix
export DEFAULT_APPL_VER_ID ?=
BENCH := .venv-bench/bench.stamp
BENCH_WHEELS := $(dir $(WHEELS))wheels-optimised
BENCH_RUN = PYTHONPATH=. .venv-bench/bin/python -m benchmarks
STUNNEL := $(dir $(WHEELS))stunnel

# `make day`: number of rounds and first seed.
ROUNDS := 2000
SEED := 1
# Options of tools/revise.py.
ARGS :=
# `make ledger`: number of events.
EVENTS := 1000000

.PHONY: help quick day ledger demo test check limits lint types imports coverage package matrix generate format interop bench \
	bench-quick bench-docs browser notebook animations fuzz soak stunnel postgres nats docs pins clean revise

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN) ## place a first order at the simulated venue
	@$(BIN)/kalshi-fix demo

quick: $(DEV) ## BASE=commit: check format, lint, types and import contracts, and test the files changed since BASE; run it before every commit
	$(BIN)/python tools/quick.py $(BASE)

test: $(DEV) ## run the tests on all processors
	$(BIN)/$(PYTEST) $(PARALLEL)

check: $(DEV) ## run all checks: generated code, unhandled parts of the dialect, format, lint, types, imports, tests with coverage, package, other Pythons
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

limits: $(DEV) ## run the tests of `make quick` on a copy with other limits of the venue, to find hard-coded ones
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

# Some tests run only on the Python of .venv: the mutants, which test the simulation itself; failover, whose tests wait
# for leases and servers; codegen, which needs only one Python; and the tests with a browser or a notebook.
test-%: .venv-%/dev.stamp
	BROWSER_REQUIRED= NOTEBOOK_REQUIRED= .venv-$*/bin/$(PYTEST) --ignore tests/simulation/test_mutants.py --ignore tests/failover --ignore tests/codegen

revise: $(DEV) ## update the spec after a change by the venue, step by step; ARGS=--reviewed after you have read the new text
	$(BIN)/python tools/revise.py $(ARGS)

generate: $(DEV) ## write all generated files: the dialect, the scenario schema, the diagrams of session states, the SBOMs
	$(BIN)/python -m codegen
	$(BIN)/kalshi-fix venue schema > venue/kalshi_fix_venue/scenario/scenario.schema.json
	$(BIN)/python tools/state_diagrams.py
	$(BIN)/python tools/sbom.py

format: $(DEV) ## format the code, and apply the fixes of the linter
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

interop: $(INTEROP) ## test the engine and the simulated venue with QuickFIX, fixcore and kalshi-sdk; first compiles QuickFIX, for some minutes
	@test -n "$$ACCEPTANCE_DEFINITIONS" || .venv-interop/bin/python -m interop.acceptance.fetch $(DEFINITIONS)
	ACCEPTANCE_DEFINITIONS=$${ACCEPTANCE_DEFINITIONS:-$(DEFINITIONS)} .venv-interop/bin/$(PYTEST) interop

bench: $(BENCH) ## run all benchmarks, with other engines; writes the results, the charts and the tables of the docs
	$(BENCH_RUN) $(BENCH_ARGS)

bench-quick: $(BENCH) ## run the benchmarks of the codec in a minute, and compare them with the committed results
	$(BENCH_RUN) --quick

bench-docs: $(DEV) ## write the charts and pages again, from the last results of make bench
	PYTHONPATH=. $(BIN)/python -m benchmarks --docs

stunnel: ## unpack stunnel for its tests from a package of the distribution, unless it is installed
	@"$$(tools/find-python)" tools/fetch_stunnel.py $(STUNNEL)

postgres: ## install Postgres and PgBouncer for their tests from the distribution's packages, as root; starts neither
	@test -x /usr/sbin/pgbouncer -a -n "$$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" || { \
		apt-get update -qq; \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends postgresql pgbouncer; \
	}

browser: $(DEV) requirements/browser.txt ## install Chromium, from the distribution's packages, as root, and Playwright, for the tests of the venue's page
	@test -x /usr/bin/chromium || { \
		apt-get update -qq; \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium; \
	}
	$(BIN)/python $(PIP_PINNED) requirements/browser.txt

notebook: $(DEV) requirements/notebook.txt ## install Jupyter, pandas and matplotlib for the test of the page about notebooks
	$(BIN)/python $(PIP_PINNED) requirements/notebook.txt

animations: browser ## draw the animations of the landing page from screenshots of the venue's page and of `kalshi-fix watch`
	$(BIN)/python tools/animate.py

nats: ## install the NATS server for the tests of the bus from the distribution's package, as root; does not start it
	@test -x "$$(command -v nats-server || echo /usr/sbin/nats-server)" || { \
		apt-get update -qq; \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends nats-server; \
	}

soak: $(DEV) ## SEEDS=n FROM=k JOBS=j: run the fault simulation with n seeds, beginning with k, on j processors (by default all)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --from $(FROM) $(if $(JOBS),--jobs $(JOBS))

day: $(DEV) ## ROUNDS=n SEED=k: let three clients trade for a day at the simulated venue, with faults; longer than in the tests
	$(BIN)/python -m tests.venue.testing.day --rounds $(ROUNDS) --seed $(SEED)

ledger: $(DEV) ## EVENTS=n SEED=k: compare the state of two traders with the ledger of the simulated venue, event by event
	$(BIN)/python -m tests.trading.soak --events $(EVENTS) --seed $(SEED)

fuzz: $(FUZZ) ## SECONDS=n TARGET=t: search for inputs that violate an invariant of one target or of all; for all, measure costs too
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

# QuickFIX has no wheels. Its wheel is built once and kept outside the repository, for other clones. It is built without
# optimization, which halves the time; the scenarios are short.
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

# For measurements, QuickFIX is compiled with the optimization of its own build. kalshi-sdk requires Python 3.12.
.venv-bench/made.stamp:
	@python=$$(tools/find-python 3.12 2>/dev/null || tools/find-python); \
	echo "setting up .venv-bench with $$($$python --version)"; $$python -m venv --clear .venv-bench
	@touch $@

# Engines that cannot be installed are reported and skipped; the others are measured. kalshi-sdk declares that it
# requires Python 3.12, but runs on 3.11.
%/bench.stamp: %/run.stamp requirements/bench.txt requirements/bench-sdk.txt requirements/quickfix.txt
	@echo "installing requirements/bench.txt into $*"
	@$*/bin/python $(PIP_PINNED) requirements/bench.txt
	@$*/bin/python $(PIP_PINNED) requirements/bench-sdk.txt --ignore-requires-python || { \
		echo "kalshi-sdk could not be installed, and is skipped"; \
		echo "to try again: rm $@"; \
	}
	@mkdir -p $(BENCH_WHEELS)
	@quickfix=$$(sed -n 's/^\(quickfix==[^ ]*\).*/\1/p' requirements/quickfix.txt); \
	install="$*/bin/python -m pip install -qq --no-index --no-deps --find-links $(BENCH_WHEELS) $$quickfix"; \
	$$install 2>/dev/null || { \
		echo "compiling $$quickfix with optimization, once: this takes about six minutes"; \
		$*/bin/python -m pip wheel -qq --no-cache-dir --no-build-isolation --no-deps \
			--require-hashes -r requirements/quickfix.txt --wheel-dir $(BENCH_WHEELS) && $$install; \
	} || { \
		echo "QuickFIX could not be compiled (it needs a C++ compiler). It is skipped, and so is case f, which uses"; \
		echo "its acceptor; to try again: rm $@"; \
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
