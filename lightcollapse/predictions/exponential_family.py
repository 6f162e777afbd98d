"""One-parameter families fitted by their mean: a theorem for all of them, and exact laws of three.

The fit is the mean of the training set. The variance of the law with mean m is V(m) = a + b m + c m^2 in six families
(Morris 1982), and then the variance of a model's mean depends on the family through the curvature c alone:

    normal with known variance, Poisson    0
    exponential, geometric                 1
    gamma of known shape k                 1/k
    negative binomial of known size r      1/r
    Bernoulli                              -1
    binomial with N trials                 -1/N

Rates, means and scales are in units of the source's; variances of a model's mean in units of V(m_0).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions import gaussian_law, wright_fisher
from lightcollapse.predictions._checks import Float, at_least, from_source, require, sizes_of
from lightcollapse.predictions._points import follow
from lightcollapse.predictions._special import each_size, log1p_less, log_rising, psi_less_log
from lightcollapse.schedule import Schedule
from lightcollapse.special import polygamma

_STEP = 0.15  # of the trapezoid rule in log s: the integrands are analytic for |Im log s| < pi/2
_LOWEST = -25.0  # they vanish like s^2 at 0
_ROWS = 1024  # generations of one block of integrals

# -- the mean, in every family and regime ------------------------------------------------------------------------------


def _curved(curvature: float) -> float:
    require(curvature >= -1, "curvature must be at least -1, Bernoulli's", curvature)
    return float(curvature)


def _grown(steps: Float, curvature: float) -> Float:
    """(product of (1 + c x_s) - 1) / c, or the sum of x_s at c = 0."""
    if curvature == 0.0:
        return from_source(0.0, np.cumsum(steps))
    with np.errstate(divide="ignore", over="ignore"):
        return np.expm1(from_source(0.0, np.cumsum(np.log1p(curvature * steps)))) / curvature


def replace_mean_variance(sample_sizes: ArrayLike, curvature: float) -> Float:
    """Var(m_t) / V(m_0) under replacement: (product of (1 + c/n_s) - 1) / c, or the sum of 1/n_s at c = 0. Exact.

    float64 (generations + 1,). Holds for a mean fitted in a family with V(m) = a + b m + c m^2, c >= -1.

    Derivation: theory/one-parameter.md. Source: derived; Morris 1982 for the families.
    """
    return _grown(1.0 / sizes_of(sample_sizes), _curved(curvature))


def accumulate_mean_variance(sample_sizes: ArrayLike, curvature: float) -> Float:
    """Var(m_t) / V(m_0) where every model is fitted on all points so far: as for replacement with n_s / N_s^2. Exact.

    float64 (generations + 1,), N_s = n_1 + .. + n_s. Holds for V(m) = a + b m + c m^2, c >= -1.

    Derivation: theory/one-parameter.md. Source: derived; Dey and Donoho 2024 (2410.22812) to first order.
    """
    sizes = sizes_of(sample_sizes)
    return _grown(sizes / np.cumsum(sizes) ** 2, _curved(curvature))


def accumulate_mean_variance_limit(sample_size: float, curvature: float) -> float:
    """Limit of Var(m_t) / V(m_0) under accumulation with equal batches. Exact.

    sinh(x)/x - 1 over c with x = pi sqrt(c/n); for c < 0 the sine; pi^2/(6n) at c = 0. Holds when c >= -1.

    Derivation: theory/one-parameter.md. Source: Euler's products; derived.
    """
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    scaled = _curved(curvature) / sample_size
    if abs(scaled) < 1e-3:  # the power series: no cancellation
        square, term, total = np.pi**2 * scaled, np.pi**2 / 6.0, 0.0
        for k in range(1, 8):
            total += term
            term *= square / ((2 * k + 2) * (2 * k + 3))
        return float(total / sample_size)
    root = np.sqrt(abs(scaled))
    ratio = np.sinh(np.pi * root) / (np.pi * root) if scaled > 0 else np.sinc(root)
    return float((ratio - 1.0) / curvature)


def fresh_mean_variance(sample_size: int, fresh: int, generations: int, curvature: float) -> Float:
    """Var(m_t) / V(m_0) with `fresh` new real points in each training set, pooled: float64 (generations + 1,). Exact.

    u' = m/n^2 + (k/n)^2 (u + (1 + c u)/k), k = n - m; training set 1 is real. It has the limit n / (n^2 - k^2 - c k)
    where (k/n)^2 (1 + c/k) < 1, and grows without bound elsewhere. Holds for V(m) = a + b m + c m^2, c >= -1.

    Derivation: theory/one-parameter.md. Source: derived.
    """
    at_least(0, generations=generations)
    n, m = float(sizes_of(sample_size)[0]), float(fresh)
    require(0 <= m <= n, "fresh must lie between 0 and sample_size", fresh)
    k = n - m
    growth = k * (k + _curved(curvature)) / n**2
    values = [0.0, 1.0 / n]
    for _ in range(generations - 1):
        values.append(growth * values[-1] + 1.0 / n)
    return np.array(values[: generations + 1])


def fresh_mean_variance_limit(sample_size: int, fresh: int, curvature: float) -> float:
    """Limit of Var(m_t) / V(m_0) with fresh data: n / (n^2 - k^2 - c k), infinite where there is none. Exact.

    Derivation: theory/one-parameter.md. Source: derived.
    """
    n, m = float(sizes_of(sample_size)[0]), float(fresh)
    require(0 <= m <= n, "fresh must lie between 0 and sample_size", fresh)
    below = m * (2.0 * n - m) - _curved(curvature) * (n - m)
    return n / below if below > 0 else np.inf


def mean_variance(schedule: Schedule, curvature: float) -> Float:
    """Var(m_t) / V(m_0) in any data regime: float64 (generations + 1,). Exact.

    `schedule` has dtype RECIPE, one row a generation; weights, windows, pools and subsamples are served. Raises
    ValueError for several labs, for tilted fresh data, and for rows that ask for more points than there are.

    Derivation: theory/one-parameter.md. Source: derived.
    """
    c = _curved(curvature)
    return follow(schedule, lambda of_mean, point, size: 1.0 + (1.0 + c) * of_mean).of_mean


def first_order_replace(sample_sizes: ArrayLike) -> Float:
    """Sum of 1/n_s: the variance of any regular one-parameter fit under replacement, times its information.

    float64 (generations + 1,). Approximation. Holds when the sum is small.

    Derivation: theory/one-parameter.md. Source: Dey and Donoho 2024 (2410.22812) for accumulation; classical.
    """
    return from_source(0.0, np.cumsum(1.0 / sizes_of(sample_sizes)))


def first_order_accumulate(sample_sizes: ArrayLike) -> Float:
    """Sum of n_s / N_s^2, with equal batches (1 + 1/4 + .. + 1/t^2) / n: as `first_order_replace`, accumulating.

    float64 (generations + 1,); n times it tends to pi^2/6. Approximation. Holds when n is large.

    Derivation: theory/one-parameter.md. Source: Dey and Donoho 2024 (2410.22812).
    """
    sizes = sizes_of(sample_sizes)
    return from_source(0.0, np.cumsum(sizes / np.cumsum(sizes) ** 2))


def first_order_accumulate_subsample(sample_size: int, generations: int) -> Float:
    """(1 + 3 (1/4 + .. + 1/t^2)) / n: the same for subsamples of fixed size from the growing pool.

    float64 (generations + 1,); n times it tends to pi^2/2 - 2. Approximation. Holds when n is large.

    Derivation: theory/one-parameter.md. Source: derived.
    """
    at_least(0, generations=generations)
    n = float(sizes_of(sample_size)[0])
    steps = 3.0 / np.arange(1.0, generations + 1.0) ** 2
    return from_source(0.0, (np.cumsum(steps) - 2.0) / n)


def kl_first_order(first_order: ArrayLike, parameters: float = 1.0) -> Float:
    """E KL(M_t || P0) of a regular fit with k parameters: k/2 times one of the sums above. Approximation.

    The shape of `first_order`. For a Gaussian (k = 2) under accumulation 1.6 % too small at n = 30, t = 10.

    Derivation: theory/one-parameter.md. Source: Wilks 1938 (classical asymptotics); Dey and Donoho 2024 (2410.22812).
    """
    at_least(0, first_order=first_order)
    require(parameters > 0, "parameters must exceed 0", parameters)
    return np.asarray(0.5 * parameters * np.asarray(first_order, dtype=np.float64))


# -- exponential -------------------------------------------------------------------------------------------------------


def exponential_moment(sample_sizes: ArrayLike, power: float) -> Float:
    """E of the model's scale to a power under replacement: product of Gamma(n + r) / (Gamma(n) n^r). Exact.

    float64 (generations + 1,). Holds when every n > -r; ValueError otherwise.

    Derivation: theory/exponential-poisson.md. Source: derived; sums of exponentials are gamma variables.
    """
    sizes = _above(sample_sizes, -power, f"every sample size must exceed {-power:g} for this moment to exist")
    with np.errstate(over="ignore"):
        return np.exp(from_source(0.0, np.cumsum(each_size(sizes, lambda n: log_rising(n, power)))))


def _above(sample_sizes: ArrayLike, least: float, rule: str) -> Float:
    sizes = sizes_of(sample_sizes)
    if sizes.size:
        require(float(sizes.min()) > least, rule, sizes.min())
    return sizes


def exponential_log_mean(sample_sizes: ArrayLike) -> Float:
    """E log of the scale under replacement: sum of psi(n) - log(n). float64 (generations + 1,). Exact.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    return from_source(0.0, np.cumsum(each_size(sizes_of(sample_sizes), psi_less_log)))


