"""A fixed share of every training set is new real data."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.regimes.base import Regime
from lightcollapse.schedule import ALL, Schedule, blank


class FreshFraction(Regime, frozen=True):
    """Training set t holds `fraction` new real points, and for the rest what model t - 1 wrote.

    The number of real points is the nearest whole number to fraction x sample size. Also called: the fresh data loop
    (Alemohammad et al. 2023, arXiv:2307.01850).
    """

    kind: ClassVar[str] = "fresh-fraction"
    fraction: float

    def validate(self) -> None:
        require(0.0 <= self.fraction <= 1.0, "fraction must lie in [0, 1]", self.fraction)

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        rows = blank(sizes)
        fresh = np.rint(self.fraction * sizes[1:]).astype(np.int64)
        rows["fresh"][1:] = fresh
        rows["sample"][1:] = sizes[1:] - fresh
        rows["oldest"][1:] = np.arange(1, len(sizes))
        rows["take"][1:] = ALL
        return rows
