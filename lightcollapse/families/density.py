"""Laws that hold the points they were fitted to: the empirical law, and normal kernels about every point."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.curation import Curation, refuse_curation
from lightcollapse.errors import require
from lightcollapse.families.base import Family, refuse_no_interval, refuse_source
from lightcollapse.families.categorical import CategoricalEstimator
from lightcollapse.families.estimator import DensityEstimator, Estimator, Float
from lightcollapse.families.exponential_family import ExponentialFamily
from lightcollapse.families.gaussian_mixture import GaussianMixture, MixtureEstimator, law_of, normal_nodes, pushed
from lightcollapse.families.ising import Ising
from lightcollapse.families.numbers import Bernoulli, Exponential, Gamma, Geometric, Poisson
from lightcollapse.kernels.draws import Draws
from lightcollapse.schedule import Schedule
from lightcollapse.sources import Mixture, Normal, Source, SymbolSource

_OF_NUMBERS: dict[type[Source], ExponentialFamily] = {
    family.accepted: family() for family in (Bernoulli, Poisson, Geometric, Exponential, Gamma, Ising)
}
_BLURS = 2**31  # the block from which on normals blur; uniforms choose points from the blocks below
_NODES, _REACH = 121, 6.0  # of the integral over a normal law of one dimension, and how many stds it spans to each side


class Resampling(Family, frozen=True):
    """A family whose models hold points, with a field `dimension`."""

    dimension: int = 1

    def validate(self) -> None:
        require(self.dimension >= 1, "dimension must be at least 1", self.dimension)

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, Normal):
            held = source.dimension if isinstance(source, Mixture) else 1
            require(
                self.dimension == held,
                f"family {self.kind} of dimension {self.dimension} needs points of as many coordinates",
                held,
                "set dimension to the source's",
            )
        if isinstance(source, Mixture):
            least = min(float(np.linalg.eigvalsh(matrix).min()) for matrix in source.arrays()[2])
            require(least > 0.0, "a source must have a density: covariances must be positive definite", least)
        super().check(source, schedule, curation)
        refused = {"answers", "value"} if self.dimension > 1 else set()
        if not isinstance(source, Normal | Mixture):
            refused.add("numbers")  # what is added to a whole number leaves it none
        refuse_curation(self.kind, self.abilities - refused, curation)

    def check_references(self, source: Any, step: Curation) -> None:
        refuse_no_interval(step)


class Empirical(Resampling, frozen=True):
    """The training set itself: a model writes by drawing from it with replacement (the bootstrap).

    Under replacement points only ever vanish, and in the end all descend from one of the first sample. Fitted to
    symbols it is the categorical family, with their numbers for values.

    Args:
        dimension: coordinates of a point. A normal source has its mean and std in each of them.
    """

    kind: ClassVar[str] = "empirical"
    metrics: ClassVar[tuple[str, ...]] = ("total_variance", "mean_squared", "distinct")
    abilities: ClassVar[frozenset[str]] = frozenset(
        {"answers", "numbers", "removal", "substitutes", "value", "weights"}
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("distinct", 1.0)

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, (Normal, Mixture, SymbolSource, *_OF_NUMBERS)):
            raise refuse_source(self, source, "a source of numbers, of points or of symbols")
        super().check(source, schedule, curation)

    def estimator(self, source: Any) -> Estimator:
        return EmpiricalEstimator(RealLaw(source, self.dimension), self.dimension)


class KernelDensity(Resampling, frozen=True):
    """A normal density about every training point, all of one width: a model writes a point and blurs it.

    Args:
        dimension: coordinates of a point. A normal source has its mean and std in each of them.
        bandwidth: standard deviation of the density about a point, in every coordinate; None leaves it to the rule.
        rule: the rule of thumb for it, from n points of standard deviation s (the root of their mean variance over
            coordinates): "scott" s n^(-1 / (d + 4)), "silverman" s (4 / ((d + 2) n))^(1 / (d + 4)).
    """

    kind: ClassVar[str] = "kernel-density"
    metrics: ClassVar[tuple[str, ...]] = (
        "total_variance",
        "mean_squared",
        "bandwidth",
        "negative_log_likelihood",
        "kl_source_model",
    )
    abilities: ClassVar[frozenset[str]] = frozenset(
        {"answers", "closeness", "log_density", "numbers", "removal", "substitutes", "value", "weights"}
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("total_variance", 0.0)
    bandwidth: float | None = None
    rule: Literal["silverman", "scott"] = "silverman"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(), cls(bandwidth=0.5)

    def validate(self) -> None:
        super().validate()
        width = self.bandwidth
        require(width is None or (math.isfinite(width) and width > 0.0), "bandwidth must be positive", width)

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, Normal | Mixture):
            raise refuse_source(self, source, "a normal source or a mixture")
        super().check(source, schedule, curation)

    def estimator(self, source: Any) -> Estimator:
        return KernelEstimator(RealLaw(source, self.dimension), self.dimension, self.bandwidth, self.rule)


@dataclass(frozen=True)
class RealLaw:
    """What families that hold points need of a source; drawn and evaluated by the family that knows it best."""

    source: Any
    dimension: int

    @functools.cached_property
    def craft(self) -> Any:
        """The estimator that draws this source."""
        if isinstance(self.source, Normal | Mixture):
            return MixtureEstimator(GaussianMixture(1, self.dimension), self.source, self.dimension)
        if isinstance(self.source, SymbolSource):
            return CategoricalEstimator(self.source, 0.0, 0.05)
        return _OF_NUMBERS[type(self.source)].estimator(self.source)

    @functools.cached_property
    def moments(self) -> tuple[Float, float]:
        """Mean, float64 (dimension,), and variance summed over coordinates."""
        if isinstance(self.source, Normal | Mixture):
            weights, means, covariances = (part[0] for part in law_of(self.source, self.dimension))
            mean = (weights[:, None] * means).sum(axis=0)
            around = np.trace(covariances, axis1=1, axis2=2) + ((means - mean) ** 2).sum(axis=1)
            return mean, float((weights * around).sum())
        if isinstance(self.source, SymbolSource):
            law = self.source.probabilities()
            numbers = np.arange(len(law))
            expected = float((law * numbers).sum())
            return np.array([expected]), float((law * (numbers - expected) ** 2).sum())
        return np.array([self.source.expectation()]), float(self.source.variance())

    @property
    def support(self) -> float:
        """How many different points the source can give."""
        if isinstance(self.source, SymbolSource):
            return float(np.count_nonzero(self.source.probabilities()))
        return math.inf

    @functools.cached_property
    def nodes(self) -> tuple[Float, Float]:
        """Points, float64 (nodes, dimension), and weights (nodes,) that stand for the source in an expectation.

        In one dimension the trapezoidal rule, of each component of a mixture.
        """
        if self.dimension == 1:
            standard = np.linspace(-_REACH, _REACH, _NODES)[:, None]
            shares = np.exp(-0.5 * standard[:, 0] ** 2)
        else:
            standard, shares = normal_nodes(self.dimension)
        law = law_of(self.source, self.dimension)
        weights = law[0][0][:, None] * (shares / shares.sum())
        return np.ascontiguousarray(pushed(law, standard)), weights.ravel()

    @functools.cached_property
    def entropy(self) -> float:
        """Of the source, by its nodes, nats."""
        points, weights = self.nodes
        return -float((weights * self.craft.source_log_density(points[None])[0]).sum())


class EmpiricalModel(NamedTuple):
    """Training points, float64 (lanes, held, dimension), and their weights, float64 (lanes, held)."""

    points: Float
    weights: Float


class KernelModel(NamedTuple):
    """The same, and the standard deviation about each point, float64 (lanes,)."""

    points: Float
    weights: Float
    bandwidth: Float


@dataclass(frozen=True)
class EmpiricalEstimator(Estimator):
    """Models are training sets."""

    law: RealLaw
    dimension: int

    def real(self, count: int, draws: Draws, bias: float = 0.0) -> Float:
        return np.asarray(self.law.craft.real(count, draws, bias))

    def write(self, model: EmpiricalModel | KernelModel, count: int, draws: Draws) -> Float:
        from lightcollapse.kernels.density import resample

        out = np.empty((draws.lanes, count, self.dimension))
        resample(model.points, model.weights, draws.uniforms(count), out)
        return out

    def fit(self, points: Float, weights: Float, previous: EmpiricalModel | None, draws: Draws) -> Any:
        return EmpiricalModel(np.ascontiguousarray(points), np.ascontiguousarray(weights))

    def spread(self, model: EmpiricalModel | KernelModel) -> tuple[Float, Float]:
        """Mean of each lane's points, float64 (lanes, dimension), and their variance, summed, float64 (lanes,)."""
        from lightcollapse.kernels.density import spread

        means, variances = np.empty((len(model.points), self.dimension)), np.empty(len(model.points))
        spread(model.points, model.weights, means, variances)
        return means, variances

    def measure(self, model: Any, draws: Draws) -> dict[str, Float]:
        means, variances = self.spread(model)
        return {
            "total_variance": variances,
            "mean_squared": self.shift(means),
            "distinct": distinct(model.points[:, :, 0], model.weights),
        }

    def shift(self, means: Float) -> Float:
        """Squared distance of means from the source's, float64 (lanes,)."""
        return np.asarray(((means - self.law.moments[0]) ** 2).sum(axis=1))

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        values = {"total_variance": self.law.moments[1], "mean_squared": 0.0, "distinct": self.law.support}
        return {name: np.full(draws.lanes, value) for name, value in values.items()}

    def pairs(self, model: Any) -> tuple[Float, Float]:
        means, variances = self.spread(model)
        return variances, means

    def source_pairs(self) -> float:
        return self.law.moments[1]

    def jitter(self, points: Float, normals: Float, rate: float) -> Float:
        return np.asarray(self.law.craft.jitter(points, normals, rate))

    def right(self, points: Float, answers: tuple[float, ...]) -> NDArray[np.bool_]:
        low, high = answers
        return (points[:, :, 0] >= low) & (points[:, :, 0] <= high)


