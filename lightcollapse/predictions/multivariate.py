"""A Gaussian in d dimensions fitted again and again to its own samples: covariance, determinant, rank, distances.

Model t has mean m_t and covariance C_t. In coordinates that whiten the source, C_t = R W R / c with R the square root
of C_(t-1), W a Wishart matrix of n - 1 degrees of freedom independent of the past, and c = n ("ml") or n - 1
("unbiased"). Determinants and both divergences do not depend on the source's covariance C_0.

`sample_sizes` is (generations,), n_1..n_T.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions import gaussian
from lightcollapse.predictions._checks import Float, Variance, at_least, divisor, from_source, require, sizes_of
from lightcollapse.predictions._special import each_size, log_rising, psi_less_log
from lightcollapse.special import polygamma


class Squares(NamedTuple):
    """E tr(C_t^2) and E (tr C_t)^2, float64 (generations + 1,)."""

    of_covariance: Float
    of_trace: Float


def _checked(sample_sizes: ArrayLike, dimension: int, above: int) -> Float:
    """Sample sizes, all of them beyond dimension + above."""
    require(dimension >= 1 and dimension == int(dimension), "dimension must be a whole number from 1 up", dimension)
    sizes = sizes_of(sample_sizes, 2)
    if sizes.size:
        least = float(sizes.min())
        require(least > dimension + above, f"every sample size must exceed dimension + {above}", least)
    return sizes


def _degrees(sizes: Float, dimension: int) -> Float:
    """n - 1, n - 2, .. n - d: the degrees of freedom of the squares whose product is the determinant."""
    return np.asarray(sizes[:, None] - np.arange(1.0, dimension + 1.0))


def _log_share(sizes: Float, dimension: int, variance: Variance) -> Float:
    """log((n - i) / c) for i = 1..d."""
    c = divisor(sizes, variance)[:, None]
    return np.log1p((_degrees(sizes, dimension) - c) / c)


def _exp(logs: Float) -> Float:
    with np.errstate(over="ignore"):  # an expectation beyond the largest number is infinite
        return np.asarray(np.exp(logs))


def _log_covariance(sizes: Float, variance: Variance) -> Float:
    """log of the expected covariance over the source's, float64 (generations + 1,)."""
    c = divisor(sizes, variance)
    return from_source(0.0, np.cumsum(np.log1p((sizes - 1.0 - c) / c)))


def covariance_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E C_t in units of C_0, in any dimension: float64 (generations + 1,). Exact.

    The product of 1 - 1/n_s (ml), or 1 (unbiased). In every other regime it is `pairs.pair_diversity` (ml). Holds when
    n >= 2, with n <= d too, where every model after the source is singular.

    Derivation: theory/multivariate.md. Source: Shumailov et al. 2023 (2305.17493); derived.
    """
    return _exp(_log_covariance(sizes_of(sample_sizes, 2), variance))


def mean_square(trace: float, sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E |m_t|^2, the squared distance of the means, for a source of covariance trace `trace`. Exact.

    float64 (generations + 1,): trace times 1 - h_t (ml) or times the sum of 1/n_s (unbiased). Holds when n >= 2.

    Derivation: theory/multivariate.md. Source: Shumailov et al. 2023 (2305.17493); derived.
    """
    at_least(0, trace=trace)
    sizes = sizes_of(sample_sizes, 2)
    if variance == "ml":
        return -trace * np.expm1(_log_covariance(sizes, "ml"))
    return trace * gaussian.mean_variance(sizes, variance=variance)


def log_det_mean(sample_sizes: ArrayLike, dimension: int, *, variance: Variance = "ml") -> Float:
    """E log(det C_t / det C_0): sums of psi((n - i)/2) + log(2/c) over i = 1..d. float64 (generations + 1,). Exact.

    Holds when every n > d; ValueError otherwise, as the determinant is then zero.

    Derivation: theory/multivariate.md. Source: Bartlett's decomposition of a Wishart matrix (Bartlett 1933); derived.
    """
    sizes = _checked(sample_sizes, dimension, 0)

    def step(n: Float) -> Float:
        logs = psi_less_log(_degrees(n, dimension) / 2.0) + _log_share(n, dimension, variance)
        return np.asarray(logs.sum(axis=1))

    return from_source(0.0, np.cumsum(each_size(sizes, step)))


