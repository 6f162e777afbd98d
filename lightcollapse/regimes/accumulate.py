"""The pool only grows, and each model is trained on all of it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lightcollapse.regimes.base import Regime
from lightcollapse.schedule import ALL, REAL, Schedule, blank


class Accumulate(Regime, frozen=True):
    """Training set t is the first real sample and everything that models 1 .. t - 1 wrote.

    "Accumulate" in Gerstgrasser et al. 2024 (arXiv:2404.01413), Kazdan et al. 2024 (arXiv:2410.16713) and Dey and
    Donoho 2024 (arXiv:2410.22812). A training set of fixed size drawn from that pool is another regime:
    AccumulateSubsample. Real data that stays while synthetic data is replaced is FixedReal.
    """

    kind: ClassVar[str] = "accumulate"

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        rows = blank(sizes)
        rows["size"] = np.cumsum(sizes)
        rows["sample"][1:] = sizes[1:]
        rows["oldest"][1:] = REAL
        rows["take"][1:] = ALL
        return rows
