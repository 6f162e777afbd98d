"""Whole processes, by the clock on the wall: help, a warm first result, and cold ones with an empty cache."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from statistics import median

from .child import spent
from .race import Row
from .setting import Setting
from .table import seconds

Measured = dict[str, float]

COLD_REPEATS = 3  # they take as long as all others together

_EMPTY = (sys.executable, "-c", "pass")
_IMPORTS = (sys.executable, "-c", "import click, numpy, numba, scipy.special")
_OURS = (sys.executable, "-m", "lightcollapse")


def rows(setting: Setting) -> Iterator[Row]:
    lines = {
        "--help": ((*_OURS, "--help"), 0.15, _EMPTY, "an empty Python process"),
        "predict accumulate": ((*_OURS, "predict", "accumulate"), None, _EMPTY, "an empty process"),
        "run gaussian, warm": ((*_OURS, "run", "gaussian", "--seed", "1"), 0.6, _IMPORTS, "its imports"),
    }
    every = [_EMPTY, _IMPORTS, *(line for line, *_ in lines.values())]
    _process(every[-1])  # compiles what is not yet
    turns = [[_process(line) for line in every] for _ in range(setting.repeats)]
    found = dict(zip(every, zip(*turns, strict=True), strict=True))
    for work, (line, most, limit, of) in lines.items():
        yield _row(work, found[line], most, median(one["wall"] for one in found[limit]), of)
    floor = median(one["wall"] for one in found[_IMPORTS])
    cold = (*_OURS, "run", "gaussian", "--seed", "1"), (*_OURS, "run", "--seed", "1")
    for line in cold[: 1 if setting.quick else 2]:
        runs = tuple(_process(line, cold=True) for _ in range(1 if setting.quick else COLD_REPEATS))
        yield _row(f"{' '.join(line[3:-2])}, empty cache", runs, 10.0, floor, "its imports")


def _row(work: str, found: Sequence[Measured], most: float | None, limit: float, of: str) -> Row:
    times = tuple(one["wall"] for one in found)
    processor = median(one["processor"] for one in found)
    return Row(
        "processes", work, "", median(times), most=most, threads=2, count=1.0, unit="process", limit=limit,
        limit_of=of, memory=found[0]["memory"], times=times, note=f"processor time {seconds(processor)}",
    )  # fmt: skip


def _process(line: tuple[str, ...], cold: bool = False) -> Measured:
    """A whole process in an empty folder, with an empty cache where it is cold."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {key: value for key, value in os.environ.items() if not key.endswith("_THREADS")}
        if cold:
            environment |= {"LIGHTCOLLAPSE_CACHE_DIR": folder}
        return spent(list(line), environment, folder)
