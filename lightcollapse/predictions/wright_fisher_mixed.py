"""Categorical frequencies where real points join in: fresh data, one real sample for ever, a growing pool.

Each is still a chain of one symbol's count, so sums over symbols keep exact expectations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, from_source, require, sizes_of
from lightcollapse.predictions.wright_fisher import LARGEST_CHAIN, BySymbol, binomial_rows, grouped

LARGEST_WORK = 2e9  # multiplications beyond which a chain is refused


def _expect(values: Float, counts: Float, functional: BySymbol, laws: Iterator[tuple[Float, Float]]) -> Float:
    """Sum over symbols of E f for each (shares (states,), law (values, states))."""
    start = float(counts @ functional(values, values))
    with np.errstate(divide="ignore", invalid="ignore"):
        later = [counts @ (law * functional(shares[None, :], values[:, None])).sum(axis=1) for shares, law in laws]
    return from_source(start, later)


def fresh_expected_sum(
    probabilities: ArrayLike, sample_sizes: ArrayLike, fresh: ArrayLike, functional: BySymbol
) -> Float:
    """E of the sum over symbols of f(p_t, p_0) with fresh_t new real points in training set t, the rest model t - 1's.

    f is vectorised over (frequencies, source probabilities). `fresh` is a number or (generations,); training set 1 is
    all real. float64 (generations + 1,). Exact. Holds for training sets of at most 4000 points (ValueError).

    Derivation: theory/wright-fisher-mixed.md. Source: Wright 1931 for migration and drift; derived.
    """
    values, counts = grouped(probabilities)
    sizes = sizes_of(sample_sizes).astype(np.int64)
    real = np.array(np.broadcast_to(np.asarray(fresh, dtype=np.int64), sizes.shape))
    require(bool(np.all((real >= 0) & (real <= sizes))), "fresh must lie between 0 and the sample size", fresh)
    real[:1] = sizes[:1]
    largest = int(sizes.max(initial=0))
    require(largest <= LARGEST_CHAIN, f"the exact chain needs at most {LARGEST_CHAIN} points", largest)
    work = len(values) * float(np.sum(sizes.astype(np.float64) ** 2))
    require(work <= 20 * LARGEST_WORK, "the exact chain is too large: symbols x generations x n^2", f"{work:.1e}")
    return _expect(values, counts, functional, _fresh_laws(values, sizes.tolist(), real.tolist()))


def _fresh_laws(values: Float, sizes: list[int], real: list[int]) -> Iterator[tuple[Float, Float]]:
    law, before = np.ones((len(values), 1)), 1
    step, shape = np.ones((1, 1)), (0, 0)
    for n, m in zip(sizes, real, strict=True):
        written = n - m
        if (before, written) != shape:
            shape = (before, written)
            step = binomial_rows(written, np.arange(law.shape[1]) / before)
        drawn = law @ step if written else np.ones((len(values), 1))
        law = _convolve(drawn, binomial_rows(m, values)) if m else drawn
        before = n
        yield np.arange(n + 1, dtype=np.float64) / n, law


def _convolve(left: Float, right: Float) -> Float:
    """Row-wise convolution of probabilities."""
    return np.array([np.convolve(a, b) for a, b in zip(left, right, strict=True)])


def fresh_limit_sum(
    probabilities: ArrayLike, sample_size: int, fresh: int, functional: BySymbol, tolerance: float = 1e-13
) -> float:
    """Stationary E of the sum over symbols of f(p, p_0) with `fresh` real points in each training set. Exact.

    Iterates the chain until nothing moves. Holds when 1 <= fresh and n <= 4000 (ValueError).

    Derivation: theory/wright-fisher-mixed.md. Source: derived.
    """
    require(1 <= fresh <= sample_size, "fresh must lie between 1 and sample_size", fresh)
    require(sample_size <= LARGEST_CHAIN, f"the exact chain needs at most {LARGEST_CHAIN} points", sample_size)
    generations = int(np.ceil(np.log(tolerance) / np.log1p(-fresh / sample_size + 1e-300))) + 2
    if fresh == sample_size:
        generations = 1
    return float(fresh_expected_sum(probabilities, [sample_size] * generations, fresh, functional)[-1])


def fresh_loss_probability(probability: float, sample_sizes: ArrayLike, fresh: ArrayLike) -> Float:
    """P(a symbol is absent from model t) with fresh_t new real points in training set t: float64 (generations + 1,).

    Exact. Same limits as `fresh_expected_sum`.

    Derivation: theory/wright-fisher-mixed.md. Source: derived.
    """
    both = np.array([probability, 1.0 - probability])

    def absent(share: Float, p: Float) -> Float:
        return np.where(p == probability, (share == 0.0).astype(np.float64), 0.0)

    values = fresh_expected_sum(both, sample_sizes, fresh, absent)
    return values / 2.0 if probability == 0.5 else values


def dirichlet_entropy(probabilities: ArrayLike, sample_size: int, fresh: int) -> float:
    """Stationary E of the entropy with fresh data, from a Dirichlet law with the exact heterozygosity. Approximation.

    Dirichlet(theta p0), theta = a (n (2 - a) - 1), a = fresh / n; within about 2 % at n of 100 or more, 11 % at n = 10.

    Derivation: theory/wright-fisher-mixed.md. Source: Wright 1931 for the Dirichlet law; derived.
    """
    from scipy.special import psi

    p = np.asarray(probabilities, dtype=np.float64)
    p = p[p > 0]
    a = fresh / sample_size
    theta = a * (sample_size * (2.0 - a) - 1.0)
    return float(psi(theta + 1.0) - np.sum(p * psi(theta * p + 1.0)))


def fixed_real_expected_sum(probabilities: ArrayLike, first: int, written: ArrayLike, functional: BySymbol) -> Float:
    """E of the sum over symbols of f(p_t, p_0) when one real sample is pooled with written_t points of the last model.

    `first` real points; `written` (generations - 1,) is the synthetic points of training sets 2, 3, .. .
    float64 (generations + 1,). Exact. Holds while first x written^2 x generations stays below 2e9 (ValueError).

    Derivation: theory/wright-fisher-mixed.md. Source: derived.
    """
    values, counts = grouped(probabilities)
    sizes = [int(k) for k in np.asarray(written).ravel()]
    work = (first + 1.0) * sum(float(k) ** 2 for k in sizes) + len(values) * (first + 1.0) * sum(sizes)
    require(work <= LARGEST_WORK, "the exact chain is too large: first x written^2 x generations", f"{work:.1e}")
    start = binomial_rows(first, values)

    def laws() -> Iterator[tuple[Float, Float]]:
        yield np.arange(first + 1) / first, start
        shares = (np.arange(first + 1) / first)[:, None]  # of model t - 1, given the real count and the last sample's
        law = np.ones((first + 1, 1))
        for k in sizes:
            law = np.array([row @ binomial_rows(k, share) for row, share in zip(law, shares, strict=True)])
            shares = (np.arange(first + 1)[:, None] + np.arange(k + 1)[None, :]) / (first + k)
            yield shares.ravel(), (start[:, :, None] * law[None, :, :]).reshape(len(values), -1)

    return _expect(values, counts, functional, laws())


def accumulate_support_mean(probabilities: ArrayLike, first: int, generations: int) -> Float:
    """Expected number of symbols when real data is never dropped: sum of 1 - (1 - p)^n_1 from generation 1 on. Exact.

    Holds under accumulate and fixed-real alike: what the first sample holds is never lost. float64 (generations + 1,).

    Derivation: theory/wright-fisher-mixed.md. Source: derived.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    with np.errstate(divide="ignore"):
        seen = float(np.sum(-np.expm1(first * np.log1p(-p))))
    return from_source(float(np.count_nonzero(p)), np.full(generations, seen))


