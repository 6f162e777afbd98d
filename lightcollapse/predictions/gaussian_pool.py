"""A Gaussian refitted on a growing pool: accumulate, and accumulate-subsample.

Under accumulation the fit's variance is a product of independent factors
F = a + b chi2(n - 1) + c z^2, and the mean moves by a multiple of the same z; so moments multiply, and expected
logarithms, roots and inverses need one integral of the Laplace transform of F per generation. Units: standard normal
source.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.predictions._checks import Float, Variance, divisor, from_source, require, sizes_of
from lightcollapse.predictions._special import log1p_less, log_rising, psi_less_log
from lightcollapse.special import polygamma

STEP = 0.15  # of the trapezoid rule in log s: the integrands are analytic for |Im log s| < pi/2
_NARROW = 1e-5  # relative variance of a factor below which six moments give its expectations to 1e-13
_ROWS = 2048  # generations integrated at once


@dataclass(frozen=True)
class _Factors:
    """F = a + b chi2(degrees) + c z^2 of training sets 2..T, z^2 of `z_degrees` degrees of freedom; `excess` is
    E F - 1 for one degree, and `push` the variance of the mean's move over s^2.
    """

    a: Float
    b: Float
    c: Float
    degrees: Float
    excess: Float
    push: Float
    z_degrees: int = 1

    @classmethod
    def of(cls, sizes: Float, variance: Variance) -> _Factors:
        total = np.cumsum(sizes)
        before, after, n = total[:-1], total[1:], sizes[1:]
        below = divisor(after, variance)
        kept = before if variance == "ml" else before - 1.0
        excess = -n / (after * below)
        return cls(kept / below, 1.0 / below, before / (after * below), n - 1.0, excess, n / after**2)

    def where(self, chosen: NDArray[np.intp]) -> _Factors:
        parts = (self.a, self.b, self.c, self.degrees, self.excess, self.push)
        a, b, c, degrees, excess, push = (part[chosen] for part in parts)
        return _Factors(a, b, c, degrees, excess, push, self.z_degrees)

    def with_z(self, power: int) -> _Factors:
        """The law of F weighted by z^(2 power): z^2 has 2 degrees of freedom more for each power."""
        more = 2 * power
        return _Factors(self.a, self.b, self.c, self.degrees, self.excess + more * self.c, self.push, 1 + more)

    def cumulant(self, order: int) -> Float:
        if order == 1:
            return 1.0 + self.excess
        size = 2.0 ** (order - 1) * factorial(order - 1)
        return size * (self.b**order * self.degrees + self.c**order * self.z_degrees)

    def central(self) -> tuple[Float, ...]:
        """E (F / E F - 1)^k for k = 2 .. 6."""
        k2, k3, k4, k5, k6 = (self.cumulant(order) / self.cumulant(1) ** order for order in range(2, 7))
        return (k2, k3, k4 + 3.0 * k2**2, k5 + 10.0 * k3 * k2,
                k6 + 15.0 * k4 * k2 + 10.0 * k3**2 + 15.0 * k2**3)  # fmt: skip

    def log_moment(self, order: int) -> Float:
        """log E F^order for order 1 .. 4."""
        gains = sum((_binomial(order, k) * m for k, m in enumerate(self.central(), start=2)), np.zeros_like(self.a))
        return np.asarray(order * np.log1p(self.excess) + np.log1p(gains))

    def _gain(self, series: Callable[[int], float], integral: Callable[[_Factors], Float]) -> Float:
        """What the spread of F adds to a function of its mean, both relative to it: by six moments where F is narrow,
        else by an integral.
        """
        moments = self.central()
        gain = sum((series(k) * m for k, m in enumerate(moments, start=2)), np.zeros_like(self.a))
        wide = np.flatnonzero(moments[0] >= _NARROW)
        for start in range(0, len(wide), _ROWS):
            rows = wide[start : start + _ROWS]
            gain[rows] = integral(self.where(rows))
        return np.asarray(gain)

    def _nodes(self) -> Float:
        top = np.log(60.0 / self.a.min()) if self.a.size else 0.0
        return np.arange(-40.0, top + STEP, STEP)

    def _less_mean(self, s: Float) -> Float:
        """log E exp(-sF) + s E F: (generations - 1, nodes)."""
        b, c = self.b[:, None], self.c[:, None]
        spread = self.degrees[:, None] * log1p_less(2.0 * b * s) + self.z_degrees * log1p_less(2.0 * c * s)
        return np.asarray(-0.5 * spread)

    def _against_mean(self, power: float) -> Float:
        """Integral over s > 0 of (exp(-s E F) - E exp(-sF)) s^(-1 - power)."""
        x = self._nodes()
        s = np.exp(x)
        flat, apart = -self.cumulant(1)[:, None] * s, self._less_mean(s)
        with np.errstate(over="ignore", invalid="ignore"):
            gap = -np.exp(flat) * np.expm1(apart)
        far = flat < -600.0  # there the first exponential is nothing and expm1 would overflow
        gap = np.where(far, -np.exp(np.minimum(flat + apart, 0.0)), gap)
        return np.asarray((gap * np.exp(-power * x)).sum(axis=1) * STEP)

    def log_mean(self) -> Float:
        """E log F."""
        return np.log1p(self.excess) + self._gain(
            lambda k: (-1.0) ** (k + 1) / k, lambda factors: factors._against_mean(0.0)
        )

    def log_root_mean(self) -> Float:
        """log E sqrt F."""

        def integral(factors: _Factors) -> Float:
            return factors._against_mean(0.5) / (2.0 * np.sqrt(np.pi * factors.cumulant(1)))

        return 0.5 * np.log1p(self.excess) + np.log1p(self._gain(lambda k: _binomial(0.5, k), integral))

    def log_inverse_moment(self, order: int) -> Float:
        """log E F^(-order)."""

        def integral(factors: _Factors) -> Float:
            x = factors._nodes()
            logs = factors._less_mean(np.exp(x)) - factors.cumulant(1)[:, None] * np.exp(x) + order * x
            whole = np.exp(logs).sum(axis=1) * STEP / factorial(order - 1)
            return np.asarray(whole * factors.cumulant(1) ** order - 1.0)

        return -order * np.log1p(self.excess) + np.log1p(self._gain(lambda k: _binomial(-order, k), integral))

    def inverse_moment(self, order: int, z_power: int = 0) -> Float:
        """E[z^(2k) F^(-order)]."""
        return (1.0, 1.0, 3.0)[z_power] * np.exp(self.with_z(z_power).log_inverse_moment(order))


def _binomial(power: float, k: int) -> float:
    """The coefficient of x^k in (1 + x)^power."""
    return math.prod((power - i) / (i + 1) for i in range(k))


def _log_first_moment(size: float, power: float, variance: Variance) -> float:
    """log E[s_1^(2r)] of the first fit, to real points only."""
    half = (size - 1.0) / 2.0
    require(half + power > 0, f"the first sample must exceed {1 - 2 * power:g} points for this moment to exist", size)
    below = float(divisor(np.array([size]), variance)[0])
    return power * float(np.log1p((size - 1.0 - below) / below)) + float(log_rising(half, power))


def _product(first: float, factors: Float) -> Float:
    """Running sum of logs, that of the source in front: (generations + 1,)."""
    return from_source(0.0, np.cumsum(np.concatenate([[first], factors])))


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
    return np.exp(_log_variance_moment(sample_sizes, order, variance))


def _log_variance_moment(sample_sizes: ArrayLike, order: int, variance: Variance) -> Float:
    """log E[s_t^(2r)], float64 (generations + 1,)."""
    sizes, factors = _start(sample_sizes, variance)
    return _product(_log_first_moment(float(sizes[0]), order, variance), factors.log_moment(order))


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
    crossed = _recursion(math.exp(_log_first_moment(n, 1.0, variance)) / n, mean_f, factors.push * s4[:-1] * with_z)
    gain = 6.0 * factors.push * crossed[:-1] + 3.0 * factors.push**2 * s4[:-1]
    return from_source(0.0, _recursion(3.0 / n**2, np.ones(len(sizes) - 1), gain))


def accumulate_std_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E[s_t] when every model is fitted on all points so far: float64 (generations + 1,). Exact, by quadrature.

    Derivation: theory/accumulate.md. Source: derived.
    """
    return np.exp(_log_std_mean(sample_sizes, variance))


