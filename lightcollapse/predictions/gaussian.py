"""A Gaussian fitted again and again to its own samples (the replace regime): moments and distances.

Everything is in units of a standard normal source: multiply variances by the source's variance. Model t has mean
mu_t and variance s_t^2; s_t^2 is a product of independent factors chi2(n_s - 1) / c_s with c_s = n_s for the
maximum-likelihood variance and n_s - 1 for the unbiased one, and given the past mu_t - mu_(t-1) is normal with
variance s_(t-1)^2 / n_s, independent of the factor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, Variance, divisor, from_source, require, sizes_of
from lightcollapse.predictions._special import log_rising, psi_less_log
from lightcollapse.special import gammainc, polygamma

OVERSHOOT = 0.5826  # -zeta(1/2) / sqrt(2 pi): mean overshoot of a Gaussian walk in its own standard deviations


def _log_factor_moment(sizes: Float, power: float, variance: Variance) -> Float:
    """log E[(chi2(n - 1) / c)^power] for each training set."""
    half = (sizes - 1.0) / 2.0
    rule = f"sample sizes must exceed {1 - 2 * power:g} for a moment of order {power:g} to exist"
    require(bool(np.all(half + power > 0)), rule, sizes.min())
    growth = log_rising(half, power) if power else np.zeros_like(half)
    return np.asarray(power * _log_shrink(sizes, variance) + growth)


def _log_shrink(sizes: Float, variance: Variance, more: float = 0.0) -> Float:
    """log((n - 1 + more) / c) for each training set."""
    below = divisor(sizes, variance)
    return np.asarray(np.log1p((sizes - 1.0 - below + more) / below))


def _slope(sizes: Float, power: float, variance: Variance) -> Float:
    """E[s^(2r) log s^2] / E[s^(2r)] for r = `power`: the derivative of the log moment, (generations + 1,)."""
    half = (sizes - 1.0) / 2.0
    return from_source(0.0, np.cumsum(psi_less_log(half + power) + _log_shrink(sizes, variance, 2.0 * power)))


def _or_infinite(values: Float) -> Float:
    """A variance, which is infinite where its moments were too large to be numbers."""
    return np.where(np.isnan(values), np.inf, np.maximum(values, 0.0))


def _gap(logs: Float, others: Float) -> Float:
    """exp(logs) - exp(others), precise where they are close; both may be -inf."""
    known = np.isfinite(others)
    base = np.where(known, others, 0.0)
    return np.asarray(np.where(known, np.exp(base) * np.expm1(np.where(known, logs, 0.0) - base), np.exp(logs)))


def _log_sum(logs: Float) -> Float:
    """log of the running sum of exp(logs), with -inf (nothing yet) in front."""
    return np.concatenate([[-np.inf], np.logaddexp.accumulate(logs)]) if logs.size else np.array([-np.inf])


def log_moments(sample_sizes: ArrayLike, power: float, variance: Variance) -> tuple[Float, Float, Float]:
    """Logs of E[s^(2r)], E[mu^2 s^(2r)] and E[mu^4 s^(2r)] for r = `power`: three float64 (generations + 1,). Exact.

    Holds when every (n - 1)/2 + r is positive. Raises ValueError otherwise.

    Derivation: theory/gaussian-replace.md. Source: derived; classical chi-square moments.
    """
    sizes = sizes_of(sample_sizes, 2)
    log_n = np.log(sizes)
    plain = [from_source(0.0, np.cumsum(_log_factor_moment(sizes, power + step, variance))) for step in (0, 1, 2)]
    second = plain[0] + _log_sum(plain[1][:-1] - plain[0][:-1] - log_n)
    second_next = plain[1] + _log_sum(plain[2][:-1] - plain[1][:-1] - log_n)
    steps = np.logaddexp(np.log(6.0) + second_next[:-1] - log_n, np.log(3.0) + plain[2][:-1] - 2.0 * log_n)
    return plain[0], second, plain[0] + _log_sum(steps - plain[0][:-1])


def variance_moment(sample_sizes: ArrayLike, power: float = 1.0, *, variance: Variance = "ml") -> Float:
    """E[s_t^(2r)] for r = `power`: float64 (generations + 1,). Exact.

    Holds when r > -(n - 1)/2 for every n. r = 1 gives the expected variance, r = 1/2 the expected std.

    Derivation: theory/gaussian-replace.md. Source: Shumailov et al. 2023 (2305.17493), Alemohammad et al. 2023
    (2307.01850) and Suresh et al. 2024 (2412.17646) for r = 1; all r: derived.
    """
    sizes = sizes_of(sample_sizes, 2)
    logs = _log_shrink(sizes, variance) if power == 1.0 else _log_factor_moment(sizes, power, variance)
    return np.exp(from_source(0.0, np.cumsum(logs)))


def std_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E[s_t]: float64 (generations + 1,). Exact. Holds when n >= 2.

    Derivation: theory/gaussian-replace.md. Source: derived.
    """
    return variance_moment(sample_sizes, 0.5, variance=variance)


