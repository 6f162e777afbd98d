"""`lightcollapse doctor`: what this machine offers."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Any

import click

from lightcollapse.cli.output import envelope, environment, write

_EPILOG = """\b
Examples:
  lightcollapse doctor
  lightcollapse doctor --json
"""


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """Show versions, threads, the processor, the cache of compiled kernels, SQLite, devices and the terminal."""
    rows = [{"name": name, "value": value} for name, value in look().items()]
    if as_json:
        write(envelope("doctor", rows))
        return
    wide = max(len(row["name"]) for row in rows)
    write("\n".join(f"{row['name']:{wide}}  {'-' if row['value'] is None else row['value']}" for row in rows))


def look() -> dict[str, Any]:
    """Name and value of everything that can explain why a run is slow or differs."""
    import sqlite3

    from lightcollapse.compiler import cache_directory

    directory = cache_directory()
    return {
        **environment(),
        "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": _processor(),
        "vector_units": _vector_units(),
        "kernel_cache": "none can be written; set LIGHTCOLLAPSE_CACHE_DIR" if directory is None else str(directory),
        "kernels_compiled": 0 if directory is None else sum(1 for _ in directory.rglob("*.nbi")),
        "sqlite": sqlite3.sqlite_version,
        "gpu": "torch is installed" if find_spec("torch") else "torch is not installed; nothing here needs it",
        "terminal": f"{'yes' if sys.stdout.isatty() else 'no'}, {sys.stdout.encoding}",
    }


def _processor() -> str:
    import llvmlite.binding as llvm

    return str(llvm.get_host_cpu_name())


def _vector_units() -> str:
    """The widest vector instructions that kernels are compiled for."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    wide = [name for name in ("avx512f", "avx2", "avx", "sse2", "sve", "neon") if features.get(name)]
    return wide[0] if wide else "none known"
