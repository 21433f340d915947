# One command for each thing; each makes .venv and installs what it needs, once.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready-

.NOTPARALLEL:

.PHONY: demo test test-slow check bench docs sbc dev clean

demo: $(READY)run
	$(BIN)/python -m hiermix demo

test: $(READY)test
	@$(BIN)/python -m compileall -q hiermix  # tests start some fifty processes
	$(BIN)/python -m pytest -n 2 --dist loadscope -m "not slow"

test-slow: $(READY)test
	@$(BIN)/python -m compileall -q hiermix
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -n 2 --dist loadscope

check: $(READY)check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)run
	$(BIN)/python -m benchmarks

docs: $(READY)docs
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	@echo "docs/_build/html/index.html"

# Calibrate every program by simulation; adds missing replicates to tests/sbc/*.csv.
sbc: $(READY)run
	$(BIN)/python tests/sbc/simulate.py
	$(BIN)/python tests/sbc/equations.py
	$(BIN)/python tests/sbc/residual_patterns.py
	$(BIN)/python tests/sbc/shrunk.py
	$(BIN)/python tests/sbc/shared_parts.py
	$(BIN)/python tests/sbc/responses.py
	$(BIN)/python tests/sbc/categories.py
	$(BIN)/python tests/sbc/missing_values.py
	$(BIN)/python tests/sbc/curve_kinds.py
	$(BIN)/python tests/sbc/pair_sums.py
	$(BIN)/python tests/sbc/steps_and_items.py

# Everything that any of these needs.
dev: $(VENV)/.ready
$(VENV)/.ready: $(READY)test $(READY)check
	@touch $@

clean:
	rm -rf $(VENV) build dist figures docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Python compiles what it imports; to compile all that is installed takes longer than a demo.
$(READY)run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-compile --editable .
	@touch $@

# A group of pyproject.toml.
$(READY)%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group $*
	-@$(BIN)/python -m compileall -qq $(VENV)/lib  # warnings about others' code come now, or never
	@touch $@

$(BIN)/python:
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
	$$found -m venv $(VENV)
