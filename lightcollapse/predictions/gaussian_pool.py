"""A Gaussian refitted on a growing pool: accumulate, and accumulate-subsample.

Under accumulation the fit's variance is a product of independent factors
F = a + b chi2(n - 1) + c z^2, and the mean moves by a multiple of the same z; so moments multiply, and expected
logarithms, roots and inverses need one integral of the Laplace transform of F per generation. Units: standard normal
source.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, polygamma, psi

from lightcollapse.predictions._checks import Float, Variance, divisor, from_source, require, sizes_of

STEP = 0.15  # of the trapezoid rule in log s: the integrands are analytic for |Im log s| < pi/2


@dataclass(frozen=True)
class _Factors:
    """F = a + b chi2(degrees) + c z^2 of training sets 2..T, and the variance `push` of the mean's move over s^2."""

    a: Float
    b: Float
    c: Float
    degrees: Float
    push: Float

    @classmethod
    def of(cls, sizes: Float, variance: Variance) -> _Factors:
        total = np.cumsum(sizes)
        before, after, n = total[:-1], total[1:], sizes[1:]
        below = divisor(after, variance)
        kept = before if variance == "ml" else before - 1.0
        return cls(kept / below, 1.0 / below, before / (after * below), n - 1.0, n / after**2)

    def cumulant(self, order: int) -> Float:
        size = 2.0 ** (order - 1) * factorial(order - 1)
        return size * (self.b**order * self.degrees + self.c**order) + (self.a if order == 1 else 0.0)

    def raw_moments(self) -> tuple[Float, Float, Float, Float]:
        """E F, E F^2, E F^3, E F^4."""
        k1, k2, k3, k4 = (self.cumulant(order) for order in (1, 2, 3, 4))
        third = k3 + 3.0 * k2 * k1 + k1**3
        return k1, k2 + k1**2, third, k4 + 4.0 * k3 * k1 + 3.0 * k2**2 + 6.0 * k2 * k1**2 + k1**4

    def _log_laplace(self, s: Float, z_power: int) -> Float:
        """log of E[z^(2k) exp(-sF)] / E[z^(2k)] : (generations - 1, nodes)."""
        b, c, half = self.b[:, None], self.c[:, None], self.degrees[:, None] / 2.0
        return np.asarray(-self.a[:, None] * s - half * np.log1p(2.0 * b * s) - (0.5 + z_power) * np.log1p(2.0 * c * s))

    def _nodes(self) -> Float:
        top = np.log(60.0 / self.a.min()) if self.a.size else 0.0
        return np.arange(-40.0, top + STEP, STEP)

    def _against_mean(self, power: float) -> Float:
        """Integral over s > 0 of (exp(-s E F) - E exp(-sF)) s^(-1 - power)."""
        x = self._nodes()
        s = np.exp(x)
        flat = -self.cumulant(1)[:, None] * s
        gap = -np.exp(flat) * np.expm1(np.minimum(self._log_laplace(s, 0) - flat, 700.0))
        far = flat < -600.0  # there the first exponential is nothing and expm1 would overflow
        gap = np.where(far, -np.exp(self._log_laplace(s, 0)), gap)
        return np.asarray((gap * np.exp(-power * x)).sum(axis=1) * STEP)

    def log_mean(self) -> Float:
        """E log F."""
        return np.asarray(np.log(self.cumulant(1)) + self._against_mean(0.0))

    def root_mean(self) -> Float:
        """E sqrt F."""
        return np.asarray(np.sqrt(self.cumulant(1)) + self._against_mean(0.5) / (2.0 * np.sqrt(np.pi)))

    def inverse_moment(self, order: int, z_power: int = 0) -> Float:
        """E[z^(2k) F^(-order)]."""
        x = self._nodes()
        scale = (1.0, 1.0, 3.0)[z_power] / factorial(order - 1)
        return np.asarray(np.exp(self._log_laplace(np.exp(x), z_power) + order * x).sum(axis=1) * STEP * scale)


def _first_moment(size: float, power: float, variance: Variance) -> float:
    """E[s_1^(2r)] of the first fit, to real points only."""
    half = (size - 1.0) / 2.0
    require(half + power > 0, f"the first sample must exceed {1 - 2 * power:g} points for this moment to exist", size)
    below = float(divisor(np.array([size]), variance)[0])
    return float(np.exp(power * np.log(2.0 / below) + gammaln(half + power) - gammaln(half)))


