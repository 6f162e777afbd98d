"""The categorical law: frequencies of symbols, with add-k smoothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.families.base import (
    Block,
    Family,
    Simulation,
    integer_columns,
    refuse_columns,
    refuse_source,
    weights,
)
from lightcollapse.schedule import Schedule
from lightcollapse.sources import SymbolSource


class Categorical(Family, frozen=True):
    """A law over symbols, fitted by their frequencies: neutral Wright-Fisher drift under replacement.

    Args:
        smoothing: k, added to every count (0: maximum likelihood).
        tail_share: the tail, whose mass `tail_mass` follows, is the rarest symbols of the source that together hold at
            most this share of its mass.
        draws: "statistics" draws the counts at once, "points" symbol by symbol; equal in law. "auto": statistics.
    """

    kind: ClassVar[str] = "categorical"
    metrics: ClassVar[tuple[str, ...]] = (
        "heterozygosity",
        "entropy",
        "support",
        "tail_mass",
        "total_variation",
        "kl_model_source",
        "kl_source_model",
    )
    columns: ClassVar[frozenset[str]] = frozenset({"fresh", "anchor", "oldest", "take", "weight"})
    absorbed_at: ClassVar[tuple[str, float]] = ("support", 1.0)
    smoothing: float = 0.0
    tail_share: float = 0.05
    draws: Literal["auto", "statistics", "points"] = "auto"

    def validate(self) -> None:
        require(math.isfinite(self.smoothing) and self.smoothing >= 0, "smoothing must be at least 0", self.smoothing)
        require(0.0 < self.tail_share < 1.0, "tail_share must lie in (0, 1)", self.tail_share)

    def check(self, source: Any, schedule: Schedule) -> None:
        if not isinstance(source, SymbolSource):
            raise refuse_source(self, source, "a source over symbols (uniform, zipf, probabilities)")
        refuse_columns(self, schedule)
        require(
            self.smoothing == 0.0 or bool(np.all(np.isnan(schedule["weight"]))),
            "a weighted fit needs smoothing 0",
            self.smoothing,
        )

    def prepare(self, source: Any, schedule: Schedule, seed: int) -> Simulation:
        return CategoricalSimulation(self, source, schedule, seed)


def tail_symbols(probabilities: NDArray[np.float64], share: float) -> tuple[NDArray[np.int64], int]:
    """Symbols from the rarest on, int64 (symbols,), and how many of them the tail holds.

    Ties go to the later symbol first, so that for a ranked source the tail is its end.
    """
    order = np.lexsort((-np.arange(len(probabilities)), probabilities))
    held = np.cumsum(probabilities[order])
    return order.astype(np.int64), int(np.searchsorted(held, share * (1 + 1e-12), side="right"))


@dataclass(frozen=True)
class CategoricalSimulation:
    """A categorical card made ready to run."""

    family: Categorical
    source: SymbolSource
    schedule: Schedule
    seed: int
    block_size: int = 16

    def run_block(self, replicates: NDArray[np.uint64]) -> Block:
        from lightcollapse.kernels.categorical import recursion
        from lightcollapse.kernels.rng import key

        probabilities = np.ascontiguousarray(self.source.probabilities(), dtype=np.float64)
        order, rare = tail_symbols(probabilities, self.family.tail_share)
        names = self.family.metrics
        columns, real_weights = integer_columns(self.schedule), weights(self.schedule)
        out = np.empty((len(replicates), len(names), len(self.schedule) + 1))
        for row, replicate in zip(out, replicates, strict=True):
            recursion(
                columns,
                real_weights,
                float(self.family.smoothing),
                self.family.draws == "points",
                probabilities,
                order,
                rare,
                replicate,
                *key(self.seed),
                row,
            )
        return Block({name: np.ascontiguousarray(out[:, i]) for i, name in enumerate(names)})
