"""The first real sample stays in every training set."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lightcollapse.regimes.base import Regime
from lightcollapse.schedule import ALL, Schedule, blank


class FixedReal(Regime, frozen=True):
    """Training set t is the whole first real sample and, beside it, a new synthetic sample of model t - 1.

    Also called: the synthetic augmentation loop (Alemohammad et al. 2023, arXiv:2307.01850), partially synthetic
    (Seddik et al. 2024, arXiv:2404.05090), iterative retraining on mixed data (Bertrand et al. 2023, arXiv:2310.00429).
    """

    kind: ClassVar[str] = "fixed-real"

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        rows = blank(sizes)
        rows["size"][1:] = sizes[0] + sizes[1:]
        rows["anchor"][1:] = ALL
        rows["sample"][1:] = sizes[1:]
        rows["oldest"][1:] = np.arange(1, len(sizes))
        rows["take"][1:] = ALL
        return rows