def _recursion(start: float, factor: Float, source: Float | float = 0.0) -> Float:
    """x_1 = start, x_(t+1) = factor_t x_t + source_t: float64 (generations,)."""
    sources = np.broadcast_to(source, factor.shape)
    values = [start]
    for times, plus in zip(factor, sources, strict=True):
        values.append(values[-1] * float(times) + float(plus))
    return np.array(values)


def _start(sample_sizes: ArrayLike, variance: Variance) -> tuple[Float, _Factors]:
    sizes = sizes_of(sample_sizes)
    require(sizes.size > 0 and sizes[0] >= 2, "the first sample must hold at least 2 points", sample_sizes)
    return sizes, _Factors.of(sizes, variance)


def accumulate_variance_moment(sample_sizes: ArrayLike, order: int = 1, *, variance: Variance = "ml") -> Float:
    """E[s_t^(2r)] for r = 1, 2, 3 or 4 when every model is fitted on all points so far: float64 (generations + 1,).

    The unbiased variance is not unbiased here: each generation multiplies its mean by 1 - n_s / (N_s (N_s - 1)).
    Exact. Holds when n_1 >= 2.

    Derivation: theory/accumulate.md. Source: Kazdan et al. 2024 (2410.16713) for r = 1, ml; derived.
    """
    require(order in (1, 2, 3, 4), "order must be 1, 2, 3 or 4", order)
    sizes, factors = _start(sample_sizes, variance)
    first = _first_moment(float(sizes[0]), order, variance)
    return from_source(1.0, _recursion(first, factors.raw_moments()[order - 1]))


