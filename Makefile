# Two commands do everything: `make demo` shows mlgit's main job, `make test` checks it. Both set themselves up.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
unexport PYTHONDONTWRITEBYTECODE  # thousands of processes would compile mlgit anew

.PHONY: demo test check lint integrations bench bench-search pictures lock clean
.DELETE_ON_ERROR:

demo: $(READY)  ## one experiment from train.py to a promoted model, in a scratch repository
	@$(BIN)/mlgit demo

test: $(READY)  ## the tests; what this machine lacks is skipped, with its reason
	@$(BIN)/pytest -n 2 --dist worksteal

check: lint test  ## formatting, lint, types, the import graph, the tests

lint: $(READY)
	@$(BIN)/ruff format --check --quiet . || { echo 'To fix: $(BIN)/ruff format .'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

integrations: $(VENV)/.integrations  ## the libraries that mlgit works with, for their tests; several hundred MB

bench: $(READY)  ## the speed bars, peers beside them
	@$(BIN)/python -m benchmarks

bench-search: $(READY)  ## what Bayesian search finds, beside Optuna and chance; tens of minutes
	@$(BIN)/python -m benchmarks search

pictures: $(VENV)/.integrations  ## those of docs/first-experiment.md, by its own commands; wants Chromium
	@$(BIN)/python -m docs.pictures.make

lock: $(READY)  ## choose every dependency's version anew, for all platforms and Python 3.11+
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev --extra s3 --extra kubernetes pyproject.toml \
	  --no-annotate --no-emit-index-url --no-header --upgrade -o constraints.txt

# uv resolves and installs in seconds what pip 23 backtracks on for minutes; the pins keep every set-up the same.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'mlgit needs Python 3.11 or newer: make PYTHON=python3.11'; exit 1; }
	@echo 'Setting up $(VENV) (once, about half a minute)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraints constraints.txt --editable . --group dev
	@touch $@

# pip, not uv: PyTorch without CUDA comes from the index that pip is told of. What the lock pins stays as it is.
$(VENV)/.integrations: $(READY) tests/integrations/requirements.txt
	@echo 'Installing what mlgit works with into $(VENV) (once, some minutes)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --requirement tests/integrations/requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps sweeps==0.3.0  # it asks for numpy 1
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
