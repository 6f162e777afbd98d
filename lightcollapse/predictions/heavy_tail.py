"""How heavy the law of a Gaussian's variance is when every training set holds a few fresh real points.

Far out, where the fit is much wider than the source, one generation is a random linear map of (mu, s): the real points
all lie at 0. Its moments of even order are exact, and say which moments of the stationary law are finite.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lightcollapse.predictions._checks import Float, Variance, divisor, require

_MOST = 80  # order of a moment beyond which none is looked at


def _step(sample_size: int, fresh: int, order: int, variance: Variance) -> Float:
    """E of (s^2)^i (mu^2)^(r - i) after a generation, i = 0 .. r, from the same before it: float64 (r + 1, r + 1)."""
    n, k, below = sample_size, sample_size - fresh, float(divisor(np.array([float(sample_size)]), variance)[0])
    spread = np.cumprod([1.0, *((k - 1.0 + 2.0 * i) / below for i in range(order))])  # E (chi2(k - 1) / c)^p
    jump = np.cumprod([1.0, *((2.0 * q - 1.0) / k for q in range(1, order + 1))])  # E a^(2q), a ~ N(0, 1/k)
    step = np.zeros((order + 1, order + 1))
    for i in range(order + 1):
        j = order - i
        for both in range(i + 1):  # powers of the distance between the two means in s^2
            weight = math.comb(i, both) * spread[i - both] * (fresh * k / n / below) ** both * (k / n) ** (2 * j)
            power = both + j
            for q in range(power + 1):
                step[i, i - both + q] += weight * math.comb(2 * power, 2 * q) * jump[q]
    return step


def moment_growth(sample_size: int, fresh: int, order: int, *, variance: Variance = "ml") -> float:
    """Growth of E s_t^(2r), r = `order`, a generation, with `fresh` real points in each training set. Exact.

    The largest eigenvalue of the map of all (s^2)^i (mu^2)^(r - i). Below 1 the stationary law has this moment and all
    lower ones; from 1 on the moment grows for ever. Cost: r^3. Holds for order from 1 to 80, sample_size >= 2.

    Derivation: theory/heavy-tail.md. Source: derived.
    """
    require(sample_size >= 2, "sample_size must be at least 2", sample_size)
    require(0 <= fresh < sample_size, "fresh must lie between 0 and sample_size - 1", fresh)
    require(1 <= order <= _MOST, f"order must lie in 1 .. {_MOST}", order)
    return float(np.max(np.abs(np.linalg.eigvals(_step(sample_size, fresh, order, variance)))))


class TailIndex(NamedTuple):
    """Where the tail index lies, and the number of finite moments of s^2."""

    low: float
    high: float
    finite: int


def tail_index(sample_size: int, fresh: int, *, variance: Variance = "ml") -> TailIndex:
    """Bounds of the order r at which moments E s^(2r) of the stationary law become infinite, fresh >= 1.

    The logarithm of the growth is convex in the order, so that chords between whole orders bound where it crosses 0.
    By Kesten's theorem P(s^2 > x) is then expected to fall like x^(-r). With one fresh point r is between 2.38 and 2.7
    for large samples. Raises ValueError where more than 80 moments are finite, and for unbiased fits that have none.

    Derivation: theory/heavy-tail.md. Source: derived; Kesten 1973 for the tails of such recursions.
    """
    require(fresh >= 1, "fresh must be at least 1", fresh)
    logs = [0.0]
    while logs[-1] <= 0.0 or len(logs) == 1:
        require(len(logs) < _MOST - 1, f"fewer than {_MOST - 1} moments must be finite", len(logs))
        logs.append(math.log(moment_growth(sample_size, fresh, len(logs), variance=variance)))
    finite = len(logs) - 2
    require(finite >= 1, "the expected variance must stay bounded", f"growth {math.exp(logs[1]):.6g}")
    after = math.log(moment_growth(sample_size, fresh, finite + 2, variance=variance))
    before, low, high = logs[-3], logs[-2], logs[-1]
    left = finite - low / (low - before) if low > before else math.inf  # the chord before, drawn on
    right = finite + 1 - high / (after - high)  # the chord behind, drawn back
    return TailIndex(finite - low / (high - low), min(left, right), finite)