def exponential_log_variance(sample_sizes: ArrayLike) -> Float:
    """Var log of the scale under replacement: sum of psi'(n). float64 (generations + 1,). Exact.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    return from_source(0.0, np.cumsum(each_size(sizes_of(sample_sizes), lambda n: np.asarray(polygamma(1, n)))))


def exponential_scale_cdf(sample_sizes: ArrayLike, thresholds: ArrayLike) -> Float:
    """P(scale <= x) of the last model under replacement, the shape of `thresholds`. Exact, by inversion.

    The scale has the law of a Gaussian's unbiased variance with 2n + 1 points where this has n.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    return np.asarray(gaussian_law.variance_cdf(2.0 * sizes_of(sample_sizes) + 1.0, thresholds, variance="unbiased"))


def exponential_kl_model_source_mean(sample_sizes: ArrayLike) -> Float:
    """E KL(M_t || P0) of exponential laws under replacement: sum of log(n) - psi(n). Exact.

    float64 (generations + 1,).

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    return -exponential_log_mean(sample_sizes)


def exponential_kl_model_source_variance(sample_sizes: ArrayLike) -> Float:
    """Var of KL(M_t || P0) of exponential laws under replacement: float64 (generations + 1,). Exact.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    crossed = first_order_replace(sample_sizes)
    total = replace_mean_variance(sample_sizes, 1.0) + exponential_log_variance(sample_sizes) - 2.0 * crossed
    return np.maximum(total, 0.0)


