"""Fuzz one target with atheris: `python -m tests.fuzz.one NAME CORPUS... [-flags of libFuzzer]`."""

import sys

from tests.fuzz.instrumented import fuzz

if __name__ == "__main__":
    fuzz(sys.argv[1], sys.argv[2:])
