"""Tests of discrete laws and of equality in law that hold at every sample size."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc, gammaln


def binomial(successes: int, trials: int, probability: float) -> float:
    """p of the hypothesis that `successes` of `trials` are binomial: twice the smaller tail."""
    if probability in (0.0, 1.0):
        return float(successes == trials * probability)
    upper = float(bdtrc(successes - 1, trials, probability)) if successes > 0 else 1.0
    return min(1.0, 2.0 * min(upper, float(bdtr(successes, trials, probability))))


def counts(observed: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """p of the hypothesis that counts are multinomial with these probabilities.

    The least binomial p of a cell or of the cells up to it, times the number of both.
    """
    trials = int(observed.sum())
    cells = [binomial(int(k), trials, float(p)) for k, p in zip(observed, probabilities, strict=True)]
    below = np.minimum(np.cumsum(probabilities), 1.0)[:-1]
    sets = [binomial(int(k), trials, float(p)) for k, p in zip(np.cumsum(observed)[:-1], below, strict=True)]
    return min(1.0, min(cells + sets) * (len(cells) + len(sets)))


def whole_numbers(values: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """p of the hypothesis that values in 0 .. len(probabilities) - 1 have these probabilities.

    Numbers are gathered into cells of at least 5 expected ones, from the left.
    """
    if values.min() < 0 or values.max() >= len(probabilities):
        return 0.0
    observed = np.bincount(values, minlength=len(probabilities))
    least = 5.0 / len(values)
    cells: list[list[float]] = [[0.0, 0.0]]
    for k, p in zip(observed, probabilities, strict=True):
        if cells[-1][1] >= least:
            cells.append([0.0, 0.0])
        cells[-1][0] += k
        cells[-1][1] += p
    table = np.array(cells)
    return counts(table[:, 0].astype(np.int64), table[:, 1] / table[:, 1].sum())


def same_law(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """p of the hypothesis that two samples of equal length n come from one law, continuous or not.

    2 C(2n, n - k) / C(2n, n), where k / n is the largest distance of their distribution functions: by reflection twice
    the exact chance of such a distance on one side (Gnedenko and Korolyuk 1951). Ties make the test more cautious.
    """
    assert len(first) == len(second)
    n = len(first)
    points = np.unique(np.concatenate([first, second]))
    gap = np.searchsorted(np.sort(first), points, "right") - np.searchsorted(np.sort(second), points, "right")
    k = int(np.max(np.abs(gap)))
    return min(1.0, 2.0 * math.exp(2.0 * gammaln(n + 1) - gammaln(n - k + 1) - gammaln(n + k + 1)))
