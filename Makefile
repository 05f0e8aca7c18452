# Gatepost. `make up` runs it all, `make test` proves it, `make check` is what CI runs. `make help` lists the rest.
export UV_COMPILE_BYTECODE := 1
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
SHELL   := /bin/bash
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
UV      := $(BIN)/uv
MEMBERS := $(sort $(dir $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)))
TOMLS   := pyproject.toml $(addsuffix pyproject.toml,$(MEMBERS))
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev up demo test check lint types unit integration e2e prove kills bench lock k8s-render k8s-static clean

help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.run  ## install what runs into .venv (quick when nothing changed)
setup-dev: $(VENV)/.dev

$(VENV)/.uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "Gatepost needs Python 3.11 or newer, this is %d.%d; try: make PYTHON=python3.12" % v[:2])'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "the venv module is missing (Debian: apt install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements-uv.lock
	@touch $@
$(VENV)/.run: requirements.lock $(TOMLS) | $(VENV)/.uv
	@echo "installing Gatepost into $(VENV) ..."
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps $(foreach m,$(MEMBERS),-e ./$(m))
	@touch $@
$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
  $(foreach m,$(MEMBERS),--no-emit-package gatepost-$(notdir $(patsubst %/,%,$(m)))) $(addsuffix pyproject.toml,$(MEMBERS))
lock: | $(VENV)/.uv  ## write the two hashed locks, keeping pins that still fit
	$(LOCK) --group pyproject.toml:dev -o requirements-dev.lock
	$(LOCK) -c requirements-dev.lock -o requirements.lock

clean:  ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
