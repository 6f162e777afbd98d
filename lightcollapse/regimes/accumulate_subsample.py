"""The pool only grows, and each model is trained on a sample of it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lightcollapse.regimes.base import Regime
from lightcollapse.schedule import REAL, Schedule, blank


class AccumulateSubsample(Regime, frozen=True):
    """Training set t is drawn without replacement from the first real sample and all that models 1 .. t - 1 wrote.

    "Accumulate-subsample" in Kazdan et al. 2024 (arXiv:2410.16713), "augment" with a fixed compute budget in Dey and
    Donoho 2024 (arXiv:2410.22812). The cost of a fit stays that of one sample.
    """

    kind: ClassVar[str] = "accumulate-subsample"

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        rows = blank(sizes)
        rows["sample"][1:] = sizes[1:]
        rows["oldest"][1:] = REAL
        rows["take"][1:] = sizes[1:]
        return rows
