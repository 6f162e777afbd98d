"""Several labs that train on their own writing, on each other's and on real data."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.regimes.base import Regime
from lightcollapse.schedule import Schedule, blank

_SLACK = 1e-9  # shares that are written with a few digits sum to 1 within this


class Islands(Regime, frozen=True):
    """`labs` models side by side. Each point of a lab's training set is, by a chance of its own, written by the lab's
    own last model, written by the last model of any lab, or new and real.

    The island model of Wright 1931 with the real data as its mainland. Models that feed on one another's output:
    Vu et al. 2025 (arXiv:2505.21677).

    Args:
        labs: how many models are fitted side by side, at least 2. Training set 1 of each is real.
        own: share that the lab's own model wrote.
        shared: share drawn from the pool of all labs' models, the lab's own among them.
        fresh: share of new real points. Give two of the shares, or all three with the sum 1.
    """

    kind: ClassVar[str] = "islands"
    labs: int
    own: float | None = None
    shared: float | None = None
    fresh: float | None = None

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(3, own=0.5, shared=0.3),)

    def validate(self) -> None:
        require(self.labs >= 2, "labs must be at least 2", self.labs, "with one lab, use fresh-fraction")
        given = [share for share in (self.own, self.shared, self.fresh) if share is not None]
        require(len(given) >= 2, "two of own, shared and fresh are needed", given)
        for share in given:
            require(0.0 <= share <= 1.0, "a share must lie in [0, 1]", share)
        total = sum(given)
        require(total <= 1.0 + _SLACK, "own, shared and fresh must sum to 1", total)
        require(len(given) < 3 or total >= 1.0 - _SLACK, "own, shared and fresh must sum to 1", total)

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of a lab's own model, of the pool of all labs, and of fresh data, with the sum 1."""
        given = (self.own, self.shared, self.fresh)
        rest = max(0.0, 1.0 - sum(share for share in given if share is not None))
        own, shared, fresh = (rest if share is None else share for share in given)
        return own, shared, fresh

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        rows = blank(sizes)
        rows["labs"] = self.labs
        rows["own"][1:], rows["shared"][1:], _ = self.shares
        return rows
