# make app: set everything up and start the app. make test: set everything up and run all tests.

PYTHON ?= python3
BIN := .venv/bin
# Modules are compiled on all cores afterwards, but those that nothing here loads; pip uses one.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
COMPILE := @$(BIN)/python -m compileall -q -j 0 -x '/(tests|testing|_inductor|onnx|pip)/' .venv/lib >/dev/null 2>&1 || true
# Chromium is installed, and types are checked, meanwhile.
MAKEFLAGS += --jobs=2
# Two files of tests at a time. Those in a browser are one group, which begins first.
TOGETHER := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: app test check tests test-fast coverage bench fuzz browser demo clean

app: .venv/.app
	$(BIN)/fewshot app $(ARGS)

test: check tests

check: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

tests: .venv/.test browser
	$(BIN)/pytest $(or $(ARGS),$(TOGETHER) $(COVER))

# Everything but the browser.
test-fast: .venv/.test
	$(BIN)/pytest --ignore tests/browser $(TOGETHER) $(ARGS)

# All tests, and which lines of fewshot_core they run.
coverage: COVER := --cov --cov-report=term
coverage: test

bench: .venv/.test
	@set -e; for file in benchmarks/bench_*.py; do echo "$$file"; $(BIN)/python $$file $(ARGS); done

# Read damaged files: make fuzz ARGS="5000 SEED [FORMAT]"
fuzz: .venv/.test
	$(BIN)/python tests/fuzz/fuzz.py $(or $(ARGS),5000)

# Make the results in data/demo again: make demo IMAGES=/path/to/cifar10
demo: .venv/.app
	sh data/demo/make.sh "$(IMAGES)"

browser:
	@sh tests/browser/install_chromium.sh

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "expected Python 3.11 or newer as '$(PYTHON)': install it, or name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { \
	  echo "Python cannot make virtual environments here: install its venv module (python3-venv on Debian)" >&2; exit 1; }

.venv/.app: requirements.txt pyproject.toml hatch_build.py | .venv/bin/python
	$(INSTALL) -r requirements.txt
	$(INSTALL) --no-deps -e .
	$(COMPILE)
	@touch $@

.venv/.test: .venv/.app
	$(INSTALL) -e '.[test]'
	$(COMPILE)
	@touch $@

clean:
	rm -rf .venv artefacts build dist