def _log_std_mean(sample_sizes: ArrayLike, variance: Variance) -> Float:
    """log E[s_t], float64 (generations + 1,)."""
    sizes, factors = _start(sample_sizes, variance)
    return _product(_log_first_moment(float(sizes[0]), 0.5, variance), factors.log_root_mean())


def accumulate_log_variance_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E[log s_t^2] when every model is fitted on all points so far: float64 (generations + 1,). Exact, by quadrature.

    Derivation: theory/accumulate.md. Source: derived.
    """
    sizes, factors = _start(sample_sizes, variance)
    below = float(divisor(sizes[:1], variance)[0])
    first = float(psi_less_log((sizes[0] - 1.0) / 2.0)) + float(np.log1p((sizes[0] - 1.0 - below) / below))
    return _product(first, factors.log_mean())


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
    fall = -2.0 * np.expm1(_log_std_mean(sample_sizes, variance))
    if variance == "ml":
        return fall
    spread = np.expm1(_log_variance_moment(sample_sizes, 1, variance))
    return np.asarray(accumulate_mean_variance(sample_sizes, variance=variance) + spread + fall)


def accumulate_w2_squared_bound(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Upper bound of E[W2^4], and so of Var(W2^2), when every model is fitted on all points so far.

    2 E mu^4 plus twice the smaller of E (s^2 - 1)^4 and E (s^2 - 1)^2. float64 (generations + 1,). Upper bound.

    Derivation: theory/accumulate.md. Source: derived.
    """
    d1, d2, d3, d4 = (np.expm1(_log_variance_moment(sample_sizes, order, variance)) for order in (1, 2, 3, 4))
    spread = np.minimum(np.maximum(d4 - 4.0 * d3 + 6.0 * d2 - 4.0 * d1, 0.0), d2 - 2.0 * d1)
    return 2.0 * accumulate_mean_fourth_moment(sample_sizes, variance=variance) + 2.0 * spread


