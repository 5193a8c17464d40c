#!/bin/sh
# The program as `make coverage` runs it: in one process, which measures what it executes.
[ ! -r /proc/uptime ] || read -r TIME_DRIFT_STARTED _ </proc/uptime
here=${0%/*}
root=$here/../../..
export TIME_DRIFT_STARTED MALLOC_ARENA_MAX=1 PYTHONPATH="$root"
exec "$root/.venv-dev/bin/python" -P -m coverage run --rcfile="$here/coverage.toml" \
    --data-file="$root/.coverage" -m drift "$@"
