# The only set-up there is: `make run` and `make test` install what they need themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The NetfilterQueue package is built from source, so it is installed where its header is.
NFQUEUE_HEADER := /usr/include/libnetfilter_queue/libnetfilter_queue.h
EXTRAS = $(if $(wildcard $(NFQUEUE_HEADER)),nfqueue$(comma))test,load,bench,plots,auth
comma := ,

# Tests are run by several processes: many of them wait for servers and timers.
TEST_PROCESSES ?= 4
SHARED = -n $(TEST_PROCESSES) --maxschedchunk 1

# They start hundreds of processes, and each compiles what no bytecode is kept of.
export PYTHONDONTWRITEBYTECODE :=
# Hypothesis would load what trio has for it, in each process.
export HYPOTHESIS_NO_PLUGINS := 1

# How long the byte fuzzer of `make fuzz` runs.
SECONDS ?= 300

# How many runs of each kind `make sim-soak` makes.
SEEDS ?= 1000

# In which order `make soak` does its faults.
SOAK_SEED ?= 1

# How far `make model` goes in each scenario.
DEPTH ?= 40
WORLDS ?= 500000

# The lowest versions that pyproject.toml allows live beside the locked ones; what depends on versions is tried there.
LOWEST := .venv-lowest
LOWEST_TESTS := tests/test_imports.py tests/test_wheel.py tests/cli tests/core/http tests/ffi tests/shards tests/loadtest

# Of those that need a right, what a user namespace of one user gives it to.
ROOTLESS_TESTS := tests/network tests/system tests/shards/confinement tests/shards/rundir

# What looks at a release.
RELEASE := .venv-release

# Autobahn's test suite for WebSockets, on a Python of its own.
AUTOBAHN := .venv-autobahn

# Every test that meets the core's records, and servers that reload and grow. Sources run interpreted wherever a
# build is not asked for.
NATIVE_TESTS := tests/core tests/regression tests/ffi tests/shards/test_scaling.py tests/cli/test_sim.py tests/test_native_build.py
test test-rootless test-long check test-container lowest golden: export GOSSAMER_NATIVE ?= 0

.PHONY: run test test-rootless test-long setup check bench load-truth autobahn fuzz model sim-soak soak interop build native test-native docs release-tools release-check clean help site system system-test setup-test golden \
	test-container lowest lock changelog

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

run: setup ## serve www/ on http://127.0.0.1:8080 with two workers
	$(BIN)/gossamer serve www --config config.toml --host 127.0.0.1 --port 8080 --workers 2

test: setup-test ## install what the tests need and run them all
	$(BIN)/python -m pytest -m "not long" $(SHARED)
	@[ "$$(id -u)" = 0 ] || $(MAKE) --no-print-directory test-rootless

test-rootless: setup-test ## the tests that need root's rights over a network, where an ordinary user has those
	@if $(BIN)/gossamer rootless -- true; then \
		$(BIN)/gossamer rootless -- $(BIN)/python -m pytest -m "needs and not long" $(SHARED) $(ROOTLESS_TESTS); \
	fi

test-long: setup-test ## the tests that measure, or play for minutes: not in `make test`
	$(BIN)/python -m pytest -m long $(SHARED)

test-native: native ## the tests of the core against its native build
	GOSSAMER_NATIVE=1 $(BIN)/python -m pytest $(SHARED) $(NATIVE_TESTS)

test-container: setup-test ## the tests that need a right, as in a container of default rights (root)
	PYTHON=$(BIN)/python scripts/container $(BIN)/python -m pytest -q -m needs $(SHARED)

setup: system ## install what serving needs
	@$(MAKE) --no-print-directory $(INSTALLED)

setup-test: system-test
	@$(MAKE) --no-print-directory $(INSTALLED)

system:
	@PYTHON=$(PYTHON) sh scripts/system-packages run

system-test:
	@PYTHON=$(PYTHON) sh scripts/system-packages test

