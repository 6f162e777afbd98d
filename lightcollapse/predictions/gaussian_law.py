"""The exact law of a Gaussian's variance under replacement: distribution function, quantiles and tail bounds.

log s_t^2 is a sum of independent log chi-square variables, so its characteristic function is a product of Gamma
functions. Gil-Pelaez inversion by the midpoint rule gives the distribution function to near machine accuracy.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.predictions._checks import Float, Variance, divisor, require, sizes_of
from lightcollapse.predictions._special import psi_less_log
from lightcollapse.predictions.gaussian import log_moments, std_mean
from lightcollapse.special import loggamma, polygamma, psi

NEGLIGIBLE = -42.0  # log of the characteristic function's modulus beyond which nodes are dropped
FARTHEST = 120.0  # standard deviations from the mean beyond which the tail is below 1e-16
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)


def _centred_log_gamma(half: float, u: NDArray[np.floating]) -> NDArray[np.complex128]:
    """log Gamma(a + iu) - log Gamma(a) - iu psi(a), without the cancellation of large terms when a is large."""
    if half < 30.0:
        return np.asarray(loggamma(half + 1j * u) - loggamma(half) - 1j * u * psi(half))
    w = 1j * u / half
    log1p = 0.5 * np.log1p((u / half) ** 2) + 1j * np.arctan(u / half)  # numpy's own loses the small real part
    total = half * (log1p * (1.0 + w) - w) - 0.5 * (log1p - w)
    slope = 0.0
    for k, coefficient in enumerate(STIRLING, start=1):
        power = 1 - 2 * k
        total = total + coefficient * half**power * ((1.0 + w) ** power - 1.0)
        slope += coefficient * power * half ** (power - 1)
    return np.asarray(total - 1j * u * slope)


def _below(u: Float, weights: Float, phases: Float) -> Float:
    """Distribution function (points,) by the inversion of Gil-Pelaez."""
    return np.asarray(np.clip(0.5 - (np.sin(phases) * (weights / u)).sum(axis=1), 0.0, 1.0))


class LogVarianceLaw:
    """Law of log s_t^2 for one generation: mean, standard deviation and the nodes of its inversion.

    `sample_sizes` are n_1..n_t, at least one. Units: the source's variance is 1.
    """

    def __init__(self, sample_sizes: ArrayLike, variance: Variance = "ml") -> None:
        sizes = sizes_of(sample_sizes, 2)
        require(sizes.size > 0, "the law needs at least one generation", sizes.size)
        self._halves, counts = np.unique((sizes - 1.0) / 2.0, return_counts=True)
        self._counts = counts.astype(np.float64)
        distinct = 2.0 * self._halves + 1.0
        below = divisor(distinct, variance)
        steps = psi_less_log(self._halves) + np.log1p((distinct - 1.0 - below) / below)
        self.mean = float(np.sum(self._counts * steps))
        self.std = float(np.sqrt(np.sum(self._counts * polygamma(1, self._halves))))
        self._top = self._cutoff()

    def _log_characteristic(self, u: NDArray[np.floating]) -> NDArray[np.complex128]:
        """log E exp(iu Z) of the standardised Z = (log s_t^2 - mean) / std."""
        total = np.zeros(u.shape, dtype=np.complex128)
        for half, count in zip(self._halves, self._counts, strict=True):
            total += count * _centred_log_gamma(float(half), u / self.std)
        return total

    def _cutoff(self) -> float:
        top = 9.2  # Gaussian bulk
        while self._log_characteristic(np.full(1, top))[0].real > NEGLIGIBLE:
            top *= 1.3
        return top

    def cdf(self, log_values: ArrayLike) -> Float:
        """P(log s_t^2 <= x) for an array of x; same shape."""
        z = np.clip((np.asarray(log_values, dtype=np.float64) - self.mean) / self.std, -FARTHEST, FARTHEST)
        u, weights, phases = self._waves(np.atleast_1d(z).ravel())
        return _below(u, weights, phases).reshape(np.shape(z))

    def _waves(self, z: Float) -> tuple[Float, Float, Float]:
        """Nodes u of the inversion, their weights, and the phases of the waves at standardised points (points, nodes).

        Phases instead of complex waves: a sine alone costs a sixth of a complex exponential.
        """
        step = 2.0 * np.pi / (float(np.max(np.abs(z), initial=0.0)) + FARTHEST)
        u = (np.arange(math.ceil(self._top / step)) + 0.5) * step
        logs = self._log_characteristic(u)
        return np.asarray(u, dtype=np.float64), np.exp(logs.real) * step / np.pi, logs.imag - np.outer(z, u)

    def _invert(self, z: Float) -> tuple[Float, Float]:
        """Distribution function and density at standardised points (points,)."""
        u, weights, phases = self._waves(z)
        return _below(u, weights, phases), np.maximum((np.cos(phases) * weights).sum(axis=1), 0.0)

    def quantile(self, probabilities: ArrayLike) -> Float:
        """x with P(log s_t^2 <= x) = p for an array of p in (0, 1); same shape. Bracketed Newton steps."""
        p = np.asarray(probabilities, dtype=np.float64)
        require(bool(np.all((p > 0) & (p < 1))), "probabilities must lie in (0, 1)", probabilities)
        target = np.atleast_1d(p).ravel()
        low, high = np.full(target.shape, -FARTHEST), np.full(target.shape, FARTHEST)
        z = np.zeros(target.shape)
        for _ in range(100):
            cdf, density = self._invert(z)
            low, high = np.where(cdf < target, z, low), np.where(cdf < target, high, z)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = z - (cdf - target) / density
            inside = (step > low) & (step < high) & (np.abs(step - z) < 4.0)
            moved = np.where(inside, step, 0.5 * (low + high))
            done = np.abs(moved - z) <= 1e-13 * np.maximum(1.0, np.abs(z))
            z = moved
            if done.all():
                break
        return np.asarray((self.mean + self.std * z).reshape(p.shape))


def variance_cdf(sample_sizes: ArrayLike, values: ArrayLike, *, variance: Variance = "ml") -> Float:
    """P(s_t^2 <= x) for t = len(sample_sizes) and an array of x >= 0, in units of the source's variance. Exact law.

    Same shape as `values`; accurate to about 1e-13 absolutely, 1e-10 for a million generations. Holds when n >= 2.

    Derivation: theory/gaussian-law.md. Source: Gil-Pelaez 1951 for the inversion; derived.
    """
    points = np.asarray(values, dtype=np.float64)
    require(bool(np.all(points >= 0)), "values must not be negative", values)
    with np.errstate(divide="ignore"):
        return LogVarianceLaw(sample_sizes, variance).cdf(np.log(points))


def variance_quantile(sample_sizes: ArrayLike, probabilities: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Quantiles of s_t^2 for t = len(sample_sizes), in units of the source's variance. Exact law.

    Same shape as `probabilities`, which lie in (0, 1). Probability 1/2 gives the median. Holds when n >= 2.

    Derivation: theory/gaussian-law.md. Source: derived.
    """
    return np.asarray(np.exp(LogVarianceLaw(sample_sizes, variance).quantile(probabilities)))


