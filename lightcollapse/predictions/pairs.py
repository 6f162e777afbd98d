"""Two draws from model t: the one recursion that gives the loss of diversity in every data regime.

h_t is the expected diversity of a pair of draws from model t in units of the source's: E[variance_t] / variance_0 of a
Gaussian fitted by maximum likelihood, E[heterozygosity_t] / heterozygosity_0 of categorical frequencies, the expected
covariance in units of the source's, and the expected total variance of a mixture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.predictions._checks import Float, at_least, from_source, require, sizes_of
from lightcollapse.schedule import ALL, REAL, Schedule
from lightcollapse.special import gammaln


@dataclass
class _Batches:
    """Batches of points that later training sets still read.

    `diversity[a, b]` is the expected diversity of two distinct points, one of batch a and one of batch b; `tilted[a]`
    the chance that a point of batch a descends from tilted fresh data.
    """

    newest: list[int] = field(default_factory=list)  # a merged batch goes by its newest member
    points: Float = field(default_factory=lambda: np.zeros(0))  # (batches,)
    tilted: Float = field(default_factory=lambda: np.zeros(0))  # (batches,)
    diversity: Float = field(default_factory=lambda: np.zeros((0, 0)))  # (batches, batches)

    def add(self, generation: int, points: int, tilted: float, within: float, between: Float) -> None:
        count = len(self.newest)
        grown = np.empty((count + 1, count + 1))
        grown[:count, :count] = self.diversity
        grown[count, :count] = grown[:count, count] = between
        grown[count, count] = within
        self.newest.append(generation)
        self.points = np.append(self.points, float(points))
        self.tilted = np.append(self.tilted, tilted)
        self.diversity = grown

    def forget(self, keep: list[int]) -> None:
        self.newest = [self.newest[place] for place in keep]
        self.points = self.points[keep]
        self.tilted = self.tilted[keep]
        self.diversity = self.diversity[np.ix_(keep, keep)]

    def merge(self, left: int) -> None:
        """Batches `left` and `left + 1` become one."""
        right = left + 1
        a, b = self.points[left], self.points[right]
        total = a + b
        distinct = a * (a - 1) * self.diversity[left, left] + b * (b - 1) * self.diversity[right, right]
        distinct += 2 * a * b * self.diversity[left, right]
        row = (a * self.diversity[left] + b * self.diversity[right]) / total
        self.diversity[left] = row
        self.diversity[:, left] = row
        self.diversity[left, left] = distinct / (total * (total - 1)) if total > 1 else 0.0
        self.tilted[left] = (a * self.tilted[left] + b * self.tilted[right]) / total
        self.points[left] = total
        self.newest[left] = self.newest[right]
        self.forget([place for place in range(len(self.newest)) if place != right])

    def with_coincidence(self) -> Float:
        """Diversity of two points drawn independently: the same point may come twice."""
        drawn = self.diversity.copy()
        place = np.arange(len(self.newest))
        drawn[place, place] *= 1.0 - 1.0 / self.points
        return drawn


@dataclass
class _Reads:
    """Which batches later rows still read, and where their pools start."""

    oldest: list[int]  # [row]: the smallest batch that rows row.. (from 0) read
    anchored: list[bool]  # [row]: whether rows row.. re-use the first real sample
    last_start: NDArray[np.int64]  # [batch]: the last row whose pool starts there

    @classmethod
    def of(cls, schedule: Schedule) -> _Reads:
        rows = len(schedule)
        oldest, anchored = [rows + 1] * (rows + 1), [False] * (rows + 1)
        last_start = np.full(rows + 2, -1, dtype=np.int64)
        for row in range(rows - 1, -1, -1):
            start, filled = int(schedule["oldest"][row]), int(schedule["oldest"][row]) <= row
            oldest[row] = min(oldest[row + 1], start) if filled else oldest[row + 1]
            anchored[row] = anchored[row + 1] or int(schedule["anchor"][row]) != 0
            if filled:
                last_start[start] = max(last_start[start], row)
        return cls(oldest, anchored, last_start)


def _tidy(batches: _Batches, row: int, reads: _Reads) -> None:
    """Drop what rows from `row` on never read, and merge what they only read together."""
    oldest, anchored = reads.oldest[row], reads.anchored[row]
    keep = [place for place, name in enumerate(batches.newest) if name >= oldest or (name == REAL and anchored)]
    if len(keep) < len(batches.newest):
        batches.forget(keep)
    place = 0
    while place + 1 < len(batches.newest):
        left, right = batches.newest[place], batches.newest[place + 1]
        single = left == REAL and (anchored or left < oldest)
        if single or (reads.last_start[left + 1 : right + 1] >= row).any():
            place += 1
        else:
            batches.merge(place)


def _weights(fresh: float, anchor: float, taken: float, real_weight: float) -> tuple[float, float, float]:
    """Weights of the fresh, the anchored and the pool's points in the fit."""
    real = fresh + anchor
    if np.isnan(real_weight) or real == 0 or taken == 0:
        total = real + taken
        return fresh / total, anchor / total, taken / total
    return real_weight * fresh / real, real_weight * anchor / real, 1.0 - real_weight


