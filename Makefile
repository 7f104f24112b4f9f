# make run    start the dashboard                make test   run all tests, browser included
# make check  format, lint, types, Dockerfile, then the tests
# Each does its own set-up: .venv, the pinned packages, and torch's CPU build where there is no GPU.
#
#   make run PORT=8600                   another port
#   make run HOST=lab-pc.example.org     let a class in, under this name or address (IPv6 too; several: with commas)
#   make run WATCH=auto                  rerun pages when their files change

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8501
HOST ?=
WATCH ?= none
PYTEST_ARGS ?=
# Two workers: the tests are many and small. tests/conftest.py keeps the browser tests on one of them.
PYTEST := $(VENV)/bin/python -m pytest -n 2 $(PYTEST_ARGS)
UV := uv==0.13.9
TORCH := $(shell grep '^torch==' requirements.txt)
.PHONY: run test check format screenshots clean

run: $(VENV)/.installed
	exec $(VENV)/bin/python -m neural_ode_lab --port='$(PORT)' --host='$(HOST)' --server.fileWatcherType=$(WATCH)

test: $(VENV)/.installed-dev
	$(PYTEST)

check: $(VENV)/.installed-dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/hadolint Dockerfile
	$(PYTEST)

format: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# The README's pictures, taken by the browser tests.
screenshots: $(VENV)/.installed-dev
	SCREENSHOTS=1 $(VENV)/bin/python -m pytest tests/browser -q

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

# torch first and alone: from the default index Linux users get 2.6 GB of CUDA, so uv picks the build that fits
# the machine (CPU where there is no GPU). Where its source is out of reach it gives up at once, and pip's own
# configuration decides. The stamp makes every later start immediate.
$(VENV)/.installed: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(UV)
	if ! UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=15 $(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --torch-backend=auto $(TORCH); then
		echo "torch's own index is out of reach: taking torch from pip's index"
		$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	fi
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
