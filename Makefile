# make demo shows a search and a training. CI runs make test and make lint. Targets install what they
# need into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: help demo test lint format bench bench-longtail clean

help: ## print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "ltnas needs Python 3.11 to 3.13: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(READY) ## search and train on the digits of scikit-learn
	@bash scripts/demo.sh $(BIN)/python

test: $(READY) ## run all tests, six minutes on two cores
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(READY) ## check with ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## format with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## compare speed with plain implementations, ten minutes
	$(BIN)/python -m benchmarks.search_step batch=16 repeats=3 scheme=darts
	$(BIN)/python -m benchmarks.retrain_step batch=16 repeats=3
	$(BIN)/python -m benchmarks.loss_curve steps=8
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.augmentation

bench-longtail: $(READY) ## compare methods for long tails on CIFAR-10, two hours
	$(BIN)/python -m benchmarks.longtail

clean: ## remove the environment and caches, but no runs
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
