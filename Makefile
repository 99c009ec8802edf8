# Each target sets up what it needs first; a second run finds nothing to do.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo real laboratories bundle check test test-cluster docs style lint bench external pin

CORES ?= $(shell getconf _NPROCESSORS_ONLN)
DATA := $(or $(TISSUESTATE_DATA),../shared/data)
BUNDLE ?= $(wildcard results/real/results/bundle)
LEFT_OUT_CALLS := results/laboratories/results/laboratories/calls.tsv
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/workflow/lib

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## install the tools (Debian packages) and .venv, if missing
	@envs/setup.sh requirements.txt

setup-dev: ## the same, and packages for tests and linters
	@envs/setup.sh requirements-dev.txt

# Snakemake's self-contained report, made again if the run has changed its summary.
report = [ $(1)/results/report.html -nt $(1)/results/report/summary.html ] || \
	PYTHONWARNINGS=ignore snakemake --workflow-profile none --directory $(1) $(2) --quiet all --report results/report.html \
		--report-metadata results/report/run/metadata.yaml; \
	echo "The report is $(abspath $(1))/results/report.html"

# The sheet names matrices by a path that is the same on every machine, and so is the bundle.
define laboratories_sheet
mkdir -p results/laboratories
ln -sfn $(abspath $(DATA)) results/laboratories/data
cd results/laboratories && python $(CURDIR)/tests/laboratories_sheet.py data samples.tsv
endef

demo: setup ## run the whole workflow on the simulated cohort
	snakemake --cores $(CORES)
	@$(call report,.)

real: setup ## train on real GTEx and TCGA matrices, if the data are there
	@test -d $(DATA)/tcga_gtex || { echo "real: no tcga_gtex in $(DATA); set TISSUESTATE_DATA" >&2; exit 1; }
	mkdir -p results/real
	python tests/real_sheet.py $(abspath $(DATA))/tcga_gtex results/real/samples.tsv
	snakemake --cores $(CORES) --directory results/real --configfile tests/integration/real.yaml
	@$(call report,results/real,--configfile tests/integration/real.yaml)

laboratories: setup ## train on TCGA, GTEx and other laboratories, if the data are there
	@test -d $(DATA)/external || { echo "laboratories: no external in $(DATA); set TISSUESTATE_DATA" >&2; exit 1; }
	$(laboratories_sheet)
	snakemake --cores $(CORES) --directory results/laboratories --configfile config/laboratories.yaml
	@$(call report,results/laboratories,--configfile config/laboratories.yaml)

bundle: setup ## train the bundle of resources/bundle again, if the data are there
	@test -d $(DATA)/external || { echo "bundle: no external in $(DATA); set TISSUESTATE_DATA" >&2; exit 1; }
	$(laboratories_sheet)
	snakemake bundle --cores $(CORES) --directory results/laboratories --configfile config/laboratories.yaml
	python tests/pretrained_bundle.py results/laboratories/results resources/bundle

test: setup-dev ## run every test
	OMP_NUM_THREADS=1 pytest -n $(CORES) --dist loadfile

check: style ## linters, types, quick unit tests and a dry run of each config, in two minutes
	OMP_NUM_THREADS=1 pytest -q -n $(CORES) --dist loadfile -m "not slow" tests/unit tests/workflow/test_plans.py

test-cluster: ## run the demo on a real SLURM of several nodes, started here (needs root)
	@envs/setup.sh requirements-dev.txt cluster
	OMP_NUM_THREADS=1 pytest tests/cluster

docs: setup ## write the tables of docs/ again from the schemas
	python -m tissuestate.startup.config_docs docs workflow/schemas

style: setup-dev
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/Snakefile workflow/rules
	mypy workflow/lib

lint: style ## check style and types, and the workflow by Snakemake's own rules
	snakemake --lint

bench: setup-dev ## time correction, components, mRIN, training and calls and the usual alternatives
	python benchmarks/correction.py
	python benchmarks/features.py benchmarks/features.tsv
	@test -x .venv/rseqc/bin/tin.py || { python -m venv .venv/rseqc && .venv/rseqc/bin/pip install -q RSeQC==5.0.4; }
	python benchmarks/integrity.py --tin .venv/rseqc/bin/tin.py
	python benchmarks/training.py benchmarks/training.tsv
	python benchmarks/classify.py benchmarks/classify.tsv
	@test -d results/real/results/cohort || { echo "bench: novelty, trust, missing genes and tuning need 'make real' first"; exit 0; } && \
	for name in novelty trust missing_genes tuning; do python benchmarks/$$name.py results/real/results benchmarks/$$name.tsv; done && \
	python benchmarks/length_normalised.py results/real/results $(DATA)/mrin/refGene.rep.uniq.hg19.bed.gz benchmarks/length_normalised.tsv && \
	python benchmarks/expressed_sex.py results/real/results $(DATA) benchmarks/expressed_sex.tsv
	@test -d results/laboratories/results/cohort || { echo "bench: front_end and units need 'make laboratories' first"; exit 0; } && \
	python benchmarks/front_end.py results/laboratories/results/cohort/cohort.h5ad benchmarks/front_end.tsv && \
	python benchmarks/units.py results/laboratories/results $(DATA)/mrin/refGene.rep.uniq.hg19.bed.gz benchmarks/units.tsv
	@test -d results/cohort || { echo "bench: planning needs 'make demo' first"; exit 0; } && \
	python benchmarks/planning.py results benchmarks/planning.tsv

external: setup ## score calls of other laboratories' samples by BUNDLE, and those of 'make laboratories', if the data are there
	@test -d $(DATA)/external || { echo "external: no external in $(DATA); set TISSUESTATE_DATA" >&2; exit 1; }
	@test -n "$(BUNDLE)$(wildcard $(LEFT_OUT_CALLS))" || { echo "external: no bundle yet; run 'make real' first, or set BUNDLE=FOLDER" >&2; exit 1; }
	@test -z "$(BUNDLE)" || python benchmarks/external.py "$(BUNDLE)" $(DATA)/external benchmarks/external.tsv results/external/external.html
	@test ! -f $(LEFT_OUT_CALLS) || python benchmarks/external.py $(LEFT_OUT_CALLS) $(DATA)/external benchmarks/external.tsv results/external/left_out.html --name "ridge, laboratories left out"
	@echo "The pages are in $(abspath results/external)"

# A pin lists what conda installs, so environments with packages of pip have none.
pin: ## write envs/*.pin.txt with conda's solver (needs conda channels and snakedeploy)
	@command -v conda >/dev/null || { echo "pin: install conda first" >&2; exit 1; }
	@command -v snakedeploy >/dev/null || { echo "pin: pip install snakedeploy first" >&2; exit 1; }
	snakedeploy pin-conda-envs --conda-frontend conda $$(grep -L -e '- pip:' envs/*.yaml)
