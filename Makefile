# One verb each. Nothing here needs more than python3 (3.11 or newer, with venv), make and the index.

PYTHON ?= python3
DEV = .venv-dev
RUN = $(DEV)/bin/python
URL ?= https://example.org/
# Most tests wait most of the time: three at once keep two cores busy, and are not late themselves.
# What measures time runs one test of a kind at a time (tests/conftest.py). Others care less: four.
AT_ONCE = -n 3
MORE_AT_ONCE = -n 4
# What builds whole artefacts, and what starts servers and tools of others.
LONG = $(addprefix tests/,chaos image interop monitoring packaging site supply) \
	$(filter-out %/test_documents.py %/test_registry.py,$(wildcard $(addsuffix /test_*.py,tests/docs)))

.PHONY: help demo test chaos interop tools lint type format check lock audit sbom wheel installed deb bundle packages release image bench bench-image bench-nodes simulation coverage fuzz fuzz-corpus mutants pythons endurance recipes pages site clean

help:            ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

demo:            ## run the program on its built-in lab
	./time-drift.sh --demo

test: $(DEV)     ## run the tests of the program itself: minutes; `make interop` has the others
	$(RUN) -m pytest $(AT_ONCE) $(LONG:%=--ignore=%) $(PYTEST)

# On which the tests build the image where no registry can be asked; needs root and debootstrap.
build/base build/base-trixie:
	rm -rf $@.new
	mkdir -p build
	debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates,adduser \
		$(if $(filter build/base,$@),bookworm,$(@:build/base-%=%)) $@.new >$@.log
	rm -rf $@.new/dev/* $@.new/var/cache/apt/* $@.new/var/lib/apt/lists/*
	mv $@.new $@

# Where the tests of packages install: the base, and the same release's systemd.
build/node: | build/base
	rm -rf build/node.new build/node.new.debs
	mkdir -p build/node.new.debs/partial
	cp -a build/base/. build/node.new
	apt-get install -y -qq --no-install-recommends --download-only -o APT::Sandbox::User=root \
		-o Dir::State::status=$(CURDIR)/build/base/var/lib/dpkg/status \
		-o Dir::Cache::archives=$(CURDIR)/build/node.new.debs systemd
	mv build/node.new.debs build/node.new/debs
	chroot build/node.new sh -c 'dpkg -i /debs/*.deb' >build/node.log
	rm -rf build/node.new/debs
	mv build/node.new build/node

# Packages that are unpacked here and not installed: a second NTS server, whose package excludes
# chrony's, and a peer whose package would start a program that sets the clock.
build/ntpsec build/htpdate:
	rm -rf $@.new
	mkdir -p $@.new
	cd $@.new && apt-get download -qq -o APT::Sandbox::User=root $(@F) \
		&& dpkg -x $(@F)_*.deb . && rm $(@F)_*.deb
	mv $@.new $@

chaos: $(DEV)    ## every fault of tests/chaos, beside honest servers and alone: a table (root)
	$(RUN) -m tests.chaos

interop: $(DEV) tools  ## the others: real servers, other implementations, artefacts (makes tools first)
	$(RUN) -m pytest $(MORE_AT_ONCE) $(LONG) $(PYTEST)

# Peers and heavy tools, in environments of their own: some 1 GB.
tools: .venv-interop/bin/roughly .venv-ansible .venv-aws .venv-checkov .venv-datadog .venv-fuzz .venv-mutants .venv-nodes .venv-setups .venv-supply  ## what only the interop tests need

# roughly says that it wants Python 3.12, and runs on 3.11. In no lock of ours: it is a peer.
.venv-interop/bin/roughly:
	$(PYTHON) -m venv .venv-interop
	.venv-interop/bin/python -m pip install --quiet --ignore-requires-python 'roughly[cli]==0.3.0'

lint: $(DEV)     ## ruff, its formatter, and shellcheck where it is installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	@if command -v shellcheck >/dev/null; then shellcheck time-drift.sh .ci/run; \
	else echo 'shellcheck is not installed: time-drift.sh was NOT checked' >&2; fi

type: $(DEV)     ## mypy, strict
	$(RUN) -m mypy

format: $(DEV)   ## format the code
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

check: lint type test  ## everything before a commit

# By the environment that runs: what is measured depends on no developer's tool.
bench: .venv     ## write docs/measurements.md: cost, error and lies beside peers (root, and Debian's servers)
	-$(MAKE) build/htpdate .venv-interop/bin/roughly
	.venv/bin/python -m tools.bench.run

bench-image: .venv  ## size and start-up of the image (root, and Debian's buildah, crun, debootstrap)
	.venv/bin/python -m tools.bench.image

bench-nodes: .venv  ## 100,000 nodes, which takes eight minutes; `make bench` then shows them (root)
	.venv/bin/python -m tools.bench.run nodes-many

# Half an hour of two quiet cores for a million. What is interrupted goes on at the next call.
RUNS ?= 1000000
simulation: .venv  ## run the rule on simulated networks (RUNS=1000000), write docs/simulation.md
	.venv/bin/python -m tools.simulation --runs $(RUNS) --processes 2

SECONDS ?= 600
fuzz: .venv-fuzz  ## fuzz codecs, files and conversations, guided by coverage (SECONDS=600 for all)
	.venv-fuzz/bin/python -m tests.fuzz $(SECONDS)

fuzz-corpus: $(DEV) .venv-fuzz .venv-nodes  ## renew tests/fuzz/corpus by what `make fuzz` found, and real servers
	$(RUN) -m tests.fuzz.capture
	.venv-fuzz/bin/python -m tests.fuzz.merge

# Measuring is slow, and ten thousand simulated runs add minutes and not one line. The program's own
# process is measured too: what those tests hold of time is for `make test` to see, so here they may
# fail. What they did not run is missing below.
MEASURED = $(CURDIR)/tests/support/measured/time-drift.sh
PROCESSES = $(addprefix tests/e2e/,test_console.py test_contract.py test_evidence.py test_formats.py test_watch.py fleet/test_probe.py fleet/test_serve.py)
coverage: $(DEV) .venv  ## measure branch coverage; fails below 100 % of what proves, 95 % of the rest
	mkdir -p build
	$(RUN) -m pytest -q $(AT_ONCE) --cov --cov-report= -o timeout=300 \
		--ignore=tests/property/test_simulation.py tests/unit tests/property tests/contract tests/fuzz
	-MEASURED_PROGRAM=$(MEASURED) $(RUN) -m pytest -q --tb=no $(AT_ONCE) $(PROCESSES)
	$(RUN) -m coverage combine -q --append
	$(RUN) -m coverage json -q -o build/coverage.json
	$(RUN) -m tools.coverage build/coverage.json

mutants: .venv-mutants  ## change what proves, one thing at a time: a test must fail (PARTS=sources/ntp)
	.venv-mutants/bin/python -m tests.mutants $(PARTS)

pythons: $(DEV)  ## run unit and contract tests by each Python from 3.11 to 3.14 that is here
	$(RUN) -m tools.pythons

MINUTES ?= 43200
endurance: $(DEV)  ## watch and serve for 30 days that pass in some 20 minutes (MINUTES=43200)
	$(RUN) -m tests.endurance $(MINUTES)

recipes:         ## write the generated files of monitoring/ again
	$(PYTHON) -m tools.recipes

pages: $(DEV)    ## write the generated files of docs/ again
	$(RUN) -m tools.pages

site: .venv-site      ## build the hand-over site in build/site (URL=https://...), from a clean clone
	.venv-site/bin/python -m cloudformation site --url $(URL)

UV = .venv-lock/bin/uv pip compile -q -U --generate-hashes --no-strip-extras --universal --python-version 3.11 --no-header
LOCKS = requirements requirements-dev requirements-site tests/tools/ansible tests/tools/aws tests/tools/checkov tests/tools/datadog tests/tools/fuzz tests/tools/mutants tests/tools/nodes tests/tools/setups tests/tools/supply

lock:            ## renew the locks; they name no index
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv
	for lock in $(LOCKS); do $(UV) $$lock.in -o $$lock.txt || exit; done

AUDIT = .venv-supply/bin/pip-audit --strict --disable-pip --progress-spinner off \
	--cache-dir build/audit-cache
audit: .venv-supply   ## look for known vulnerabilities in all locks; without a database it fails
	@rm -rf build/audit-cache && mkdir -p build
	@echo 'jinja2==2.4.1' >build/known-vulnerable.txt
	@$(AUDIT) --no-deps -r build/known-vulnerable.txt 2>&1 | grep -Eq 'PYSEC-|GHSA-|CVE-' || { \
		echo 'audit: no database that knows of vulnerabilities can be asked' >&2; exit 1; }
	$(AUDIT) --require-hashes $(LOCKS:%=-r %.txt)

sbom: .venv .venv-supply  ## write build/sbom.cdx.json, the bill of materials of what runs (CycloneDX)
	mkdir -p build
	sed 's/^dynamic = .*/version = "$(VERSION)"/' pyproject.toml >build/pyproject.toml
	.venv-supply/bin/cyclonedx-py environment --pyproject build/pyproject.toml --mc-type application \
		--output-reproducible --of JSON -o build/sbom.cdx.json .venv/bin/python