def log_det_variance(sample_sizes: ArrayLike, dimension: int) -> Float:
    """Var log(det C_t): sums of psi'((n - i)/2) over i = 1..d, for either fit. float64 (generations + 1,). Exact.

    Holds when every n > d; ValueError otherwise.

    Derivation: theory/multivariate.md. Source: Bartlett 1933; derived.
    """
    sizes = _checked(sample_sizes, dimension, 0)
    steps = each_size(sizes, lambda n: np.asarray(polygamma(1, _degrees(n, dimension) / 2.0).sum(axis=1)))
    return from_source(0.0, np.cumsum(steps))


def det_moment(sample_sizes: ArrayLike, dimension: int, power: float, *, variance: Variance = "ml") -> Float:
    """E (det C_t / det C_0)^r for r = `power`: float64 (generations + 1,). Exact.

    Holds when every n > d and (n - d)/2 + r > 0; ValueError otherwise.

    Derivation: theory/multivariate.md. Source: Bartlett 1933; derived.
    """
    sizes = _checked(sample_sizes, dimension, 0)
    if sizes.size:
        rule = f"every sample size must exceed dimension - 2 power = {dimension - 2 * power:g}"
        require(sizes.min() > dimension - 2 * power, rule, sizes.min())

    def step(n: Float) -> Float:
        logs = log_rising(_degrees(n, dimension) / 2.0, power) + power * _log_share(n, dimension, variance)
        return np.asarray(logs.sum(axis=1))

    return _exp(from_source(0.0, np.cumsum(each_size(sizes, step))))


def _square_growth(sizes: Float, variance: Variance) -> tuple[Float, Float]:
    """Logs of the two factors of E tr C^2 and E (tr C)^2, relative to the squared factor of E C: running sums."""
    less = sizes - 1.0
    with np.errstate(divide="ignore"):  # n = 2 leaves nothing of the second
        return from_source(0.0, np.cumsum(np.log1p(2.0 / less))), from_source(0.0, np.cumsum(np.log1p(-1.0 / less)))


def square_moments(
    covariance_square: float, trace_square: float, sample_sizes: ArrayLike, *, variance: Variance = "ml"
) -> Squares:
    """E tr(C_t^2) and E (tr C_t)^2 from their values at the source. Exact. Holds when n >= 2, n <= d too.

    With A and B for the two, 2A + B is multiplied by v (v + 2) / c^2 and A - B by v (v - 1) / c^2, v = n - 1.

    Derivation: theory/multivariate.md. Source: moments of Wishart matrices (von Rosen 1988); derived.
    """
    a, b = _squares_checked(covariance_square, trace_square)
    sizes = sizes_of(sample_sizes, 2)
    base = 2.0 * _log_covariance(sizes, variance)
    wide, narrow = (_exp(base + logs) for logs in _square_growth(sizes, variance))
    with np.errstate(over="ignore"):
        of_covariance = ((2 * a + b) * wide + (a - b) * narrow) / 3.0
        return Squares(of_covariance, ((2 * a + b) * wide - 2 * (a - b) * narrow) / 3.0)


def _squares_checked(covariance_square: float, trace_square: float) -> tuple[float, float]:
    require(0.0 < covariance_square <= trace_square * (1.0 + 1e-12), "0 < tr(C^2) <= (tr C)^2 must hold",
            (covariance_square, trace_square))  # fmt: skip
    return float(covariance_square), float(trace_square)


def trace_variance(
    covariance_square: float, trace_square: float, sample_sizes: ArrayLike, *, variance: Variance = "ml"
) -> Float:
    """Var(tr C_t) for a source with tr(C_0^2) and (tr C_0)^2: float64 (generations + 1,). Exact. Holds when n >= 2.

    Derivation: theory/multivariate.md. Source: von Rosen 1988; derived.
    """
    a, b = _squares_checked(covariance_square, trace_square)
    sizes = sizes_of(sample_sizes, 2)
    wide, narrow = _square_growth(sizes, variance)
    with np.errstate(over="ignore"):
        spread = (2 * a + b) * np.expm1(wide) - 2 * (a - b) * np.expm1(narrow)
        logs = 2.0 * _log_covariance(sizes, variance)
    # One exponential, so that a factor that vanishes does not meet one that overflows.
    with np.errstate(divide="ignore"):
        return _exp(logs + np.where(np.isfinite(spread), np.log(spread / 3.0), np.log((2 * a + b) / 3.0) + wide))


