# The two commands: `make demo` and `make test`. Both do all the set-up they need.
# Everything installed lives in .venv and tests/interop/node_modules, apart from Debian packages.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# One more than there are cores: many tests wait for other processes.
WORKERS ?= $(shell expr $$(nproc) + 1)

.PHONY: demo test lint bench soak deaths model wheel lock clean help

help:  ## what can be done
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(INSTALLED)  ## run a whole simulated site through the real gateway
	$(BIN)/site-gateway demo

test: $(INSTALLED) system lint  ## set up everything and run every check and test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(INSTALLED)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)  ## print the measured figures of the README
	$(BIN)/python -m tests.benchmarks.all

soak: $(INSTALLED)  ## kill the gateway 200 times under traffic and compare the books
	$(BIN)/python -m tests.scenarios.crash.soak --kills 200

deaths: $(INSTALLED)  ## die at every crash point there is, not only at those of CI
	SITE_GATEWAY_EVERY_DEATH=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/scenarios/crash

model: $(INSTALLED)  ## play with outbox, books and cloud against a model, for hours if you like
	SITE_GATEWAY_MODEL_EXAMPLES=10000 $(BIN)/python -m pytest tests/gateway/test_books_machine.py

wheel: $(INSTALLED)  ## build dist/site_gateway-*.whl, which the runbook installs
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

COMPILE := $(BIN)/pip-compile --quiet --allow-unsafe --generate-hashes --no-header --strip-extras \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

lock: $(INSTALLED)  ## pin what pyproject.toml asks for: here, and for the site's PC
	$(BIN)/pip install --quiet --disable-pip-version-check pip-tools
	$(COMPILE) --extra dev --extra planner --output-file requirements.txt pyproject.toml
	cp requirements.txt deploy/requirements.txt
	$(COMPILE) --output-file deploy/requirements.txt pyproject.toml

.PHONY: system
system:  ## foreign software of tests/interop: mosquitto, chromium, node
	./deploy/install-test-software.sh

$(INSTALLED): requirements.txt pyproject.toml
	./deploy/make-venv.sh "$(PYTHON)" "$(VENV)"
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:  ## forget what was installed
	rm -rf $(VENV) tests/interop/node_modules dist build
