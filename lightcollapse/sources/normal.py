"""The normal law."""

from __future__ import annotations

import math
from typing import ClassVar

from lightcollapse.errors import require
from lightcollapse.sources.base import Source


class Normal(Source, frozen=True):
    """A normal law with the given mean and standard deviation."""

    kind: ClassVar[str] = "normal"
    mean: float = 0.0
    std: float = 1.0

    def validate(self) -> None:
        require(math.isfinite(self.mean), "mean must be finite", self.mean)
        require(math.isfinite(self.std) and self.std > 0, "std must be positive and finite", self.std)

    def tilted(self, bias: float) -> Normal:
        """The law with its density times e^(bias x / std): the mean moves by `bias` standard deviations."""
        return Normal(self.mean + bias * self.std, self.std)
