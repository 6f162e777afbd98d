"""Benchmarks, run by hand: `python -m tests.benchmarks NAME [--json]`. Nothing here asserts a time."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib import import_module
from pathlib import Path

NAMES = {"cost": "nanoseconds a point of every family, regime and curation, at three sizes, on one thread and two"}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="\n".join(f"{name}: {what}" for name, what in NAMES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=sorted(NAMES), nargs="?", default="cost")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", default="", help="only lines that contain this")
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    benchmark = import_module(given.name)
    rows = []
    if not given.json:
        print(f"{platform.machine()}, Python {platform.python_version()}\n{benchmark.HEAD}")
    for row in benchmark.rows(given.only):
        rows.append(row)
        if not given.json:
            print(benchmark.line(row), flush=True)
    if given.json:
        print(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
