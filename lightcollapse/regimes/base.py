"""What every regime answers: the rows of its recipe."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightcollapse.part import Part
from lightcollapse.schedule import Schedule


class Regime(Part, frozen=True):
    """What the next training set holds: one part of a card."""

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        """The recipe for sample sizes int64 (generations,), dtype RECIPE, one row a generation from the first on."""
        raise NotImplementedError
