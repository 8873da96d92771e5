# One command for each thing a newcomer or a developer does; `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help install demo faults fuzz test check format experiments bench clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bionn needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another with: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: $(READY)  ## make .venv and install bionn with its pinned dependencies

demo: $(READY)  ## train on the two embedded data sets: sequence -> class, expression -> expression
	$(BIN)/bionn run data/promoters_simulated/promoters.fasta --labels data/promoters_simulated/labels.csv \
	    --out runs/demo-promoters --overwrite
	$(BIN)/bionn run data/regulation_simulated/expression.csv --target tgt1 tgt2 tgt3 tgt4 tgt5 tgt6 \
	    --out runs/demo-regulation --overwrite

test: $(READY)  ## run every test
	$(BIN)/python -m pytest

faults: $(READY)  ## kill, corrupt, fill the disk: what bionn promises then (needs a C compiler: Linux)
	$(BIN)/python -m tests.faults

fuzz: $(READY)  ## throw bytes at every parser, ten minutes each (needs atheris: Linux)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	for parser in fasta fastq table bed vcf; do \
	    $(BIN)/python tests/fuzz/fuzz.py $$parser -max_total_time=600 -max_len=2048 || exit 1; done

check: $(READY)  ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(READY)  ## let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

experiments: $(READY)  ## run every experiment on the public data in $$BIONN_DATA (hours on a small machine)
	$(BIN)/python -m experiments

bench: $(READY)  ## time and memory of ops, training, reading, prediction and mutagenesis, against their peers
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m experiments.benchmarks.ops
	$(BIN)/python -m experiments.benchmarks.training --threads 1
	$(BIN)/python -m experiments.benchmarks.training --threads 1 --dropout .2 --out runs/benchmarks/dropout.csv
	$(BIN)/python -m experiments.benchmarks.reading
	$(BIN)/python -m experiments.benchmarks.predict
	$(BIN)/python -m experiments.benchmarks.mutagenesis
	$(BIN)/python -m experiments.benchmarks.sizes
	$(BIN)/python -m experiments.benchmarks.scaling
	$(BIN)/python -m experiments.benchmarks.memory

clean:  ## remove what the other commands made (runs, caches, .venv)
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
