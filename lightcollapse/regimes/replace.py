"""Each model is trained on the last model's writing alone."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lightcollapse.regimes.base import Regime
from lightcollapse.schedule import ALL, Schedule, blank


class Replace(Regime, frozen=True):
    """Training set t + 1 is what model t wrote, and nothing else.

    Also called: the fully synthetic loop (Alemohammad et al. 2023, arXiv:2307.01850), "replace" (Gerstgrasser et al.
    2024, arXiv:2404.01413; Kazdan et al. 2024, arXiv:2410.16713), the recursion of Shumailov et al. 2023
    (arXiv:2305.17493).
    """

    kind: ClassVar[str] = "replace"

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        rows = blank(sizes)
        rows["sample"][1:] = sizes[1:]
        rows["oldest"][1:] = np.arange(1, len(sizes))
        rows["take"][1:] = ALL
        return rows
