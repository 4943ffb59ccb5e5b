# Everything runs in .venv, which is made on first use and renewed when the pins change.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
TEST := $(VENV)/.test
DOCS := $(VENV)/.docs
PINS := pyproject.toml constraints.txt
BENCH = $(BIN)/python -m benchmarks
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

CONSTRAINTS_HEADER = 'Tested versions, for Linux, macOS and Windows, Python 3.11 to 3.14.' \
	'A constraint installs nothing by itself. Written by "make constraints".' \
	'Not listed: the nvidia-* and cuda-* packages. Every CUDA build of torch pins its own.'

MODEL ?= tiny.en
HOST ?= 127.0.0.1
PORT ?= 8765
ARGS ?=
# More than cores: integration tests wait a lot. Each takes up to 1 GB of memory.
WORKERS ?= 6

.DEFAULT_GOAL := help
.PHONY: help demo test unit docs lint constraints serve bench clean

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/'
	@echo
	@echo "  MODEL, HOST, PORT set what is served; ARGS is passed to demo, test, unit, serve and bench."

demo: $(RUNTIME) ## real speech through a real server: text appears as it is spoken
	@$(BIN)/python examples/demo.py --model $(MODEL) $(ARGS)

test: $(TEST) ## run all tests, measure coverage and print the 20 slowest
	@tests/support/browsers.sh
	@tests/support/desktop.sh
	$(BIN)/python -m pytest -n $(WORKERS) --durations=20 $(or $(ARGS),--cov)

unit: $(TEST) ## run the unit tests: no weights, network, browser or second process
	HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -n logical tests/unit $(ARGS)

lint: $(TEST) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(DOCS) ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Documentation tools require Python 3.11.5; everything else works with 3.11.0.
constraints: | $(BIN)/python ## pin new dependencies in constraints.txt; ARGS=--upgrade-package=NAME renews one
	@$(INSTALL) uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11.5 --all-extras --strip-extras \
		--no-annotate --no-header -o constraints.txt $(ARGS) pyproject.toml
	@{ printf '# %s\n' $(CONSTRAINTS_HEADER); \
		sed -E '/^ *(#|cuda-|nvidia-)/d; s/ *;.*//' constraints.txt | LC_ALL=C sort -u; \
		} > constraints.new
	@mv constraints.new constraints.txt

serve: $(RUNTIME) ## start a server
	$(BIN)/streamwhisper serve --model $(MODEL) --host $(HOST) --port $(PORT) $(ARGS)

bench: $(TEST) ## measure latency, accuracy and cost in ten minutes; STREAMWHISPER_SPEECH names real speech
	$(BENCH) micro --model $(MODEL)
	$(BENCH) accuracy --model $(MODEL) --clips 20
	$(BENCH) boundary --model $(MODEL) --clips 10
	$(BENCH) tail --model $(MODEL) --clips 15 --windows 10
	$(BENCH) nonspeech --model $(MODEL) --clips 2 --snrs 10
	$(BENCH) finals --model $(MODEL) --clips 3
	$(BENCH) idle --model $(MODEL) --seconds 10
	$(BENCH) streams --model $(MODEL) --counts 1 4 --limit 20
	$(BENCH) soak --model $(MODEL) --hours 0.05 --every 1
	$(BENCH) curve --model $(MODEL) --items longform/1284-1181 --limit 30 --pace 0.15 \
		--settings low balanced accurate
	$(BENCH) streaming --model $(MODEL) --limit 60 $(ARGS)
	$(BENCH) peers --model $(MODEL) --items longform/1284-1181 --limit 20 --patience 30 \
		--compute int8 --beams 1 \
		|| echo "The peers could not be run; all of streamwhisper's own figures are above."

clean: ## remove the virtual environment and every cache
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): $(PINS) | $(BIN)/python
	@echo "Installing streamwhisper into $(VENV); the first time this takes a minute or two."
	@$(INSTALL) -e .
	@touch $@

$(TEST): $(PINS) | $(BIN)/python
	@echo "Installing streamwhisper and its tests into $(VENV); the first time this takes minutes."
	@$(INSTALL) -e '.[test]'
	@touch $(RUNTIME) $@

$(DOCS): $(PINS) | $(BIN)/python
	@echo "Installing streamwhisper and the documentation tools into $(VENV)."
	@$(INSTALL) -e '.[docs]'
	@touch $(RUNTIME) $@
