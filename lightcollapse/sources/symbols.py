"""Laws over a finite set of symbols."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.sources.base import SymbolSource


class Uniform(SymbolSource, frozen=True):
    """Every one of `size` symbols with the same probability."""

    kind: ClassVar[str] = "uniform"
    size: int

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(6),)

    def validate(self) -> None:
        require(self.size >= 1, "size must be at least 1 symbol", self.size)

    def probabilities(self) -> NDArray[np.float64]:
        return np.full(self.size, 1.0 / self.size)


class Zipf(SymbolSource, frozen=True):
    """`size` symbols, rank i with probability proportional to (i + offset) ** -exponent (Zipf; Mandelbrot's offset)."""

    kind: ClassVar[str] = "zipf"
    size: int
    exponent: float
    offset: float = 0.0

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(10, 1.0),)

    def validate(self) -> None:
        require(self.size >= 1, "size must be at least 1 symbol", self.size)
        require(math.isfinite(self.exponent) and self.exponent >= 0, "exponent must be at least 0", self.exponent)
        require(math.isfinite(self.offset) and self.offset > -1, "offset must exceed -1", self.offset)

    def probabilities(self) -> NDArray[np.float64]:
        mass = (np.arange(1.0, self.size + 1) + self.offset) ** -self.exponent
        return np.asarray(mass / mass.sum())


class Probabilities(SymbolSource, frozen=True):
    """The given probabilities, one a symbol."""

    kind: ClassVar[str] = "probabilities"
    values: tuple[float, ...]

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls((0.5, 0.3, 0.2)),)

    def validate(self) -> None:
        require(len(self.values) >= 1, "values must hold at least one probability", list(self.values))
        for value in self.values:
            require(math.isfinite(value) and value >= 0, "a probability must lie in [0, 1]", value)
        total = math.fsum(self.values)
        require(
            abs(total - 1.0) <= 1e-9, "probabilities must sum to 1", total, "divide each by the sum if they are weights"
        )

    def probabilities(self) -> NDArray[np.float64]:
        return np.asarray(self.values) / math.fsum(self.values)
