# The only set-up there is: `make run` and `make test` install what they need themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: run test setup check bench fuzz build clean

run: setup ## serve www/ on http://127.0.0.1:8080 with two workers
	$(BIN)/gossamer serve www --config config.toml --port 8080 --workers 2

test: setup-test ## install what the tests need and run them all
	$(BIN)/python -m pytest

setup: system $(INSTALLED)

.PHONY: system system-test setup-test
system:
	@sh scripts/system-packages run

system-test:
	@sh scripts/system-packages test

setup-test: system-test $(INSTALLED)

$(INSTALLED): pyproject.toml setup.py $(wildcard ffi/build_*.py) $(wildcard ffi/src/*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[nfqueue,test,load,bench]'
	touch $@

build: ## rebuild the cffi modules in place
	flock .build.lock $(BIN)/python setup.py --quiet build_ext --inplace

check: $(INSTALLED) ## lint, types, and the tests that need neither root nor time
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p gossamer
	$(BIN)/python -m pytest -q -m "not root and not slow"

bench: setup-test ## CPU time per unit of work, side by side
	$(BIN)/python -m gossamer.loadtest.bench

clean:
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis ffi/_*.so ffi/_*.c *.egg-info