def accumulate_kl_model_source_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E KL(M_t || P0) when every model is fitted on all points so far. Exact, by quadrature.

    float64 (generations + 1,); for ml it is -E[log s_t^2] / 2.

    Derivation: theory/accumulate.md. Source: derived.
    """
    fall = -0.5 * accumulate_log_variance_mean(sample_sizes, variance=variance)
    if variance == "ml":
        return fall
    spread = np.expm1(_log_variance_moment(sample_sizes, 1, variance))
    return np.asarray(fall + 0.5 * (accumulate_mean_variance(sample_sizes, variance=variance) + spread))


def accumulate_inverse_moments(
    sample_sizes: ArrayLike, *, variance: Variance = "ml"
) -> tuple[Float, Float, Float, Float, Float]:
    """E[1/s^2], E[mu^2/s^2], E[1/s^4], E[mu^2/s^4], E[mu^4/s^4] under accumulation: five float64 (generations + 1,).

    Exact, by quadrature. Holds when n_1 >= 6; ValueError otherwise.

    Derivation: theory/accumulate.md. Source: derived.
    """
    sizes, factors = _start(sample_sizes, variance)
    n, push = float(sizes[0]), factors.push
    i1, i2 = (np.exp(_log_inverse(sizes, order, variance)) for order in (1, 2))
    inverse, inverse_square = factors.inverse_moment(1), factors.inverse_moment(2)
    i1_mu2 = _recursion(i1[1] / n, inverse, push * factors.inverse_moment(1, 1))
    second = factors.inverse_moment(2, 1)
    i2_mu2 = _recursion(i2[1] / n, inverse_square, push * second * i1[1:-1])
    gain = 6.0 * push * second * i1_mu2[:-1] + push**2 * factors.inverse_moment(2, 2)
    i2_mu4 = _recursion(3.0 * i2[1] / n**2, inverse_square, gain)
    return i1, from_source(0.0, i1_mu2), i2, from_source(0.0, i2_mu2), from_source(0.0, i2_mu4)


def _log_inverse(sample_sizes: ArrayLike, order: int, variance: Variance) -> Float:
    """log E[s_t^(-2r)], float64 (generations + 1,)."""
    sizes, factors = _start(sample_sizes, variance)
    return _product(_log_first_moment(float(sizes[0]), -float(order), variance), factors.log_inverse_moment(order))


def accumulate_kl_source_model_mean(sample_sizes: ArrayLike, *, variance: Variance = "ml") -> Float:
    """E KL(P0 || M_t) when every model is fitted on all points so far. Exact, by quadrature. Holds when n_1 >= 6.

    float64 (generations + 1,).

    Derivation: theory/accumulate.md. Source: derived.
    """
    _, crossed, *_ = accumulate_inverse_moments(sample_sizes, variance=variance)
    inverse = np.expm1(_log_inverse(sample_sizes, 1, variance))
    return np.asarray(0.5 * (accumulate_log_variance_mean(sample_sizes, variance=variance) + inverse + crossed))


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
    *_, crossed = accumulate_inverse_moments(sample_sizes, variance=variance)
    d1, d2 = (np.expm1(_log_variance_moment(sample_sizes, order, variance)) for order in (1, 2))
    i1, i2 = (np.expm1(_log_inverse(sample_sizes, order, variance)) for order in (1, 2))
    spread = np.maximum(d2 - 4.0 * d1 - 4.0 * i1 + i2, 0.0)
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
