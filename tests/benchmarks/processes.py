"""Whole processes, by the clock on the wall: help, a warm first result, and cold ones with an empty cache."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from statistics import median

from .child import spent
from .race import Row, Spent, take_turns
from .setting import Setting

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
    _child(lines["run gaussian, warm"][0])()
    limits = take_turns([_child(_EMPTY), _child(_IMPORTS)], setting.repeats, threads=2)
    floor = {_EMPTY: median(limits[0]), _IMPORTS: median(limits[1])}
    times = take_turns([_child(line) for line, *_ in lines.values()], setting.repeats, threads=2)
    for (work, (line, most, limit, of)), found in zip(lines.items(), times, strict=True):
        memory = _child(line)().memory
        yield _row(work, found, most, floor[limit], of, memory)
    cold = (*_OURS, "run", "gaussian", "--seed", "1"), (*_OURS, "run", "--seed", "1")
    for line in cold[: 1 if setting.quick else 2]:
        found = [_child(line, cold=True)() for _ in range(1 if setting.quick else COLD_REPEATS)]
        work = f"{' '.join(line[3:-2])}, empty cache"
        yield _row(work, [each.seconds for each in found], 10.0, floor[_IMPORTS], "its imports", found[0].memory)


def _row(work: str, times: list[float], most: float | None, limit: float, of: str, memory: float | None) -> Row:
    return Row(
        "processes", work, "", median(times), most=most, threads=2, count=1.0, unit="process", limit=limit,
        limit_of=of, memory=memory, times=tuple(times),
    )  # fmt: skip


def _child(line: tuple[str, ...], cold: bool = False) -> Callable[[], Spent]:
    """A whole process in an empty folder, with an empty cache where it is cold."""

    def run() -> Spent:
        with tempfile.TemporaryDirectory() as folder:
            environment = {key: value for key, value in os.environ.items() if not key.endswith("_THREADS")}
            if cold:
                environment |= {"LIGHTCOLLAPSE_CACHE_DIR": folder}
            found = spent(list(line), environment, folder)
        return Spent(found["wall"], found["memory"])

    return run