class Tilt(NamedTuple):
    """What tilted fresh data makes of pairs, in units of the source's own diversity.

    A tilt of `bias` standard deviations moves a normal law's mean: Tilt(1, 1 + bias^2 / 2). Of symbols with
    probabilities p and tilted ones q: (1 - sum q^2) and (1 - sum p q), each over 1 - sum p^2.
    """

    within: float = 1.0  # diversity of two tilted points
    between: float = 1.0  # and of a tilted point with one of the source


NO_TILT = Tilt()


def pair_diversity(schedule: Schedule, tilt: Tilt = NO_TILT) -> Float:
    """Expected diversity h_t of two draws from model t, in units of the source's, for any schedule.

    `schedule` has dtype RECIPE and one row a generation; the result is float64 (generations + 1,) with h_0 = 1. A
    weight applies to the fresh and re-used real points together. Re-used points, where they are not all, are drawn
    anew from the first real sample for every training set. The fresh points of rows with a bias follow one tilted
    law, of which `tilt` says how diverse its pairs are.

    Holds when the fitted law keeps the (weighted) mean and covariance of its training set: Gaussian maximum
    likelihood, categorical frequencies, a mixture after a full-covariance step. Not for the unbiased variance,
    smoothing, temperature or selection. Exact.

    Raises ValueError when a row takes more points than its pool holds, describes an empty training set, has several
    labs, or when two rows have biases that differ.

    Derivation: theory/pairs.md. Source: Kingman 1982 for the coalescent; derived for this package.
    """
    return _pairs(schedule, tilt)[0]


def tilted_share(schedule: Schedule) -> Float:
    """Chance g_t that a draw from model t descends from tilted fresh data: float64 (generations + 1,), from 0.

    The expected law of model t is 1 - g_t of the source and g_t of the tilted law. Exact under the same conditions as
    `pair_diversity`, for the unbiased variance too.

    Derivation: theory/pairs.md. Source: derived for this package.
    """
    return _pairs(schedule, NO_TILT)[1]


def _pairs(schedule: Schedule, tilt: Tilt) -> tuple[Float, Float]:
    """Diversity of model t, and its share of tilted descent, each float64 (generations + 1,)."""
    schedule = np.atleast_1d(schedule)
    require(not np.any(schedule["labs"] > 1), "a pair of one lab is followed", "several labs")
    biases = np.unique(schedule["bias"][schedule["bias"] != 0.0])
    require(len(biases) <= 1, "fresh data must be tilted alike in every generation", biases)
    reads = _Reads.of(schedule)
    batches = _Batches()
    real_points = int(schedule["fresh"][0]) if len(schedule) else 0
    first = schedule[:1].copy()
    if len(schedule) > 1 and (reads.anchored[1] or reads.oldest[1] == REAL):
        require(schedule["bias"][0] == 0.0, "the first real sample must be the source's", schedule["bias"][0])
        batches.add(REAL, real_points, 0.0, 1.0, np.zeros(0))
        first["fresh"], first["anchor"] = 0, ALL  # training set 1 is the first real sample
    diversity, tilted = np.empty(len(schedule) + 1), np.empty(len(schedule) + 1)
    diversity[0], tilted[0] = 1.0, 0.0
    for index in range(len(schedule)):
        generation = index + 1
        row = schedule[index] if index else first[0]
        diversity[generation], tilted[generation], between = _refit(batches, row, generation, real_points, tilt)
        written = int(schedule["sample"][generation]) if generation < len(schedule) else 0
        if written > 0:
            batches.add(generation, written, tilted[generation], diversity[generation], between)
        _tidy(batches, generation, reads)
    return diversity, tilted


