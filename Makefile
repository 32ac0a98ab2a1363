# Everything runs in .venv, which is made from the lock files. Where packages come from is pip's own setting.
# PYTHON=python3.13 chooses another interpreter; ARGS="..." goes to `tollkeeper up` or to pytest.
VENV := .venv
BIN := $(VENV)/bin
CODE := tollkeeper.py proxy billing_worker console ledger config runtime simulators tests loadtests

.PHONY: run test conservation bench guard closing soak state test-keycloak lint format prices setup setup-dev lock clean

run: setup
	@exec $(BIN)/tollkeeper up $(ARGS)

test: setup-dev
	@$(BIN)/python -m pytest $(ARGS)

# The tests of access tokens against a real Keycloak, which is fetched by Maven the first time. Needs Java 17.
test-keycloak: setup-dev
	@KEYCLOAK_HOME=$$(scripts/keycloak) && export KEYCLOAK_HOME && $(BIN)/python -m pytest -m keycloak --timeout 300 $(ARGS)

# Invoices by veraPDF, which knows all of PDF/A; it is fetched by Maven the first time. Needs Java 11.
test-verapdf: setup-dev
	@VERAPDF_JAR=$$(scripts/verapdf) && export VERAPDF_JAR && $(BIN)/python -m pytest -m verapdf $(ARGS)

# Long: what was served, recorded and counted is the same, whatever is killed meanwhile. ARGS="--seed 7" repeats a run.
conservation: setup-dev
	@$(BIN)/python -m loadtests.conservation $(ARGS)

# How fast it is, beside its peers; figures go to loadtests/results. Needs a C compiler; loadtests/README.md says more.
bench: setup-dev
	@$(BIN)/python -m loadtests.bench $(ARGS)
	@$(BIN)/python -m loadtests.bench.workers
	@$(BIN)/python -m loadtests.drain

# Whether a call costs the CPU that it did, whatever the machine; part of `make test`. ARGS=--update stores what it costs now.
guard: setup-dev
	@$(BIN)/python -m loadtests.guard $(ARGS)

# How long a month of ten million records takes to be billed, and in how much memory. ARGS="--records 100000" is shorter.
closing: setup-dev
	@$(BIN)/python -m loadtests.closing $(ARGS)

# Whether memory stays flat under a load of ten minutes. ARGS="--minutes 60" is longer.
soak: setup-dev
	@$(BIN)/python -m loadtests.soak $(ARGS)

# Whether a call costs more where the ledger is full; takes minutes and 5 GB. ARGS="--usage 1000000" is smaller.
state: setup-dev
	@$(BIN)/python -m loadtests.state $(ARGS)

lint: setup-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(wildcard $(CODE))
	@$(BIN)/lint-imports

format: setup-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

setup:
	@PYTHON=$(PYTHON) scripts/setup requirements.lock

setup-dev:
	@PYTHON=$(PYTHON) scripts/setup requirements-dev.lock

# Hashes of every wheel for CPython 3.11 to 3.14 on all platforms, without the name of a registry.
lock: setup-dev
	@for lock in "requirements.lock --extra build" "requirements-dev.lock --extra build --extra dev"; do \
		$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-header --no-annotate --upgrade --output-file $$lock || exit 1; \
	done

# The shipped price list, from the prices that genai-prices keeps.
prices: setup-dev
	@$(BIN)/python -m config.prices.refresh

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/node/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
