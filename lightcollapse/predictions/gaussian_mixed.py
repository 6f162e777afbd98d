"""A Gaussian refitted on real and synthetic points together: fresh real points, or one real sample for ever.

First and second moments of (s_t^2, mu_t^2) obey a linear map of six numbers in each generation, so they are exact;
expected roots and logarithms are approximated by a lognormal law with those moments. Units: standard normal source.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, Variance, divisor, require, sizes_of
from lightcollapse.special import gammaln, psi

Law = Literal["lognormal", "gamma"]
_HUGE = 1e290  # moments beyond which a step may overflow


class Moments(NamedTuple):
    """Second-order moments of a fit, each float64 (generations + 1,) or, for a stationary law, (1,)."""

    variance: Float  # E[s^2]
    mean_square: Float  # E[mu^2]
    variance_square: Float  # E[s^4]
    mean_square_variance: Float  # E[mu^2 s^2]
    mean_fourth: Float  # E[mu^4]


def _times(left: Float, right: Float) -> Float:
    """Product of two polynomials (constant, s^2, mu^2), as (1, s^2, mu^2, s^4, mu^2 s^2, mu^4)."""
    a, b = left, right
    return np.array([a[0] * b[0], a[0] * b[1] + a[1] * b[0], a[0] * b[2] + a[2] * b[0], a[1] * b[1],
                     a[1] * b[2] + a[2] * b[1], a[2] * b[2]])  # fmt: skip


def _lift(linear: Float) -> Float:
    return np.concatenate([linear, np.zeros(3)])


def fresh_step(
    fresh: int, written: int, *, variance: Variance = "ml", scale: float = 1.0, weight: float | None = None
) -> Float:
    """The map from (1, E s^2, E mu^2, E s^4, E mu^2 s^2, E mu^4) to the next generation's: float64 (6, 6). Exact.

    The training set holds `fresh` points of the source and `written` points of N(mu, scale s^2). `weight` is the
    weight of the fresh part, fresh / (fresh + written) (pooled) where it is None or a part is empty.

    Derivation: theory/fresh-data.md, theory/weighted.md. Source: derived.
    """
    m, k = float(fresh), float(written)
    n = m + k
    require(m >= 0 and k >= 0 and n >= 2, "a training set must hold at least 2 points", n)
    below = n / float(divisor(np.array([n]), variance)[0])
    real = m / n if weight is None or m == 0 or k == 0 else float(weight)
    require(0 <= real <= 1, "weight must lie in [0, 1]", weight)
    share, beta = 1.0 - real, real * (1.0 - real)
    each, other = real / m if m else 0.0, share / k if k else 0.0  # weight of one point
    # A = mu' is the weighted mean, B the difference of the two groups' means, given the last model.
    a2, b2, ab = (np.array([0.0, 0.0, value]) for value in (share**2, 1.0, -share))
    var_a = np.array([each * real, other * share * scale, 0.0])
    var_b = np.array([1.0 / m if m else 0.0, scale / k if k else 0.0, 0.0])
    cov = np.array([each, -scale * other, 0.0])
    within = np.array([each * (m - 1.0), scale * other * (k - 1.0), 0.0])
    own = np.array([2.0 * each**2 * (m - 1.0), 0.0, 0.0])  # variances of the two sums of squares
    own_squares = np.array([0.0, 0.0, 0.0, 2.0 * (scale * other) ** 2 * (k - 1.0), 0.0, 0.0])
    mean_a2, mean_b2 = a2 + var_a, b2 + var_b
    fourth_a = _times(a2, a2) + 6.0 * _times(a2, var_a) + 3.0 * _times(var_a, var_a)
    fourth_b = _times(b2, b2) + 6.0 * _times(b2, var_b) + 3.0 * _times(var_b, var_b)
    crossed = _times(mean_a2, mean_b2) + 4.0 * _times(ab, cov) + 2.0 * _times(cov, cov)
    spread = below * (within + beta * mean_b2)
    square = _times(within, within) + _lift(own) + own_squares + 2.0 * beta * _times(within, mean_b2)
    square = below**2 * (square + beta**2 * fourth_b)
    mixed = below * (_times(mean_a2, within) + beta * crossed)
    one = np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    return np.stack([one, _lift(spread), _lift(mean_a2), square, mixed, fourth_a])


def fresh_moments(
    sample_sizes: ArrayLike,
    fresh: ArrayLike,
    *,
    variance: Variance = "ml",
    scale: float = 1.0,
    first_real: bool = True,
    weight: float | None = None,
    offset: float = 0.0,
) -> Moments:
    """Second-order moments with fresh_t of the n_t points of training set t new and real, the rest the last model's.

    `sample_sizes` (generations,), `fresh` a number or (generations,). Synthetic points come from N(mu, scale s^2).
    With `first_real` training set 1 is all real. `weight` is that of the real part in the fit. `offset` is the mean of
    the source and of the first real sample; the fresh points of later training sets have mean 0. Five float64
    (generations + 1,). Exact.

    Derivation: theory/fresh-data.md, theory/weighted.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes, 2)
    real = np.array(np.broadcast_to(np.asarray(fresh, dtype=np.float64), sizes.shape))
    require(bool(np.all((real >= 0) & (real <= sizes))), "fresh must lie between 0 and the sample size", fresh)
    if first_real:
        real[:1] = sizes[:1]
    require(first_real or offset == 0.0, "an offset needs a first training set that is all real", offset)
    source = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    states, maps = [_moved(source, offset)], {}
    for t, (n, m) in enumerate(zip(sizes, real, strict=True)):
        if (n, m) not in maps:
            maps[n, m] = fresh_step(int(m), int(n - m), variance=variance, scale=scale, weight=weight)
        states.append(_applied(maps[n, m], states[-1]) if t else _moved(maps[n, m] @ source, offset))
    return Moments(*np.array(states).T[1:])


