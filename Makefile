# One verb each. Nothing here needs more than python3 (3.11 or newer, with venv), make and the index.

PYTHON ?= python3
DEV = .venv-dev
RUN = $(DEV)/bin/python
URL ?= https://example.org/
# Two workers: what measures time, one test at a time, beside what only computes.
TWICE = -n 2 --dist loadgroup

.PHONY: help demo test interop tools lint type format check lock bench site clean

help:            ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

demo:            ## run the program on its built-in lab
	./time-drift.sh --demo

test: $(DEV)     ## run every test; interop tests skip, loudly, without Debian's servers
	$(RUN) -m pytest $(TWICE) $(PYTEST)

interop: $(DEV) tools  ## the tests against real servers and other implementations
	$(RUN) -m pytest tests/interop tests/site $(PYTEST)

# Peers and heavy tools, in environments of their own: some 900 MB.
tools: .venv-interop/bin/roughly .venv-aws .venv-checkov  ## what only the interop tests need

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

format: $(DEV)   ## put the code in form
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

check: lint type test  ## everything before a commit

bench: $(DEV)         ## compare with ntpdig and chronyd (root, and Debian's chrony and ntpsec-ntpdig)
	$(RUN) -m bench.run
	$(RUN) -m bench.simulation

site: .venv-site      ## build the hand-over site in build/site (URL=https://...), from a clean clone
	.venv-site/bin/python -m cloudformation site --url $(URL)

UV = .venv-lock/bin/uv pip compile -q -U --generate-hashes --universal --python-version 3.11 --no-header
LOCKS = requirements requirements-dev requirements-site tests/tools/aws tests/tools/checkov
lock:            ## renew the locks; they name no index
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv
	for lock in $(LOCKS); do $(UV) $$lock.in -o $$lock.txt || exit; done

clean:           ## remove what the other verbs made
	rm -rf .venv .venv-* .venv*.lock .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

# The preparation itself sees whether a lock has changed, and does nothing if it has not.
.PHONY: $(DEV) .venv-site .venv-aws .venv-checkov
$(DEV):
	@$(PYTHON) -I drift/prepare.py requirements-dev.txt $@
.venv-site:
	@$(PYTHON) -I drift/prepare.py requirements-site.txt $@
.venv-aws .venv-checkov:
	@$(PYTHON) -I drift/prepare.py tests/tools/$(@:.venv-%=%).txt $@
