# make demo: install and run the whole job on a generated reserve.   make test: install and run the tests.
# make test-torch: the same with the extra `torch`, for the tests of training.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-torch lint clean

demo: $(VENV)/.installed
	$(BIN)/ecotone demo

test: $(VENV)/.installed-test
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/python -m pytest

test-torch: $(VENV)/.installed-torch
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/training tests/backends tests/detection \
		tests/benchmarks/test_training.py tests/benchmarks/test_detector.py \
		tests/hierarchy/test_triplet.py tests/hierarchy/test_five_stage.py \
		tests/reid/test_arcface.py tests/project/test_network_torch.py \
		tests/project/test_odd_individuals.py

lint: $(VENV)/.installed-test
	$(BIN)/ruff check --fix src tests benchmarks

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[all]"
	touch $@

$(VENV)/.installed-test: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test]"
	touch $@ $(VENV)/.installed

$(VENV)/.installed-torch: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test,torch]"
	touch $@ $(VENV)/.installed $(VENV)/.installed-test

clean:
	rm -rf $(VENV) ecotone-demo