def _refit(
    batches: _Batches, row: np.void, generation: int, real_points: int, tilt: Tilt
) -> tuple[float, float, Float]:
    """Of the fitted model: diversity of two draws, share of tilted descent, diversity of a draw with a point of each
    batch.
    """
    fresh = float(row["fresh"])
    anchor = float(real_points if row["anchor"] == ALL else row["anchor"])
    require(anchor <= real_points, f"anchor must not exceed the {real_points} points of the first real sample", anchor)
    newest = np.array(batches.newest, dtype=np.int64)
    pool = batches.points * ((newest >= row["oldest"]) & (newest < generation))
    pooled = float(pool.sum())
    taken = pooled if row["take"] == ALL else float(row["take"])
    require(taken <= pooled, f"take must not exceed the pool of {pooled:.0f} points in row {generation}", taken)
    require(fresh + anchor + taken > 0, "a training set must hold at least one point", f"none in row {generation}")
    w_fresh, w_anchor, w_pool = _weights(fresh, anchor, taken, float(row["weight"]))

    # A fresh point with a point of the source, with another fresh one, and with one of each batch.
    biased = bool(row["bias"] != 0.0)
    with_source, with_fresh = (tilt.between, tilt.within) if biased else (1.0, 1.0)
    with_tilted = tilt.within if biased else tilt.between
    fresh_row = with_source + batches.tilted * (with_tilted - with_source)

    drawn = batches.with_coincidence()
    real_row = drawn[batches.newest.index(REAL)] if w_anchor else np.zeros(len(newest))
    share = pool / pooled if pooled else pool
    pool_row = share @ drawn
    between = w_fresh * fresh_row + w_anchor * real_row + w_pool * pool_row
    tilted = w_fresh * float(biased) + w_pool * float(share @ batches.tilted)

    within = 2.0 * w_fresh * (w_anchor * with_source + w_pool * float(share @ fresh_row))
    if w_fresh:
        within += w_fresh**2 * (1.0 - 1.0 / fresh) * with_fresh
    if w_anchor:
        real = batches.newest.index(REAL)
        within += w_anchor**2 * (1.0 - 1.0 / anchor) * batches.diversity[real, real]
        within += 2.0 * w_anchor * w_pool * float(real_row @ share)
    if w_pool and pooled > 1:
        distinct = float(pool_row @ share) * pooled / (pooled - 1.0)
        within += w_pool**2 * (1.0 - 1.0 / taken) * distinct
    return within, tilted, between


def replace(sample_sizes: ArrayLike) -> Float:
    """h_t when every training set holds only what the last model wrote: the product of 1 - 1/n_s.

    `sample_sizes` is (generations,); the result float64 (generations + 1,). Exact.

    Derivation: theory/pairs.md. Source: Wright 1931 in genetics; Shumailov et al. 2023 (2305.17493), Alemohammad et
    al. 2023 (2307.01850).
    """
    with np.errstate(divide="ignore"):  # a sample of one point leaves nothing
        return np.exp(from_source(0.0, np.cumsum(np.log1p(-1.0 / sizes_of(sample_sizes)))))


def replace_limit(start: float, growth: str, rate: float = 1.0) -> float:
    """Limit of h_t under replacement with a growing sample size, zero when the sum of 1/n_s diverges.

    growth "linear": n_s = start + rate (s - 1), limit 0; "quadratic": n_s = start s^2, limit
    sin(pi/sqrt(start)) / (pi/sqrt(start)); "geometric": n_s = start rate^(s-1), the q-Pochhammer (1/start; 1/rate).

    Derivation: theory/growing-samples.md. Source: derived; Xu, He and Cheng 2025 (2505.13947) on superlinear growth.
    """
    require(start >= 1, "start must be at least 1", start)
    if growth == "linear":
        return 0.0
    if growth == "quadratic":
        return float(np.sinc(1.0 / np.sqrt(start)))
    require(growth == "geometric", 'growth must be "linear", "quadratic" or "geometric"', repr(growth))
    require(rate > 1, "rate must exceed 1", rate)
    terms = int(np.ceil(40.0 / np.log(rate))) + 1
    return float(np.prod(1.0 - rate ** -np.arange(terms, dtype=np.float64) / start))


