"""Labs side by side that train on one another's points: diversity within a lab, between labs, and of them all.

D labs hold training sets of one size. Each point is drawn by itself: from the lab's own last model (chance `own`), from
the last model of a lab chosen uniformly, the own one included (chance `shared`), or fresh from the source. The first
training sets are real and independent. Diversities are in units of the source's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, require, sizes_of

_SLACK = 1e-9  # shares that are written with a few digits sum to 1 within this
_ROUNDING = 1e-15  # what rounding leaves of no fresh data


class Diversity(NamedTuple):
    """Expected diversity of two draws, float64 (generations + 1,): from one lab, from two labs, from any labs."""

    within: Float
    between: Float
    total: Float


class _Mixing(NamedTuple):
    """Chances of where two points of two training sets come from."""

    same: float  # both from their labs' own models
    pooled: float  # neither is fresh, and at least one comes from the pool of all labs
    fresh: float  # at least one is fresh


def _mixing(labs: int, own: float, shared: float) -> _Mixing:
    require(labs >= 2, "labs must be at least 2", labs)
    least = min(own, shared)
    require(least >= -_SLACK, "own and shared must not be negative", least)
    require(own + shared <= 1.0 + _SLACK, "own + shared must not exceed 1", own + shared)
    own, shared = max(own, 0.0), max(shared, 0.0)
    fresh = 1.0 - own - shared
    if fresh < _ROUNDING:
        fresh = 0.0
    return _Mixing(own * own, shared * (2.0 * own + shared), fresh * (2.0 - fresh))


def island_diversity(sample_sizes: ArrayLike, labs: int, own: float, shared: float) -> Diversity:
    """Expected diversity within a lab, between two labs, and of two draws from labs chosen at random. Exact.

    `sample_sizes` is (generations,), points in a lab's training set; each result float64 (generations + 1,). In units
    of the source's heterozygosity (frequencies) or variance (Gaussian, maximum likelihood, where the diversity of two
    draws is half their squared distance). The variance of a lab's mean is 1 - within, the covariance of two labs'
    means 1 - between, and the variance of the mean over labs 1 - total.

    Holds when each fitted law keeps the mean and covariance of its training set, and labs >= 2.

    Derivation: theory/islands.md. Source: Wright's island model (Wright 1943); derived.
    """
    mixing = _mixing(labs, own, shared)
    within, gap = 1.0, 0.0
    values = [(within, gap)]
    for n in sizes_of(sample_sizes):
        within, gap = _step(within, gap, 1.0 / n, labs, mixing)
        values.append((within, gap))
    inside, gaps = np.array(values).T
    return Diversity(inside, inside + gaps, inside + gaps * (1.0 - 1.0 / labs))


def _step(within: float, gap: float, coincidence: float, labs: int, mixing: _Mixing) -> tuple[float, float]:
    """Diversity within, and how much more there is between: sums of positive terms, so nothing cancels."""
    pooled = within + gap * (1.0 - 1.0 / labs)
    read = mixing.same * within + mixing.pooled * pooled + mixing.fresh
    return (1.0 - coincidence) * read, mixing.same * gap + coincidence * read


def fixation_index(sample_sizes: ArrayLike, labs: int, own: float, shared: float) -> Float:
    """F_ST = 1 - within / between of the expected diversities: float64 (generations + 1,). Exact.

    0: labs agree as two draws from one lab do; 1: each lab has one symbol left, not always the same one. The share
    itself is followed, so that it stays right where both diversities vanish.

    Derivation: theory/islands.md. Source: Wright 1951; derived.
    """
    mixing = _mixing(labs, own, shared)
    index, between = 0.0, 1.0
    values = [index]
    for n in sizes_of(sample_sizes):
        fresh = mixing.fresh / between if mixing.fresh > 0 else 0.0
        pooled = mixing.pooled * (1.0 - index / labs)
        read = mixing.same * (1.0 - index) + pooled + fresh
        growth = mixing.same + pooled + fresh
        index, between = (mixing.same * index + read / n) / growth, between * growth
        values.append(index)
    return np.array(values)


def island_square_bound(sample_sizes: ArrayLike) -> Float:
    """Upper bound of E (mu_t^2 + sigma_t^2)^2 of one lab's Gaussian: float64 (generations + 1,), in units of the
    source's variance squared, the source's mean at 0. It bounds the mean squares of a lab's variance and of the
    variance of the whole ecosystem, and times (D / (D - 1))^2 that of the mean diversity between two labs.

    Holds for maximum likelihood and any shares.

    Derivation: theory/islands.md. Source: derived.
    """
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(np.concatenate([[0.0], np.cumsum(np.log1p(2.0 / sizes_of(sample_sizes)))])))


class Limit(NamedTuple):
    """Diversity after many generations: of two draws from one lab, from two labs, from any labs."""

    within: float
    between: float
    total: float


def island_limit(sample_size: float, labs: int, own: float, shared: float) -> Limit:
    """Where the expected diversities settle, in units of the source's. Exact.

    Without fresh data the diversity within goes to 0, and with it the others unless labs never share (shared = 0).

    Derivation: theory/islands.md. Source: derived.
    """
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    mixing = _mixing(labs, own, shared)
    coincidence = 1.0 / float(sample_size)
    if mixing.fresh == 0:
        alone = mixing.pooled == 0
        within = 1.0 if alone and coincidence == 0.0 else 0.0
        gap = 1.0 - within if alone else 0.0
    else:  # gap = q read, within = (1 - coincidence) read, and read = same within + pooled (..) + fresh
        q = coincidence / (1.0 - mixing.same)
        kept = (1.0 - coincidence) * (mixing.same + mixing.pooled) + mixing.pooled * q * (1.0 - 1.0 / labs)
        read = mixing.fresh / (1.0 - kept)
        within, gap = (1.0 - coincidence) * read, q * read
    return Limit(within, within + gap, within + gap * (1.0 - 1.0 / labs))


def island_decay(sample_size: float, labs: int, own: float, shared: float) -> float:
    """Factor by which what is left to lose shrinks each generation, in the long run. Exact.

    The leading eigenvalue of the map of the two diversities: without fresh data and with much sharing close to
    1 - 1/(n D), as if all labs were one of n D points; with fresh data the distance from the limit shrinks so.

    Derivation: theory/islands.md. Source: derived.
    """
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    mixing = _mixing(labs, own, shared)
    coincidence = 1.0 / float(sample_size)
    read, other = mixing.same + mixing.pooled, mixing.pooled * (1.0 - 1.0 / labs)
    # the map of (within, gap)
    a, b = (1.0 - coincidence) * read, (1.0 - coincidence) * other
    c, d = coincidence * read, mixing.same + coincidence * other
    return float(0.5 * (a + d + np.sqrt((a - d) ** 2 + 4.0 * b * c)))
