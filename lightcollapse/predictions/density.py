"""Kernel densities fitted again and again: the variance under a bandwidth, the expected density, smoothing for ever.

Model t puts a normal kernel of standard deviation h on every point of training set t: its mean is their mean, its
variance theirs (divided by n) plus h^2. Units: the source's standard deviation is 1, per dimension.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, at_least, finite, from_source, require, sizes_of
from lightcollapse.predictions._points import follow
from lightcollapse.schedule import Schedule


class Smoothing(NamedTuple):
    """Variances of training set t and of model t at infinite sample size, float64 (generations + 1,)."""

    training: Float
    model: Float


def _bandwidths(bandwidth: ArrayLike, count: int) -> Float:
    h = np.asarray(bandwidth, dtype=np.float64)
    require(bool(np.all(h >= 0)), "bandwidth must not be negative", bandwidth)
    require(h.ndim == 0 or h.shape == (count,), "bandwidth must be one number or one a generation", h.shape)
    return np.broadcast_to(h, (count,))


def _linear(factor: Float, plus: Float, start: float) -> Float:
    values = [start]
    for times, more in zip(factor.tolist(), plus.tolist(), strict=True):
        values.append(values[-1] * times + more)
    return np.array(values)


def kernel_variance(sample_sizes: ArrayLike, bandwidth: ArrayLike) -> Float:
    """E of model t's variance under replacement: v' = (1 - 1/n) v + h^2, float64 (generations + 1,). Exact.

    It tends to n h^2: it shrinks where n h^2 < 1 and spreads where n h^2 > 1. `bandwidth` is one number or float64
    (generations,). Holds when n >= 1 and h >= 0.

    Derivation: theory/kernel-density.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes)
    h = _bandwidths(bandwidth, len(sizes))
    if sizes.size and np.all(sizes == sizes[0]) and np.all(h == h[0]):  # closed, and exact for many generations
        n, t = float(sizes[0]), np.arange(len(sizes) + 1.0)
        left = np.exp(t * np.log1p(-1.0 / n)) if n > 1 else np.where(t > 0, 0.0, 1.0)
        lost = -np.expm1(t * np.log1p(-1.0 / n)) if n > 1 else 1.0 - left
        return np.asarray(left + n * h[0] ** 2 * lost)
    return _linear(1.0 - 1.0 / sizes, h**2, 1.0)


def kernel_variance_limit(sample_size: int, bandwidth: float) -> float:
    """Limit n h^2 of the expected variance under replacement. Exact.

    Derivation: theory/kernel-density.md. Source: derived.
    """
    n, h = float(sizes_of(sample_size)[0]), float(_bandwidths(bandwidth, 1)[0])
    return n * h * h


def relative_kernel_variance(sample_sizes: ArrayLike, ratio: ArrayLike, *, unbiased: bool = True) -> Float:
    """E of model t's variance where the bandwidth is `ratio` of the training set's own standard deviation. Exact.

    float64 (generations + 1,): the product of 1 - 1/n + r^2, or of (1 - 1/n)(1 + r^2) where the standard deviation has
    divisor n. Rules of thumb (Scott r = n^(-1/5), Silverman 1.06 n^(-1/5)) make it grow without bound.

    Derivation: theory/kernel-density.md. Source: rules: Scott 1992, Silverman 1986; growth: derived.
    """
    sizes = sizes_of(sample_sizes, 2 if unbiased else 1)
    squares = _bandwidths(ratio, len(sizes)) ** 2
    less = -1.0 / sizes if unbiased else (-1.0 - squares) / sizes
    with np.errstate(over="ignore", divide="ignore"):
        return np.exp(from_source(0.0, np.cumsum(np.log1p(less + squares))))


