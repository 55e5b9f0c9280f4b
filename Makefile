PYTHON ?= python3
# The versions that the tests run with; build/lowest.txt has the lowest that are declared, nothing means the newest.
CONSTRAINTS ?= constraints.txt
VENV := .venv
BIN := $(VENV)/bin
NOW := $(VENV)/.installed
DEMO := .venv-demo
WORKERS := $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) * 3 / 2 )))  # many tests wait for a disk or a clock
PIP := python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help dev fmt lint type test soak bench fuzz demo docs translations lock clean

help:  ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(NOW): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP) $(CONSTRAINTS:%=-c %) -e '.[test]'
	@touch $@

build/lowest.txt: pyproject.toml
	@mkdir -p build
	sed -nE '/^dependencies = /,/^]/s/^ *"([a-z0-9-]+)>=([^,"]+).*/\1==\2/p' $< > $@

$(DEMO)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/$(PIP) -c constraints.txt -e .
	@touch $@

dev: $(NOW)  ## Install the program and what its tests need into .venv

fmt: dev  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: dev  ## Check style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

type: dev  ## Check types
	$(BIN)/mypy

# Else each worker, and each process that a test starts, compiles everything anew.
test: export PYTHONDONTWRITEBYTECODE :=
test: dev  ## Run all the tests, with coverage of what runs in this process
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses $(WORKERS) -m 'not (soak or unmeasured)'
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal -m 'unmeasured and not soak'
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report

# Properties of many steps, of which the profile of `make test` has few examples.
THOROUGH := $(addprefix tests/,report/test_new_workbook.py::test_any_text_round_trips sync/test_round_trip.py test_any_file.py \
	report/test_returned_workbook.py::test_any_workbook_round_trips sync/test_plan.py::test_a_run_does_what_its_plan_says)

soak: dev  ## Run the long tests: 50 kills, large files
	$(BIN)/pytest -m soak --hypothesis-profile thorough
	$(BIN)/pytest --hypothesis-profile thorough $(THOROUGH)

bench: dev  ## Measure speed and memory against floors and peers (BENCH=--readme: into tests/benchmarks/README.md)
	$(BIN)/$(PIP) requests matplotlib
	$(BIN)/python tests/benchmarks/bench.py $(BENCH)

fuzz: dev  ## Fuzz the readers, the rules and the client for five minutes (FUZZ='--seconds 3600 csv')
	$(BIN)/$(PIP) atheris
	$(BIN)/python tests/fuzz/fuzz.py $(FUZZ)

SAMPLES := contacts.csv contacts.xlsx mistakes.csv

demo: $(DEMO)/.installed  ## Install the program into .venv-demo and run the sample data against the embedded sandbox
	@for file in $(SAMPLES); do printf '\n$$ contact-sync run sample_data/%s --sandbox --rate 20 --report sample_data/%s.rehearsal.csv\n' $$file $$file; \
	$(DEMO)/bin/contact-sync run sample_data/$$file --sandbox --rate 20 --report sample_data/$$file.rehearsal.csv; \
	echo "Exit code $$?. The report begins:"; head -n 4 sample_data/$$file.rehearsal.csv; done

docs: dev  ## Write the generated parts of contact_sync/docs/reference.md
	$(BIN)/python tests/test_docs.py

ERRORS := AccessError BusyError ConfigError ContactSyncError MissingError SourceError StorageError UnavailableError

translations: dev  ## Update the French catalogue with new sentences, and compile it
	@mkdir -p build
	$(BIN)/pybabel -q extract -k _ -k N_ -k NN_:1,2 -k ngettext:1,2 -k from_os_error $(ERRORS:%=-k %) --no-location --sort-output --project contact-sync --version '' \
		--msgid-bugs-address '' -o build/contact_sync.pot contact_sync
	$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width 120 \
		-i build/contact_sync.pot -d contact_sync/i18n/locale -D contact_sync -l fr
	$(BIN)/pybabel -q compile -d contact_sync/i18n/locale -D contact_sync

lock: dev  ## Write constraints.txt with the newest versions
	$(BIN)/$(PIP) --upgrade -e '.[test]'
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean:  ## Remove what was installed and built
	rm -rf $(VENV) $(DEMO) build dist *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
