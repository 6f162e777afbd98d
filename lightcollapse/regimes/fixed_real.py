"""The first real sample stays in every training set."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.regimes.base import Regime
from lightcollapse.schedule import ALL, Schedule, blank


class FixedReal(Regime, frozen=True):
    """Training set t is the first real sample, or a part of it, and beside it a new synthetic sample of model t - 1.

    Also called: the synthetic augmentation loop (Alemohammad et al. 2023, arXiv:2307.01850), partially synthetic
    (Seddik et al. 2024, arXiv:2404.05090), iterative retraining on mixed data (Bertrand et al. 2023, arXiv:2310.00429).

    Args:
        share: a training set is as large as the sample size, and this share of it, in [0, 1], is points of the first
            real sample, drawn anew for each training set: the nearest whole number to share x sample size, or the whole
            first sample where that has fewer points. None: the whole first sample beside a synthetic one.
        weight: weight of the whole first sample in the fit, in [0, 1]. None: every point weighs the same.
    """

    kind: ClassVar[str] = "fixed-real"
    share: float | None = None
    weight: float | None = None

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(), cls(share=0.5), cls(weight=0.3))

    def validate(self) -> None:
        for name, value in (("share", self.share), ("weight", self.weight)):
            require(value is None or 0.0 <= value <= 1.0, f"{name} must lie in [0, 1]", value)
        require(
            self.share is None or self.weight is None,
            "share and weight exclude each other",
            (self.share, self.weight),
            "share says how many real points, weight how much they count",
        )

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        rows = blank(sizes)
        rows["oldest"][1:] = np.arange(1, len(sizes))
        rows["take"][1:] = ALL
        if self.share is None:
            rows["size"][1:] = sizes[0] + sizes[1:]
            rows["anchor"][1:] = ALL
            rows["sample"][1:] = sizes[1:]
            rows["weight"][1:] = np.nan if self.weight is None else self.weight
        else:
            rows["anchor"][1:] = np.minimum(np.rint(self.share * sizes[1:]), sizes[0])
            rows["sample"][1:] = sizes[1:] - rows["anchor"][1:]
        return rows