# Always asked: the times of files do not show whether it is whole, of this Python and in its place.
$(INSTALLED): pyproject.toml setup.py constraints.txt $(wildcard ffi/build_*.py) $(wildcard ffi/src/*) always
	@PYTHON=$(PYTHON) sh scripts/virtual-environment $(VENV) '$(EXTRAS)' $(filter-out always,$^)

.PHONY: always

build: ## rebuild the cffi modules in place
	flock .build.lock $(BIN)/python setup.py --quiet build_ext --inplace

native: $(INSTALLED) ## compile the pure core, which then runs several times as fast
	flock .build.lock $(BIN)/python scripts/native/build.py

check: $(INSTALLED) ## lint, types, the site where Sphinx is installed, and the tests that need neither root nor time
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p gossamer
	$(BIN)/mypy examples
	$(BIN)/python scripts/site --if-installed build/site
	$(BIN)/python -m pytest -q -m "not needs and not slow and not long"

bench: setup-test ## over a link: what a request and a MB cost beside others; an idle connection, the TCP alone, the load generator (root; 30 min)
	$(BIN)/gossamer bench http --output bench-results
	$(BIN)/gossamer bench connections --output bench-results
	$(BIN)/gossamer bench simulator --output bench-results
	$(BIN)/python -m gossamer.loadtest.bench_generator

load-truth: setup-test ## the load generator against servers of known delays, beside arithmetic
	$(BIN)/python -m gossamer.loadtest.truth

site: setup-test ## the documentation as a site, in build/site; every warning is an error
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[site]"
	$(BIN)/python scripts/site build/site

autobahn: setup-test ## Autobahn's cases against WebSockets of an ASGI application and a native handler, on each stack (needs a Python 2.7)
	scripts/autobahn $(AUTOBAHN)
	$(BIN)/python -m pytest -q -m long tests/shards/asgi/test_autobahn.py

fuzz: setup-test ## the packet parser in C under sanitizers, bytes against a whole host, calls against one connection; SECONDS long
	GOSSAMER_FUZZ_ROUNDS=5000000 $(BIN)/python -m pytest -q tests/ffi/test_packet_bounds.py
	$(BIN)/python -m gossamer.core.sim.fuzz --seconds $(SECONDS)
	GOSSAMER_MACHINE_EXAMPLES=5000 $(BIN)/python -m pytest -q tests/core/tcp/test_machine.py
	GOSSAMER_PACKET_EXAMPLES=3000 $(BIN)/python -m pytest -q tests/ffi/test_packet_parse.py

model: setup-test ## every interleaving of two small ends, users, timers and network, DEPTH moves deep
	$(BIN)/python -m gossamer.core.sim.model --depth $(DEPTH) --worlds $(WORLDS)

soak: setup-test ## faults done to a running server under requests: recovery, what is lost, what is left; SOAK_SEED (root)
	$(BIN)/python -m gossamer.loadtest.soak --seed $(SOAK_SEED) --stack nfqueue
	$(BIN)/python -m gossamer.loadtest.soak --seed $(SOAK_SEED) --stack kernel

golden: $(INSTALLED) ## compute the simulator's golden table anew: look at the difference before you keep it
	$(BIN)/gossamer sim --golden --congestion newreno > tests/core/sim/golden.txt
	git diff --stat -- tests/core/sim/golden.txt

sim-soak: $(INSTALLED) ## SEEDS simulated runs of every kind of loss, each step held to the oracle
	$(BIN)/python -m gossamer.core.sim.soak --seeds $(SEEDS)

interop: setup-test ## the functional TCP and the kernel's against each other in namespaces (root)
	GOSSAMER_INTEROP=1 $(BIN)/python -m pytest -q tests/system/test_interop.py tests/system/test_many_connections.py \
		tests/system/test_ecn.py tests/system/test_openings.py tests/system/test_path_mtu.py tests/system/test_active_open.py tests/system/test_large_transfers.py

lowest: system-test ## the tests that versions matter to, with the lowest that pyproject.toml allows
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --constraint constraints.txt uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct '.[test]'
	$(LOWEST)/bin/python -m pytest -q -n auto -m "not needs and not slow and not long" $(LOWEST_TESTS)

lock: $(INSTALLED) ## choose the versions of constraints.txt anew, which the set-up here installs
	$(BIN)/pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --group lock --group release \
		--no-annotate --custom-compile-command "make lock" --output-file constraints.txt pyproject.toml

release-tools: $(INSTALLED) ## install what looks at a release, in a place of its own
	$(BIN)/pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(RELEASE)
	$(BIN)/uv pip install --quiet --python $(RELEASE) --constraint constraints.txt --group release

release-check: setup-test release-tools ## looks at the last commit as a stranger would, and prints one table
	$(BIN)/python scripts/release-check

docs: ## write docs/modules.md and docs/modules from the sources
	$(PYTHON) scripts/module-docs

changelog: $(INSTALLED) ## at a release: gather changes/ into CHANGELOG.md, under the version of pyproject.toml and today's date; what is public then
	$(PYTHON) scripts/gather-changes
	GOSSAMER_NATIVE=0 $(BIN)/python -m tests.surface > tests/public_surface.txt

clean: ## remove what was built and installed here
	rm -f $(INSTALLED)
	rm -rf build gossamer/compiled $(VENV) $(LOWEST) $(RELEASE) $(AUTOBAHN) .mypy_cache .ruff_cache .pytest_cache .hypothesis ffi/_*.so ffi/_*.c *.egg-info