def effective_rank_trend(covariance_square: float, trace_square: float, sample_sizes: ArrayLike) -> Float:
    """E (tr C_t)^2 / E tr(C_t^2): the trend of the participation ratio. float64 (generations + 1,). Approximation.

    It tends to 1 like exp(-3t/n) in any dimension, for either fit. The ratio of expectations is smaller than the
    expected ratio: by 9 % to 28 % in the cases tried. Holds when n >= 2.

    Derivation: theory/multivariate.md. Source: derived.
    """
    a, b = _squares_checked(covariance_square, trace_square)
    left = np.exp(np.subtract(*_square_growth(sizes_of(sample_sizes, 2), "ml")[::-1]))
    return np.asarray(((2 * a + b) - 2 * (a - b) * left) / ((2 * a + b) + (a - b) * left))


def accumulate_square_moments(
    covariance_square: float, trace_square: float, sample_sizes: ArrayLike, *, variance: Variance = "ml"
) -> Squares:
    """E tr(C_t^2) and E (tr C_t)^2 when every model is fitted on all points so far. Exact. Holds when n_1 >= 2.

    Derivation: theory/multivariate.md. Source: derived.
    """
    a, b = _squares_checked(covariance_square, trace_square)
    sizes = sizes_of(sample_sizes)
    require(sizes.size == 0 or sizes[0] >= 2, "the first sample must hold at least 2 points", sample_sizes)
    values, total = [(a, b)], 0.0
    for n in sizes:
        grown = total + float(n)
        below = float(divisor(np.array([grown]), variance)[0])
        pooled = total - (1.0 if variance == "unbiased" else 0.0)
        kept, own, moved = (pooled / below if total else 0.0), 1.0 / below, total / (grown * below)
        a, b = _joined_squares(a, b, kept, own, moved, float(n) - 1.0)
        values.append((a, b))
        total = grown
    return Squares(*np.array(values).T)


def _joined_squares(a: float, b: float, kept: float, own: float, moved: float, v: float) -> tuple[float, float]:
    """E tr and E tr^2 of kept C + own W(v) + moved W(1), two independent Wishart matrices of scale C."""
    once = kept * kept + 2.0 * kept * (own * v + moved) + 2.0 * own * moved * v
    pair = own * own * v + moved * moved
    square = once + own * own * v * v + moved * moved
    return (square + pair) * a + pair * b, square * b + 2.0 * pair * a


def kl_model_source_mean(sample_sizes: ArrayLike, dimension: int, *, variance: Variance = "ml") -> Float:
    """E KL(M_t || P0) in nats: -E log(det C_t / det C_0) / 2, plus d/2 times the sum of 1/n_s (unbiased). Exact.

    float64 (generations + 1,). Holds when every n > d; ValueError otherwise.

    Derivation: theory/multivariate.md. Source: derived.
    """
    fall = -0.5 * log_det_mean(sample_sizes, dimension, variance=variance)
    if variance == "ml":
        return fall
    return fall + from_source(0.0, np.cumsum(0.5 * dimension / sizes_of(sample_sizes)))


def kl_model_source_variance(sample_sizes: ArrayLike, dimension: int, *, variance: Variance = "ml") -> Float:
    """Var of KL(M_t || P0): float64 (generations + 1,). Exact. Holds when every n > d; ValueError otherwise.

    Derivation: theory/multivariate.md. Source: derived.
    """
    sizes, d = _checked(sample_sizes, dimension, 0), float(dimension)
    traces = trace_variance(d, d * d, sizes, variance=variance)
    squares = square_moments(d, d * d, sizes, variance=variance).of_covariance
    h = covariance_mean(sizes, variance=variance)
    slope = h * from_source(0.0, np.cumsum(2.0 / (sizes - 1.0)))  # of h in a tilt by the determinant
    mixed = crossed = own = log_mean = 0.0
    spread = [0.0]
    with np.errstate(over="ignore", invalid="ignore"):
        for t, (n, a) in enumerate(zip(sizes, (sizes - 1.0) / divisor(sizes, variance), strict=True)):
            own += 4.0 * crossed / n + 2.0 * mixed / n + (traces[t] + 2.0 * squares[t]) / n**2
            crossed = a * (crossed + squares[t] / n)  # E m' C m
            mixed = a * (mixed + traces[t] / n)  # Cov(|m|^2, tr C)
            log_mean += d * slope[t] / n  # Cov(|m|^2, log det C)
            spread.append(float(own + 2.0 * mixed - 2.0 * log_mean))
        total = traces + log_det_variance(sizes, dimension) - 2.0 * d * slope + np.array(spread)
    return np.where(np.isfinite(total), np.maximum(total, 0.0), np.inf) / 4.0