def log_variance_cumulant(sample_sizes: ArrayLike, order: int = 1, *, variance: Variance = "ml") -> Float:
    """Cumulant of log s_t^2: 1 the mean, 2 the variance, 3 the skew's: float64 (generations + 1,). Exact.

    Holds when n >= 2. The mean falls by about 2/n a generation (ml) or 1/n (unbiased): the typical chain collapses
    even where the expected variance does not.

    Derivation: theory/gaussian-replace.md. Source: derived; rate as in Suresh et al. 2024 (2412.17646).
    """
    sizes = sizes_of(sample_sizes, 2)
    require(order >= 1, "order must be at least 1", order)
    if order == 1:
        return _slope(sizes, 0.0, variance)
    return from_source(0.0, np.cumsum(polygamma(order - 1, (sizes - 1.0) / 2.0)))


def mean_variance(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Var(mu_t) = sum of E[s_(s-1)^2] / n_s: 1 - h_t (ml), sum of 1/n_s (unbiased). float64 (generations + 1,). Exact.

    Derivation: theory/gaussian-replace.md. Source: derived; Shumailov et al. 2023 (2305.17493).
    """
    sizes = sizes_of(sample_sizes, 2)
    return from_source(0.0, np.cumsum(variance_moment(sizes, variance=variance)[:-1] / sizes))


def mean_fourth_moment(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E[mu_t^4]: float64 (generations + 1,). Exact. Holds when n >= 2.

    Derivation: theory/gaussian-replace.md. Source: derived.
    """
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(log_moments(sample_sizes, 0.0, variance)[2]))


def w2_squared_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E[W2^2(M_t, P0)], the squared 2-Wasserstein distance to the source: float64 (generations + 1,). Exact.

    Holds when n >= 2. ml: 2 (1 - E s_t), which saturates at 2; unbiased: sum of 1/n_s + 2 (1 - E s_t), which grows
    without bound.

    Derivation: theory/gaussian-distances.md. Source: Shumailov et al. 2023 (2305.17493) to first order; exact: derived.
    """
    sizes = sizes_of(sample_sizes, 2)
    shrink = from_source(0.0, -2.0 * np.expm1(np.cumsum(_log_factor_moment(sizes, 0.5, variance))))
    return shrink if variance == "ml" else shrink + from_source(0.0, np.cumsum(1.0 / sizes))


def w2_squared_first_order(sample_sizes: ArrayLike) -> Float:
    """First-order E[W2^2(M_t, P0)]: 3/2 times the sum of 1/n_s. float64 (generations + 1,). Approximation.

    Holds when sum of 1/n_s is small: at t/n = 0.1 it is 0.4 % (unbiased) or 3.7 % (ml) too large.

    Derivation: theory/gaussian-distances.md. Source: Shumailov et al. 2023 (2305.17493).
    """
    return from_source(0.0, np.cumsum(1.5 / sizes_of(sample_sizes)))


def w2_squared_variance(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Var of W2^2(M_t, P0): float64 (generations + 1,). Exact. Holds when n >= 2.

    Derivation: theory/gaussian-distances.md. Source: derived.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        logs = {power: log_moments(sample_sizes, power, variance) for power in (0.0, 0.5, 1.0, 1.5, 2.0)}
        d1, d2, d3, d4 = (np.expm1(logs[power][0]) for power in (0.5, 1.0, 1.5, 2.0))  # E[s^k] - 1
        crossed = _gap(logs[1.0][1], logs[0.0][1]) - 2.0 * _gap(logs[0.5][1], logs[0.0][1])  # E[mu^2 (s - 1)^2]
        mean = np.exp(logs[0.0][1]) + d2 - 2.0 * d1
        return _or_infinite(np.exp(logs[0.0][2]) + 2.0 * crossed + (d4 - 4.0 * d3 + 6.0 * d2 - 4.0 * d1) - mean**2)


def kl_model_source_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E KL(M_t || P0) in nats: -E[log s_t^2] / 2, plus half the sum of 1/n_s for the unbiased variance. Exact.

    float64 (generations + 1,). Holds when n >= 2.

    Derivation: theory/gaussian-distances.md. Source: derived.
    """
    fall = -0.5 * log_variance_cumulant(sample_sizes, 1, variance=variance)
    if variance == "ml":
        return fall
    return fall + from_source(0.0, np.cumsum(0.5 / sizes_of(sample_sizes)))


