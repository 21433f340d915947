# One command for each thing; the first one makes .venv and installs everything.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow check bench docs clean

demo: $(READY)
	$(BIN)/python -m hiermix demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(READY)
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -n 2

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m benchmarks

docs: $(READY)
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	@echo "docs/_build/html/index.html"

# Calibrate every program by simulation; adds missing replicates to tests/sbc/*.csv.
sbc: $(READY)
	$(BIN)/python tests/sbc/simulate.py

clean:
	rm -rf $(VENV) build dist figures docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): pyproject.toml
	@set -e; \
	for python in "$(PYTHON)" python3 python3.12 python3.13 python3.14 python; do \
	  if [ -n "$$python" ] && command -v $$python > /dev/null 2>&1 && \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2> /dev/null; then \
	    found=$$python; break; \
	  fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "hiermix needs Python 3.12 or newer, and none was found."; \
	  echo "Install one, or name it: make PYTHON=/path/to/python3.12"; \
	  exit 1; \
	fi; \
	[ -x $(BIN)/python ] || $$found -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $(READY)
