# Every target sets up what it needs; a second run finds it done.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Kubernetes' own programs, built once from their Go module: outside the checkout, so that a new one finds them.
export KUBE_BIN ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kn-ahead/kube-$(shell sed -n 's,.*k8s.io/kubernetes v\([0-9.]*\).*,\1,p' tests/apiserver/kube/go.mod)
GO ?= $(or $(shell command -v go),/usr/local/go/bin/go)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start a hundred processes of ours: what one has compiled the others only read.
export PYTHONDONTWRITEBYTECODE :=
BESIDE := $(MAKE) --no-print-directory -j

.PHONY: help demo test pytest fuzz coverage coverage-all test-cluster lint ruff format mypy imports e2e bench bench-smoke lock sbom clean prometheus etcd
.DEFAULT_GOAL := test

help:  ## what there is to make
	@sed -n 's/^\([a-z][a-z -]*\):.*##  *\(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# The locks name every package, so that pip has nothing to resolve. What is imported is compiled then: compiling all
# of it first took longer than downloading it. Of pip's lines those of large packages are shown.
INSTALL := $(BIN)/pip install --no-deps --no-compile --require-hashes -r
LARGE_ONES := while read -r line; do set -- $${line/Using cached/Downloading}; case "$$1 $$4" in \
	  "Downloading MB)") IFS=- read -r name version _ <<<"$$2"; echo "  $$name $$version $$3 $$4" ;; \
	  Installing*) echo "  all there; unpacking takes about 15 s" ;; esac; done

$(VENV)/run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kn-ahead needs Python >= 3.11; name one: make PYTHON=python3.12 ..."; exit 2; }
	@echo "Setting up $(VENV), once: 170 MB to download, 640 MB on disk, about a minute"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@set -o pipefail; $(INSTALL) requirements.lock | $(LARGE_ONES)
	@# The project itself: a path file and launchers, so that running it needs no build backend.
	@$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "kn-ahead.pth").write_text(str(pathlib.Path.cwd()) + "\n")'
	@printf '#!/bin/sh\nexec "%s/python" -m autoscaler.cli.launch "$$@"\n' "$(abspath $(BIN))" >$(BIN)/kn-ahead
	@printf '#!/bin/sh\nexec "%s/python" -c "from autoscaler.cli.launch import kubectl_plugin; kubectl_plugin()" "$$@"\n' "$(abspath $(BIN))" >$(BIN)/kubectl-ahead
	@chmod +x $(BIN)/kn-ahead $(BIN)/kubectl-ahead
	@touch $@

$(VENV)/dev: requirements-dev.lock $(VENV)/run
	@echo "Setting up the tools of the tests in $(VENV), once: about half a minute"
	@set -o pipefail; $(INSTALL) requirements-dev.lock | $(LARGE_ONES)
	@# Warnings are errors in tests: those of compiling packages of others are none of ours.
	@$(BIN)/python -m compileall -q -j0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

demo: $(VENV)/run  ## a synthetic shop: learned, replayed, then live; its page is there within seconds
	$(BIN)/kn-ahead demo

prometheus:  ## a Prometheus server for the tests that read from a real one
	@command -v prometheus >/dev/null && command -v promtool >/dev/null || { \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null; } || \
	  { echo "Prometheus is missing: install Debian's package 'prometheus' (it brings promtool), or put both programs on the PATH."; exit 2; }; }

ruff format mypy imports: $(VENV)/dev
ruff:
	nice $(BIN)/ruff check .
format:
	nice $(BIN)/ruff format --check .
mypy:
	nice $(BIN)/mypy
imports:
	nice $(BIN)/lint-imports --no-cache

lint: $(VENV)/dev
	@$(BESIDE)4 ruff format mypy imports

pytest: $(VENV)/dev prometheus
	@# One more than processors: tests wait for others now and then.
	$(BIN)/pytest -n $$($(BIN)/python -c 'import os; print(os.cpu_count() + 1)') --dist worksteal

test: ruff format prometheus  ## linters, types, import contracts and all tests; what takes long runs side by side
	@$(BESIDE)3 pytest mypy imports