def replace_linear(start: float, rate: float, generations: int) -> Float:
    """h_t under replacement with n_s = start + rate (s - 1), by Gamma functions instead of a product.

    float64 (generations + 1,); falls like t^(-1/rate). Holds when start > 1 and rate > 0.

    Derivation: theory/growing-samples.md. Source: derived.
    """
    at_least(0, generations=generations)
    require(start > 1 and rate > 0, "start must exceed 1 and rate 0", (start, rate))
    t = np.arange(generations + 1, dtype=np.float64)
    a, b = (start - 1.0) / rate, start / rate
    return np.asarray(np.exp(gammaln(t + a) - gammaln(a) + gammaln(b) - gammaln(t + b)))


def accumulate(sample_sizes: ArrayLike) -> Float:
    """h_t when every model is fitted on all points so far: (1 - 1/n_1) times the product of 1 - n_s / N_s^2.

    N_s = n_1 + .. + n_s. float64 (generations + 1,). Exact.

    Derivation: theory/accumulate.md. Source: Kazdan et al. 2024 (2410.16713) for the Gaussian with equal sizes.
    """
    sizes = sizes_of(sample_sizes)
    return from_source(1.0, np.cumprod(1.0 - sizes / np.cumsum(sizes) ** 2))


def accumulate_limit(sample_size: float) -> float:
    """Limit of h_t under accumulation with equal batches: sin(x)/x at x = pi / sqrt(n).

    Derivation: theory/accumulate.md. Source: Kazdan et al. 2024 (2410.16713).
    """
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    return float(np.sinc(1.0 / np.sqrt(sample_size)))


def accumulate_one_by_one(first: int, total: int) -> float:
    """h once single draws, each added to the urn before the next, have grown `first` real points to `total`.

    (1 - 1/n)(n / (n + 1))((N + 1) / N). Exact.

    Derivation: theory/accumulate.md. Source: Polya's urn (Eggenberger and Polya 1923).
    """
    require(1 <= first <= total, "first must lie between 1 and total", (first, total))
    return (1.0 - 1.0 / first) * (first / (first + 1.0)) * ((total + 1.0) / total)


def accumulate_fresh(fresh: int, written: int, generations: int) -> Float:
    """h_t when each generation adds `fresh` real points and `written` points of the last model to one growing pool.

    The first training set is fresh + written real points. float64 (generations + 1,). Exact. The drift of the pooled
    mean, 1 - h_t, dies like t^(-min(2a, 1)) with a = fresh / (fresh + written).

    Derivation: theory/accumulate.md. Source: derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    require(fresh >= 0 and written >= 0 and fresh + written >= 1, "fresh and written must be whole numbers >= 0",
            (fresh, written))  # fmt: skip
    n = float(fresh + written)
    distinct, values = 1.0, []
    for t in range(1, generations + 1):
        pool = t * n
        model = (1.0 - 1.0 / pool) * distinct
        values.append(model)
        grown = pool + n
        pairs = pool * (pool - 1) * distinct + written * (written - 1) * model + 2 * pool * written * model
        pairs += fresh * (fresh - 1) + 2.0 * fresh * (pool + written)
        distinct = pairs / (grown * (grown - 1))
    return from_source(1.0, values)


def accumulate_subsample(sample_size: int, generations: int, *, with_replacement: bool = False) -> Float:
    """h_t when each training set is a sample of fixed size from the growing pool of everything so far.

    Each model adds `sample_size` points to the pool. float64 (generations + 1,). Exact. The first training set is the
    first real sample itself.

    Derivation: theory/accumulate-subsample.md. Source: derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    n = float(sizes_of(sample_size)[0])
    distinct, values = 1.0, []
    for t in range(1, generations + 1):
        pool = t * n
        thinned = 1.0 - 1.0 / pool if with_replacement and t > 1 else 1.0
        model = (1.0 - 1.0 / n) * thinned * distinct
        values.append(model)
        grown = pool + n
        pairs = pool * (pool - 1) * distinct + n * (n - 1) * model + 2 * pool * n * (1.0 - 1.0 / pool) * distinct
        distinct = pairs / (grown * (grown - 1)) if grown > 1 else 0.0
    return from_source(1.0, values)