def accumulate_expected_sum(probabilities: ArrayLike, sample_sizes: ArrayLike, functional: BySymbol) -> Float:
    """E of the sum over symbols of f(p_t, p_0) when every model is fitted on all points so far. Exact.

    Follows the law of each pooled count. float64 (generations + 1,). Holds while distinct probabilities x pool x n
    summed over generations stays below 2e9 (ValueError).

    Derivation: theory/wright-fisher-mixed.md. Source: derived.
    """
    values, counts = grouped(probabilities)
    sizes = sizes_of(sample_sizes).astype(np.int64)
    pool = np.cumsum(sizes).astype(np.float64)
    work = (len(values) + 20.0) * float(np.sum(pool[:-1] * sizes[1:]))
    require(work <= LARGEST_WORK, "the exact chain is too large: symbols x pool x sample size", f"{work:.1e}")
    return _expect(values, counts, functional, _pool_laws(values, sizes.tolist()))


def _pool_laws(values: Float, sizes: list[int]) -> Iterator[tuple[Float, Float]]:
    pool = sizes[0]
    law = binomial_rows(pool, values)
    yield np.arange(pool + 1) / pool, law
    for n in sizes[1:]:
        drawn = binomial_rows(n, np.arange(pool + 1) / pool)
        grown = np.zeros((len(values), pool + n + 1))
        for more in range(n + 1):
            grown[:, more : more + pool + 1] += law * drawn[:, more]
        law, pool = grown, pool + n
        yield np.arange(pool + 1) / pool, law


def entropy_terms(share: Float, p: Float) -> Float:
    """-x log x for each frequency, whatever the source probability."""
    from scipy.special import xlogy

    return np.asarray(-xlogy(share, share) + 0.0 * p)


def half_distances(share: Float, p: Float) -> Float:
    """Each symbol's part of the total variation."""
    return np.asarray(0.5 * np.abs(share - p))


def presences(share: Float, p: Float) -> Float:
    """1 where a symbol is present."""
    return (share > 0).astype(np.float64) + 0.0 * p
