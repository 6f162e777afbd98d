"""What a point costs: every family under every regime and curation that it runs with, and by size.

A point is one that is drawn for a training set: replicates x points a generation x generations. Where a family draws
sums instead, its cost falls with the size; growth of a line with the size would be worse than linear work.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np
from msgspec.structs import replace

from lightcollapse.families import FAMILIES
from lightcollapse.loop import run
from lightcollapse.matrix import cells, example
from lightcollapse.scenario import Scenario

SIZES = (1_000, 10_000, 100_000)
GENERATIONS = 4
WORK = 400_000  # points a run
REPEATS = 5
HEAD = f"{'':44}" + "".join(f"{size:>16,}" for size in SIZES) + "   ns a point: one thread, two"


def rows(only: str = "") -> Iterator[dict[str, Any]]:
    """A row for each combination: nanoseconds a point, by size and threads."""
    for family in FAMILIES:
        for number in range(len(family.examples())):
            source, form, _ = example(family, number)
            name = f"{family.kind} {'/'.join(map(str, _fields(form)))}".strip()
            yield from _row(Scenario(source, form, sample_size=1200, generations=GENERATIONS), name, SIZES, only)
    seen = set()
    for cell in cells():
        name = " + ".join(part for part in (cell.family, cell.regime, cell.curation) if part)
        alone = cell.curation == "" or cell.regime == "replace"
        if cell.card is None or name in seen or not alone or (cell.regime, cell.curation) == ("replace", ""):
            continue
        seen.add(name)
        yield from _row(replace(cell.card, generations=GENERATIONS), name, SIZES[:2], only)


def _fields(part: Any) -> list[Any]:
    return [value for value in (getattr(part, name) for name in part.__struct_fields__) if value not in (None, "auto")]


def _row(card: Scenario, name: str, sizes: tuple[int, ...], only: str) -> Iterator[dict[str, Any]]:
    if only not in name:
        return
    cost = {size: [_nanoseconds(card, size, jobs) for jobs in (1, 2)] for size in sizes}
    yield {"name": name, "nanoseconds_a_point": cost}


def _nanoseconds(card: Scenario, size: int, jobs: int) -> float | None:
    """Median of alternating runs; None where the card cannot be made at this size."""
    try:
        sized = replace(card, sample_size=size)
        replicates = max(2, WORK // (size * GENERATIONS))
        run(sized, seed=0, replicates=2, jobs=jobs)
    except Exception:  # a source that holds less text than that
        return None
    times = []
    for seed in range(1, REPEATS + 1):
        begin = time.perf_counter()
        run(sized, seed=seed, replicates=replicates, jobs=jobs)
        times.append(time.perf_counter() - begin)
    points = float(np.asarray(sized.schedule()["size"]).sum()) * replicates
    return 1e9 * median(times) / points


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    cells_of = []
    for pair in row["nanoseconds_a_point"].values():
        shown = ("-" if value is None else f"{value:.3g}" for value in pair)
        cells_of.append(f"{' '.join(f'{text:>7}' for text in shown):>16}")
    return f"{row['name'][:44]:44}" + "".join(cells_of)
