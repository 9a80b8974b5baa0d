# make demo   install into .venv, grade shipped example submissions of cs7643_a4
# make test   install, run the tests
# make containers  run the tests that need a container engine (as root one is started); CONTAINERS=… names some of them
# make check  format, lint, types, stale templates, tests
# make verify prove every suite
# make mutants  look for mistakes that a suite would let pass (survivors are listed)
# make faults  look at a folder of faults seen elsewhere: make faults FAULTS=../faults
# make rewritings  look for right code that a suite would let lose points
# make attack  let a corpus of hostile code attack the grader, in all the ways to run it that this machine has
# make fuzz  mutate what the grader reads of others, long (tests/fuzzing/fuzz.py --coverage NAME where atheris is)
# make bench  measure against other graders
# make gpu  what a machine with a GPU is asked, in eight minutes: agreement, trainings, memory (gpu.json)
# make docs   README and docs/ as a site with search, in dist/docs (needs no network to be read)
# make wheel  the package, in dist/
# make kit SLUG=cs7643_a4  what students get, in dist/
# make bundle SLUG=cs7643_a4 FOR=gradescope  what a platform's autograder is made of, in dist/
# make image  the container image for CPUs (make image-gpu: for CUDA, unproven: no GPU has run it yet)
#             BASE=…@sha256:… pins the base; PIP_OPTIONS says where packages come from, e.g. after make wheelhouse
#             PIP_OPTIONS="--no-index --find-links /context/wheelhouse"
# make locks  the lock files of the images anew (needs uv)

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
# Where torch comes from. On Linux the CPU build is much smaller:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Empty: pip's default index.
TORCH_INDEX ?=
TORCH := torch==2.13.0
# As another user with an interpreter of its own: by itself.
ALONE := tests/sandbox/test_unprivileged.py
DEMO := test_suites/cs7643_a4/submissions/demo
CONTAINERS ?= tests/containers
ENGINE ?= docker
BASE ?= python:3.11-slim-bookworm
IMAGE ?= dl-grader
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
PIP_OPTIONS ?= $(if $(filter cpu,$(VARIANT)),--extra-index-url $(TORCH_CPU_INDEX))
PLATFORM ?=
LOCK = uv pip compile pyproject.toml --extra data --constraints - --python-version 3.11 --generate-hashes --no-annotate \
  --python-platform x86_64-manylinux_2_28 --custom-compile-command "make locks" --output-file
VARIANT := cpu
FOR ?= gradescope
export OMP_NUM_THREADS := 1
# Where this is set, each of the thousand processes that tests and proofs start would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test containers check format verify mutants rewritings faults attack fuzz bench gpu docs wheel kit bundle image image-gpu wheelhouse locks clean

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make $(MAKECMDGOALS) PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: $(VENV)/installed
	@rm -rf grades/demo
	@$(BIN)/grader grade cs7643_a4 $(DEMO)/* --out grades/demo --seed demo

# Files are handed out whole, because tests of one file share what they grade once, in the order of tests/conftest.py.
test: $(VENV)/installed
	$(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder --ignore tests/containers --ignore $(ALONE)
	$(BIN)/python -m pytest -q $(ALONE)

# One engine and one image for all of them, so one after another.
containers: $(VENV)/installed
	$(BIN)/python -m pytest -q -rs $(CONTAINERS)

format: $(VENV)/installed
	$(BIN)/ruff format grader tests benchmarks docs
	$(BIN)/ruff check --fix grader tests benchmarks docs reference_solutions test_suites

check: $(VENV)/installed
	$(BIN)/ruff format --check grader tests benchmarks docs
	$(BIN)/ruff check grader tests benchmarks docs reference_solutions test_suites
	$(BIN)/mypy
	@for slug in $$(ls test_suites); do $(BIN)/grader template $$slug --check || exit 1; done
	$(MAKE) test

# One assignment for each processor: much of a proof is one process's work (the reference, the examination, the kit).
verify: $(VENV)/installed
	@ls test_suites | xargs -P "$$($(BIN)/python -c 'import os; print(os.cpu_count())')" -n 1 $(BIN)/grader verify --jobs 1

mutants: $(VENV)/installed
	$(BIN)/grader verify --all --mutants

rewritings: $(VENV)/installed
	$(BIN)/grader verify --all --rewritings

faults: $(VENV)/installed
	FAULTS="$(FAULTS)" $(BIN)/python -m pytest -q -rs tests/test_faults.py

attack: $(VENV)/installed
	$(BIN)/python tests/attacks/profiles.py

fuzz: $(VENV)/installed
	PYTHONPATH=tests:tests/fuzzing $(BIN)/python tests/fuzzing/fuzz.py frames=1000000 archives=20000 notebooks=20000 \
	  manifests=5000 metadata=5000 recordings=50000 marks=5000 people=5000 groups=5000

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks.peers

gpu: $(VENV)/installed
	$(BIN)/python -m benchmarks.gpu --json gpu.json

docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	$(BIN)/python docs/site/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo dist/docs/index.html

wheel: $(VENV)/installed
	rm -rf dist build
	$(BIN)/python -m build --wheel --outdir dist

kit: $(VENV)/installed
	rm -f dist/$(SLUG)-kit.zip
	$(BIN)/grader kit $(SLUG) --out dist/$(SLUG)-kit.zip

bundle: $(VENV)/installed
	rm -rf dist/$(SLUG)-$(FOR)*
	$(BIN)/grader bundle $(SLUG) --for $(FOR) --out dist/$(SLUG)-$(FOR)$(if $(filter gradescope,$(FOR)),.zip)

image-gpu: VARIANT := cuda
image image-gpu: wheel
	$(ENGINE) build $(if $(PLATFORM),--platform $(PLATFORM)) $(BUILD_OPTIONS) --file docker/Dockerfile \
	  --build-arg BASE=$(BASE) --build-arg VARIANT=$(VARIANT) --build-arg "PIP_OPTIONS=$(PIP_OPTIONS)" \
	  --build-arg VERSION=$$($(BIN)/python -c 'import grader; print(grader.__version__)') \
	  --build-arg SOURCE=$$($(BIN)/python -c 'from grader.container.image import source_digest; print(source_digest())') \
	  --tag $(IMAGE):$(VARIANT) .

wheelhouse: $(VENV)/installed
	$(BIN)/python -m pip download --no-deps --require-hashes --only-binary :all: --dest docker/wheelhouse \
	  $(if $(filter cpu,$(VARIANT)),--extra-index-url $(TORCH_CPU_INDEX)) --requirement docker/$(VARIANT).lock

locks:
	echo 'torch==2.13.0+cpu' | $(LOCK) docker/cpu.lock --extra-index-url $(TORCH_CPU_INDEX) --index-strategy unsafe-best-match
	echo 'torch==2.13.0' | $(LOCK) docker/cuda.lock

clean:
	rm -rf $(VENV) grades build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
