# make demo   train on 700 blood cells and annotate the rest      make test   run the whole test suite
# make lint   check style and types                               make clean  remove the environment
# make audit  look for known vulnerabilities of what is installed
# make docs   build the documentation, docs/_build/html/index.html
# make sparse build torch-scatter and torch-sparse (a quarter of an hour, once) and test with them

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint audit docs sparse clean

demo: .venv/installed
	$(BIN)/gene-gcn demo

test: .venv/installed
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit: .venv/installed
	$(BIN)/python scripts/audit.py

# Warnings are errors: each link and each name in backticks leads somewhere, each cell of a tutorial runs.
docs: .venv/docs
	$(BIN)/python -m sphinx -W -n --keep-going -q -b html docs docs/_build/html

sparse: .venv/sparse
	$(BIN)/python -m pytest -m sparse

# The stamps are written last, so that an installation that was cut off is done again.
.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

.venv/docs: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

# Both are compiled against the torch that is installed; ninja uses all cores for it.
.venv/sparse: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools wheel ninja
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-build-isolation -c constraints.txt -e '.[sparse]'
	$(BIN)/python -c "import torch_scatter, torch_sparse"
	touch $@

clean:
	rm -rf .venv
