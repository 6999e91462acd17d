# Two commands do all set-up on a fresh machine: `make demo` and `make test`.
VENV := .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
PYTEST_ARGS ?=
# Two sides of the tests beside each other (tests/conftest.py); 0 runs all in this process.
WORKERS ?= 2

.PHONY: demo test test-containers test-slurm check docs bench clean

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

check: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/lint-imports

docs: $(VENV)/.ready-dev
	$(BIN)/python scripts/generate_docs.py
	$(BIN)/python -m tests.agent.table

bench: $(VENV)/.ready-dev
	$(BIN)/python benchmarks/server_start.py
	$(BIN)/python benchmarks/detect_quantization.py
	$(BIN)/python benchmarks/check_config.py
	$(BIN)/python benchmarks/status.py
	$(BIN)/python benchmarks/log_scan.py
	$(BIN)/python benchmarks/sample_tables.py
	$(BIN)/python benchmarks/comparison.py
	$(BIN)/python benchmarks/false_accept.py

clean:
	rm -rf $(VENV) dist build demo-output

$(VENV)/.ready-%: pyproject.toml scripts/bootstrap.sh
	@scripts/bootstrap.sh $*