def kl_source_model_mean(sample_sizes: ArrayLike, dimension: int, *, variance: Variance = "ml") -> Float:
    """E KL(P0 || M_t) in nats: float64 (generations + 1,). Exact. Holds when every n > d + 2; ValueError otherwise.

    Derivation: theory/multivariate.md. Source: derived.
    """
    sizes = _checked(sample_sizes, dimension, 2)
    logs = _log_inverse(sizes, dimension, variance)
    total = log_det_mean(sizes, dimension, variance=variance)
    with np.errstate(over="ignore"):
        inverse = dimension * np.expm1(from_source(0.0, np.cumsum(logs)))
        return np.asarray(0.5 * (total + inverse + _mahalanobis(sizes, dimension, np.exp(logs))[0]))


def _log_inverse(sizes: Float, dimension: int, variance: Variance) -> Float:
    """log b, b = c / (n - d - 2): E of an inverse Wishart matrix times c."""
    below = sizes - dimension - 2.0
    return np.log1p((divisor(sizes, variance) - below) / below)


def _mahalanobis(sizes: Float, dimension: int, inverse: Float) -> tuple[Float, Float]:
    """E m' C^-1 m, and its derivative under a tilt by the determinant's power: float64 (generations + 1,) each."""
    value = slope = 0.0
    values = [(0.0, 0.0)]
    for n, b in zip(sizes.tolist(), inverse.tolist(), strict=True):
        value = b * (value + dimension / n)
        slope = b * slope - 2.0 / (n - dimension - 2.0) * value
        values.append((value, slope))
    first, second = np.array(values).T
    return first, second


def kl_source_model_variance(sample_sizes: ArrayLike, dimension: int, *, variance: Variance = "ml") -> Float:
    """Var of KL(P0 || M_t): float64 (generations + 1,). Exact. Holds when every n > d + 4; ValueError otherwise.

    Derivation: theory/multivariate.md. Source: moments of inverse Wishart matrices (von Rosen 1988); derived.
    """
    sizes, d = _checked(sample_sizes, dimension, 4), float(dimension)
    inverse = np.exp(_log_inverse(sizes, dimension, variance))
    distance, distance_slope = _mahalanobis(sizes, dimension, inverse)
    state, values = _InverseSquares(d, d * d, 0.0, 0.0, 0.0), []
    with np.errstate(over="ignore", invalid="ignore"):
        trace = from_source(d, d * np.cumprod(inverse))
        for n, c, first, mean in zip(sizes, divisor(sizes, variance), trace[:-1], distance[:-1], strict=True):
            state = state.after(float(n), float(c), d, float(first), float(mean))
            values.append(state.trace_square + 2.0 * state.crossed + state.distance_square)
        trace_slope = -trace * from_source(0.0, np.cumsum(2.0 / (sizes - d - 2.0)))
        spread = from_source(d * d, values) - (trace + distance) ** 2
        total = spread + log_det_variance(sizes, dimension) + 2.0 * (trace_slope + distance_slope)
    return np.where(np.isfinite(total), np.maximum(total, 0.0), np.inf) / 4.0


class _InverseSquares(NamedTuple):
    """Second moments of the inverse covariance S^-1 and the mean m, both whitened by the source."""

    square: float  # E tr S^-2
    trace_square: float  # E (tr S^-1)^2
    crossed: float  # E tr(S^-1) m'S^-1 m
    twice: float  # E m'S^-2 m
    distance_square: float  # E (m'S^-1 m)^2

    def after(self, n: float, c: float, d: float, trace: float, distance: float) -> _InverseSquares:
        """One generation later; `trace` and `distance` are E tr S^-1 and E m'S^-1 m before it."""
        left = n - 1.0 - d
        small = c * c / (left * (left - 1.0) * (left - 3.0))
        large = (left - 2.0) * small
        moved = self.distance_square + (2.0 * d + 4.0) * distance / n + d * (d + 2.0) / n**2
        crossed, twice = self.crossed + d * trace / n, self.twice + trace / n
        return _InverseSquares(
            (large + small) * self.square + small * self.trace_square,
            large * self.trace_square + 2.0 * small * self.square,
            large * crossed + 2.0 * small * twice,
            (large + small) * twice + small * crossed,
            (large + 2.0 * small) * moved,
        )


