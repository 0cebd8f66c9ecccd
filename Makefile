# The two commands of the README, and the checks. Everything happens in .venv.
PYTHON ?= python3
BIN := .venv/bin
NAME ?= quickstart
MARKS ?= not slow and not long
# Where no bytecode is written (images of containers often say so), every process compiles torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: search test test-fast clients lint docs sbom clean

search: .venv/installed
	@if [ -f runs/$(NAME)/search.yaml ]; then \
	    $(BIN)/nas search --resume $(NAME); \
	else \
	    $(BIN)/nas search --space quickstart --data digits --recipe tiny --epochs 6 --trials 12 --workers 2 --seed 0 --name $(NAME); \
	fi
	$(BIN)/nas export $(NAME) --pick knee --targets onnx

# MARKS='not long' adds the slow tests, as CI does; MARKS='' also those that show more of the same.
test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=20 -m '$(MARKS)'

# What to run on every save: the unit tests, all that is not marked `integration`. They start no process.
test-fast: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal --fast

# Exported files in programs that others wrote, each in an environment that pip makes on the first run;
# then the table of docs/results/clients anew. Seven minutes on two cores, the first time more.
CLIENTS := docs/results/clients
clients: .venv/installed
	rm -f $(CLIENTS)/clients.csv
	$(BIN)/python -m pytest -n 2 --dist loadscope -m clients --figures $(CLIENTS) tests/clients
	$(BIN)/python $(CLIENTS)/table.py

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy

# The site, into site/. A broken link, or a page that the navigation lacks, is an error. Needs no network.
docs: .venv/installed
	$(BIN)/mkdocs build --quiet --strict

# What is installed; goes with each release.
sbom: .venv/installed
	$(BIN)/python tools/sbom.py --out dist/sbom.cdx.json

# Takes the pins from constraints.txt; done again when a list of dependencies changes.
.venv/installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (about two minutes the first time)"
	@# Not compiled: most of what comes along is never imported.
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[test,deploy,mcu,docs]'
	@touch $@

clean:
	rm -rf .venv
