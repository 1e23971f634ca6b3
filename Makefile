# make demo: see it work. make test, make lint: what CI runs. All install what is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: help demo test lint format bench bench-longtail clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "ltnas needs Python 3.11 to 3.13: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(READY) ## search, then retrain, on the digits that scikit-learn carries
	@bash scripts/demo.sh $(BIN)/python

test: $(READY) ## all tests, some ten minutes on two cores
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(READY) ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## let ruff rewrite
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## ours against plain implementations, in the same run; ten minutes
	$(BIN)/python -m benchmarks.search_step batch=16 repeats=3 scheme=darts
	$(BIN)/python -m benchmarks.retrain_step batch=16 repeats=3
	$(BIN)/python -m benchmarks.loss_curve steps=8
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.augmentation

bench-longtail: $(READY) ## what helps against a long tail, on CIFAR-10; an hour
	$(BIN)/python -m benchmarks.longtail

clean: ## away with the environment; runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
