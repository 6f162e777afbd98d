"""What a point costs: every family under every regime and curation that it runs with, by size and by threads.

A point is one that is drawn for a training set: replicates x points a generation x generations. Where a family draws
sums instead, its cost falls with the size. A cost that grows with the size, or with the number of generations, is worse
than linear work: such lines are marked, and `WHY` says why some may grow.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any

from msgspec.structs import replace

from lightcollapse.errors import LightcollapseError
from lightcollapse.families import FAMILIES
from lightcollapse.loop import run
from lightcollapse.matrix import cells, example
from lightcollapse.scenario import Scenario

KERNELS = tuple(family for family in FAMILIES if family.own_kernels)
SIZES = (1_000, 10_000, 100_000)
LENGTHS, CHAINS = (10, 100, 1_000), 64  # generations, and replicates where they differ: a call costs its share
GENERATIONS = 4
WORK = 400_000  # points a run
MOST, LEAST_SECONDS = 20_000, 0.03  # replicates of a run at the most; what it takes at the least
REPEATS = 5
GROWTH = 1.5  # of the cost from the smallest to the largest size, beyond which a line is marked
WHY = {  # part of a line's name: why a point of more of them costs more, the first that fits
    "kernel-density + replace + top-fraction": "each point's density is a sum over all, or over 2,048 of them",
    "top-fraction": "it sorts",
    "preference": "it looks up chances among all points, from out of the caches",
    "subsample": "what is taken lies anywhere in a pool that is larger than the caches",
    "empirical": "each point is looked up among all, by bisection",
    "kernel-density": "each point is looked up among all, by bisection",
}
HEAD = f"ns a point on one thread, two{'':6}" + "".join(f"{size:>15,}" for size in SIZES)


def rows(only: str = "", families_alone: bool = False, repeats: int = REPEATS) -> Iterator[dict[str, Any]]:
    """A row for each combination: nanoseconds a point, by size and threads."""
    for family in KERNELS:
        for number in range(len(family.examples())):
            source, form, _ = example(family, number)
            name = f"{family.kind} {'/'.join(map(str, _fields(form)))}".strip()
            card = Scenario(source, form, sample_size=1200, generations=GENERATIONS)
            yield from _by_size(card, name, SIZES, only, repeats)
    if families_alone:
        return
    yield from _combinations(only, repeats)
    yield from _by_length(only, repeats)


def _combinations(only: str, repeats: int) -> Iterator[dict[str, Any]]:
    """Every family with every regime, and with every curation."""
    seen = set()
    for cell in cells(KERNELS):
        name = " + ".join(part for part in (cell.family, cell.regime, cell.curation) if part)
        alone = cell.curation == "" or cell.regime == "replace"
        if cell.card is None or name in seen or not alone or (cell.regime, cell.curation) == ("replace", ""):
            continue
        seen.add(name)
        yield from _by_size(replace(cell.card, generations=GENERATIONS), name, SIZES, only, repeats)


def _by_length(only: str, repeats: int) -> Iterator[dict[str, Any]]:
    """The Gaussian in every regime, by the number of generations: a regime must not read its past again and again."""
    seen = set()
    for cell in cells(FAMILIES[:1]):
        name = f"{cell.family} + {cell.regime}, n = 100, by generations"
        if cell.card is None or cell.curation or name in seen or only not in name:
            continue
        seen.add(name)
        card = replace(cell.card, sample_size=100)
        found = {length: _nanoseconds(replace(card, generations=length), 100, repeats, CHAINS) for length in LENGTHS}
        yield {"name": name, "by": "generations", "nanoseconds_a_point": found, "grows": grows(found)}


def _fields(part: Any) -> list[Any]:
    return [value for value in (getattr(part, name) for name in part.__struct_fields__) if value not in (None, "auto")]


def _by_size(card: Scenario, name: str, sizes: tuple[int, ...], only: str, repeats: int) -> Iterator[dict[str, Any]]:
    if only in name:
        found = {size: _nanoseconds(card, size, repeats) for size in sizes}
        yield {"name": name, "by": "size", "nanoseconds_a_point": found, "grows": grows(found)}


def grows(found: dict[int, list[float] | None]) -> bool:
    """Whether a point costs more where there are more of them, on one thread."""
    known = [costs[0] for costs in found.values() if costs is not None]
    return len(known) > 1 and known[-1] > GROWTH * min(known)


def _nanoseconds(card: Scenario, size: int, repeats: int, replicates: int | None = None) -> list[float] | None:
    """Medians of alternating runs: processor time of one thread, then the clock of one and of two. None where the
    card cannot be made at this size. As many replicates as make a run long enough, unless they are given.
    """
    try:
        sized = replace(card, sample_size=size)
        points = float(sized.schedule()["size"].sum())
        run(sized, seed=0, replicates=2, jobs=2)
        replicates = replicates or _enough(sized, max(2, min(MOST, int(WORK // points))))
    except LightcollapseError:  # a source that holds less text than that
        return None
    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    for seed in range(1, repeats + 1):
        for found, jobs in ((times[1], 1), (times[2], 2)):
            begin, processor = time.perf_counter(), time.process_time()
            run(sized, seed=seed, replicates=replicates, jobs=jobs)
            found.append(time.perf_counter() - begin)
            if jobs == 1:
                times[0].append(time.process_time() - processor)
    return [1e9 * median(found) / (points * replicates) for found in times]


def _enough(card: Scenario, replicates: int) -> int:
    """So many replicates that a run takes a while, or its fixed cost would be all that is seen."""
    begin = time.process_time()
    run(card, seed=0, replicates=replicates, jobs=1)
    taken = max(time.process_time() - begin, 1e-3)
    return max(replicates, min(MOST, int(replicates * LEAST_SECONDS / taken)))


def _three(value: float) -> str:
    return f"{value:.3g}" if value < 1000.0 else f"{value:,.0f}"


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    shown = []
    for costs in row["nanoseconds_a_point"].values():
        texts = ["-", "-"] if costs is None else [_three(costs[0]), _three(costs[2])]
        shown.append(f"{texts[0]:>8}{texts[1]:>7}")
    mark = " +" if row["grows"] else ""
    return f"{row['name'][:33]:33}" + "".join(shown) + mark


def reasons(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line for each marked row: why its cost grows, or that nothing says why."""
    for row in rows:
        if row["grows"]:
            yield f"+ {row['name']}: {next((why for part, why in WHY.items() if part in row['name']), 'NOT EXPLAINED')}"
