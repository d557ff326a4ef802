# Everything runs in .venv, which each target makes first when it is missing.
#   make train EXP=readout_scale ARGS='--seed=3'
#   make test TORCH_INDEX=https://download.pytorch.org/whl/cpu    (a torch without CUDA)
PYTHON ?= python3
TORCH_INDEX ?=
ARGS ?=
PAPER ?= inductive-bias
EXP ?= readout_scale
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Nothing leaves the machine unless asked for: tracking.mode=online in a config overrides this.
export WANDB_ERROR_REPORTING ?= false

.DEFAULT_GOAL := help
.PHONY: help env train sweep reproduce report test check format bench clean

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: .venv/ready ## the environment in .venv (the other targets call this)

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "grok needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.11 ..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "this Python has no venv module; on Debian or Ubuntu: apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv .venv
	$(PIP) install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$$(grep -m1 '^torch==' constraints.txt)"
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pyright --version
	@touch $@

train: .venv/ready ## one run: make train EXP=readout_scale ARGS='--seed=3'
	@$(BIN)/grok train $(EXP) $(ARGS)

sweep: .venv/ready ## many runs, one per core: make sweep EXP=layernorm ARGS='--seeds=1,2'
	@[ "$(origin EXP)" != file ] || \
	  { echo "which sweep? make sweep EXP=layernorm; .venv/bin/grok list sweeps shows them"; exit 2; }
	@$(BIN)/grok sweep run $(EXP) $(ARGS)

reproduce: .venv/ready ## a paper's claims: make reproduce PAPER=inductive-bias ARGS='--tier=U'
	@$(BIN)/grok reproduce $(PAPER) $(ARGS)

report: .venv/ready ## runs as an HTML page: make report ARGS='layernorm --open'
	@$(BIN)/grok report $(ARGS)

test: .venv/ready ## all tests, the slow ones included
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto $(ARGS)

check: .venv/ready ## format, lint, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: .venv/ready ## rewrite the files the way `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/ready ## speed and memory as ratios (leave the machine alone meanwhile)
	@$(BIN)/python -m tests.bench $(ARGS)

clean: ## remove the environment and caches; runs/ stays
	rm -rf .venv .pytest_cache .ruff_cache .import_linter_cache build *.egg-info
