"""What every family answers: which cards it can execute, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.curation import Curation, refuse_curation
from lightcollapse.errors import CardError, require
from lightcollapse.families.estimator import Estimator
from lightcollapse.part import Part
from lightcollapse.schedule import ALL, COLUMNS, Schedule

ISLANDS = ("within", "between", "total", "fst")  # metrics of a card of several labs


EDGE_SHARE = 0.05  # a source's edge cases are the rarest part of it, with this mass
EDGE_FAILURE = 0.1  # a model fails an edge case where it gives less than this share of the source's probability
INTERVAL = 0.9  # mass of the smallest set of a model's law by which calibration and sharpness are measured


@dataclass(frozen=True)
class Block:
    """What a block of replicates measured.

    Attributes:
        metrics: name -> float64 (replicates, generations + 1).
        excerpts: a few words that each generation of the first replicate wrote, source first; empty where none.
        absorbed: int64 (replicates,), the generation at which each was absorbed, or NEVER; None where that has to be
            looked for in the metrics.
    """

    metrics: Mapping[str, NDArray[np.float64]]
    excerpts: tuple[str, ...] = ()
    absorbed: NDArray[np.int64] | None = None


class Simulation(Protocol):
    """A card made ready to run. `run_block` is called from several threads at once and releases the GIL."""

    @property
    def block_size(self) -> int:
        """Replicates that run best together; the numbers do not depend on it."""
        ...

    @property
    def memory(self) -> int:
        """Bytes that a block of `block_size` replicates needs at most, about."""
        ...

    def run_block(self, replicates: NDArray[np.uint64]) -> Block:
        """Run these replicates, uint64 (replicates,), through all generations."""
        ...


class Family(Part, frozen=True):
    """What is fitted and sampled: one part of a card.

    Attributes:
        kind: the family's name on a card.
        metrics: names of what it measures of each model, in the order of tables.
        columns: columns of the recipe that it can execute.
        abilities: what its estimator offers to curations.
        absorbed_at: metric and value at which a chain is absorbed: it can never change again under replace.
        own_kernels: whether it has kernels that can be compiled ahead.
    """

    kind: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    columns: ClassVar[frozenset[str]] = frozenset(COLUMNS)
    abilities: ClassVar[frozenset[str]] = frozenset()
    absorbed_at: ClassVar[tuple[str, float]]
    own_kernels: ClassVar[bool] = True

    @classmethod
    def missing(cls) -> str:
        """What must be installed before cards of the family run, with the pip line; empty where all is."""
        return ""

    @classmethod
    def provenance(cls) -> dict[str, str]:
        """What a record keeps of versions that decide this family's last digits alone."""
        return {}

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        """Raise CardError where this family cannot be fitted to that source under that schedule and curation."""
        refuse_columns(self, schedule)
        for bias in sorted(set(schedule["bias"].tolist()) - {0.0}):
            source.tilted(bias)  # raises where the source cannot be
        refuse_curation(self.kind, self.abilities, curation)
        for step in curation:
            self.check_references(source, step)

    def points(self, source: Any, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Points in samples of these sizes, int64 (generations,): the sizes, but where a point is a document."""
        return sizes

    def check_references(self, source: Any, step: Curation) -> None:
        """Raise CardError where a curation speaks of symbols or answers that there are not."""

    def estimator(self, source: Any) -> Estimator:
        """How the family treats points of that source."""
        raise NotImplementedError

    def wants_points(self) -> bool:
        """Whether every point is to be drawn, where sums would do."""
        return False

    def prepare(self, source: Any, schedule: Schedule, seed: int, curation: tuple[Curation, ...] = ()) -> Simulation:
        """Read and precompute what all replicates share."""
        from lightcollapse.families.engine import recursion

        return recursion(self, source, schedule, seed, curation)

    def prepare_in(
        self, folder: Path | None, source: Any, schedule: Schedule, seed: int, curation: tuple[Curation, ...] = ()
    ) -> Simulation:
        """The same for a run that may keep its models in a folder, and goes on from those that it finds there."""
        return self.prepare(source, schedule, seed, curation)


def used_columns(schedule: Schedule) -> set[str]:
    """Columns of the recipe that the schedule asks for."""
    rows = schedule[1:]
    used = {name for name in ("fresh", "anchor") if np.any(rows[name] != 0)}
    if np.any((rows["take"] != ALL) & (rows["take"] != 0)):
        used.add("take")
    if np.any(rows["oldest"] < np.arange(1, len(rows) + 1)):
        used.add("oldest")
    if np.any(~np.isnan(rows["weight"])):
        used.add("weight")
    if np.any(rows["bias"] != 0.0):
        used.add("bias")
    if np.any(rows["labs"] > 1):
        used.add("labs")
    return used


def refuse_columns(family: Family, schedule: Schedule) -> None:
    """Raise CardError where the schedule uses a column that the family cannot execute."""
    missing = used_columns(schedule) - family.columns
    if missing:
        raise CardError(
            f"family {family.kind} cannot execute the recipe column {sorted(missing)[0]!r} that this regime asks for; "
            f"it executes {', '.join(sorted(family.columns))}"
        )


def refuse_unbiased(variance: str, schedule: Schedule) -> None:
    """Raise CardError where an unbiased variance cannot be had."""
    if variance != "unbiased":
        return
    smallest = int(schedule["size"].min())
    require(smallest >= 2, "an unbiased variance needs a sample size of at least 2", smallest, 'or variance="ml"')
    require(bool(np.all(np.isnan(schedule["weight"]))), 'a weighted fit needs variance="ml"', variance)


def refuse_sums(draws: str, schedule: Schedule) -> None:
    """Raise CardError where a card asks for sums and needs points."""
    require(
        draws != "statistics" or not needs_points(schedule),
        "a training set that takes a part of a pool needs its points",
        draws,
        'use draws="auto" or "points"',
    )


def refuse_no_interval(step: Curation) -> None:
    """Raise CardError where the right answers are no interval of numbers."""
    right = step.answers()
    if right is not None:
        require(
            len(right) == 2 and right[0] <= right[1],
            "the right answers among numbers are an interval, right = [low, high]",
            list(right),
        )


def refuse_unknown_symbols(step: Curation, symbols: int) -> None:
    """Raise CardError where a curation's tables or answers do not fit so many symbols."""
    for table in step.tables():
        require(
            len(table) == symbols, f"{step.kind}: a score needs one number for each of {symbols} symbols", len(table)
        )
    for answer in step.answers() or ():
        known = 0 <= answer < symbols and answer == int(answer)
        require(known, f"{step.kind}: a right answer is the number of a symbol, 0 to {symbols - 1}", answer)


def refuse_source(family: Family, source: Any, accepted: str) -> CardError:
    """The error for a source that the family cannot be fitted to."""
    return CardError(f"family {family.kind} needs {accepted}, got source {source.kind}")


def integer_columns(schedule: Schedule) -> NDArray[np.int64]:
    """The integer columns of a schedule as kernels read them: int64 (generations, 6), C-contiguous."""
    names = ("size", "fresh", "anchor", "sample", "oldest", "take")
    return np.ascontiguousarray(np.stack([schedule[name] for name in names], axis=1), dtype=np.int64)


def weights(schedule: Schedule) -> NDArray[np.float64]:
    """Weight of the real part in each fit, float64 (generations,), C-contiguous; NaN where pooled."""
    return np.ascontiguousarray(schedule["weight"], dtype=np.float64)


def needs_points(schedule: Schedule) -> bool:
    """Whether some training set takes only a part of a pool of points."""
    return bool(np.any(schedule["take"] > 0) or np.any(schedule["anchor"] > 0))