def kl_model_source_variance(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Var of KL(M_t || P0): float64 (generations + 1,). Exact. Holds when n >= 2.

    Derivation: theory/gaussian-distances.md. Source: derived.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        flat, squared, fourth = (log_moments(sample_sizes, power, variance) for power in (0.0, 1.0, 2.0))
        d1, d2, mu2 = np.expm1(squared[0]), np.expm1(fourth[0]), np.exp(flat[1])
        apart, log_mean = _log_gap(sample_sizes, 1.0, variance)
        log_var = log_variance_cumulant(sample_sizes, 2, variance=variance)
        alone = d2 - 2.0 * d1 + log_var + log_mean**2 - 2.0 * apart  # E[(s^2 - 1 - log s^2)^2]
        crossed = _gap(squared[1], flat[1]) - _log_with_mean(sample_sizes, 0.0, variance)
        return _or_infinite(np.exp(flat[2]) + alone + 2.0 * crossed - (mu2 + d1 - log_mean) ** 2) / 4.0


def kl_source_model_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E KL(P0 || M_t) in nats: float64 (generations + 1,). Exact. Holds when every n >= 4; ValueError otherwise.

    Derivation: theory/gaussian-distances.md. Source: derived.
    """
    plain, second, _ = log_moments(sample_sizes, -1.0, variance)
    log_mean = log_variance_cumulant(sample_sizes, 1, variance=variance)
    with np.errstate(over="ignore"):
        return np.asarray(0.5 * (log_mean + np.expm1(plain) + np.exp(second)))


def kl_source_model_variance(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Var of KL(P0 || M_t): float64 (generations + 1,). Exact. Holds when every n >= 6; ValueError otherwise.

    Derivation: theory/gaussian-distances.md. Source: derived.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        plain, second, fourth = log_moments(sample_sizes, -2.0, variance)
        inverse, inverse_mu2, _ = log_moments(sample_sizes, -1.0, variance)
        d1, d2 = np.expm1(inverse), np.expm1(plain)
        apart, log_mean = _log_gap(sample_sizes, -1.0, variance)
        log_var = log_variance_cumulant(sample_sizes, 2, variance=variance)
        alone = d2 - 2.0 * d1 + log_var + log_mean**2 + 2.0 * apart  # E[(1/s^2 - 1 + log s^2)^2]
        crossed = _gap(second, inverse_mu2) + _log_with_mean(sample_sizes, -1.0, variance)
        mean = log_mean + d1 + np.exp(inverse_mu2)
        return _or_infinite(np.exp(fourth) + alone + 2.0 * crossed - mean**2) / 4.0


def _log_gap(sample_sizes: ArrayLike, power: float, variance: Variance) -> tuple[Float, Float]:
    """E[s^(2r) log s^2] - E[log s^2] for r = `power`, 1 or -1, and E[log s^2]."""
    sizes = sizes_of(sample_sizes, 2)
    steps = power / ((sizes - 1.0) / 2.0 + min(power, 0.0))  # psi(x + 1) - psi(x) = 1/x
    slope, log_mean = _slope(sizes, power, variance), _slope(sizes, 0.0, variance)
    moved = np.expm1(log_moments(sizes, power, variance)[0])
    return from_source(0.0, np.cumsum(steps)) + slope * moved, log_mean


def _log_with_mean(sample_sizes: ArrayLike, power: float, variance: Variance) -> Float:
    """E[mu^2 s^(2r) log s^2] for r = `power`: the derivative of E[mu^2 s^(2r)] in r."""
    sizes = sizes_of(sample_sizes, 2)
    plain, second, _ = log_moments(sizes, power, variance)
    plain_next = log_moments(sizes, power + 1.0, variance)[0]
    apart = from_source(0.0, np.cumsum(1.0 / ((sizes - 1.0) / 2.0 + power)))
    with np.errstate(divide="ignore"):
        steps = plain_next[:-1] - plain[:-1] - np.log(sizes) + np.log(apart)[:-1]
    return np.asarray(_slope(sizes, power, variance) * np.exp(second) + np.exp(plain + _log_sum(steps)))


def generations_until(sample_size: int, variance_ratio: float, *, variance: Variance = "ml") -> float:
    """Expected first generation whose variance is below `variance_ratio` of the source's. Approximation.

    Wald's identity plus the mean overshoot of a Gaussian walk. Holds when variance_ratio < 1 and n >= 2; 1 % short at
    n = 20, 4 % at n = 5.

    Derivation: theory/gaussian-replace.md. Source: derived; Siegmund 1979 for the overshoot.
    """
    require(0 < variance_ratio < 1, "variance_ratio must lie in (0, 1)", variance_ratio)
    half = (float(sizes_of(sample_size, 2)[0]) - 1.0) / 2.0
    drift = abs(float(log_variance_cumulant(sample_size, 1, variance=variance)[1]))
    return float((-np.log(variance_ratio) + OVERSHOOT * np.sqrt(polygamma(1, half))) / drift)


def improvement_probability(sample_sizes: ArrayLike) -> Float:
    """P(|mu_t| < |mu_1|) when the variance is known and only the mean is refitted. float64 (generations + 1,).

    arctan(2 sqrt(a/b)) / pi with a = 1/n_1 and b the sum of 1/n_s from s = 2 to t. Exact. Entries 0 and 1, where
    there is nothing to improve, are NaN.

    Derivation: theory/growing-samples.md. Source: derived; question of Xu, He and Cheng 2025 (2505.13947).
    """
    sizes = sizes_of(sample_sizes)
    later = np.cumsum(1.0 / sizes[1:])
    chance = np.arctan(2.0 * np.sqrt(1.0 / sizes[0] / later)) / np.pi
    return np.concatenate([[np.nan, np.nan], chance])[: len(sizes) + 1]


def biased_variance_mean(
    sample_sizes: ArrayLike, scale: float, *, variance: Variance = "ml", first_real: bool = True
) -> Float:
    """E[s_t^2] when synthetic points come from N(mu, scale s^2) instead of N(mu, s^2): float64 (generations + 1,).

    A temperature tau has scale tau; sampling truncated at c standard deviations the scale of `truncation_scale`.
    With `first_real` the first training set is unbiased; otherwise it is biased as well. Exact.

    Derivation: theory/biased-sampling.md. Source: Alemohammad et al. 2023 (2307.01850) for the scale; derived.
    """
    logs = log_moments(sample_sizes, 1.0, variance)[0] + _log_scales(sample_sizes, scale, first_real)
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(logs))


def biased_mean_variance(
    sample_sizes: ArrayLike, scale: float, *, variance: Variance = "ml", first_real: bool = True
) -> Float:
    """Var(mu_t) when synthetic points come from N(mu, scale s^2): float64 (generations + 1,). Exact.

    Derivation: theory/biased-sampling.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes, 2)
    with np.errstate(over="ignore"):
        drawn = biased_variance_mean(sizes, scale, variance=variance, first_real=first_real)[:-1] * scale
        if first_real:
            drawn[:1] = 1.0
        return from_source(0.0, np.cumsum(drawn / sizes))


