"""Rare symbols: their counts are branching processes, which gives loss, survival and the effective sample size.

While a symbol is rare its count in the next sample is nearly Poisson with the last count for mean, independently of
everything else. s_t is the chance that one copy still has descendants after t generations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, at_least, chances_of, from_source, require, sizes_of

_STEPS = 100_000  # generations followed one by one, beyond which series are exact to 1e-6


def survival(generations: int, fraction: float = 0.0) -> Float:
    """s_0 = 1, s_(j+1) = 1 - exp(-(1 - fraction) s_j): float64 (generations + 1,).

    With `fraction` > 0 that part of each training set is fresh real data, so that a copy leaves 1 - fraction copies.
    For fraction 0: 1/(1 + 0.581977 t) <= s_t <= 2/(t + 2), and s_t is close to 2 / (t + log(t)/3 + 1.8).

    Derivation: theory/rare-symbols.md. Source: Galton-Watson process; Harris 1963, The Theory of Branching Processes.
    """
    require(generations >= 0, "generations must not be negative", generations)
    require(0 <= fraction <= 1, "fraction must lie in [0, 1]", fraction)
    values = [1.0]
    for _ in range(generations):
        values.append(float(-np.expm1(-(1.0 - fraction) * values[-1])))
    return np.array(values)


def survival_between(sample_sizes: ArrayLike) -> Float:
    """Chance that one copy in the training set before n_1 still has descendants after each of the samples n_1..n_t.

    A copy in a sample of size a leaves Poisson(b/a) copies in the next one of size b: sizes may vary.
    `sample_sizes` is (generations,), n_1 the size of the copy's own sample; float64 (generations,) with entry 0 one.

    Derivation: theory/rare-symbols.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes)
    result = np.ones(len(sizes))
    for t in range(1, len(sizes)):
        alive = 1.0
        for place in range(t, 0, -1):
            alive = float(-np.expm1(-alive * sizes[place] / sizes[place - 1]))
        result[t] = alive
    return result


def loss_probability(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """P(symbol absent from model t) = exp(-n_1 p s_(t-1)): float64 (generations + 1, symbols). Approximation.

    Holds for p well below 1: within 2 % for p up to about 0.005, 14 % too large at p = 0.05 and n = 100. Never too
    small but for rounding: the Poisson process loses a symbol more often than the binomial one.

    Derivation: theory/rare-symbols.md. Source: derived.
    """
    at_least(0, probabilities=probabilities)  # Poisson rates too, which may exceed 1
    p = np.atleast_1d(np.asarray(probabilities, dtype=np.float64))
    sizes = sizes_of(sample_sizes)
    alive = _alive(sizes)
    return np.vstack([np.where(p > 0, 0.0, 1.0), np.exp(-sizes[0] * alive[:, None] * p)])


def loss_from_count(count: int, generations: int) -> Float:
    """P(a symbol with `count` copies in a sample has no descendants t generations later) = (1 - s_t)^count.

    float64 (generations + 1,). Approximation, and an upper bound of the exact chain's.

    Derivation: theory/rare-symbols.md. Source: derived.
    """
    require(count >= 0, "count must not be negative", count)
    return np.asarray((1.0 - survival(generations)) ** count)


def forgetting_time(count: int) -> int:
    """Median number of generations until a symbol with `count` copies is lost: about 2.885 count. Approximation.

    From the generation 100,000 on, 1/s_t is followed by its series instead of step by step.

    Derivation: theory/rare-symbols.md. Source: derived; Suresh et al. 2024 (2412.17646) for linearity in the count.
    """
    require(count >= 1, "count must be at least 1", count)
    alive, t = 1.0, 0
    while (1.0 - alive) ** count < 0.5:
        if t == _STEPS:
            return t + _generations_to(1.0 / alive, -1.0 / float(np.expm1(np.log(0.5) / count)))
        alive, t = float(-np.expm1(-alive)), t + 1
    return t


def _generations_to(start: float, end: float) -> int:
    """Generations after which 1/s has grown from `start`, large, to `end`.

    With u = 1/s, x / (1 - exp(-x)) = 1 + x/2 + x^2/12 - .. gives u' = u + 1/2 + 1/(12 u): u gains t/2 and a logarithm.
    """
    return int(np.ceil(2.0 * (end - start) - np.log(end / start) / 3.0))


def effective_sample_size(sample_sizes: ArrayLike, fraction: float = 0.0) -> Float:
    """Size of the one real sample whose vocabulary model t has kept: n_1 s_(t-1), infinite at generation 0.

    With a `fraction` of fresh data (equal sizes): n (fraction times the sum of s_0..s_(t-2), plus s_(t-1)).
    float64 (generations + 1,). Approximation.

    Derivation: theory/rare-symbols.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes)
    if fraction == 0.0:
        return from_source(np.inf, sizes[0] * _alive(sizes))
    require(bool(np.all(sizes == sizes[0])), "a fresh fraction needs equal sample sizes", sample_sizes)
    alive = survival(len(sizes) - 1, fraction)
    before = np.concatenate([[0.0], np.cumsum(alive)[:-1]])
    return from_source(np.inf, sizes[0] * (fraction * before + alive))


def stationary_sample_size(sample_size: int, fresh: int) -> float:
    """Limit of the effective sample size with `fresh` real points in each training set: m times the sum of s_j.

    Approximation. Holds when fresh >= 1. After 100,000 terms the rest of the sum is an integral.

    Derivation: theory/rare-symbols.md. Source: derived.
    """
    require(1 <= fresh <= sample_size, "fresh must lie between 1 and sample_size", fresh)
    fraction, alive, total = fresh / sample_size, 1.0, 0.0
    for _ in range(_STEPS):
        if alive <= 1e-17 * total:
            return fresh * total
        total += alive
        alive = float(-np.expm1(-(1.0 - fraction) * alive))
    # s' - s is about -a s - b s^2 with a = fraction, b = (1 - fraction)^2 / 2, and half of the first term remains
    b = 0.5 * (1.0 - fraction) ** 2
    return fresh * (total + float(np.log1p(b * alive / fraction)) / b + 0.5 * alive)


def support_mean(probabilities: ArrayLike, sample_sizes: ArrayLike, fraction: float = 0.0) -> Float:
    """Expected number of symbols in model t: that of one real sample of the effective size. Approximation.

    sum of 1 - exp(-n_eff p); float64 (generations + 1,). Within 1 % for large vocabularies in the first
    generations, 6 % low after t = n/3, 12 % low for a dozen symbols, useless once only a few are left.

    Derivation: theory/rare-symbols.md. Source: derived.
    """
    p = chances_of(probabilities)
    effective = effective_sample_size(sample_sizes, fraction)
    later = -np.expm1(-np.multiply.outer(effective[1:], p[p > 0])).sum(axis=1)
    return from_source(float(np.count_nonzero(p)), later)


def missing_mass(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """Expected real mass of the symbols absent from model t: sum of p exp(-n_eff p). Approximation.

    float64 (generations + 1,). For a Zipf law with exponent b it grows like (t/2)^(1 - 1/b), not linearly.

    Derivation: theory/rare-symbols.md. Source: derived.
    """
    p = chances_of(probabilities)
    effective = effective_sample_size(sample_sizes)
    return from_source(0.0, (p * np.exp(-np.multiply.outer(effective[1:], p))).sum(axis=1))


def _alive(sizes: Float) -> Float:
    """survival_between, in one pass where sizes are equal."""
    return survival(len(sizes) - 1) if np.all(sizes == sizes[0]) else survival_between(sizes)