def _applied(step: Float, state: Float) -> Float:
    """The next moments; a moment too large for a number is infinite, and so are those that it feeds."""
    if state.max() < _HUGE:
        return np.asarray(step @ state)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = np.where(step == 0.0, 0.0, step * state)
        return np.asarray(np.nan_to_num(parts.sum(axis=1), nan=np.inf, posinf=np.inf))


def _moved(state: Float, offset: float) -> Float:
    """Moments of (s^2, mu + offset) from those of (s^2, mu), where mu is symmetric about 0 given s^2."""
    one, s, d, ss, sd, dd = state
    square = offset * offset
    return np.array([one, s, d + square, ss, sd + square * s, dd + 6.0 * square * d + square * square])


def fresh_stationary_moments(
    sample_size: int, fresh: int, *, variance: Variance = "ml", scale: float = 1.0
) -> tuple[Moments, float]:
    """Stationary second-order moments with `fresh` real points in each training set, and the map's spectral radius.

    Each moment float64 (1,). Exact. Holds when the radius is below 1; ValueError otherwise.

    Derivation: theory/fresh-data.md. Source: derived.
    """
    step = fresh_step(fresh, sample_size - fresh, variance=variance, scale=scale)
    radius = float(np.max(np.abs(np.linalg.eigvals(step[1:, 1:]))))
    require(radius < 1.0, "stationary moments exist when the spectral radius is below 1", f"{radius:.6f}")
    values = np.linalg.solve(np.eye(5) - step[1:, 1:], step[1:, 0])
    return Moments(*(values[:, None])), radius


def fresh_fixed_point(fraction: float, scale: float) -> float:
    """Variance that very large training sets settle at: a / (1 - (1 - a) scale). Limit.

    Holds when (1 - fraction) scale < 1; the variance explodes otherwise (ValueError).

    Derivation: theory/fresh-data.md. Source: Alemohammad et al. 2023 (2307.01850) for the setting; derived.
    """
    require((1.0 - fraction) * scale < 1.0, "(1 - fraction) scale must be below 1", (1.0 - fraction) * scale)
    return fraction / (1.0 - (1.0 - fraction) * scale)


def matched_std_mean(moments: Moments, law: Law = "lognormal") -> Float:
    """E[s] of the lognormal (or gamma) law whose s^2 has the moments' mean and variance. Approximation.

    Same shape as the moments. Lognormal: within 1 % with at least two fresh points a generation; gamma: 2.4 %.

    Derivation: theory/fresh-data.md. Source: derived.
    """
    mean, spread = moments.variance, _relative_variance(moments)
    if law == "lognormal":
        return np.asarray(np.sqrt(mean) * (1.0 + spread) ** -0.125)
    shape = 1.0 / np.maximum(spread, 1e-12)
    return np.asarray(np.sqrt(mean / shape) * np.exp(gammaln(shape + 0.5) - gammaln(shape)))