def biased_log_variance_mean(
    sample_sizes: ArrayLike, scale: float, *, variance: Variance = "ml", first_real: bool = True
) -> Float:
    """E[log s_t^2] when synthetic points come from N(mu, scale s^2): float64 (generations + 1,). Exact.

    Derivation: theory/biased-sampling.md. Source: derived.
    """
    logs = _log_scales(sample_sizes, scale, first_real)
    return np.asarray(log_variance_cumulant(sample_sizes, 1, variance=variance) + logs)


def truncation_scale(cut: float) -> float:
    """Variance of a standard normal truncated to [-cut, cut]: 1 - 2 c phi(c) / (2 Phi(c) - 1).

    Truncated normal points are not normal: with this scale the expected variance is exact, its law is not.

    Derivation: theory/biased-sampling.md. Source: textbook.
    """
    require(cut > 0, "cut must be positive", cut)
    half = 0.5 * cut * cut
    return float(gammainc(1.5, half) / gammainc(0.5, half))


def _log_scales(sample_sizes: ArrayLike, scale: float, first_real: bool) -> Float:
    """Log of the scales of all training sets so far, (generations + 1,)."""
    require(scale > 0, "scale must be positive", scale)
    generations = np.arange(len(sizes_of(sample_sizes, 2)) + 1.0)
    return np.asarray(np.log(scale) * (np.maximum(generations - 1.0, 0.0) if first_real else generations))
