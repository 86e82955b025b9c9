# The two commands of a newcomer: make demo, make test. `make help` lists all.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN := .venv/bin
READY := .venv/ready
TOOLS := .venv/test-tools
export PATH := $(CURDIR)/$(BIN):$(PATH)

# What `make clip` takes, from its command line alone. By `value` and the environment: neither make nor the shell reads it as code.
$(foreach word,VIDEO CATEGORY NAME SIDE FIRST LAST FOCAL HINT_FRAME HINT_BOX HINT_CLICK,$(eval \
	override export $(word) := $$(if $$(filter command,$$(origin $(word))),$$(value $(word)))))

.PHONY: help demo clip test test-unit lint format install benchmark clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: $(READY) ## the real clip and six made ones, from pixels to meshes, table and pictures (8 to 25 minutes)
	snakemake --cores $(CORES) --configfile config/config.yaml config/demo.yaml
	@python -m hoi summary

clip: $(READY) ## your own video to meshes and report: make clip VIDEO=my.mov CATEGORY=mug (docs/wild.md)
	@python -m hoi own_clip --table results/own_clip.tsv --video="$$VIDEO" --category="$$CATEGORY" --name="$$NAME" \
		--side="$$SIDE" --first="$$FIRST" --last="$$LAST" --focal_px="$$FOCAL" \
		--hint_frame="$$HINT_FRAME" --hint_box="$$HINT_BOX" --hint_click="$$HINT_CLICK"
	snakemake --cores $(CORES) --configfile config/config.yaml config/own_clip.yaml
	@python -m hoi summary --clips results/own_clip.tsv

test: $(READY) $(TOOLS) ## every test: unit, stages, workflow; the drills on SLURM, which mostly wait, beside the others
	python -m pytest tests/slurm & slurm=$$!; python -m pytest --ignore tests/slurm; rest=$$?; wait $$slurm && exit $$rest

test-unit: $(READY) ## the fast part
	python -m pytest tests/unit -m "not slow"

lint: $(READY) ## formatting, style, and the workflow's own linter
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/rules
	snakemake --lint

format: $(READY) ## mend formatting
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow/rules

benchmark: $(READY) ## speed of the field's kernels and of the prior's network on this machine
	python benchmarks/field.py
	python benchmarks/prior.py

install: $(READY) ## .venv with everything pinned

$(READY): pyproject.toml environment.post-deploy.sh scripts/system_libraries.sh
	@test -n "$(PYTHON)" || { echo "hoi needs Python >= 3.11 with venv: apt-get install python3 python3-venv"; exit 1; }
	@bash scripts/system_libraries.sh
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "hoi needs venv: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --quiet --editable '.[dev]'
	bash environment.post-deploy.sh
	@touch $@

$(TOOLS): $(READY) scripts/test_tools.sh scripts/node/package-lock.json
	@bash scripts/test_tools.sh
	@touch $@

clean: ## remove results (the environment stays)
	find results -mindepth 1 ! -path results/README.md -delete