def exponential_kl_source_model_mean(sample_sizes: ArrayLike) -> Float:
    """E KL(P0 || M_t) of exponential laws under replacement: float64 (generations + 1,). Exact.

    Holds when every n >= 2; ValueError otherwise.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    sizes = _above(sample_sizes, 1.0, "every sample size must exceed 1")
    with np.errstate(over="ignore"):
        inverse = np.expm1(from_source(0.0, np.cumsum(np.log1p(1.0 / (sizes - 1.0)))))
    return np.asarray(inverse + exponential_log_mean(sizes))


def exponential_kl_source_model_variance(sample_sizes: ArrayLike) -> Float:
    """Var of KL(P0 || M_t) of exponential laws under replacement: float64 (generations + 1,). Exact.

    Holds when every n >= 3; ValueError otherwise.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    sizes = _above(sample_sizes, 2.0, "every sample size must exceed 2")
    inverse = exponential_moment(sizes, -1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        # E x^-2 / (E x^-1)^2 is the product of (n - 1) / (n - 2).
        spread = inverse**2 * np.expm1(from_source(0.0, np.cumsum(np.log1p(1.0 / (sizes - 2.0)))))
        crossed = inverse * from_source(0.0, np.cumsum(1.0 / (sizes - 1.0)))
        total = spread + exponential_log_variance(sizes) - 2.0 * crossed
    return np.where(np.isfinite(total), np.maximum(total, 0.0), np.inf)


def exponential_w2_squared_mean(variance: ArrayLike) -> Float:
    """E W2^2(M_t, P0) of exponential laws, in any regime: twice the variance of the mean (curvature 1). Exact.

    The shape of `variance`.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    at_least(0, variance=variance)
    return 2.0 * np.asarray(variance, dtype=np.float64)


class _GrowingPool:
    """F = (N + Gamma(n)) / (N + n), by which the pooled scale is multiplied, of training sets 2..T."""

    def __init__(self, sizes: Float) -> None:
        self.total = np.cumsum(sizes)
        self.added = sizes[1:]
        self.before, self.after = self.total[:-1], self.total[1:]

    def gap(self, power: float) -> Float:
        """Integral over s > 0 of (E exp(-sF) - exp(-s)) s^(power - 1), of each F."""
        found = [self._gap(rows, power) for rows in _blocks(len(self.added))]
        return np.concatenate([np.zeros(0), *found])

    def _gap(self, rows: slice, power: float) -> Float:
        kept = self.before[rows] / self.after[rows]
        x = np.arange(_LOWEST, np.log(60.0 / kept.min()) + _STEP, _STEP)
        s = np.exp(x)
        excess = -self.added[rows, None] * log1p_less(s / self.after[rows, None])
        near = np.exp(-s) * np.expm1(np.minimum(excess, 1.0))
        far = np.exp(excess - s) - np.exp(-s)
        values = np.where(excess < 1.0, near, far)
        return np.asarray((values * np.exp(power * x)).sum(axis=1) * _STEP)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _ROWS, count)) for start in range(0, count, _ROWS))


def exponential_accumulate_log_mean(sample_sizes: ArrayLike) -> Float:
    """E log of the scale where every model is fitted on all points so far: float64 (generations + 1,). Exact.

    By one integral a generation.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes)
    steps = np.concatenate([psi_less_log(sizes[:1]), -_GrowingPool(sizes).gap(0.0)])
    return from_source(0.0, np.cumsum(steps))


