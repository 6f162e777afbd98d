"""How far the total variance of a fitted mixture can stray: bounds of its mean square, for any schedule."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.predictions._checks import at_least, chances_of, finite, require
from lightcollapse.schedule import ALL, Schedule

Float = NDArray[np.float64]

_GROWTH = 3.0  # of a fourth moment when normal laws take the place of the points that they are fitted to


def fourth_moment(shares: ArrayLike, means: ArrayLike, covariances: ArrayLike, centre: ArrayLike) -> float:
    """E |X - centre|^4 of a mixture of normal laws: shares (K,), means (K, d), covariances (K, d, d), centre (d,).

    Exact. Derivation: theory/mixture-moments.md. Source: the fourth moment of a quadratic form in normal variables.
    """
    chances_of(shares)
    finite(means=means, covariances=covariances, centre=centre)
    shares, gaps = np.asarray(shares), np.asarray(means) - np.asarray(centre)
    matrices = np.asarray(covariances)
    trace = np.trace(matrices, axis1=1, axis2=2)
    square = (matrices**2).sum(axis=(1, 2))
    along = np.einsum("ki,kij,kj->k", gaps, matrices, gaps)
    return float(shares @ (((gaps**2).sum(axis=1) + trace) ** 2 + 2.0 * square + 4.0 * along))


def total_square_bound(schedule: Schedule, second: float, fourth: float) -> Float:
    """Upper bound of E[(total variance of model t)^2], float64 (generations + 1,), for any number of components.

    `second` and `fourth` are the largest E |X - c|^2 and E |X - c|^4 of the laws of real data, tilted ones included,
    for one fixed point c.

    Holds when every fit keeps the total variance of its training set, and each component's law the mean and total
    variance of its share of it. A bound, near the truth in the first generations; it grows by 3 / n a generation.

    Raises ValueError where a training set is empty.

    Derivation: theory/mixture-moments.md. Source: derived.
    """
    at_least(0, second=second, fourth=fourth)
    schedule = np.atleast_1d(schedule)
    bound = np.empty(len(schedule) + 1)
    bound[0] = crossed = second**2
    point = fourth  # of the fourth moment of any point of the training set
    for t, row in enumerate(schedule, start=1):
        sampled, last = int(row["sample"]), bound[t - 1]
        if sampled > 0:
            crossed = max(crossed, last, point / sampled + (1.0 - 1.0 / sampled) * last)
        weight = _squared_weights(row, int(schedule["fresh"][0]))
        bound[t] = weight * point + (1.0 - weight) * (last if _of_one_kind(row, t) else crossed)
        if t == 1:
            crossed = max(crossed, bound[1])
        point *= _GROWTH
    return bound


def _of_one_kind(row: np.void, t: int) -> bool:
    """Whether every pair of points of a training set is independent, given the last models."""
    newest = row["fresh"] == 0 and row["anchor"] == 0 and row["oldest"] >= t - 1
    return bool(t == 1 or row["labs"] > 1 or newest)


def _squared_weights(row: np.void, first: int) -> float:
    """Sum of the squared weights of a training set's points."""
    size = float(row["size"])
    require(size > 0.0, "a training set must hold at least one point", size)
    real = float(row["fresh"] + (first if row["anchor"] == ALL else row["anchor"]))
    weight = float(row["weight"])
    if np.isnan(weight) or real in (0.0, size):
        return 1.0 / size
    return weight**2 / real + (1.0 - weight) ** 2 / (size - real)
