"""Times of loss under replacement with equal samples: until one symbol is left, until a symbol's fate is sealed, until
the first symbol is gone.

Times are generations: T is the first t at which model t has the property; the source is generation 0.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.predictions import branching, wright_fisher
from lightcollapse.predictions._checks import Float, from_source, law_of, require, sizes_of
from lightcollapse.special import xlogy

LARGEST = 2000  # points in a training set beyond which the exact systems of equations are refused
_LONG = 50_000  # generations that are summed one by one
_BLOCK = 1000
_STEP = 0.05  # of the trapezoidal rule in log t

Method = Literal["exact", "branching", "diffusion"]


def _inside(sample_size: int, right: Float) -> Float:
    """Solution x of (I - Q) x = right over the counts 1..n-1, Q the chain between them; with zeros at both ends."""
    n = int(sample_size)
    require(1 <= n <= LARGEST, f"sample_size must lie between 1 and {LARGEST}", sample_size)
    result = np.zeros(n + 1)
    if n > 1:
        rows = wright_fisher.binomial_rows(n, np.arange(1.0, n) / n)[:, 1:n]
        result[1:n] = np.linalg.solve(np.eye(n - 1) - rows, right)
    return result


def absorption_times(sample_size: int) -> Float:
    """E of the generations until a symbol with count j is lost or alone, j = 0..n: float64 (n + 1,). Exact.

    Derivation: theory/absorption.md. Source: Kemeny and Snell 1960 for the equations.
    """
    return _inside(sample_size, np.ones(max(int(sample_size) - 1, 0)))


def absorption_time_diffusion(share: ArrayLike, sample_size: float) -> Float:
    """The same of the diffusion: -2 n (x log x + (1 - x) log(1 - x)), the shape of `share`. Approximation.

    1 to 6 % too long: time goes on between generations.

    Derivation: theory/absorption.md. Source: Watterson 1962.
    """
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    x = np.asarray(share, dtype=np.float64)
    require(bool(np.all((x >= 0) & (x <= 1))), "share must lie in [0, 1]", share)
    return np.asarray(-2.0 * sample_size * (xlogy(x, x) + xlogy(1.0 - x, 1.0 - x)))


def _alone_shortfall(sample_size: int) -> Float:
    """Sum over t >= 0 of the chance j/n of ending alone less that of being so after t generations."""
    n = int(sample_size)
    return _inside(n, np.arange(1.0, n) / n)


def collapse_time(probabilities: ArrayLike, sample_size: int) -> float:
    """E of the generation from which model t holds one symbol only, for any law. Exact.

    Samples of at most 2000 points (ValueError). 0 for a source with one symbol.

    Derivation: theory/absorption.md. Source: derived.
    """
    values, symbols = np.unique(law_of(probabilities), return_counts=True)
    if values[-1] == 1.0:
        return 0.0
    shortfall = _alone_shortfall(sample_size)
    return float(1.0 + symbols @ (wright_fisher.binomial_rows(int(sample_size), values) @ shortfall))


def collapse_time_from_counts(counts: ArrayLike) -> float:
    """E of the number of generations until one symbol is left, from a training set with these counts. Exact.

    All n points different: close to 2 n (1 - 1/n). At most 2000 points (ValueError).

    Derivation: theory/absorption.md. Source: derived; Kingman 1982 for the approximation.
    """
    c = np.atleast_1d(np.asarray(counts, dtype=np.int64))
    require(bool(np.all(c >= 0)) and int(c.sum()) >= 1, "counts must be whole numbers that sum to at least 1", counts)
    return float(_alone_shortfall(int(c.sum()))[c].sum())


def no_loss_probability(probabilities: ArrayLike, sample_sizes: ArrayLike, *, method: Method = "exact") -> Float:
    """P(model t holds every symbol of the source), losses taken for independent: float64 (generations + 1,).

    Approximation: the product over symbols of 1 - P(lost), the latter by the exact chain, by branching, or by the
    diffusion of a rare symbol, exp(-2 n p / t) (equal samples). Within 0.01 with "exact" and 10 symbols or more;
    "diffusion" is up to 0.15 too large.

    Derivation: theory/absorption.md. Source: Benati et al. 2025 (2509.20101) for "diffusion"; the others derived.
    """
    p = law_of(probabilities)
    p = p[p > 0]
    if method == "exact":
        return np.asarray(np.prod(1.0 - wright_fisher.loss_probability(p, sample_sizes), axis=1))
    if method == "branching":
        return np.asarray(np.prod(1.0 - branching.loss_probability(p, sample_sizes), axis=1))
    require(method == "diffusion", 'method must be "exact", "branching" or "diffusion"', repr(method))
    sizes = sizes_of(sample_sizes)
    require(bool(np.all(sizes == sizes[:1])), "the diffusion needs equal sample sizes", sample_sizes)
    t = np.arange(1.0, len(sizes) + 1.0)
    return from_source(1.0, np.prod(-np.expm1(-2.0 * np.multiply.outer(sizes / t, p)), axis=1))


def first_loss_time(probabilities: ArrayLike, sample_size: int, *, method: Method = "branching") -> float:
    """E of the first generation that lacks a symbol of the source, losses taken for independent. Approximation.

    "branching": the sum over t of the product of 1 - exp(-n p s_(t-1)), within 1 % in every case tried.
    "diffusion": the integral of the product of 1 - exp(-2 n p / t), 1 to 9 % too large. At least 2 symbols.

    Derivation: theory/absorption.md. Source: Benati et al. 2025 (2509.20101) for "diffusion"; derived.
    """
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    p = law_of(probabilities)
    p = p[p > 0]
    require(len(p) >= 2, "the source must have at least 2 symbols", len(p))
    n = float(sample_size)
    if method == "branching":
        return _branching_first_loss(n * p)
    require(method == "diffusion", 'method must be "branching" or "diffusion"', repr(method))
    reach = 45.0 / (len(p) - 1.0) + 1.0
    x = np.arange(np.log(n * p.min()) - 45.0, np.log(2.0 * n) + reach, _STEP)
    alive = np.prod(-np.expm1(-2.0 * n * np.multiply.outer(np.exp(-x), p)), axis=1)
    return float(_STEP * np.exp(x) @ alive)


def _branching_first_loss(expected: Float) -> float:
    """Sum over t >= 0 of P(T > t): one by one, then as an integral over log t with s = 2/(t + log(t)/3 + 1.8)."""
    values, symbols = np.unique(expected, return_counts=True)
    total, alive = 1.0, branching.survival(_LONG)
    for start in range(0, len(alive), _BLOCK):
        left = _none_lost(alive[start : start + _BLOCK], values, symbols)
        total += float(left.sum())
        if left[-1] < 1e-18 * total:
            return total
    t = np.exp(np.arange(0.0, 80.0, 0.01)) * len(alive)  # the last generation summed
    left = _none_lost(2.0 / (t - 1.0 + np.log(t - 1.0) / 3.0 + 1.798), values, symbols)
    simpson = np.ones(len(t))
    simpson[1:-1:2], simpson[2:-1:2] = 4.0, 2.0
    return float(total + 0.01 / 3.0 * (simpson * t) @ left - left[0] / 2.0)


def _none_lost(alive: Float, expected: Float, symbols: NDArray[np.int64]) -> Float:
    """Product over symbols of 1 - exp(-n p s): float64, one for each s."""
    return np.asarray(np.prod((-np.expm1(-np.multiply.outer(alive, expected))) ** symbols, axis=1))
