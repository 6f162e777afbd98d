"""Categorical frequencies where real points join in: fresh data, one real sample for ever, a growing pool.

Each is still a chain of one symbol's count, so sums over symbols keep exact expectations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.predictions import _large_chain
from lightcollapse.predictions._checks import Float, at_least, chances_of, from_source, require, sizes_of
from lightcollapse.predictions.wright_fisher import (
    LARGEST_CHAIN,
    LARGEST_SAMPLE,
    NOTHING,
    BySymbol,
    Functional,
    binomial_rows,
    grouped,
)
from lightcollapse.special import gammaln

LARGEST_WORK = 2e9  # multiplications beyond which a chain is refused
LARGEST_COLUMNS = 10_000  # distinct probabilities x sqrt(points) beyond which a chain above LARGEST_CHAIN is refused


def _expect(values: Float, counts: Float, functional: BySymbol, laws: Iterator[tuple[Float, Float]]) -> Float:
    """Sum over symbols of E f for each (shares (states,), law (values, states))."""
    start = float(counts @ functional(values, values))
    with np.errstate(divide="ignore", invalid="ignore"):
        later = [counts @ (law * functional(shares[None, :], values[:, None])).sum(axis=1) for shares, law in laws]
    return from_source(start, later)


def _grouped_pairs(probabilities: ArrayLike, tilted: ArrayLike | None) -> tuple[Float, Float, Float]:
    """Distinct pairs of probabilities: in the source, in fresh data, and how many symbols have them."""
    values, counts = grouped(probabilities)
    if tilted is None:
        return values, values, counts
    grouped(tilted)  # refuses a bad law
    both = np.stack([np.asarray(law, dtype=np.float64) for law in (probabilities, tilted)], axis=1)
    pairs, symbols = np.unique(both, axis=0, return_counts=True)
    return pairs[:, 0], pairs[:, 1], symbols.astype(np.float64)


def fresh_expected_sum(
    probabilities: ArrayLike,
    sample_sizes: ArrayLike,
    fresh: ArrayLike,
    functional: BySymbol,
    *,
    tilted: ArrayLike | None = None,
) -> Float:
    """E of the sum over symbols of f(p_t, p_0) with fresh_t new real points in training set t, the rest model t - 1's.

    f is vectorised over (frequencies, source probabilities). `fresh` is a number or (generations,); training set 1 is
    all real. `tilted` is the law of the fresh points of later training sets, where it is not the source's.
    float64 (generations + 1,). Exact. Holds for training sets of at most 4000 points; and of at most 200,000 where
    they are equal and hold equally many fresh points, but for the first, and these keep frequencies within reach of
    the source, while distinct probabilities x sqrt(points) stays below 10,000 (ValueError otherwise). Cost there, for
    n = 100,000: 0.02 s for each small distinct probability and 0.3 s for each large one; relative error below 1e-10.

    Derivation: theory/wright-fisher-mixed.md. Source: Wright 1931 for migration and drift; derived.
    """
    values, later, counts = _grouped_pairs(probabilities, tilted)
    sizes = sizes_of(sample_sizes).astype(np.int64)
    real = np.array(np.broadcast_to(np.asarray(fresh, dtype=np.int64), sizes.shape))
    require(bool(np.all((real >= 0) & (real <= sizes))), "fresh must lie between 0 and the sample size", fresh)
    real[:1] = sizes[:1]
    largest = int(sizes.max(initial=0))
    if largest > LARGEST_CHAIN:
        means = _large_fresh(values, later, sizes, real, functional)
        return from_source(float(counts @ functional(values, values)), counts @ means)
    work = len(values) * float(np.sum(sizes.astype(np.float64) ** 2))
    require(work <= 20 * LARGEST_WORK, "the exact chain is too large: symbols x generations x n^2", f"{work:.1e}")
    return _expect(values, counts, functional, _fresh_laws(values, later, sizes.tolist(), real.tolist()))


def _large_fresh(
    values: Float, later: Float, sizes: NDArray[np.int64], real: NDArray[np.int64], functional: BySymbol
) -> Float:
    """E of f(p_t, p_0) for each value, training sets above 4000 points: float64 (values, generations)."""
    largest = int(sizes.max())
    require(largest <= LARGEST_SAMPLE, f"the exact chain needs at most {LARGEST_SAMPLE} points", largest)
    equal = bool(np.all(sizes[1:] == sizes[-1]) and np.all(real[1:] == real[-1]))
    require(equal, f"above {LARGEST_CHAIN} points training sets must be equal after the first", sizes)
    m, k = int(real[-1]), int(sizes[-1] - real[-1])
    work = len(values) * float(np.sqrt(largest))
    require(work <= LARGEST_COLUMNS, "the exact chain is too large: distinct probabilities x sqrt(points)", work)
    rows = []
    for value, chance in zip(values.tolist(), later.tolist(), strict=True):
        fresh = _large_chain.Fresh(m, k, chance)
        rows.append(_large_chain.expected_fresh(value, int(sizes[0]), fresh, len(sizes), _of(functional, value)))
    return np.array(rows)


def _of(functional: BySymbol, value: float) -> Functional:
    """The function of frequencies that is left for one source probability."""
    return lambda share: functional(share[None, :], np.array([[value]]))[0]


def _fresh_laws(values: Float, later: Float, sizes: list[int], real: list[int]) -> Iterator[tuple[Float, Float]]:
    law, before = np.ones((len(values), 1)), 1
    step, shape = np.ones((1, 1)), (0, 0)
    for t, (n, m) in enumerate(zip(sizes, real, strict=True)):
        written = n - m
        if (before, written) != shape:
            shape = (before, written)
            step = binomial_rows(written, np.arange(law.shape[1]) / before)
        drawn = law @ step if written else np.ones((len(values), 1))
        law = _convolve(drawn, binomial_rows(m, later if t else values)) if m else drawn
        before = n
        yield np.arange(n + 1, dtype=np.float64) / n, law


def weighted_expected_sum(
    probabilities: ArrayLike, first: int, fresh: ArrayLike, written: ArrayLike, weight: float, functional: BySymbol
) -> Float:
    """E of the sum over symbols of f(p_t, p_0) where fresh_t new real points weigh `weight` and written_t points of the
    last model the rest.

    `first` real points in training set 1; `fresh` and `written` (generations - 1,) for the later ones, at least 1 each.
    float64 (generations + 1,). Exact. Holds while symbols x fresh x written^2 x generations stays below 2e9
    (ValueError).

    Derivation: theory/wright-fisher-mixed.md. Source: set-up of He, Xu and Cheng 2025 (2502.18049); derived.
    """
    values, counts = grouped(probabilities)
    real, drawn = (np.asarray(points, dtype=np.int64).ravel().tolist() for points in (fresh, written))
    at_least(1, first=first)
    require(0.0 <= weight <= 1.0, "weight must lie in [0, 1]", weight)
    require(all(m >= 1 for m in real) and all(k >= 1 for k in drawn), "fresh and written must be at least 1",
            (fresh, written))  # fmt: skip
    work = len(values) * (
        float(first) * max(drawn, default=1) + sum((m + 1.0) * k * k for m, k in zip(real, drawn, strict=True))
    )
    require(work <= LARGEST_WORK, "the exact chain is too large: symbols x fresh x written^2", f"{work:.1e}")

    def laws() -> Iterator[tuple[Float, Float]]:
        shares, law = np.arange(first + 1) / first, binomial_rows(first, values)
        yield shares, law
        known, shape, step = (first, 0), (0, 0, 0), np.ones((1, 1))
        for m, k in zip(real, drawn, strict=True):
            if (*known, k) != shape:  # else the states and their transitions are those of the generation before
                shape, step = (*known, k), binomial_rows(k, shares)
            synthetic, new = law @ step, binomial_rows(m, values)
            mixed = weight * np.arange(m + 1)[:, None] / m + (1.0 - weight) * np.arange(k + 1)[None, :] / k
            shares, known = np.clip(mixed, 0.0, 1.0).ravel(), (m, k)
            law = (new[:, :, None] * synthetic[:, None, :]).reshape(len(values), -1)
            law[law < NOTHING] = 0.0
            yield shares, law

    return _expect(values, counts, functional, laws())


def _convolve(left: Float, right: Float) -> Float:
    """Row-wise convolution of probabilities."""
    return np.array([np.convolve(a, b) for a, b in zip(left, right, strict=True)])


def fresh_limit_sum(
    probabilities: ArrayLike, sample_size: int, fresh: int, functional: BySymbol, tolerance: float = 1e-13
) -> float:
    """Stationary E of the sum over symbols of f(p, p_0) with `fresh` real points in each training set. Exact.

    Iterates the chain until nothing moves. Holds when 1 <= fresh and n <= 4000, or n <= 200,000 and `fresh` keeps
    frequencies within reach of the source (ValueError): 100 points of 100,000 do.

    Derivation: theory/wright-fisher-mixed.md. Source: derived.
    """
    require(1 <= fresh <= sample_size, "fresh must lie between 1 and sample_size", fresh)
    if sample_size > LARGEST_CHAIN:
        require(sample_size <= LARGEST_SAMPLE, f"the exact chain needs at most {LARGEST_SAMPLE} points", sample_size)
        values, counts = grouped(probabilities)
        laws = [_large_chain.Fresh(fresh, sample_size - fresh, value) for value in values.tolist()]
        sums = [_large_chain.expected_fresh(law.later, 1, law, None, _of(functional, law.later))[0] for law in laws]
        return float(counts @ np.array(sums))
    generations = 1
    if fresh < sample_size:
        generations = int(np.ceil(np.log(tolerance) / np.log1p(-fresh / sample_size))) + 2
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
    chances_of(probabilities)
    require(1 <= fresh <= sample_size, "fresh must lie between 1 and sample_size", fresh)
    from lightcollapse.special import psi

    p = np.asarray(probabilities, dtype=np.float64)
    p = p[p > 0]
    a = fresh / sample_size
    theta = a * (sample_size * (2.0 - a) - 1.0)
    return float(psi(theta + 1.0) - np.sum(p * psi(theta * p + 1.0)))


def fixed_real_expected_sum(
    probabilities: ArrayLike, first: int, written: ArrayLike, functional: BySymbol, *, weight: float | None = None
) -> Float:
    """E of the sum over symbols of f(p_t, p_0) when one real sample stays beside written_t points of the last model.

    `first` real points; `written` (generations - 1,) is the synthetic points of training sets 2, 3, .. . `weight` is
    the weight of the real part in the fit, first / (first + written_t) (pooled) where it is None.
    float64 (generations + 1,). Exact. Holds while first x written^2 x generations stays below 2e9 (ValueError).

    Derivation: theory/wright-fisher-mixed.md. Source: derived.
    """
    values, counts = grouped(probabilities)
    at_least(1, first=first, written=written)
    sizes = [int(k) for k in np.asarray(written).ravel()]
    require(weight is None or 0.0 <= weight <= 1.0, "weight must lie in [0, 1]", weight)
    work = (first + 1.0) * sum(float(k) ** 2 for k in sizes) + len(values) * (first + 1.0) * sum(sizes)
    require(work <= LARGEST_WORK, "the exact chain is too large: first x written^2 x generations", f"{work:.1e}")
    start = binomial_rows(first, values)

    def laws() -> Iterator[tuple[Float, Float]]:
        yield np.arange(first + 1) / first, start
        shares = (np.arange(first + 1) / first)[:, None]  # of model t - 1, given the real count and the last sample's
        law = np.ones((first + 1, 1))
        for k in sizes:
            law = np.array([row @ binomial_rows(k, share) for row, share in zip(law, shares, strict=True)])
            a = first / (first + k) if weight is None else weight
            mixed = a * np.arange(first + 1)[:, None] / first + (1.0 - a) * np.arange(k + 1)[None, :] / k
            shares = np.clip(mixed, 0.0, 1.0)
            yield shares.ravel(), (start[:, :, None] * law[None, :, :]).reshape(len(values), -1)

    return _expect(values, counts, functional, laws())


def fixed_share_expected_sum(
    probabilities: ArrayLike, first: int, anchor: ArrayLike, written: ArrayLike, functional: BySymbol
) -> Float:
    """E of the sum over symbols of f(p_t, p_0) when anchor_t of the `first` real points, drawn anew for each training
    set, are pooled with written_t points of the last model.

    `anchor` and `written` (generations - 1,) for training sets 2, 3, .. . float64 (generations + 1,). Exact. Holds
    while first x sample size^2 x generations stays below 2e9 (ValueError).

    Derivation: theory/wright-fisher-mixed.md. Source: derived.
    """
    values, counts = grouped(probabilities)
    real, drawn = (np.asarray(points, dtype=np.int64).ravel().tolist() for points in (anchor, written))
    require(all(0 <= a <= first for a in real), "anchor must lie between 0 and first", anchor)
    work = (first + 1.0) * sum((a + k + 1.0) ** 2 for a, k in zip(real, drawn, strict=True))
    require(work <= LARGEST_WORK, "the exact chain is too large: first x sample size^2 x generations", f"{work:.1e}")
    start = binomial_rows(first, values)

    def laws() -> Iterator[tuple[Float, Float]]:
        yield np.arange(first + 1) / first, start
        law, shares = np.eye(first + 1), np.arange(first + 1) / first  # of training set t's count, given the real one
        for a, k in zip(real, drawn, strict=True):
            law = _convolve(law @ binomial_rows(k, shares), _hypergeometric_rows(first, a))
            shares = np.arange(a + k + 1) / (a + k)
            yield shares, start @ law

    return _expect(values, counts, functional, laws())


def _hypergeometric_rows(total: int, points: int) -> Float:
    """P(j marked points among `points` drawn without replacement from `total`), i of them marked: float64
    (total + 1, points + 1), [i, j].
    """
    i, j = np.arange(total + 1.0)[:, None], np.arange(points + 1.0)[None, :]
    unmarked = total - i - (points - j)
    possible = (j <= i) & (unmarked >= 0)
    chosen = _log_choose(i, np.minimum(j, i)) + _log_choose(total - i, np.clip(points - j, 0.0, total - i))
    rows = np.exp(np.where(possible, chosen - _log_choose(total, points), -np.inf))
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def _log_choose(n: ArrayLike, k: ArrayLike) -> Float:
    n, k = np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64)
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))


def accumulate_support_mean(probabilities: ArrayLike, first: int, generations: int) -> Float:
    """Expected number of symbols when real data is never dropped: sum of 1 - (1 - p)^n_1 from generation 1 on. Exact.

    Holds under accumulate and fixed-real alike: what the first sample holds is never lost. float64 (generations + 1,).

    Derivation: theory/wright-fisher-mixed.md. Source: derived.
    """
    chances_of(probabilities)
    at_least(0, generations=generations)
    require(first >= 1, "first must be at least 1", first)
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
    from lightcollapse.special import xlogy

    return np.asarray(-xlogy(share, share) + 0.0 * p)


def half_distances(share: Float, p: Float) -> Float:
    """Each symbol's part of the total variation."""
    return np.asarray(0.5 * np.abs(share - p))


def presences(share: Float, p: Float) -> Float:
    """1 where a symbol is present."""
    return (share > 0).astype(np.float64) + 0.0 * p