def exponential_accumulate_kl_model_source_mean(sample_sizes: ArrayLike) -> Float:
    """E KL(M_t || P0) of exponential laws fitted on all points so far: float64 (generations + 1,). Exact.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    return -exponential_accumulate_log_mean(sample_sizes)


def exponential_accumulate_kl_source_model_mean(sample_sizes: ArrayLike) -> Float:
    """E KL(P0 || M_t) of exponential laws fitted on all points so far: float64 (generations + 1,). Exact.

    Holds when n_1 >= 2; ValueError otherwise.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes)
    require(sizes.size == 0 or sizes[0] > 1, "the first sample must hold at least 2 points", sample_sizes)
    logs = np.concatenate([np.log1p(1.0 / (sizes[:1] - 1.0)), np.log1p(_GrowingPool(sizes).gap(1.0))])
    return np.asarray(np.expm1(from_source(0.0, np.cumsum(logs))) + exponential_accumulate_log_mean(sizes))


# -- Poisson and Bernoulli ---------------------------------------------------------------------------------------------


class _Thinning(NamedTuple):
    """E exp(-y L') given the last rate L is exp(-L g(y)), g(y) = (kept y + n (1 - exp(-y/N'))), kept = N/N'."""

    kept: float
    added: float
    after: float

    def apply(self, y: Float) -> tuple[Float, Float, Float]:
        """g(y), y - g(y) without cancellation, and log g'(y)."""
        v = y / self.after
        lost = self.added * _less_than_linear(v)
        value = self.kept * y - self.added * np.expm1(-v)
        if self.kept == 0.0:
            return value, lost, -v
        return value, lost, np.log1p((1.0 - self.kept) * np.expm1(-v))


def _less_than_linear(v: Float) -> Float:
    """v - 1 + exp(-v), v >= 0."""
    small = np.minimum(v, 0.5)
    series = np.zeros_like(small)
    for k in range(17, 1, -1):
        series = (1.0 - series) * small / k
    # series is small/2 (1 - small/3 (1 - ..)), and v times it the sum from v^2/2 on.
    return np.where(v < 0.5, small * series, v + np.expm1(-v))


def _thinnings(sizes: Float, accumulate: bool) -> list[_Thinning]:
    before = np.concatenate([[0.0], np.cumsum(sizes)[:-1]]) if accumulate else np.zeros(len(sizes))
    after = before + sizes
    return [_Thinning(*row) for row in zip((before / after).tolist(), sizes.tolist(), after.tolist(), strict=True)]


def _checked_rate(rate: float) -> float:
    require(rate > 0 and bool(np.isfinite(rate)), "rate must be positive", rate)
    return float(rate)