def variance_quantiles(sample_sizes: ArrayLike, probabilities: ArrayLike, *, variance: Variance = "ml") -> Float:
    """Quantiles of s_t^2 for every t: float64 (generations + 1, probabilities); row 0 is the source, all ones.

    Derivation: theory/gaussian-law.md. Source: derived.
    """
    sizes, p = sizes_of(sample_sizes, 2), np.atleast_1d(np.asarray(probabilities, dtype=np.float64))
    rows = [variance_quantile(sizes[:t], p, variance=variance) for t in range(1, len(sizes) + 1)]
    return np.array([np.ones(len(p)), *rows])


def markov_bound(sample_sizes: ArrayLike, std: float, *, variance: Variance = "ml") -> float:
    """Upper bound E[s_t] / x of P(s_t > x), x = `std`. Upper bound, ten times too large or more in the tail.

    Derivation: theory/gaussian-law.md. Source: Markov's inequality; shape of Suresh et al. 2024 (2412.17646).
    """
    require(std > 0, "std must be positive", std)
    return min(1.0, float(std_mean(sample_sizes, variance=variance)[-1]) / std)


def chernoff_bound(sample_sizes: ArrayLike, std: float, *, variance: Variance = "ml") -> float:
    """Upper bound of P(s_t > x), x = `std`: the least E[s_t^(2r)] / x^(2r) over r > 0. Upper bound.

    Derivation: theory/gaussian-law.md. Source: Chernoff 1952; derived.
    """
    require(std > 0, "std must be positive", std)
    different, times = np.unique(sizes_of(sample_sizes, 2), return_counts=True)

    def log_bound(log_power: float) -> float:
        power = float(np.exp(log_power))
        steps = [np.diff(log_moments([size], power, variance)[0])[0] for size in different]
        return float(times @ np.array(steps)) - 2.0 * power * float(np.log(std))

    low, high, golden = -20.0, 8.0, (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(80):  # the logarithm of a moment is convex in its order, so golden section finds the least
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if log_bound(left) < log_bound(right) else (left, high)
    return float(min(1.0, np.exp(log_bound(0.5 * (low + high)))))
