# Two commands do everything on a fresh machine with Python >= 3.11:
#   make run     set up, then paper-trade the shipped recorded prices
#   make test    set up, then lint, type-check and test
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint format campaign campaign-sample bench bench-quick compile docs lock clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run  ## set up, then run the paper-trading daemon on the shipped data (ARGS="..." are passed on)
	$(BIN)/tradingd run config.toml $(ARGS)

test: lint  ## set up, then lint, type-check and run all tests
	$(BIN)/python -m pytest -n 2 $(ARGS)

lint: $(VENV)/.dev  ## ruff, mypy and the import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## let ruff put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev  ## write the generated pages of docs/ anew
	$(BIN)/python docs/generate.py

SEEDS ?= 0:1000

campaign-sample: $(VENV)/.dev  ## the first 30 seeds of the campaign, as tests
	$(BIN)/python -m pytest -n 2 -m campaign tests/rehearsal/test_campaign.py $(ARGS)

campaign: $(VENV)/.dev  ## rehearse with random faults, a seed each (SEEDS=0:1000)
	$(BIN)/python -m tradingd.testing.campaign $(SEEDS)

bench: $(VENV)/.dev  ## run all benchmarks, which takes many minutes (ARGS="--only engine,live --json FILE ...")
	$(BIN)/python benchmarks/run.py $(ARGS)

bench-quick: $(VENV)/.dev  ## the same with fewer bars and rounds: to see that it works, not to quote
	$(BIN)/python benchmarks/run.py --bars 20000 --repeats 2 $(ARGS)

compile: $(VENV)/.dev  ## an experiment: a compiled copy of the engine in build/compiled, for the benchmarks
	$(BIN)/python benchmarks/compile.py build/compiled

lock: $(VENV)/.dev  ## make the lock files anew from pyproject.toml (on Python 3.11)
	$(BIN)/uv pip compile -q --python-version 3.11 --only-binary :all: --generate-hashes --no-header --no-annotate --upgrade \
	  pyproject.toml --extra data --extra demo --group build -o requirements/run.lock
	$(BIN)/uv pip compile -q --python-version 3.11 --only-binary :all: --generate-hashes --no-header --no-annotate \
	  -c requirements/run.lock pyproject.toml --extra data --extra demo --group build --group dev -o requirements/dev.lock

clean:  ## remove the virtual environment and caches
	rm -rf build .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("tradingd needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# The dev lock is a superset of the run lock, so a tree set up for tests is set up for running, too.
$(VENV)/.run: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/run.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(VENV)/.run $@
