"""Differences of Gamma functions at large arguments, without the cancellation of taking them one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float
from lightcollapse.special import gammaln, psi

_LARGE = 10.0  # from here the series below are exact to rounding
_SMALL = 0.05
# Bernoulli numbers B_2, B_4, .. B_14.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


def psi_less_log(x: ArrayLike) -> Float:
    """psi(x) - log(x) for x > 0: close to -1/(2x)."""
    x = np.asarray(x, dtype=np.float64)
    far = np.maximum(x, _LARGE)
    series = -0.5 / far
    for k, number in enumerate(_BERNOULLI, start=1):
        series = series - number / (2 * k) / far ** (2 * k)
    near = np.minimum(x, _LARGE)
    return np.asarray(np.where(x >= _LARGE, series, psi(near) - np.log(near)))


def log1p_less(u: ArrayLike) -> Float:
    """log(1 + u) - u for u > -1: close to -u^2/2."""
    u = np.asarray(u, dtype=np.float64)
    small = np.clip(u, -_SMALL, _SMALL)
    series = np.zeros_like(small)
    for k in range(14, 1, -1):
        series = small * series + (-1.0) ** (k + 1) / k
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(np.abs(u) <= _SMALL, small * small * series, np.log1p(u) - u))


def _stirling_rest(x: Float) -> Float:
    """log Gamma(x) less Stirling's formula, x at least _LARGE."""
    rest = np.zeros_like(x)
    for k, number in enumerate(_BERNOULLI, start=1):
        rest = rest + number / (2 * k * (2 * k - 1)) / x ** (2 * k - 1)
    return rest


def log_rising(x: ArrayLike, power: float) -> Float:
    """log(Gamma(x + power) / Gamma(x)) - power log(x) for x and x + power > 0: close to power (power - 1) / (2x)."""
    x = np.asarray(x, dtype=np.float64)
    large = np.minimum(x, x + power) >= _LARGE
    far = np.where(large, x, _LARGE + abs(power))
    u = power / far
    series = far * log1p_less(u) + (power - 0.5) * np.log1p(u) + _stirling_rest(far + power) - _stirling_rest(far)
    near = np.where(large, _LARGE + abs(power), x)
    return np.asarray(np.where(large, series, gammaln(near + power) - gammaln(near) - power * np.log(near)))


def each_size(sizes: Float, function: Callable[[Float], Float]) -> Float:
    """function(sizes), evaluated once for every different size; further axes of the result are kept."""
    different, places = np.unique(sizes, return_inverse=True)
    return np.asarray(function(different))[places]
