# Gatepost. `make up` runs it all, `make test` proves it, `make check` is what CI runs. `make help` lists the rest.
export UV_COMPILE_BYTECODE := 1
export UV_PYTHON_DOWNLOADS := never
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
# As pip does: a company's own certificate stands in the system's store.
export UV_SYSTEM_CERTS ?= 1
endif
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
SHELL   := /bin/bash
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
UV      := $(BIN)/uv
MEMBERS := $(sort $(dir $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)))
TOMLS   := pyproject.toml $(addsuffix pyproject.toml,$(MEMBERS))
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev up demo test check compat properties fresh lint types unit integration e2e prove kills bench lock k8s-render k8s-static clean docs bench-webhooks bench-replay

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

$(VENV)-compat/.done: requirements-compat.lock | $(VENV)/.uv
	@$(UV) venv --quiet --clear --python $(PYTHON) $(VENV)-compat
	@$(UV) pip install --quiet --python $(VENV)-compat/bin/python --require-hashes -r requirements-compat.lock
	@touch $@

up: setup  ## run everything here: six services, NATS, Postgres, a demo mailbox, a mail catcher
	@exec $(BIN)/gatepost up $(ARGS)
demo:  ## send a real mail through a running `make up`
	@test -x $(BIN)/gatepost || { echo "nothing is set up yet: run 'make up' in another terminal first"; exit 2; }
	@$(BIN)/gatepost demo $(ARGS)

PYTEST := $(BIN)/python -m pytest
test: setup-dev lint types prove  ## set up, then everything that shows that it works (5 minutes)
	$(PYTEST) tests/unit tests/contracts tests/docs tests/k8s tests/integration tests/compat tests/e2e -m "not slow and not check" -n 4 --dist loadfile
check: setup-dev long compat fresh k8s-static  ## what takes longer: every process killed under a flow of mail, strict manifests
	$(BIN)/python -m bench.kills $(ARGS)
.PHONY: long
long: setup-dev  ## the tests that take too long for make test
	$(PYTEST) tests -m check -n 3 --dist loadfile
fresh: setup-dev  ## clone, make up, make demo, with what runs installed and nothing else
	$(PYTEST) tests/e2e/check_fresh_clone.py
lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
types:
	$(BIN)/mypy
bench-webhooks: setup-dev  ## webhooks per second, through the notifier and through httpx2
	$(BIN)/python -m bench.webhooks $(ARGS)
bench-replay: setup-dev  ## replay 10,000 events to the drafter: nothing touched, a planted change found, the rate beside the live one
	$(BIN)/python -m bench.replay $(ARGS)
docs: setup-dev  ## write the generated documents: AsyncAPI, a page per event, the oversight tables
	@PYTHONPATH=tests $(BIN)/python -m support.documents docs
.PHONY: mutants agreement
check: mutants agreement
mutants: setup-dev  ## break every row of the tables in every small way; what no proof notices must be on the reviewed list
	@PYTHONPATH=tests $(BIN)/python -m proofs.mutation $(ARGS)
agreement: setup-dev  ## the generated SQL beside the services' evaluator, on a real Postgres, in many random worlds
	$(PYTEST) tests/integration/store/test_agreement.py -m slow -s
unit: setup-dev  ## the tests without any server (seconds)
	$(PYTEST) tests/unit tests/contracts tests/docs
prove: setup-dev  ## prove the oversight tables: z3, negative controls, every reachable state, crashes (seconds)
	@PYTHONPATH=tests $(BIN)/python -m proofs
e2e: setup-dev  ## the README's story with real processes
	$(PYTEST) tests/e2e tests/compat
compat: setup-dev $(VENV)-compat/.done  ## the published clients, in an environment of their own, against real processes
	$(PYTEST) tests/compat
properties: setup-dev  ## every operation under generated input: no 5xx, no other tenant's byte, 10,000 bad calls
	GATEPOST_TEST_EXAMPLES=20 GATEPOST_TEST_BAD_CALLS=10000 $(PYTEST) tests/properties --timeout 1800 -n 2 --dist loadfile $(ARGS)
kills: setup-dev  ## SIGKILL of every process under a flow of mail; counts what is lost or doubled
	$(BIN)/python -m bench.kills $(ARGS)
	$(BIN)/python -m bench.sender_kills $(SENDER_KILLS)
	$(BIN)/python -m bench.ingest_kills $(INGEST_KILLS)
.PHONY: hostile
hostile: setup-dev  ## 20,000 hostile mails: none raises, none is lost, every byte is kept, none takes a second to read
	$(BIN)/python -m bench.hostile_mail $(ARGS)
	$(BIN)/python -m bench.hostile_wire $(HOSTILE_WIRE)
	$(BIN)/python -m bench.mail_bomb $(MAIL_BOMB)
bench: setup-dev  ## emails per second, CPU per email, latency, beside the bare limits of the same run
	$(BIN)/python -m bench.run $(ARGS)
	$(BIN)/python -m bench.signing

.PHONY: bench-full
bench-full: bench  ## and what grows: pages of the review queue at 10,000 and at 1,000,000 held drafts (minutes)
	$(BIN)/python -m bench.review_queue $(QUEUE)

k8s-render:  ## write deploy/k8s/dist from the manifests (needs kubectl)
	@command -v kubectl >/dev/null || { echo "skipped: kubectl is not here"; exit 0; }; \
	for overlay in dev prod; do kubectl kustomize deploy/k8s/overlays/$$overlay > deploy/k8s/dist/install-$$overlay.yaml; done
k8s-static: setup-dev  ## drift of deploy/k8s/dist and strict schemas (needs kubectl)
	$(PYTEST) tests/k8s/check_static.py

LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
  $(foreach m,$(MEMBERS),--no-emit-package gatepost-$(notdir $(patsubst %/,%,$(m)))) $(addsuffix pyproject.toml,$(MEMBERS))
lock: | $(VENV)/.uv  ## write the hashed locks, keeping pins that still fit
	$(LOCK) --group pyproject.toml:dev -o requirements-dev.lock
	$(LOCK) -c requirements-dev.lock -o requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --group pyproject.toml:compat -o requirements-compat.lock

clean:  ## remove the environment and caches
	rm -rf $(VENV) $(VENV)-compat .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
