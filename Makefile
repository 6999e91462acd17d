# Two commands do all set-up on a fresh machine: `make demo` and `make test`.
VENV := .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
PYTEST_ARGS ?=
CAMPAIGN_ARGS ?=
BENCH ?=
# Two sides of the tests beside each other (tests/conftest.py); 0 runs all in this process.
WORKERS ?= 2

.PHONY: demo test test-containers test-slurm test-floor check coverage docs bench lock audit campaign fuzz clean

demo: $(VENV)/.ready-demo
	@$(BIN)/quantgate demo $(DEMO_ARGS)

test: $(VENV)/.ready-dev check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope $(PYTEST_ARGS)

# A part of `test` by itself: NEL's docker executor with real containers. Images are kept in QUANTGATE_TEST_CACHE.
test-containers: $(VENV)/.ready-dev
	$(BIN)/python -m pytest tests/integration/containers $(PYTEST_ARGS)

# Likewise: a real Slurm cluster of one node with sshd, started by the tests and gone with them.
test-slurm: $(VENV)/.ready-dev
	$(BIN)/python -m pytest tests/integration/slurm tests/cluster $(PYTEST_ARGS)

# Likewise: the oldest dependencies that pyproject.toml admits, in an environment of their own.
test-floor: $(VENV)/.ready-dev
	$(BIN)/python -m pytest tests/install/test_floors.py $(PYTEST_ARGS)

check: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/lint-imports

# Which lines the tests run; PYTEST_ARGS=tests/room adds to what was measured before, `rm -r build/coverage` begins anew.
coverage: $(VENV)/.ready-dev
	mkdir -p build/coverage
	-$(BIN)/coverage run -m pytest -n $(WORKERS) --dist loadscope $(PYTEST_ARGS)
	$(BIN)/python scripts/coverage_page.py $(PYTEST_ARGS)

docs: $(VENV)/.ready-dev
	$(BIN)/python scripts/generate_docs.py
	$(BIN)/python -m tests.agent.table

# Measures what is claimed, keeps it in benchmarks/results and writes docs/performance.md; BENCH=name: one of them, the rest stays.
bench: $(VENV)/.ready-dev
	$(BIN)/python -m benchmarks $(BENCH)

# The pins of `make test` and `make demo`, with hashes, from the public index alone; LOCK_ARGS=--upgrade takes the newest of everything.
LOCK_ARGS ?=
UV ?= $(BIN)/uv
COMPILE := env -u UV_FIND_LINKS -u UV_INDEX -u UV_EXTRA_INDEX_URL $(UV) pip compile --quiet --python-version 3.11 \
	--generate-hashes --no-annotate --custom-compile-command 'make lock' pyproject.toml --extra demo

lock:
	$(COMPILE) --universal --group dev $(LOCK_ARGS) --output-file requirements/ci.lock
	@# What the output file holds is what uv prefers: the demo gets the same pins.
	cp requirements/ci.lock requirements/demo.lock
	$(COMPILE) --universal --output-file requirements/demo.lock
	@# The oldest that pyproject.toml admits, for `make test-floor`.
	$(COMPILE) --resolution lowest-direct --python-platform linux --upgrade --output-file requirements/floor.lock

# Known weaknesses, hashes and licences of the locked dependencies; it says what it could not see. AUDIT_ARGS=--offline asks no service.
AUDIT_ARGS ?=
audit: $(VENV)/.ready-dev
	$(BIN)/python scripts/audit.py $(AUDIT_ARGS)

# The fault campaign: hours on a small machine. A part: CAMPAIGN_ARGS="--runs 20 --world process".
campaign: $(VENV)/.ready-dev
	$(BIN)/python -m tests.faults $(CAMPAIGN_ARGS)

# Hostile input, MINUTES for each path that it takes: two at a time, at the lowest priority. Its seconds in CI are in `make test`.
MINUTES ?= 10
fuzz: $(VENV)/.ready-dev
	$(BIN)/python -m tests.fuzz.campaign --minutes $(MINUTES) $(FUZZ_ARGS)
	$(BIN)/python -m tests.fuzz.page

clean:
	rm -rf $(VENV) dist build demo-output

$(VENV)/.ready-demo: requirements/demo.lock
$(VENV)/.ready-dev: requirements/ci.lock
$(VENV)/.ready-%: pyproject.toml scripts/bootstrap.sh
	@scripts/bootstrap.sh $*