def accumulate_subsample_limit(sample_size: int) -> float:
    """Limit of h_t under accumulate-subsample without replacement; n (1 - limit) tends to pi^2/2 - 2.

    The product over the pool's growth has Gamma functions at the roots of its numerator for a closed form.

    Derivation: theory/accumulate-subsample.md. Source: derived.
    """
    n = float(sizes_of(sample_size)[0])
    require(n >= 2, "sample_size must be at least 2", sample_size)
    # Factor at pool N = t n: ((N+n)(N+n-1) - (3n-1)) / ((N+n)(N+n-1)), a quadratic in t over another.
    root = np.sqrt(np.complex128(1.0 + 4.0 * (3.0 * n - 1.0)))
    upper = [(1.0 + root) / (2.0 * n), (1.0 - root) / (2.0 * n)]
    product = _gamma_ratio([2.0 - upper[0], 2.0 - upper[1]], [2.0, 2.0 - 1.0 / n])
    return (1.0 - 1.0 / n) * product


def _gamma_ratio(zeros: list[complex], poles: list[float]) -> float:
    """Product over k = 0, 1, .. of (k + z1)(k + z2) / ((k + p1)(k + p2)) with z1 + z2 = p1 + p2."""
    from lightcollapse.special import loggamma

    exponent = sum(loggamma(complex(pole)) for pole in poles) - sum(loggamma(zero) for zero in zeros)
    return float(np.exp(exponent).real)


def fresh_fraction(sample_size: int, fresh: int, generations: int) -> Float:
    """h_t when each training set holds `fresh` new real points and the rest from the last model, pooled.

    h* + (1 - h*) rho^t with k = n - m, rho = k (k - 1) / n^2, h* = (m^2 + 2 m k - m) / (m^2 + 2 m k + k), from the
    second training set on; the first one is all real. float64 (generations + 1,). Exact.

    Derivation: theory/fresh-data.md. Source: migration and drift in Wright 1931; derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    n, m = float(sizes_of(sample_size)[0]), float(fresh)
    require(0 <= m <= n, "fresh must lie between 0 and sample_size", fresh)
    k = n - m
    limit = fresh_limit(sample_size, fresh)
    rho = k * (k - 1.0) / n**2
    t = np.arange(generations, dtype=np.float64)
    return from_source(1.0, limit + (1.0 - 1.0 / n - limit) * rho**t)


def fresh_limit(sample_size: int, fresh: int) -> float:
    """Limit h* of h_t with `fresh` new real points in each training set of `sample_size`, pooled.

    Derivation: theory/fresh-data.md. Source: derived; Wright 1931 for the analogue in genetics.
    """
    n, m = float(sizes_of(sample_size)[0]), float(fresh)
    require(0 <= m <= n, "fresh must lie between 0 and sample_size", fresh)
    k = n - m
    return (m * m + 2.0 * m * k - m) / (m * m + 2.0 * m * k + k)


def fresh_random_split(sample_size: int, fraction: float, generations: int) -> Float:
    """h_t when every point of a training set is real with probability `fraction`, else from the last model.

    float64 (generations + 1,). Exact. The first training set is all real.

    Derivation: theory/fresh-data.md. Source: derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    n = float(sizes_of(sample_size)[0])
    require(0 <= fraction <= 1, "fraction must lie in [0, 1]", fraction)
    keep = (1.0 - fraction) ** 2
    rho = (1.0 - 1.0 / n) * keep
    limit = (1.0 - 1.0 / n) * (1.0 - keep) / (1.0 - rho) if rho < 1 else 0.0
    t = np.arange(generations, dtype=np.float64)
    return from_source(1.0, limit + (1.0 - 1.0 / n - limit) * rho**t)


def fixed_real(first: int, written: int, generations: int, weight: float | None = None) -> Float:
    """h_t when one real sample of `first` points is re-used for ever beside `written` points of the last model.

    `weight` is the weight of the real part, first / (first + written) (pooled) when not given.
    h_(t+1) = (a^2 + 2 a (1 - a)) h_1 + (1 - a)^2 (1 - 1/k) h_t. float64 (generations + 1,). Exact.

    Derivation: theory/fixed-real.md. Source: set-up of Alemohammad et al. 2023 (2307.01850); derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    require(first >= 1 and written >= 1, "first and written must be at least 1", (first, written))
    a = first / (first + written) if weight is None else weight
    require(0 <= a <= 1, "weight must lie in [0, 1]", a)
    start = 1.0 - 1.0 / first
    rho = (1.0 - a) ** 2 * (1.0 - 1.0 / written)
    limit = (2.0 * a - a * a) * start / (1.0 - rho) if rho < 1 else 0.0
    t = np.arange(generations, dtype=np.float64)
    return from_source(1.0, limit + (start - limit) * rho**t)