def accumulate_mean_variance(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Var(mu_t) when every model is fitted on all points so far: float64 (generations + 1,). Exact.

    Derivation: theory/accumulate.md. Source: derived.
    """
    sizes, factors = _start(sample_sizes, variance)
    spread = accumulate_variance_moment(sizes, 1, variance=variance)[1:-1]
    return from_source(0.0, _recursion(1.0 / sizes[0], np.ones(len(sizes) - 1), factors.push * spread))


def accumulate_mean_fourth_moment(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E[mu_t^4] when every model is fitted on all points so far: float64 (generations + 1,). Exact.

    Derivation: theory/accumulate.md. Source: derived.
    """
    sizes, factors = _start(sample_sizes, variance)
    s4 = accumulate_variance_moment(sizes, 2, variance=variance)[1:]
    mean_f = factors.cumulant(1)
    n = float(sizes[0])
    with_z = mean_f + 2.0 * factors.c  # E[z^2 F]
    crossed = _recursion(_first_moment(n, 1.0, variance) / n, mean_f, factors.push * s4[:-1] * with_z)
    gain = 6.0 * factors.push * crossed[:-1] + 3.0 * factors.push**2 * s4[:-1]
    return from_source(0.0, _recursion(3.0 / n**2, np.ones(len(sizes) - 1), gain))


def accumulate_std_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E[s_t] when every model is fitted on all points so far: float64 (generations + 1,). Exact, by quadrature.

    Derivation: theory/accumulate.md. Source: derived.
    """
    sizes, factors = _start(sample_sizes, variance)
    return from_source(1.0, _recursion(_first_moment(float(sizes[0]), 0.5, variance), factors.root_mean()))


def accumulate_log_variance_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E[log s_t^2] when every model is fitted on all points so far: float64 (generations + 1,). Exact, by quadrature.

    Derivation: theory/accumulate.md. Source: derived.
    """
    sizes, factors = _start(sample_sizes, variance)
    first = psi((sizes[0] - 1.0) / 2.0) + np.log(2.0 / divisor(sizes[:1], variance)[0])
    return from_source(0.0, np.cumsum(np.concatenate([[first], factors.log_mean()])))


def accumulate_log_variance_bound(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Upper bound of Var(log s_t^2) when every model is fitted on all points so far: float64 (generations + 1,).

    Exact at generation 1; each later factor contributes at most Var F / (E F min F). Upper bound.

    Derivation: theory/accumulate.md. Source: derived.
    """
    sizes, factors = _start(sample_sizes, variance)
    first = float(polygamma(1, (sizes[0] - 1.0) / 2.0))
    return from_source(0.0, np.cumsum(np.append(first, factors.cumulant(2) / (factors.cumulant(1) * factors.a))))


def accumulate_w2_squared_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E[W2^2(M_t, P0)] when every model is fitted on all points so far. Exact, by quadrature.

    float64 (generations + 1,); for ml it is 2 (1 - E s_t).

    Derivation: theory/accumulate.md. Source: derived.
    """
    std = accumulate_std_mean(sample_sizes, variance=variance)
    if variance == "ml":
        return 2.0 * (1.0 - std)
    spread = accumulate_variance_moment(sample_sizes, 1, variance=variance)
    return accumulate_mean_variance(sample_sizes, variance=variance) + spread - 2.0 * std + 1.0


def accumulate_w2_squared_bound(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Upper bound of E[W2^4], and so of Var(W2^2), when every model is fitted on all points so far.

    2 E mu^4 plus twice the smaller of E (s^2 - 1)^4 and E (s^2 - 1)^2. float64 (generations + 1,). Upper bound.

    Derivation: theory/accumulate.md. Source: derived.
    """
    m1, m2, m3, m4 = (accumulate_variance_moment(sample_sizes, order, variance=variance) for order in (1, 2, 3, 4))
    spread = np.minimum(np.maximum(m4 - 4.0 * m3 + 6.0 * m2 - 4.0 * m1 + 1.0, 0.0), m2 - 2.0 * m1 + 1.0)
    return 2.0 * accumulate_mean_fourth_moment(sample_sizes, variance=variance) + 2.0 * spread


def accumulate_kl_model_source_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E KL(M_t || P0) when every model is fitted on all points so far. Exact, by quadrature.

    float64 (generations + 1,); for ml it is -E[log s_t^2] / 2.

    Derivation: theory/accumulate.md. Source: derived.
    """
    fall = -0.5 * accumulate_log_variance_mean(sample_sizes, variance=variance)
    if variance == "ml":
        return fall
    spread = accumulate_variance_moment(sample_sizes, 1, variance=variance)
    return fall + 0.5 * (accumulate_mean_variance(sample_sizes, variance=variance) + spread - 1.0)


def accumulate_inverse_moments(
    sample_sizes: ArrayLike, *, variance: Variance = "ml"
) -> tuple[Float, Float, Float, Float, Float]:
    """E[1/s^2], E[mu^2/s^2], E[1/s^4], E[mu^2/s^4], E[mu^4/s^4] under accumulation: five float64 (generations + 1,).

    Exact, by quadrature. Holds when n_1 >= 6; ValueError otherwise.

    Derivation: theory/accumulate.md. Source: derived.
    """
    sizes, factors = _start(sample_sizes, variance)
    n, push = float(sizes[0]), factors.push
    first, first_square = (_first_moment(n, -order, variance) for order in (1.0, 2.0))
    inverse, inverse_square = factors.inverse_moment(1), factors.inverse_moment(2)
    i1 = _recursion(first, inverse)
    i1_mu2 = _recursion(first / n, inverse, push * factors.inverse_moment(1, 1))
    i2 = _recursion(first_square, inverse_square)
    second = factors.inverse_moment(2, 1)
    i2_mu2 = _recursion(first_square / n, inverse_square, push * second * i1[:-1])
    gain = 6.0 * push * second * i1_mu2[:-1] + push**2 * factors.inverse_moment(2, 2)
    i2_mu4 = _recursion(3.0 * first_square / n**2, inverse_square, gain)
    return (from_source(1.0, i1), from_source(0.0, i1_mu2), from_source(1.0, i2), from_source(0.0, i2_mu2),
            from_source(0.0, i2_mu4))  # fmt: skip


def accumulate_kl_source_model_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E KL(P0 || M_t) when every model is fitted on all points so far. Exact, by quadrature. Holds when n_1 >= 6.

    float64 (generations + 1,).

    Derivation: theory/accumulate.md. Source: derived.
    """
    inverse, crossed, *_ = accumulate_inverse_moments(sample_sizes, variance=variance)
    return 0.5 * (accumulate_log_variance_mean(sample_sizes, variance=variance) + inverse + crossed - 1.0)


def accumulate_subsample_variance_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E[s_t^2] when training set t is n_t points, without replacement, of everything so far. Exact.

    `sample_sizes` is (generations,), n_t >= 2 for the unbiased variance; each model adds as many points to the pool
    as the next training set takes. float64 (generations + 1,).

    Derivation: theory/accumulate-subsample.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes, 1 if variance == "ml" else 2)
    pool, distinct, values = 0.0, 1.0, []
    for index, n in enumerate(sizes):
        pool += float(n) if index == 0 else 0.0
        require(n <= pool, f"a training set must not exceed the pool of {pool:.0f} points", n)
        model = distinct * (1.0 - 1.0 / n) * n / float(divisor(np.array([n]), variance)[0])
        values.append(model)
        if index + 1 == len(sizes):
            break
        extra = 0.5 * (model - distinct * (1.0 - 1.0 / n))  # what the divisor adds to the spread of new points
        pool, distinct = _grow(pool, distinct, float(sizes[index + 1]), model, extra)
    return from_source(1.0, values)


def _grow(pool: float, distinct: float, written: float, model: float, extra: float) -> tuple[float, float]:
    """Pool size and expected pair diversity after `written` points of the model join."""
    crossed = (1.0 - 1.0 / pool) * distinct + extra
    pairs = pool * (pool - 1.0) * distinct + written * (written - 1.0) * model + 2.0 * pool * written * crossed
    grown = pool + written
    return grown, pairs / (grown * (grown - 1.0))


def accumulate_subsample_variance_bound(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Upper bound of Var(s_t^2) under accumulate-subsample without replacement: float64 (generations + 1,).

    Follows E[x^4] and E[x^2 y^2] over distinct pool points, with E[mu^4] >= E[mu^2]^2. Upper bound.

    Derivation: theory/accumulate-subsample.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes, 2)
    spread = accumulate_subsample_variance_mean(sizes, variance=variance)[1:]
    fourth, crossed, pool = 3.0, 1.0, float(sizes[0])  # E x^4 and E x^2 y^2 over the first real sample
    second = 1.0  # E x^2 over the pool
    values = []
    for index, n in enumerate(sizes):
        inflate = n / float(divisor(np.array([n]), variance)[0])
        square = fourth / n + (1.0 - 1.0 / n) * crossed  # E of the squared mean of x^2 over the training set
        mean_square = max(second - spread[index] / inflate, 0.0)
        values.append(inflate**2 * (square - mean_square**2) - spread[index] ** 2)
        if index + 1 == len(sizes):
            break
        written = float(sizes[index + 1])
        new_second = mean_square + spread[index]
        both = inflate * (fourth / pool + (1.0 - 1.0 / pool) * crossed)
        new_fourth, new_crossed = inflate**2 * 3.0 * square - 2.0 * mean_square**2, inflate**2 * square
        grown = pool + written
        pairs = pool * (pool - 1.0) * crossed + written * (written - 1.0) * new_crossed + 2.0 * pool * written * both
        fourth = (pool * fourth + written * new_fourth) / grown
        second = (pool * second + written * new_second) / grown
        crossed, pool = pairs / (grown * (grown - 1.0)), grown
    return from_source(0.0, np.maximum(values, 0.0))


def accumulate_kl_bound(sample_sizes: ArrayLike, *, variance: Variance = "ml", reverse: bool = False) -> Float:
    """Upper bound of E[KL^2], and so of the variance of KL(M_t || P0), or of KL(P0 || M_t) with `reverse`.

    (E[(s^2 - 1)^4 / s^4] + E[mu^4]) / 2, the last over s^4 with `reverse`, because x - 1 - log x <= (x - 1)^2 / x and
    (a + b)^2 <= 2 a^2 + 2 b^2. float64 (generations + 1,). Upper bound. Holds when n_1 >= 6; ValueError otherwise.

    Derivation: theory/accumulate.md. Source: derived.
    """
    inverse, _, square, _, crossed = accumulate_inverse_moments(sample_sizes, variance=variance)
    m1, m2 = (accumulate_variance_moment(sample_sizes, order, variance=variance) for order in (1, 2))
    spread = np.maximum(m2 - 4.0 * m1 + 6.0 - 4.0 * inverse + square, 0.0)
    return 0.5 * (spread + (crossed if reverse else accumulate_mean_fourth_moment(sample_sizes, variance=variance)))


def accumulate_subsample_mean_variance(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Var(mu_t) when training set t is n_t points, without replacement, of everything so far. Exact.

    1 - h_t for ml. float64 (generations + 1,). Same conditions as `accumulate_subsample_variance_mean`.

    Derivation: theory/accumulate-subsample.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes, 1 if variance == "ml" else 2)
    fits = accumulate_subsample_variance_mean(sizes, variance=variance)[1:]
    second, pool, values = 1.0, float(sizes[0]) if sizes.size else 0.0, []
    for index, (n, fit) in enumerate(zip(sizes, fits, strict=True)):
        within = fit * float(divisor(np.array([n]), variance)[0]) / n
        values.append(max(second - within, 0.0))
        if index + 1 < len(sizes):
            written = float(sizes[index + 1])
            second = (pool * second + written * (values[-1] + fit)) / (pool + written)
            pool += written
    return from_source(0.0, values)