def matched_log_variance_mean(moments: Moments, law: Law = "lognormal") -> Float:
    """E[log s^2] of the lognormal (or gamma) law whose s^2 has the moments' mean and variance. Approximation.

    Same shape as the moments. Lognormal: within 6.4 % with at least two fresh points a generation and n of 20 or
    more, 21 % in the first generations at n of about 10; gamma: 30 %.

    Derivation: theory/fresh-data.md. Source: derived.
    """
    mean, spread = moments.variance, _relative_variance(moments)
    if law == "lognormal":
        return np.asarray(np.log(mean) - 0.5 * np.log1p(spread))
    shape = 1.0 / np.maximum(spread, 1e-12)
    return np.asarray(psi(shape) + np.log(mean / shape))


def matched_w2_squared_mean(moments: Moments, law: Law = "lognormal") -> Float:
    """E[W2^2(M_t, P0)] with the expected std of the matched law. Approximation. Same shape as the moments.

    Derivation: theory/fresh-data.md. Source: derived.
    """
    return moments.mean_square + moments.variance - 2.0 * matched_std_mean(moments, law) + 1.0


def matched_kl_model_source_mean(moments: Moments, law: Law = "lognormal") -> Float:
    """E KL(M_t || P0) with the expected log variance of the matched law. Approximation. Same shape as the moments.

    Derivation: theory/fresh-data.md. Source: derived.
    """
    return 0.5 * (moments.mean_square + moments.variance - 1.0 - matched_log_variance_mean(moments, law))


def _relative_variance(moments: Moments) -> Float:
    return np.maximum(moments.variance_square / moments.variance**2 - 1.0, 0.0)


def fixed_real_moments(
    first: int, written: ArrayLike, *, variance: Variance = "ml", weight: float | None = None
) -> Moments:
    """Second-order moments when one real sample of `first` points stays beside written_t points of the last model.

    `written` is (generations - 1,): synthetic points of training sets 2, 3, .. . `weight` is the weight of the real
    part in the fit, first / (first + written_t) (pooled) where it is None. Five float64 (generations + 1,). Exact.
    The state is (v, s^2, d^2) with v the real sample's variance and d = mu - its mean.

    Derivation: theory/fixed-real.md. Source: derived.
    """
    n = float(sizes_of(first, 2)[0])
    require(weight is None or 0 <= weight <= 1, "weight must lie in [0, 1]", weight)
    below = n / float(divisor(np.array([n]), variance)[0])
    v1, v2 = (n - 1.0) / n, (n * n - 1.0) / n**2
    # E of v^2, v s^2, v d^2, s^4, s^2 d^2, d^4, and of v, s^2, d^2
    high = np.array([v2, below * v2, 0.0, below**2 * v2, 0.0, 0.0])
    low = np.array([v1, below * v1, 0.0])
    rows = [_seen_from_source(low, high, n)]
    for k in np.asarray(written, dtype=np.float64):
        require(k >= 1, "written must be at least 1", k)
        total = n + k
        scale = total / float(divisor(np.array([total]), variance)[0])
        low, high = _fixed_step(low, high, float(k), n / total if weight is None else weight, scale)
        rows.append(_seen_from_source(low, high, n))
    start = np.array([1.0, 0.0, 1.0, 0.0, 0.0])
    return Moments(*np.array([start, *rows]).T)


def _fixed_step(low: Float, high: Float, k: float, a: float, below: float) -> tuple[Float, Float]:
    """One generation: `k` written points, real part of weight `a`, variance times `below`."""
    b = 1.0 - a
    own, own2 = (k - 1.0) / k, (k * k - 1.0) / k**2
    v, s, d = low
    vv, vs, vd, ss, sd, dd = high
    u2, vu2, su2 = d + s / k, vd + vs / k, sd + ss / k  # u is the synthetic sample's mean seen from the real mean
    u4 = dd + 6.0 * sd / k + 3.0 * ss / k**2
    new_s = below * (a * v + b * own * s + a * b * u2)
    new_vs = below * (a * vv + b * own * vs + a * b * vu2)
    square = a * a * vv + b * b * own2 * ss + (a * b) ** 2 * u4
    square += 2.0 * (a * b * own * vs + a * a * b * vu2 + a * b * b * own * su2)
    new_sd = below * b * b * (a * vu2 + b * own * su2 + a * b * u4)
    return (
        np.array([v, new_s, b * b * u2]),
        np.array([vv, new_vs, b * b * vu2, below**2 * square, new_sd, b**4 * u4]),
    )


def _seen_from_source(low: Float, high: Float, n: float) -> Float:
    """Moments of (s^2, mu) from those of (s^2, mu - real mean): the real mean is N(0, 1/n), independent."""
    _, s, d = low
    _, _, _, ss, sd, dd = high
    return np.array([s, d + 1.0 / n, ss, sd + s / n, dd + 6.0 * d / n + 3.0 / n**2])
