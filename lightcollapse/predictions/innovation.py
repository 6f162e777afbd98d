"""New symbols now and then: each synthetic point is, with a small chance, a symbol that was never there before."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, from_source, require, sizes_of
from lightcollapse.predictions.wright_fisher import binomial_rows
from lightcollapse.special import digamma

LARGEST = 2000  # points in a training set beyond which the exact system of equations is refused


def _check(rate: float) -> None:
    require(0 <= rate <= 1, "rate must lie in [0, 1]", rate)


def heterozygosity_mean(heterozygosity: float, sample_sizes: ArrayLike, rate: float) -> Float:
    """E of the heterozygosity of model t when each synthetic point is new with chance `rate`. Exact.

    Two points of training set t agree with chance F_t, F_(t+1) = (1 - u)^2 (1/n_t + (1 - 1/n_t) F_t), and E H_t =
    (1 - 1/n_t)(1 - F_t): float64 (generations + 1,), from the source's `heterozygosity` = 1 - F_1.

    Derivation: theory/innovation.md. Source: Malecot 1948, Kimura and Crow 1964; finite n derived.
    """
    _check(rate)
    require(0 <= heterozygosity <= 1, "heterozygosity must lie in [0, 1]", heterozygosity)
    differ, values = heterozygosity, []
    for n in sizes_of(sample_sizes):
        values.append((1.0 - 1.0 / n) * differ)
        differ = 1.0 - (1.0 - rate) ** 2 * (1.0 - values[-1])
    return from_source(heterozygosity, values)


def agreement_limit(sample_size: float, rate: float) -> float:
    """Chance that two points of a training set agree, in the long run: (1-u)^2 / (n - (n - 1)(1-u)^2). Exact.

    Derivation: theory/innovation.md. Source: Malecot 1948, Kimura and Crow 1964; finite n derived.
    """
    _check(rate)
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    kept = (1.0 - rate) ** 2
    return float(kept / (1.0 + (sample_size - 1.0) * rate * (2.0 - rate)))


def distinct_limit(sample_size: int, rate: float) -> float:
    """E of the number of different symbols in a training set, in the long run. Exact.

    n u times the mean life, in generations, of a symbol that starts with one copy; 1 at rate 0, where one is left.
    Holds for samples of at most 2000 points (ValueError).

    Derivation: theory/innovation.md. Source: derived.
    """
    _check(rate)
    n = int(sample_size)
    require(1 <= n <= LARGEST, f"sample_size must lie between 1 and {LARGEST}", sample_size)
    if rate == 0:
        return 1.0
    rows = binomial_rows(n, (1.0 - rate) * np.arange(1.0, n + 1.0) / n)[:, 1:]
    life = np.linalg.solve(np.eye(n) - rows, np.ones(n))
    return float(n * rate * life[0])


def ewens_distinct(sample_size: int, theta: float) -> float:
    """E of the number of different symbols among n points of Ewens's law: the sum of theta/(theta + j), j < n.

    For the loop an approximation: theta = 2 n u gives 2 to 10 % too few symbols, `matched_theta` about 2 %.

    Derivation: theory/innovation.md. Source: Ewens 1972.
    """
    require(theta > 0, "theta must be positive", theta)
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    if sample_size <= 100_000:
        return float(np.sum(theta / (theta + np.arange(float(sample_size)))))
    return float(theta * (digamma(theta + sample_size) - digamma(theta)))


def matched_theta(sample_size: float, rate: float) -> float:
    """Theta of Ewens's law with the exact chance F that two points agree: (1 - F)/F. Approximation of the loop.

    Derivation: theory/innovation.md. Source: derived.
    """
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    require(0 < rate < 1, "rate must lie in (0, 1)", rate)
    n, lost = float(sample_size), rate * (2.0 - rate)
    return n * lost / (1.0 - lost)
