# Everything runs from .venv, which `make` sets up by itself from the locked versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: demo quick test check mutants mutants-agent lock benchmark clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --group dev -e .
	touch $(READY)

demo: $(READY)
	$(BIN)/octotui demo

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A subset of the tests that ends within a minute.
quick: check
	OCTOTUI_SEEDS=60 $(BIN)/pytest -n 2 --dist worksteal -m "not slow" \
		tests/unit tests/simulation/test_guards_*.py tests/simulation/test_seeds.py

# Each worker begins with a stretch of its own, so that what a module shares is set up once; who is
# done first takes over half of what the other has left.
test: check
	$(BIN)/python scripts/pictures.py --check
	$(BIN)/pytest -n 2 --dist worksteal

# All groups of scripts/mutants.py, or one: make mutants GROUP=upgrade.
mutants: $(READY)
	$(BIN)/python scripts/mutants.py $(GROUP)

# The agent's, by a real PowerShell (OCTOTUI_PWSH).
mutants-agent: $(READY)
	$(BIN)/python scripts/mutants_agent.py

benchmark: $(READY)
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/screen.py

# Writes constraints.txt anew from the newest versions that pyproject.toml admits.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(VENV)-lock/bin/pip install --quiet --disable-pip-version-check --group dev -e .
	$(VENV)-lock/bin/pip freeze --exclude-editable --exclude pip > constraints.txt
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) $(VENV)-peers .mypy_cache .ruff_cache .pytest_cache .hypothesis .mutants_cache dist
