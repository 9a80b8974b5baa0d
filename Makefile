# make demo   install into .venv, grade shipped example submissions of cs7643_a4
# make test   install, run the tests
# make check  format, lint, types, stale templates, tests
# make verify prove every suite
# make mutants  look for mistakes that a suite would let pass (survivors are listed)
# make bench  measure against other graders

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
# Where torch comes from. On Linux the CPU build is much smaller:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Empty: pip's default index.
TORCH_INDEX ?=
TORCH := torch==2.13.0
DEMO := test_suites/cs7643_a4/submissions/demo
export OMP_NUM_THREADS := 1

.PHONY: demo test check format verify mutants bench clean

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make $(MAKECMDGOALS) PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: $(VENV)/installed
	@rm -rf grades/demo
	@$(BIN)/grader grade cs7643_a4 $(DEMO)/* --out grades/demo --seed demo

test: $(VENV)/installed
	$(BIN)/python -m pytest -q

format: $(VENV)/installed
	$(BIN)/ruff format grader tests benchmarks
	$(BIN)/ruff check --fix grader tests benchmarks reference_solutions test_suites

check: $(VENV)/installed
	$(BIN)/ruff format --check grader tests benchmarks
	$(BIN)/ruff check grader tests benchmarks reference_solutions test_suites
	$(BIN)/mypy
	@for slug in $$(ls test_suites); do $(BIN)/grader template $$slug --check || exit 1; done
	$(MAKE) test

verify: $(VENV)/installed
	$(BIN)/grader verify --all

mutants: $(VENV)/installed
	$(BIN)/grader verify --all --mutants

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks.peers

clean:
	rm -rf $(VENV) grades build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
