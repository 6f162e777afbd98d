"""Named statistics: what a published number sums up over replicates, ours with an interval, and the theory's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Float = NDArray[np.float64]
Law = Callable[[Float], Float]  # distribution function

STANDARD_ERRORS = 4.0
_LOWEST, _HIGHEST = 1e-300, 1e300  # where the quantile of a law is looked for


@dataclass(frozen=True)
class Estimate:
    """A number estimated from replicates.

    Attributes:
        value: the estimate.
        low, high: its interval of 4 standard errors.
    """

    value: float
    low: float
    high: float

    def scaled(self, scale: float) -> Estimate:
        """Times a positive number."""
        return Estimate(scale * self.value, scale * self.low, scale * self.high)


@dataclass(frozen=True)
class Statistic:
    """One way to sum up replicates.

    Attributes:
        words: how a table says it, with {metric} and {at}.
        estimate: (values float64 (replicates,), at, count, variance) -> Estimate of the statistic over `count` chains.
            With `count` = replicates it is our interval; with the number of chains that somebody else ran it says how
            far theirs may stray. `variance` is a known bound of a chain's variance, or infinite.
        of_mean: expected value -> the statistic, where the mean decides it.
        of_law: (distribution function, at) -> the statistic, where the law decides it.
        needs_at: whether `at` must be given.
    """

    words: str
    estimate: Callable[[Float, float, float, float], Estimate]
    of_mean: Callable[[float], float] | None = None
    of_law: Callable[[Law, float], float] | None = None
    needs_at: bool = False


def _mean(values: Float, at: float, count: float, variance: float) -> Estimate:
    """By the standard error; by the variance that theory knows, if that is larger: few replicates may carry a mean."""
    mean = float(values.mean())
    if not math.isfinite(mean):
        return Estimate(mean, -math.inf, math.inf)
    seen = float(values.var(ddof=1)) if len(values) > 1 else math.inf
    half = STANDARD_ERRORS * math.sqrt(max(seen, variance if math.isfinite(variance) else 0.0) / count)
    return Estimate(mean, mean - half, mean + half)


def _mean_square(values: Float, at: float, count: float, variance: float) -> Estimate:
    return _mean(values**2, at, count, math.inf)


def _share_above(values: Float, at: float, count: float, variance: float) -> Estimate:
    """With the standard error at the ends of the interval (Wilson 1927), so that a share of 0 has one too."""
    share, square = float((values > at).mean()), STANDARD_ERRORS**2 / count
    middle = (share + square / 2.0) / (1.0 + square)
    half = math.sqrt(square * (share * (1.0 - share) + square / 4.0)) / (1.0 + square)
    return Estimate(share, middle - half, middle + half)


def _share_within(values: Float, at: float, count: float, variance: float) -> Estimate:
    return _share_above(-np.abs(values), -at, count, variance)


def _quantile(values: Float, at: float, count: float, variance: float) -> Estimate:
    """Between the quantiles whose levels lie 4 standard errors of the level away."""
    half = STANDARD_ERRORS * math.sqrt(at * (1.0 - at) / count)
    low, high = (float(_ordered(values, level)) if 0.0 < level < 1.0 else end for level, end in (
        (at - half, -math.inf), (at + half, math.inf)))  # fmt: skip
    return Estimate(float(_ordered(values, at)), low, high)


def _ordered(values: Float, level: float) -> float:
    """A quantile that also serves values with infinities among them."""
    return float(np.quantile(values, level, method="inverted_cdf"))


def _median(values: Float, at: float, count: float, variance: float) -> Estimate:
    return _quantile(values, 0.5, count, variance)


def _law_share(law: Law, at: float) -> float:
    return float(1.0 - law(np.array([at]))[0])


def _law_quantile(law: Law, at: float) -> float:
    """Of a law of positive numbers."""
    found: Any = brentq(lambda x: float(law(np.array([math.exp(x)]))[0]) - at, math.log(_LOWEST), math.log(_HIGHEST))
    return math.exp(found)


STATISTICS: dict[str, Statistic] = {
    "mean": Statistic("mean {metric}", _mean, of_mean=lambda mean: mean),
    "mean square": Statistic("{metric} squared", _mean_square),
    "median": Statistic("median {metric}", _median, of_law=lambda law, at: _law_quantile(law, 0.5)),
    "quantile": Statistic("quantile {at:g} of {metric}", _quantile, of_law=_law_quantile, needs_at=True),
    "share within": Statistic("P(|{metric}| < {at:g})", _share_within, needs_at=True),
    "share above": Statistic("P({metric} > {at:g})", _share_above, of_law=_law_share, needs_at=True),
}
