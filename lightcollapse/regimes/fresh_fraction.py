"""A share of every training set is new real data."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.regimes.base import Regime
from lightcollapse.schedule import ALL, Schedule, blank

Float = NDArray[np.float64]


class Trend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A share that goes from `start` in training set 2 to `end` in the last one.

    Steps of equal size, for a linear shape of the share itself, for a geometric one of its logarithm, and for a
    logistic one of its log-odds: the course of something new that takes over, as synthetic data does on the web.
    """

    start: float
    end: float
    shape: Literal["linear", "geometric", "logistic"] = "linear"

    def check(self) -> None:
        """Raise CardError where a value breaks a rule."""
        for name, value in (("start", self.start), ("end", self.end)):
            require(0.0 <= value <= 1.0, f"fraction.{name} must lie in [0, 1]", value)
            require(self.shape == "linear" or value > 0.0, f"a {self.shape} fraction must be above 0", value)
            require(self.shape != "logistic" or value < 1.0, "a logistic fraction must be below 1", value)

    def shares(self, count: int) -> Float:
        """The share in each of `count` training sets, float64 (count,)."""
        steps = np.arange(count) / max(1, count - 1)
        if self.shape == "linear":
            return np.asarray(self.start + (self.end - self.start) * steps)
        if self.shape == "geometric":
            return np.asarray(self.start ** (1.0 - steps) * self.end**steps)
        first, last = (math.log(share / (1.0 - share)) for share in (self.start, self.end))
        return np.asarray(1.0 / (1.0 + np.exp(-(first + (last - first) * steps))))


class FreshFraction(Regime, frozen=True):
    """A share of training set t is new real points, and the rest what model t - 1 wrote.

    The number of real points is the nearest whole number to fraction x sample size. Also called: the fresh data loop
    (Alemohammad et al. 2023, arXiv:2307.01850).

    Args:
        fraction: the share, in [0, 1]; or a list, one share a generation from training set 2 on; or
            {"start": a, "end": b, "shape": "linear" | "geometric" | "logistic"}, from training set 2 to the last.
        bias: how far the fresh points are tilted away from the source, which the first sample is not: for a normal
            source their mean moves by so many standard deviations; for a source over symbols their law is proportional
            to p^(1 + bias), so that above 0 frequent symbols gain.
    """

    kind: ClassVar[str] = "fresh-fraction"
    fraction: float | tuple[float, ...] | Trend
    bias: float = 0.0

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(0.25), cls(Trend(0.5, 0.2, "linear")), cls(0.25, bias=0.8), cls(1.0)

    def validate(self) -> None:
        if isinstance(self.fraction, Trend):
            self.fraction.check()
        else:
            for share in self.fraction if isinstance(self.fraction, tuple) else (self.fraction,):
                require(0.0 <= share <= 1.0, "fraction must lie in [0, 1]", share)
        require(math.isfinite(self.bias), "bias must be finite", self.bias)

    def shares(self, count: int) -> Float:
        """The share of training sets 2, 3, .., float64 (count,). Raises CardError where a list has another length."""
        if isinstance(self.fraction, Trend):
            return self.fraction.shares(count)
        if isinstance(self.fraction, tuple):
            rule = f"a list of fractions must hold one for each of {count} training sets after the first"
            require(len(self.fraction) == count, rule, len(self.fraction))
            return np.array(self.fraction, dtype=np.float64)
        return np.full(count, self.fraction)

    def rows(self, sizes: NDArray[np.int64]) -> Schedule:
        rows = blank(sizes)
        fresh = np.rint(self.shares(len(sizes) - 1) * sizes[1:]).astype(np.int64)
        rows["fresh"][1:] = fresh
        rows["sample"][1:] = sizes[1:] - fresh
        rows["oldest"][1:] = np.arange(1, len(sizes))
        rows["take"][1:] = ALL
        rows["bias"][1:] = np.where(fresh > 0, self.bias, 0.0)
        return rows
