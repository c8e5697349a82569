# Two commands matter: `make restore` shows the package at work, `make test` checks it.
# Both set up .venv first, with any Python from 3.10 to 3.13: `make test PYTHON=python3.12`.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: restore test lint types venv bench clean

restore: $(VENV)/.ready
	$(BIN)/python -m dip_lite demo

test: $(VENV)/.ready-dev lint types
	$(BIN)/python -m pytest

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-dev
	$(BIN)/mypy

bench: $(VENV)/.ready-dev
	$(BIN)/python -m benchmarks.denoise

venv: $(VENV)/bin/python

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "dip_lite needs Python 3.10 to 3.13; say which with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.ready: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt $(VENV)/.ready
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) outputs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
