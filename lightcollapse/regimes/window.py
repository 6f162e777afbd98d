"""The pool keeps what the last few models wrote."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.regimes.base import Regime
from lightcollapse.schedule import ALL, Schedule, blank


class Window(Regime, frozen=True):
    """Training set t is the last `generations` samples: what models t - generations .. t - 1 wrote.

    The first real sample counts as generation 0's and leaves the window in its turn. With 1 this is Replace; with as
    many generations as the card has it is Accumulate. A sliding window over the pool lies between the two that
    Gerstgrasser et al. 2024 (arXiv:2404.01413) compare.
    """

    kind: ClassVar[str] = "window"
    generations: int

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(2),)

    def validate(self) -> None:
        require(self.generations >= 1, "generations must be at least 1", self.generations)

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        rows = blank(sizes)
        last = np.arange(len(sizes))  # the newest batch that training set t = last + 1 can hold
        oldest = np.maximum(last - self.generations + 1, 0)
        held = np.concatenate([[0], np.cumsum(sizes)])
        rows["size"][1:] = held[last[1:] + 1] - held[oldest[1:]]
        rows["sample"][1:] = sizes[1:]
        rows["oldest"][1:] = oldest[1:]
        rows["take"][1:] = ALL
        return rows
