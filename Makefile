# Two commands matter: `make demo` and `make test`. Both set up what they need in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help demo test lint format types docs install install-dev lock clean

help:
	@echo "make demo     the whole lifecycle on real data, about a minute after installation"
	@echo "make test     every check: style, types, architecture, documents, tests"
	@echo "make format   bring the code into its form"
	@echo "make docs     write the generated parts of docs/ anew"
	@echo "make lock     resolve the locked environments anew"

# Both start some hundred processes; where bytecode is not written, each would compile what it imports anew.
demo: $(VENV)/.yard
	@$(BIN)/python -m compileall -q src
	$(BIN)/modelyard demo $(DEMO)

test: lint types
	@$(BIN)/python -m compileall -q src
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests scripts benchmarks
	$(BIN)/ruff format --check src tests scripts benchmarks
	$(BIN)/lint-imports
	$(BIN)/python scripts/docs.py --check

types: $(VENV)/.dev
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix src tests scripts benchmarks
	$(BIN)/ruff format src tests scripts benchmarks

docs: $(VENV)/.dev
	$(BIN)/python scripts/docs.py

install: $(VENV)/.yard
install-dev: $(VENV)/.dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Modelyard needs Python 3.11 to 3.13; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "This Python has no venv; on Debian and Ubuntu: apt-get install python3-venv"; exit 2; }

$(VENV)/.yard: locks/yard.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/yard.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: locks/dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.yard

# One resolution for every supported Python; versions and hashes, no index address.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --no-header
lock: $(VENV)/bin/uv
	$(COMPILE) pyproject.toml --extra dev -o locks/dev.txt
	$(COMPILE) pyproject.toml locks/build.in --extra yard -c locks/dev.txt -o locks/yard.txt
	$(COMPILE) pyproject.toml -c locks/dev.txt -o src/modelyard/infra/serving.txt
	$(COMPILE) locks/mlflow.in -o locks/mlflow.txt
	$(COMPILE) locks/moto.in -o locks/moto.txt
	$(COMPILE) locks/attestations.in -o locks/attestations.txt
	$(COMPILE) locks/kserve.in -o locks/kserve.txt
	$(COMPILE) locks/mlserver.in -o locks/mlserver.txt
	$(COMPILE) locks/schemathesis.in -o locks/schemathesis.txt
	$(COMPILE) locks/checkov.in -o locks/checkov.txt
	$(COMPILE) locks/clouds.in -o locks/clouds.txt

$(VENV)/bin/uv: $(VENV)/.dev

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
