# One verb per duty. Everything sets itself up in .venv; nothing is installed elsewhere.
#   make demo    the main job on a sandbox service, with media of its own
#   make test    the tests
#   make check   lint, types, import rules
#   make faults  everything breaks that can, around the real program (an hour and more); ONLY=disk some of it, SEED=7 the same again
#   make clients every client that people copy files with, and how soon its files are taken
#   make simulate LIVES=10000 SEED=7   so many lives in the simulated world; without SEED others each time
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

LIVES ?= 10000
SEED ?=
ONLY ?=

.PHONY: demo test check faults clients simulate coverage clean

demo: $(VENV)/.installed
	$(BIN)/qavix-watch demo

# Long files begin first (tests/conftest.py). What the tests start is compiled once, not at every start.
test: $(VENV)/.tools
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.tools
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_architecture.py

simulate: $(VENV)/.tools
	$(BIN)/python -m tests.simulation --lives $(LIVES) $(if $(SEED),--seed $(SEED))

faults: $(VENV)/.tools
	$(BIN)/python -m tests.faults $(if $(ONLY),--only "$(ONLY)") $(if $(SEED),--seed $(SEED))

clients: $(VENV)/.tools
	$(BIN)/python -m tests.faults.clients $(if $(SEED),--seed $(SEED))

coverage: $(VENV)/.tools
	$(BIN)/pytest -q --cov=qavix_watch.core --cov=qavix_watch.stages --cov-branch --cov-report=term-missing tests/core tests/stages \
	  tests/test_worker.py tests/test_worker_brakes.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Qavix Watch needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.tools: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	touch $@