fuzz: $(VENV)/dev prometheus  ## all laws with many examples; 1,000 attacks on the running controller, ten minutes of mishaps of the advisor
	KN_AHEAD_FUZZ_EXAMPLES=1000 KN_AHEAD_FUZZ_S=600 $(BIN)/pytest tests/processes tests/benchmarks/test_parity.py \
	  $$(grep -rl --include='test_*.py' 'hypothesis import' tests | grep -v '^tests/processes/')

PURE := autoscaler/core/*,autoscaler/advisor/declarations.py,autoscaler/advisor/dependency_graph.py,autoscaler/advisor/namespaces.py,autoscaler/advisor/paths.py
coverage: $(VENV)/dev  ## what is pure is tested to the last branch
	$(BIN)/pytest -n auto --cov --cov-report= tests/autoscaler/core tests/autoscaler/advisor tests/benchmarks/test_parity.py
	$(BIN)/coverage report --include='$(PURE)' --fail-under=100

coverage-all: $(VENV)/dev prometheus  ## of everything, by all tests; what runs in processes of its own is not counted
	$(BIN)/pytest -n auto --dist worksteal --cov --cov-report=term

etcd:  ## etcd for the tests against a real API server
	@command -v etcd >/dev/null || { \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends etcd-server openssl >/dev/null; } || \
	  { echo "etcd is missing: install Debian's package 'etcd-server', or put the program on the PATH."; exit 2; }; }

$(KUBE_BIN)/kube-controller-manager: tests/apiserver/kube/go.mod tests/apiserver/kube/go.sum
	@$(GO) version >/dev/null 2>&1 || { echo "Go is missing: it builds kube-apiserver; install it, or name it: make GO=/path/to/go ..."; exit 2; }
	@echo "Building kube-apiserver and kube-controller-manager into $(KUBE_BIN): about five minutes, once"
	@mkdir -p $(KUBE_BIN)
	cd tests/apiserver/kube && GOBIN=$(KUBE_BIN) $(GO) install -ldflags "-s -w" tool
	@touch $@

test-cluster: $(VENV)/dev etcd prometheus $(KUBE_BIN)/kube-controller-manager  ## against a real API server, with stand-ins for nodes and Knative's controllers
	$(BIN)/pytest -o addopts="--import-mode=importlib --strict-markers -ra" tests/apiserver

e2e: $(VENV)/dev  ## on the cluster of KUBECONFIG, with kn-ahead in the place of its autoscaler; run where its Services resolve
	$(BIN)/pytest -o addopts="--import-mode=importlib --strict-markers -ra" tests/cluster -v

bench: $(VENV)/run  ## cost of the controller beside recorded figures; TRACES="a.npz b.npz": all policies on these (BENCH="--start-up 30": options)
	$(BIN)/python -m benchmarks.controller.tick
	$(BIN)/python -m benchmarks.controller.poke --apart
	$(BIN)/python -m benchmarks.controller.poke --together
ifneq ($(TRACES),)
	$(BIN)/kn-ahead bench run $(TRACES) --processes $$(nproc) --output bench $(BENCH)
endif

bench-smoke: $(VENV)/run  ## decisions on made traffic are no worse than recorded, nor than keep-alives; TRACES="a.npz b.npz": on these, too
	$(BIN)/kn-ahead bench smoke
	$(BIN)/python -m benchmarks.policies.gate $(addprefix --trace ,$(TRACES))

LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock:  ## resolve the pinned requirements anew (needs uv)
	$(LOCK) --extra benchmarks pyproject.toml -o requirements.lock
	$(LOCK) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(LOCK) -c requirements.lock pyproject.toml -o requirements-controller.lock
	echo cyclonedx-bom | $(LOCK) - -o requirements-sbom.lock

sbom: $(VENV)/run  ## what the two images hold, as CycloneDX: sbom.json, sbom-controller.json
	@[ -x $(VENV)/sbom/bin/cyclonedx-py ] || { $(PYTHON) -m venv $(VENV)/sbom && $(VENV)/sbom/bin/pip install --quiet --require-hashes -r requirements-sbom.lock; }
	$(VENV)/sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o sbom.json requirements.lock
	$(VENV)/sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o sbom-controller.json requirements-controller.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