def lyapunov_spectrum(sample_size: int, dimension: int, *, variance: Variance = "ml") -> Float:
    """Limits of log(eigenvalue i of C_t) / t for i = 1..d, the largest first: float64 (d,). Exact limit.

    psi((n - i)/2) + log(2/c): each is lower than the one before by about 1/n, so one direction outlives the others.
    Eigenvalues at t below about n are far from this. Holds when n > d.

    Derivation: theory/multivariate.md. Source: Newman 1986 for products of Gaussian matrices; derived.
    """
    sizes = _checked([sample_size], dimension, 0)
    logs = psi_less_log(_degrees(sizes, dimension) / 2.0) + _log_share(sizes, dimension, variance)
    return np.asarray(logs[0])


def kl_gain(sample_size: int, dimension: int) -> float:
    """What one more generation adds to E KL(M_t || P0), maximum likelihood. Exact. Holds when n > d.

    Derivation: theory/multivariate.md. Source: derived.
    """
    return float(kl_model_source_mean([sample_size], dimension)[1])


def kl_gain_first_order(sample_size: int, parameters: float) -> float:
    """k/(2n): what one more generation adds to E KL(M_t || P0) with k free parameters. Approximation.

    A full covariance has k = d (d + 3)/2. Too small, by 0.5 % at d = 1, n = 200 and by 9 % at d = 10, n = 50. Holds
    when n is large beside d.

    Derivation: theory/multivariate.md. Source: Wilks 1938 (classical asymptotics).
    """
    require(sample_size >= 1 and parameters > 0, "sample_size and parameters must be positive",
            (sample_size, parameters))  # fmt: skip
    return parameters / (2.0 * sample_size)


def diagonal_log_det_mean(sample_sizes: ArrayLike, dimension: int, *, variance: Variance = "ml") -> Float:
    """E log(det C_t / det C_0) of a fit with diagonal covariance to a source with one. Exact. Holds when n >= 2.

    float64 (generations + 1,). The d coordinates are independent chains, so means and variances of sums over them are
    d times those of `gaussian`, in every regime.

    Derivation: theory/multivariate.md. Source: derived.
    """
    at_least(1, dimension=dimension)
    return dimension * log_det_mean(sample_sizes, 1, variance=variance)


def diagonal_log_det_variance(sample_sizes: ArrayLike, dimension: int) -> Float:
    """Var log(det C_t) of a fit with diagonal covariance: float64 (generations + 1,). Exact. Holds when n >= 2.

    Derivation: theory/multivariate.md. Source: derived.
    """
    at_least(1, dimension=dimension)
    return dimension * log_det_variance(sample_sizes, 1)


def diagonal_trace_variance(covariance_square: float, sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Var(tr C_t) of a fit with diagonal covariance, from tr(C_0^2): float64 (generations + 1,). Exact.

    Derivation: theory/multivariate.md. Source: derived.
    """
    at_least(0, covariance_square=covariance_square)
    return covariance_square * trace_variance(1.0, 1.0, sample_sizes, variance=variance)


def diagonal_kl_model_source_mean(sample_sizes: ArrayLike, dimension: int, *, variance: Variance = "ml") -> Float:
    """E KL(M_t || P0) of a fit with diagonal covariance: float64 (generations + 1,). Exact. Holds when n >= 2.

    Derivation: theory/multivariate.md. Source: derived.
    """
    at_least(1, dimension=dimension)
    return dimension * kl_model_source_mean(sample_sizes, 1, variance=variance)


def diagonal_kl_source_model_mean(sample_sizes: ArrayLike, dimension: int, *, variance: Variance = "ml") -> Float:
    """E KL(P0 || M_t) of a fit with diagonal covariance: float64 (generations + 1,). Exact. Holds when n >= 4.

    Derivation: theory/multivariate.md. Source: derived.
    """
    at_least(1, dimension=dimension)
    return dimension * kl_source_model_mean(sample_sizes, 1, variance=variance)


def diagonal_w2_squared_mean(trace: float, sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E W2^2(M_t, P0) of a fit with diagonal covariance, from tr C_0: float64 (generations + 1,). Exact.

    Holds when n >= 2. With a full covariance it has no closed form in more than one dimension.

    Derivation: theory/multivariate.md. Source: derived.
    """
    at_least(0, trace=trace)
    return trace * gaussian.w2_squared_mean(sample_sizes, variance=variance)
