"""Races against what a user would pick instead, and what a point costs: `python -m tests.benchmarks`."""

import os

for _variable in ("OMP", "OPENBLAS", "MKL"):  # one thread each, said before any of them is loaded
    os.environ.setdefault(f"{_variable}_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")
