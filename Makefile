# `make demo` and `make test` need Python 3.11 or newer and nothing else: each target makes the environment it needs in
# .venv, with the versions of constraints.txt, and does nothing when that is up to date. Another Python: make PYTHON=...

.DEFAULT_GOAL := help
.PHONY: demo test lint ui bench fuzz chaos docs clean help

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell $(name) -c "$(NEW_ENOUGH)" 2>/dev/null && echo $(name))))
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
INSTALL := .venv/bin/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt
FUZZ_EXAMPLES ?= 300
FUZZ_SEED ?= $(shell date +%s)
# Tests make some thousand small databases: in memory, where there is room, they do not wait for the disk.
FAST_FOLDER := $(shell test "$$(df --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 4000000 2>/dev/null && echo /dev/shm || echo /tmp)

demo: .venv/installed  ## run the three days shipped in data/ and show their receipts
	.venv/bin/bsync demo

test: .venv/installed-dev  ## run all tests (a quarter of an hour)
	TMPDIR=$${TMPDIR:-$(FAST_FOLDER)} .venv/bin/python -m pytest --numprocesses 2 --dist worksteal

lint: .venv/installed-dev  ## check style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

ui: .venv/installed  ## open Dagster on http://127.0.0.1:3000 with the workspace in data/
	.venv/bin/bsync ui

bench: .venv/installed-dev  ## measure speed and size (an hour), write benchmarks/RESULTS.md
	for name in inbound segments outbound serve dagster; do .venv/bin/python -m benchmarks.bench_$$name || exit 1; done

fuzz: .venv/installed-dev  ## compare made-up days with the oracle, FUZZ_EXAMPLES=300 times, and histories of segments
	BSYNC_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) BSYNC_FUZZ_SEED=$(FUZZ_SEED) BSYNC_FUZZ_HISTORIES=40 .venv/bin/python -m pytest --numprocesses 2 \
		tests/test_oracle.py tests/test_retract.py tests/assets/segment_members/test_histories.py

chaos: .venv/installed-dev  ## break runs in every way, many times, write docs/reliability.md
	.venv/bin/python tests/chaos/chaos.py

docs: .venv/installed-dev  ## write the generated pages of docs/ anew
	.venv/bin/python docs/make_docs.py

clean:  ## remove the environment, caches, and what runs wrote into data/
	rm -rf .venv *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache data/lake data/outbox data/mail data/dagster
	find data/inbox -name '*.receipt.json' -delete

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

.venv/installed: constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "bsync needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing into .venv (once, a minute or two) ..."
	$(PYTHON) -m venv .venv
	$(INSTALL) setuptools
	$(INSTALL) --no-build-isolation --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	@echo "Installing what the tests need ..."
	$(INSTALL) --no-build-isolation --editable '.[dev]'
	@touch $@