wheel: .venv-supply   ## build build/wheel/*.whl
	rm -rf build/wheel
	.venv-supply/bin/python -m build --wheel --no-isolation --outdir build/wheel

# What is about this checkout: its layout, the file beside its script, its documents.
TREE_ONLY = --ignore=tests/unit/test_layers.py --ignore=tests/unit/tools --ignore=tests/unit/fleet/test_chains.py \
	--deselect tests/unit/drift/test_config.py::test_where_the_configuration_is_looked_for \
	--deselect tests/unit/drift/formats/test_formats.py::test_the_documents_spell_thresholds_alike
INSTALLED = build/installed
installed: wheel      ## run tests against the installed wheel, away from this checkout
	rm -rf $(INSTALLED)
	$(PYTHON) -m venv $(INSTALLED)/venv
	$(INSTALLED)/venv/bin/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	$(INSTALLED)/venv/bin/python -m pip install --quiet --no-deps --no-index build/wheel/*.whl
	cp -R tests docs packaging pyproject.toml README.md CHANGELOG.md config.toml $(INSTALLED)/
	cd $(INSTALLED) && venv/bin/python -m pytest -q $(MORE_AT_ONCE) --hypothesis-profile=brief \
		tests/unit tests/contract/test_source_contract.py $(TREE_ONLY)

# In a clean root of the release that they are for, as root; SUITE=trixie for another than Debian 12.
PACKAGES = $(PYTHON) -m tools.packages --root $(BUILD_ROOT) --version $(VERSION)
SUITE ?= bookworm
BUILD_ROOT = $(if $(filter bookworm,$(SUITE)),build/base,build/base-$(SUITE))
OUT ?= build
deb: $(BUILD_ROOT)    ## build build/deb/*.deb, with its environment inside (root, debootstrap)
	$(PACKAGES) --out $(OUT) deb

bundle: $(BUILD_ROOT) ## build build/bundle/*.tar.gz, to unpack anywhere (root, debootstrap)
	$(PACKAGES) --out $(OUT) bundle

packages: $(BUILD_ROOT)  ## both, in half the time
	$(PACKAGES) --out $(OUT) deb bundle

ENGINE ?= docker
image:           ## build the image (ENGINE=podman, BASE=python:3.13-slim@sha256:...)
	$(ENGINE) build $(if $(findstring podman,$(ENGINE)),--format docker) -t time-drift \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
		$(if $(filter command,$(origin BASE)),--build-arg BASE=$(BASE)) .

RELEASE ?= build/release
IMAGE = $(RELEASE)/time-drift-$(VERSION)-image.tar
release: $(BUILD_ROOT) .venv .venv-supply  ## build all that a release consists of, and try it from build/release
	rm -rf $(RELEASE)
	$(PACKAGES) --out $(RELEASE) deb bundle
	mv $(RELEASE)/*/* $(RELEASE)/ && rmdir $(RELEASE)/deb $(RELEASE)/bundle
	$(MAKE) wheel sbom image
	cp build/wheel/*.whl $(RELEASE)/
	cp build/sbom.cdx.json $(RELEASE)/time-drift-$(VERSION).cdx.json
	$(if $(findstring buildah,$(ENGINE)),$(ENGINE) push -q time-drift docker-archive:$(IMAGE):time-drift:$(VERSION),$(ENGINE) save -o $(IMAGE) time-drift)
	cd $(RELEASE) && sha256sum $$(ls | grep -v SHA256SUMS) >SHA256SUMS
	$(PYTHON) -m tools.packages.verify $(RELEASE) $(VERSION)

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' drift/__init__.py)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)

clean:           ## remove what the other verbs made
	rm -rf .venv .venv-* .venv*.lock .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

# The bootstrap itself sees whether a lock has changed, and does nothing if it has not.
.PHONY: .venv $(DEV) .venv-site .venv-ansible .venv-aws .venv-checkov .venv-datadog .venv-fuzz .venv-mutants .venv-nodes .venv-setups .venv-supply
.venv:
	@./time-drift.sh --version >/dev/null
$(DEV):
	@$(PYTHON) -I drift/bootstrap.py requirements-dev.txt $@
.venv-site:
	@$(PYTHON) -I drift/bootstrap.py requirements-$(@:.venv-%=%).txt $@
.venv-ansible .venv-aws .venv-checkov .venv-datadog .venv-fuzz .venv-mutants .venv-nodes .venv-setups .venv-supply:
	@$(PYTHON) -I drift/bootstrap.py tests/tools/$(@:.venv-%=%).txt $@