def poisson_alive_probability(rate: float, sample_sizes: ArrayLike) -> Float:
    """P(the rate of model t is not 0) of Poisson laws under replacement: 1 - exp(-n_1 L_0 s_(t-1)). Exact.

    float64 (generations + 1,). With equal sizes s_0 = 1, s_(j+1) = 1 - exp(-s_j), and it falls like 2 n L_0 / t. Papers
    that number the first fitted model 1 mean the same t.

    Derivation: theory/exponential-poisson.md. Source: Suresh et al. 2024 (2412.17646) for the question; Galton-Watson.
    """
    rate, sizes = _checked_rate(rate), sizes_of(sample_sizes)
    if sizes.size and np.all(sizes == sizes[0]):
        values, alive = [], 1.0
        for _ in sizes:
            values.append(alive)
            alive = float(-np.expm1(-alive))
        reach = sizes[0] * np.array(values)
    else:
        reach = np.zeros(len(sizes))
        for t in range(len(sizes), 0, -1):
            reach[t - 1] = np.inf  # chance that nothing is left: the limit of exp(-y L) for large y
            reach[t - 1 :] = -sizes[t - 1] * np.expm1(-reach[t - 1 :] / sizes[t - 1])
    return from_source(1.0, -np.expm1(-rate * reach))


def poisson_kl_model_source_mean(rate: float, sample_sizes: ArrayLike, *, accumulate: bool = False) -> Float:
    """E KL(M_t || P0) of Poisson laws, under replacement or with every model fitted on all points so far. Exact.

    float64 (generations + 1,); by an integral of the rate's Laplace transform. A rate of 0 counts with its divergence,
    L_0. KL(P0 || M_t) has no expectation: it is infinite where the rate is 0. Cost: generations^2, or generations where
    sizes are equal under replacement.

    Derivation: theory/exponential-poisson.md. Source: derived.
    """
    rate, sizes = _checked_rate(rate), sizes_of(sample_sizes)
    if not sizes.size:
        return np.zeros(1)
    top = np.log(60.0 * max(1.0, rate * float(np.cumsum(sizes)[-1] if accumulate else sizes.max())))
    s = np.exp(np.arange(_LOWEST, top + _STEP, _STEP))
    steps = _thinnings(sizes, accumulate)
    values = []
    if not accumulate and np.all(sizes == sizes[0]):
        y, lost, slope = s / rate, np.zeros_like(s), np.zeros_like(s)
        for step in steps:
            y, less, log_slope = step.apply(y)
            lost, slope = lost + less, slope + log_slope
            values.append(_mean_log(s, rate * lost + slope))
    else:
        for t in range(1, len(steps) + 1):
            y, lost, slope = s / rate, np.zeros_like(s), np.zeros_like(s)
            for step in reversed(steps[:t]):
                y, less, log_slope = step.apply(y)
                lost, slope = lost + less, slope + log_slope
            values.append(_mean_log(s, rate * lost + slope))
    return from_source(0.0, rate * np.array(values))


def _mean_log(s: Float, excess: Float) -> float:
    """E[R log R] of R with mean 1 from excess = s + log E[R exp(-sR)]: integral of (exp(-s) - E[R exp(-sR)]) / s."""
    near = -np.exp(-s) * np.expm1(np.minimum(excess, 1.0))
    far = np.exp(-s) - np.exp(np.minimum(excess - s, 0.0))
    return float(np.where(excess < 1.0, near, far).sum() * _STEP)


def bernoulli_alive_probability(probability: float, sample_sizes: ArrayLike) -> Float:
    """P(model t still gives a success some chance) under replacement: float64 (generations + 1,). Exact.

    The chain of a symbol's count; 1 - (1 - p)^n at t = 1. Cost: n^2 a generation.

    Derivation: theory/exponential-poisson.md. Source: Suresh et al. 2024 (2412.17646) for the question; Wright 1931.
    """
    _chance(probability)
    return np.asarray(1.0 - wright_fisher.loss_probability([probability, 1.0 - probability], sample_sizes)[:, 0])


def bernoulli_undecided_probability(probability: float, sample_sizes: ArrayLike) -> Float:
    """P(model t gives both outcomes some chance) under replacement: float64 (generations + 1,). Exact.

    Derivation: theory/exponential-poisson.md. Source: Wright 1931.
    """
    _chance(probability)
    lost = wright_fisher.loss_probability([probability, 1.0 - probability], sample_sizes)
    return np.asarray(1.0 - lost.sum(axis=1))


def _chance(probability: float) -> None:
    require(0 < probability < 1, "probability must lie in (0, 1)", probability)
