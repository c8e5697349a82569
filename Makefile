# `make app` opens the demo, `make lab` the course, `make restore` cleans a photograph, `make book`
# builds the book, `make test` checks it all. Each sets up .venv first, with any Python from 3.10 to
# 3.13: `make test PYTHON=python3.12`. `make app TORCH=cpu|gpu|default` says which PyTorch to install
# there; by default that is the CPU build where there is no GPU, see tools/install_torch.py.

PYTHON ?= python3
VENV ?= .venv
TORCH ?= auto
BIN = $(VENV)/bin
# notebooks load PyTorch before the package can set this, see dip_lite/__init__.py
export GOMP_SPINCOUNT ?= 3000
NBVAL = PYTHONPATH="$(CURDIR)" $(BIN)/python -m pytest --nbval-lax --nbval-cell-timeout=900 \
  -p no:cacheprovider --durations=0 --durations-min=15 notebooks
# two processes of one thread each are faster than one of two
PARALLEL = -n 2 --dist loadfile

# $(call pip,FILE): installs what a requirements file asks for
pip = $(BIN)/python -m pip install --quiet -r $(1) || { echo "pip could not install $(1): check \
  the network and run make again; without one, set PIP_NO_INDEX=1 and PIP_FIND_LINKS to a folder \
  that pip download -r $(1) has filled elsewhere." | tr -s ' '; exit 1; }

.PHONY: app class restore test test-oldest release-check lint types venv bench bench-app bench-class book lab \
  notebooks refresh clean

# The demo, in the browser.
app: $(VENV)/.ready-app
	$(BIN)/python app.py --open

# The demo for a class: on a Dask cluster, here of two workers on this machine. Ctrl-C or
# SIGTERM ends all of it: nothing is in the foreground, whose end a shell would wait for first.
CLUSTER_PORT ?= 8786
CLUSTER = tcp://127.0.0.1:$(CLUSTER_PORT)
DASK = DASK_LOGGING__DISTRIBUTED=error $(BIN)/dask
class: $(VENV)/.ready-app $(VENV)/.ready-sweep
	@$(BIN)/python -c "import socket; socket.create_server(('127.0.0.1', $(CLUSTER_PORT)))" 2> /dev/null \
	  || { echo "Port $(CLUSTER_PORT) cannot be opened, perhaps since another Dask scheduler has it: choose a free one, \
	  as in make class CLUSTER_PORT=9786." | tr -s ' \t' ' '; exit 1; }
	@export PYTHONPATH="$(CURDIR)"; started=; \
	export PYTHONWARNINGS="$${PYTHONWARNINGS:+$$PYTHONWARNINGS,}ignore:resource_tracker"; \
	trap 'trap "" INT TERM; kill $$started $$! 2> /dev/null; wait' EXIT; trap exit INT TERM; \
	$(DASK) scheduler --host 127.0.0.1 --port $(CLUSTER_PORT) & started=$$!; \
	$(DASK) worker $(CLUSTER) --nworkers 2 --nthreads 1 & started="$$started $$!"; \
	$(BIN)/python app.py --scheduler $(CLUSTER) --queue 32 --per-address 32 --metrics --open & wait $$!

restore: $(VENV)/.ready
	$(BIN)/python -m dip_lite demo

test: $(VENV)/.ready-dev lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL)
	DIP_LITE_FAST=1 OMP_NUM_THREADS=1 $(NBVAL) $(PARALLEL)

# With the oldest versions that are allowed, in a venv of its own; Python 3.10 to 3.12.
OLDEST ?= .venv-oldest
test-oldest: $(OLDEST)/.ready
	$(OLDEST)/bin/python -m pytest tests/images tests/nets tests/engine tests/tasks \
	  tests/test_package.py tests/test_records.py

$(OLDEST)/.ready: requirements-oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python tools/install_torch.py $(TORCH) requirements-oldest.txt
	$(OLDEST)/bin/python -m pip install --quiet -c requirements-oldest.txt -r requirements.txt \
	  "pytest>=8" "beautifulsoup4>=4.12" "PyWavelets>=1.5" "psutil>=5.9" packaging
	@touch $@

# What must hold before a release: the files build, their tests pass, links and versions are right.
release-check: $(VENV)/.ready-dev
	$(BIN)/python -m tools.release_check

# The course in JupyterLab, on its first page.
lab: $(VENV)/.ready-course
	PYTHONPATH="$(CURDIR)" $(BIN)/jupyter lab --notebook-dir=notebooks --LabApp.default_url=/lab/tree/index.ipynb

# The book, in build/book/html; a warning is an error.
book: $(VENV)/.ready-book
	$(BIN)/python -m sphinx -b html -q -n -W --keep-going -d build/book/doctrees docs build/book/html
	@echo "Open build/book/html/index.html"

# Every notebook at its committed size; its verdicts must be those committed.
notebooks: $(VENV)/.ready-dev
	DIP_LITE_FAST=0 DIP_LITE_STRICT=1 $(NBVAL)

# Runs every notebook again and keeps what it prints.
refresh: $(VENV)/.ready-dev
	$(BIN)/python notebooks/refresh.py

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(VENV)/.ready-dev
	$(BIN)/mypy

bench: $(VENV)/.ready-dev
	$(BIN)/python -m benchmarks.denoise

bench-app: $(VENV)/.ready-dev
	$(BIN)/python -m benchmarks.app

bench-class: $(VENV)/.ready-dev
	$(BIN)/python -m benchmarks.cluster

venv: $(VENV)/bin/python

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "dip_lite needs Python 3.10 to 3.13; say which with make PYTHON=python3.12"; exit 1; }
	@test -d $(VENV) || mkdir -p $(VENV) 2>/dev/null || { echo "$(VENV) cannot be made here: give \
	  a folder that you can write to, as in make app VENV=~/dip_lite-venv." | tr -s ' \t' ' '; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# its Python imports this checkout in any folder
$(VENV)/.importable: | $(VENV)/bin/python
	@$(BIN)/python -c 'import os, pathlib, sysconfig; \
	  pathlib.Path(sysconfig.get_path("purelib"), "dip_lite.pth").write_text(os.getcwd() + "\n")'
	@touch $@

$(VENV)/.ready: requirements.txt | $(VENV)/bin/python $(VENV)/.importable
	@$(BIN)/python tools/install_torch.py $(TORCH)
	@$(call pip,requirements.txt)
	@touch $@

$(VENV)/.ready-course: requirements-course.txt $(VENV)/.ready
	@$(call pip,requirements-course.txt)
	@touch $@

$(VENV)/.ready-app: requirements-app.txt $(VENV)/.ready
	@$(call pip,requirements-app.txt)
	@touch $@

$(VENV)/.ready-sweep: requirements-sweep.txt $(VENV)/.ready
	@$(call pip,requirements-sweep.txt)
	@touch $@

$(VENV)/.ready-book: requirements-book.txt $(VENV)/.ready
	@$(call pip,requirements-book.txt)
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt requirements-course.txt requirements-app.txt requirements-sweep.txt requirements-book.txt $(VENV)/.ready
	@$(call pip,requirements-dev.txt)
	@touch $@

clean:
	rm -rf $(VENV) $(OLDEST) outputs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
