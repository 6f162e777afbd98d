"""Exponential families of numbers, each a row: those whose variance is a quadratic of the mean (Morris 1982)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lightcollapse.curation import Curation
from lightcollapse.families.base import refuse_unknown_symbols
from lightcollapse.families.estimator import Float
from lightcollapse.families.exponential_family import ExponentialFamily, Law
from lightcollapse.kernels.draws import Draws
from lightcollapse.sources import Normal, Source
from lightcollapse.sources import numbers as real
from lightcollapse.special import digamma, entr, gammaln, kl_div, rel_entr, xlog1py, xlogy

_APART = 2**20  # blocks of draws between the two steps of one sampler
_OF_NUMBERS = ExponentialFamily.abilities


class BernoulliLaw(Law):
    """0 and 1."""

    def points(self, mean: Float, count: int, draws: Draws) -> Float:
        return (draws.uniforms(count) < mean[:, None]).astype(np.float64)

    def sums(self, mean: Float, count: int, draws: Draws) -> Float:
        from lightcollapse.kernels.exponential_family import fill_binomial

        out = np.empty((draws.lanes, 1))
        fill_binomial(count, mean, out, 0, *draws.arguments)
        return out[:, 0]

    def variance(self, mean: Float) -> Float:
        return mean * (1.0 - mean)

    def divergence(self, one: Float, other: Float) -> Float:
        return np.asarray(rel_entr(one, other) + rel_entr(1.0 - one, 1.0 - other))

    def log_density(self, mean: Float, values: Float) -> Float:
        return np.asarray(xlogy(values, mean[:, None]) + xlog1py(1.0 - values, -mean[:, None]))

    def tempered(self, mean: Float, temperature: float) -> Float:
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(1.0 / (1.0 + (1.0 / mean - 1.0) ** (1.0 / temperature)))

    def further(self, mean: Float) -> dict[str, Float]:
        return {"entropy": np.asarray(entr(mean) + entr(1.0 - mean))}


class PoissonLaw(Law):
    """Counts whose variance is their mean."""

    def points(self, mean: Float, count: int, draws: Draws) -> Float:
        from lightcollapse.kernels.exponential_family import fill_poisson

        out = np.empty((draws.lanes, count))
        fill_poisson(mean, out, 0, *draws.arguments)
        return out

    def sums(self, mean: Float, count: int, draws: Draws) -> Float:
        return self.points(count * mean, 1, draws)[:, 0]

    def variance(self, mean: Float) -> Float:
        return mean

    def divergence(self, one: Float, other: Float) -> Float:
        return np.asarray(kl_div(one, other))

    def log_density(self, mean: Float, values: Float) -> Float:
        return np.asarray(xlogy(values, mean[:, None]) - mean[:, None] - gammaln(values + 1.0))


class GeometricLaw(Law):
    """Failures before the first success."""

    def points(self, mean: Float, count: int, draws: Draws) -> Float:
        with np.errstate(divide="ignore"):
            rate = np.log1p(1.0 / mean)[:, None]
        return np.floor(-np.log(draws.uniforms(count)) / rate)

    def sums(self, mean: Float, count: int, draws: Draws) -> Float:
        """Poisson, of a rate that is gamma."""
        from lightcollapse.kernels.exponential_family import fill_gamma, fill_poisson

        out = np.empty((draws.lanes, 1))
        fill_gamma(float(count), mean, out, 0, *draws.arguments)
        fill_poisson(out[:, 0].copy(), out, _APART, *draws.arguments)
        return out[:, 0]

    def variance(self, mean: Float) -> Float:
        return mean * (1.0 + mean)

    def divergence(self, one: Float, other: Float) -> Float:
        return np.asarray(rel_entr(one, other) - rel_entr(1.0 + one, 1.0 + other))

    def log_density(self, mean: Float, values: Float) -> Float:
        return np.asarray(xlogy(values, mean[:, None]) - xlog1py(1.0 + values, mean[:, None]))

    def tempered(self, mean: Float, temperature: float) -> Float:
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(1.0 / np.expm1(np.log1p(1.0 / mean) / temperature))

    def further(self, mean: Float) -> dict[str, Float]:
        return {"entropy": np.asarray(xlogy(1.0 + mean, 1.0 + mean) - xlogy(mean, mean))}


@dataclass(frozen=True)
class GammaLaw(Law):
    """Sums of `shape` waiting times, the shape known."""

    shape: float

    def points(self, mean: Float, count: int, draws: Draws) -> Float:
        return self._drawn(self.shape, mean, count, draws)

    def sums(self, mean: Float, count: int, draws: Draws) -> Float:
        return self._drawn(count * self.shape, mean, 1, draws)[:, 0]

    def _drawn(self, shape: float, mean: Float, count: int, draws: Draws) -> Float:
        from lightcollapse.kernels.exponential_family import fill_gamma

        out = np.empty((draws.lanes, count))
        fill_gamma(float(shape), mean / self.shape, out, 0, *draws.arguments)
        return out

    def variance(self, mean: Float) -> Float:
        return mean**2 / self.shape

    def divergence(self, one: Float, other: Float) -> Float:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            excess = (one - other) / other
            divergence = self.shape * (excess - np.log1p(excess))
        return np.where(other > 0.0, divergence, np.where(one > 0.0, np.inf, 0.0))

    def log_density(self, mean: Float, values: Float) -> Float:
        """Of the law of mean 0, infinite at 0."""
        scale = mean[:, None] / self.shape
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            log = xlogy(self.shape - 1.0, values) - values / scale - self.shape * np.log(scale) - gammaln(self.shape)
        return np.where(scale > 0.0, log, np.where(values == 0.0, np.inf, -np.inf))

    def further(self, mean: Float) -> dict[str, Float]:
        k = self.shape
        with np.errstate(divide="ignore"):
            return {"entropy": k + gammaln(k) + (1.0 - k) * digamma(k) + np.log(mean / k)}


class ExponentialLaw(GammaLaw):
    """Waiting times: points by inversion, and a law that temperature leaves in the family."""

    def __init__(self) -> None:
        super().__init__(1.0)

    def points(self, mean: Float, count: int, draws: Draws) -> Float:
        return -mean[:, None] * np.log(draws.uniforms(count))

    def tempered(self, mean: Float, temperature: float) -> Float:
        return temperature * mean


@dataclass(frozen=True)
class NormalLaw(Law):
    """Normal numbers of a known standard deviation."""

    std: float

    def expectation(self, source: Any) -> float:
        return float(source.mean)

    def points(self, mean: Float, count: int, draws: Draws) -> Float:
        return mean[:, None] + self.std * draws.normals(count)

    def sums(self, mean: Float, count: int, draws: Draws) -> Float:
        return count * mean + math.sqrt(count) * self.std * draws.normals(1)[:, 0]

    def variance(self, mean: Float) -> Float:
        return np.full(mean.shape, self.std**2)

    def divergence(self, one: Float, other: Float) -> Float:
        return 0.5 * ((one - other) / self.std) ** 2

    def log_density(self, mean: Float, values: Float) -> Float:
        return -0.5 * (((values - mean[:, None]) / self.std) ** 2 + math.log(2.0 * math.pi * self.std**2))


class Bernoulli(ExponentialFamily, frozen=True):
    """0 and 1, fitted by the frequency of 1."""

    kind: ClassVar[str] = "bernoulli"
    metrics: ClassVar[tuple[str, ...]] = (*ExponentialFamily.metrics, "entropy", "alive")
    abilities: ClassVar[frozenset[str]] = _OF_NUMBERS | {"symbols", "temperature"}
    accepted: ClassVar[type[Source]] = real.Bernoulli

    def law(self, source: Any) -> Law:
        return BernoulliLaw()

    def check_references(self, source: Any, step: Curation) -> None:
        refuse_unknown_symbols(step, 2)


class Poisson(ExponentialFamily, frozen=True):
    """Counts of rare events, fitted by their mean. A sample of zeros ends the chain."""

    kind: ClassVar[str] = "poisson"
    metrics: ClassVar[tuple[str, ...]] = (*ExponentialFamily.metrics, "alive")
    accepted: ClassVar[type[Source]] = real.Poisson

    def law(self, source: Any) -> Law:
        return PoissonLaw()


class Geometric(ExponentialFamily, frozen=True):
    """Failures before the first success, fitted by their mean. A sample of zeros ends the chain."""

    kind: ClassVar[str] = "geometric"
    metrics: ClassVar[tuple[str, ...]] = (*ExponentialFamily.metrics, "entropy", "alive")
    abilities: ClassVar[frozenset[str]] = _OF_NUMBERS | {"temperature"}
    accepted: ClassVar[type[Source]] = real.Geometric

    def law(self, source: Any) -> Law:
        return GeometricLaw()


class Exponential(ExponentialFamily, frozen=True):
    """Waiting times, fitted by their mean. It never becomes 0; below the least float it is recorded as 0."""

    kind: ClassVar[str] = "exponential"
    metrics: ClassVar[tuple[str, ...]] = (*ExponentialFamily.metrics, "entropy")
    abilities: ClassVar[frozenset[str]] = _OF_NUMBERS | {"temperature"}
    accepted: ClassVar[type[Source]] = real.Exponential

    def law(self, source: Any) -> Law:
        return ExponentialLaw()


class Gamma(ExponentialFamily, frozen=True):
    """Sums of waiting times, fitted by their mean; how many there are, the shape, is known to be the source's."""

    kind: ClassVar[str] = "gamma"
    metrics: ClassVar[tuple[str, ...]] = (*ExponentialFamily.metrics, "entropy")
    accepted: ClassVar[type[Source]] = real.Gamma

    def law(self, source: Any) -> Law:
        return GammaLaw(source.shape)


class GaussianMean(ExponentialFamily, frozen=True):
    """A normal law whose standard deviation is known to be the source's, fitted by its mean: it wanders, and nothing
    collapses.
    """

    kind: ClassVar[str] = "gaussian-mean"
    abilities: ClassVar[frozenset[str]] = _OF_NUMBERS | {"numbers"}
    accepted: ClassVar[type[Source]] = Normal

    def law(self, source: Any) -> Law:
        return NormalLaw(source.std)