def accumulate_kernel_variance(sample_sizes: ArrayLike, bandwidth: ArrayLike) -> Float:
    """E of model t's variance where every model is fitted on all points so far: float64 (generations + 1,). Exact.

    It grows without bound, like h^2 log t for many points.

    Derivation: theory/kernel-density.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes)
    squares = _bandwidths(bandwidth, len(sizes)) ** 2
    values, spread, pool = [1.0], 1.0, 0.0  # spread: expected variance of the pool, divisor N
    for n, square in zip(sizes.tolist(), squares.tolist(), strict=True):
        if pool == 0.0:
            spread = 1.0 - 1.0 / n
        else:
            grown = pool + n
            added = values[-1] - spread  # the kernel that wrote these points
            spread = spread * (1.0 - n / grown**2) + added * n * (grown - 1.0) / grown**2
        pool += n
        values.append(spread + square)
    return np.array(values)


def kernel_spread(schedule: Schedule, bandwidth: ArrayLike) -> tuple[Float, Float]:
    """Var of model t's mean and E of its variance in any data regime: two float64 (generations + 1,). Exact.

    `schedule` has dtype RECIPE, one row a generation; weights, windows and pools are served. Raises ValueError for
    several labs, for tilted fresh data, and for rows that ask for more points than there are.

    Derivation: theory/kernel-density.md. Source: derived.
    """
    squares = iter((_bandwidths(bandwidth, len(np.atleast_1d(schedule))) ** 2).tolist())
    spread = follow(schedule, lambda of_mean, point, size: point + next(squares))
    return spread.of_mean, spread.within


def kernel_squared_error(sample_size: int, bandwidth: float, generations: int, *, nodes: int = 2001) -> Float:
    """E of the integral of (density of model t - density of the source)^2, replacement, standard normal source.

    float64 (generations + 1,). Exact, by quadrature of a Fourier integral. Holds when h > 0.

    Derivation: theory/kernel-density.md. Source: Parzen 1962 for one generation; derived.
    """
    at_least(0, generations=generations)
    n, h = float(sizes_of(sample_size)[0]), float(bandwidth)
    require(h > 0, "bandwidth must exceed 0 for the integral to exist", h)
    w = np.linspace(0.0, max(9.0, 7.0 / h), nodes)
    source, kernel = np.exp(-0.5 * w * w), np.exp(-0.5 * (h * w) ** 2)
    mean, pair, values = source, source * source, [0.0]
    for _ in range(generations):
        mean = kernel * mean
        pair = kernel * kernel * (1.0 / n + (1.0 - 1.0 / n) * pair)
        values.append(float(np.trapezoid(pair - 2.0 * mean * source + source * source, w) / np.pi))
    return np.array(values)


def smoothing_variance(fraction: float, bandwidth: float, generations: int) -> Smoothing:
    """Variances with a fresh share and smoothing at infinite sample size: training set t, and model t. Exact.

    Training set 1 is real; then T' = a P0 + (1 - a) (T * N(0, h^2)). With a > 0 the first tends to 1 + h^2 (1 - a)/a.

    Derivation: theory/kernel-density.md. Source: derived.
    """
    at_least(0, generations=generations)
    _fraction(fraction)
    require(bandwidth >= 0, "bandwidth must not be negative", bandwidth)
    t = np.arange(generations, dtype=np.float64)
    kept, square = 1.0 - fraction, bandwidth * bandwidth
    if fraction == 0.0:
        grown = t
    elif fraction == 1.0:
        grown = np.zeros_like(t)
    else:
        grown = kept * -np.expm1(t * np.log1p(-fraction)) / fraction
    training = 1.0 + square * grown
    return Smoothing(from_source(1.0, training), from_source(1.0, training + square))


def smoothing_variance_limit(fraction: float, bandwidth: float) -> float:
    """Limit 1 + h^2 (1 - a)/a of the training set's variance. Exact. Holds when a > 0.

    Derivation: theory/kernel-density.md. Source: derived.
    """
    at_least(0, bandwidth=bandwidth)
    require(0 < fraction <= 1, "fraction must lie in (0, 1]", fraction)
    return 1.0 + bandwidth * bandwidth * (1.0 - fraction) / fraction


def smoothing_damping(fraction: float, bandwidth: float, frequency: ArrayLike) -> Float:
    """What is left of the source's Fourier mode w in the training set's limit: a / (1 - (1 - a) exp(-h^2 w^2 / 2)).

    The shape of `frequency`. Exact at infinite sample size. Holds when a > 0.

    Derivation: theory/kernel-density.md. Source: derived.
    """
    at_least(0, bandwidth=bandwidth)
    finite(frequency=frequency)
    require(0 < fraction <= 1, "fraction must lie in (0, 1]", fraction)
    w = np.asarray(frequency, dtype=np.float64)
    return np.asarray(fraction / (fraction - (1.0 - fraction) * np.expm1(-0.5 * (bandwidth * w) ** 2)))


def _fraction(fraction: float) -> None:
    require(0 <= fraction <= 1, "fraction must lie in [0, 1]", fraction)
