"""Real and synthetic data with weights of their own in the fit."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.regimes.base import Regime
from lightcollapse.schedule import ALL, Schedule, blank


class Weighted(Regime, frozen=True):
    """Training set t is new real points, which weigh `weight` together, and a sample of model t - 1, which weighs the
    rest.

    He, Xu and Cheng 2025 (arXiv:2502.18049), where the best weight depends on k = real points / synthetic points alone
    and is the inverse of the golden ratio, 0.618, at k = 1.

    Args:
        weight: weight of the real part in the fit, in [0, 1].
        fresh: k, new real points a generation for each synthetic one, above 0: the nearest whole number to
            fresh x sample size, and at least one point. The synthetic points are as many as the sample size.
    """

    kind: ClassVar[str] = "weighted"
    weight: float
    fresh: float = 1.0

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(0.6, 0.5),)

    def validate(self) -> None:
        require(0.0 <= self.weight <= 1.0, "weight must lie in [0, 1]", self.weight)
        require(math.isfinite(self.fresh) and self.fresh > 0.0, "fresh must be above 0 and finite", self.fresh)

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        rows = blank(sizes)
        fresh = np.maximum(np.rint(self.fresh * sizes[1:]), 1.0).astype(np.int64)
        rows["size"][1:] = fresh + sizes[1:]
        rows["fresh"][1:] = fresh
        rows["sample"][1:] = sizes[1:]
        rows["oldest"][1:] = np.arange(1, len(sizes))
        rows["take"][1:] = ALL
        rows["weight"][1:] = self.weight
        return rows
