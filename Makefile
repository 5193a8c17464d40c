# One verb each. Nothing here needs more than python3 (3.11 or newer, with venv), make and the index.

PYTHON ?= python3
DEV = .venv-dev
RUN = $(DEV)/bin/python

.PHONY: help demo test interop lint type format check lock bench clean

help:            ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

demo:            ## run the program on its built-in lab
	./time-drift.sh --demo

test: $(DEV)     ## run every test; interop tests skip, loudly, without Debian's servers
	$(RUN) -m pytest $(PYTEST)

interop: $(DEV) .venv-interop/bin/roughly  ## the tests against real servers and other implementations
	$(RUN) -m pytest tests/interop $(PYTEST)

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

lock:            ## renew the locks; they name no index
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile -q -U --generate-hashes --universal --python-version 3.11 \
		--no-header requirements.in -o requirements.txt
	.venv-lock/bin/uv pip compile -q -U --generate-hashes --universal --python-version 3.11 \
		--no-header requirements-dev.in -o requirements-dev.txt

clean:           ## remove what the other verbs made
	rm -rf .venv .venv-* .venv*.lock .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

# The preparation itself sees whether the lock has changed, and does nothing if it has not.
.PHONY: $(DEV)
$(DEV):
	@$(PYTHON) -I drift/prepare.py requirements-dev.txt $(DEV)