def distinct(values: Float, weights: Float) -> Float:
    """How many different values, float64 (lanes, held), have weight, float64 (lanes,)."""
    ordered = np.sort(np.where(weights > 0.0, values, np.inf), axis=1)
    new = np.ones(ordered.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return np.asarray((new & np.isfinite(ordered)).sum(axis=1), dtype=np.float64)


@dataclass(frozen=True)
class KernelEstimator(EmpiricalEstimator, DensityEstimator):
    """Models are training sets, blurred."""

    width: float | None = None
    rule: str = "silverman"

    def write(self, model: Any, count: int, draws: Draws) -> Float:
        chosen = super().write(model, count, draws)
        blur = draws.normals(count * self.dimension, _BLURS).reshape(chosen.shape)
        return np.asarray(chosen + model.bandwidth[:, None, None] * blur)

    def fit(self, points: Float, weights: Float, previous: Any, draws: Draws) -> KernelModel:
        model = super().fit(points, weights, previous, draws)
        return KernelModel(model.points, model.weights, self.bandwidth(model))

    def bandwidth(self, model: EmpiricalModel) -> Float:
        """By the rule of thumb, from the points that count and their weights."""
        lanes, d = len(model.points), self.dimension
        if self.width is not None:
            return np.full(lanes, self.width)
        factor = 1.0 if self.rule == "scott" else (4.0 / (d + 2.0)) ** (1.0 / (d + 4.0))
        size = np.maximum((model.weights > 0.0).sum(axis=1), 1)
        return np.asarray(factor * np.sqrt(self.spread(model)[1] / d) * size ** (-1.0 / (d + 4.0)))

    def measure(self, model: Any, draws: Draws) -> dict[str, Float]:
        variances, means = self.pairs(model)
        points, weights = self.law.nodes
        loss = -(weights * self._log_density(model, points[None])).sum(axis=1)
        return {
            "total_variance": variances,
            "mean_squared": self.shift(means),
            "bandwidth": model.bandwidth,
            "negative_log_likelihood": loss,
            "kl_source_model": loss - self.law.entropy,
        }

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        values = {
            "total_variance": self.law.moments[1],
            "mean_squared": 0.0,
            "bandwidth": 0.0,
            "negative_log_likelihood": self.law.entropy,
            "kl_source_model": 0.0,
        }
        return {name: np.full(draws.lanes, value) for name, value in values.items()}

    def pairs(self, model: KernelModel) -> tuple[Float, Float]:
        means, variances = self.spread(model)
        return variances + self.dimension * model.bandwidth**2, means

    def log_density(self, model: KernelModel, points: Float) -> Float:
        return self._log_density(model, np.ascontiguousarray(points))

    def _log_density(self, model: KernelModel, at: Float) -> Float:
        """At places (lanes, places, dimension), or (1, places, dimension) for all lanes."""
        from lightcollapse.kernels.density import log_densities

        out = np.empty((len(model.points), at.shape[1]))
        log_densities(model.points, model.weights, model.bandwidth, at, out)
        return out

    def source_log_density(self, points: Float) -> Float:
        return np.asarray(self.law.craft.source_log_density(points))
