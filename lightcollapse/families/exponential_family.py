"""One-parameter exponential families: a law of numbers that is fitted by its mean.

To add one: a Law, a family that names its source, a line in FAMILIES. The likelihood is greatest where the mean of the
law is the mean of the points, whatever the law; so one estimator serves them all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightcollapse.curation import Curation
from lightcollapse.errors import require
from lightcollapse.families.base import Family, needs_points, refuse_no_interval, refuse_source
from lightcollapse.families.estimator import Additive, DensityEstimator, Float
from lightcollapse.kernels.draws import Draws
from lightcollapse.schedule import Schedule
from lightcollapse.sources import Source


class Law:
    """Densities h(x) exp(theta x - A(theta)) over numbers x, told by their mean.

    Means are float64 (lanes,), and may lie on the edge of what the family allows: the law then has one value.
    """

    def expectation(self, source: Any) -> float:
        """Mean of a source of this family."""
        return float(source.expectation())

    def points(self, mean: Float, count: int, draws: Draws) -> Float:
        """Float64 (lanes, count)."""
        raise NotImplementedError

    def sums(self, mean: Float, count: int, draws: Draws) -> Float:
        """Sum of `count` points, float64 (lanes,): equal in law to adding them up, at a cost that `count` leaves be."""
        raise NotImplementedError

    def variance(self, mean: Float) -> Float:
        """The variance function."""
        raise NotImplementedError

    def divergence(self, one: Float, other: Float) -> Float:
        """KL divergence of the law of mean `one` from that of mean `other`, nats."""
        raise NotImplementedError

    def log_density(self, mean: Float, values: Float) -> Float:
        """Of values, float64 (lanes, count); in nats."""
        raise NotImplementedError

    def tempered(self, mean: Float, temperature: float) -> Float:
        """Mean of the law with its density to the power 1 / temperature, where the family holds it."""
        raise NotImplementedError

    def further(self, mean: Float) -> dict[str, Float]:
        """Metrics that are the family's own."""
        return {}

    def measures(self, mean: Float, source: float) -> dict[str, Float]:
        """Every metric of laws with these means, against the source's mean."""
        real = np.full(len(mean), source)
        variance = self.variance(mean)
        return {
            "mean": mean,
            "variance": variance,
            "kl_model_source": self.divergence(mean, real),
            "kl_source_model": self.divergence(real, mean),
            "alive": (variance > 0.0).astype(np.float64),
        } | self.further(mean)


class ExponentialFamily(Family, frozen=True):
    """A law of numbers that is fitted by its mean.

    Args:
        draws: "points" draws every point; "statistics" draws their sum, which is equal in law and costs the same for
            any sample size; "auto" takes statistics wherever they suffice.
    """

    metrics: ClassVar[tuple[str, ...]] = ("mean", "variance", "kl_model_source", "kl_source_model")
    abilities: ClassVar[frozenset[str]] = frozenset(
        {"answers", "closeness", "log_density", "removal", "substitutes", "value", "weights"}
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("variance", 0.0)
    accepted: ClassVar[type[Source]]
    draws: Literal["auto", "statistics", "points"] = "auto"

    def law(self, source: Any) -> Law:
        """The family's laws, as far as the source leaves them open."""
        raise NotImplementedError

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, self.accepted):
            raise refuse_source(self, source, f"a source of kind {self.accepted.kind}")
        super().check(source, schedule, curation)
        require(
            self.draws != "statistics" or not needs_points(schedule),
            "a training set that takes a part of a pool needs its points",
            self.draws,
            'use draws="auto" or "points"',
        )

    def check_references(self, source: Any, step: Curation) -> None:
        refuse_no_interval(step)

    def wants_points(self) -> bool:
        return self.draws == "points"

    def estimator(self, source: Any) -> MeanEstimator:
        return MeanEstimator(self.law(source), source, self.metrics)


class MeanModel(NamedTuple):
    """Mean of each lane's law, float64 (lanes,)."""

    mean: Float


class Sums(NamedTuple):
    """How many points, and their sum, float64 (lanes,)."""

    points: Float
    total: Float


@dataclass(frozen=True)
class MeanEstimator(DensityEstimator, Additive):
    """The fit of any one-parameter exponential family: the mean of the points."""

    law: Law
    source: Any
    metrics: tuple[str, ...]

    def _source_mean(self, lanes: int, bias: float = 0.0) -> Float:
        source = self.source.tilted(bias) if bias else self.source
        return np.full(lanes, self.law.expectation(source))

    def real(self, count: int, draws: Draws, bias: float = 0.0) -> Float:
        return self.law.points(self._source_mean(draws.lanes, bias), count, draws)[:, :, None]

    def write(self, model: MeanModel, count: int, draws: Draws) -> Float:
        return self.law.points(model.mean, count, draws)[:, :, None]

    def fit(self, points: Float, weights: Float, previous: MeanModel | None, draws: Draws) -> MeanModel:
        total = weights.sum(axis=1)
        return MeanModel((weights * points[:, :, 0]).sum(axis=1) / np.where(total > 0.0, total, 1.0))

    def real_statistics(self, count: int, draws: Draws) -> Sums:
        return self._drawn(self._source_mean(draws.lanes), count, draws)

    def write_statistics(self, model: MeanModel, count: int, draws: Draws) -> Sums:
        return self._drawn(model.mean, count, draws)

    def _drawn(self, mean: Float, count: int, draws: Draws) -> Sums:
        return Sums(np.full(draws.lanes, float(count)), self.law.sums(mean, count, draws))

    def merge(self, one: Sums, other: Sums) -> Sums:
        return Sums(one.points + other.points, one.total + other.total)

    def fit_statistics(
        self, real: Sums | None, synthetic: Sums | None, weight: float, previous: MeanModel | None
    ) -> MeanModel:
        if real is None or synthetic is None:
            only = real or synthetic
            assert only is not None  # a training set is never empty
            return MeanModel(only.total / only.points)
        if math.isnan(weight):
            whole = self.merge(real, synthetic)
            return MeanModel(whole.total / whole.points)
        return MeanModel(weight * real.total / real.points + (1.0 - weight) * synthetic.total / synthetic.points)

    def measure(self, model: MeanModel, draws: Draws) -> dict[str, Float]:
        measured = self.law.measures(model.mean, self.law.expectation(self.source))
        return {name: measured[name] for name in self.metrics}

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        return self.measure(MeanModel(self._source_mean(draws.lanes)), draws)

    def pairs(self, model: MeanModel) -> tuple[Float, Float]:
        return self.law.variance(model.mean), model.mean[:, None]

    def source_pairs(self) -> float:
        return float(self.law.variance(self._source_mean(1))[0])

    def decode(self, model: MeanModel | None, lanes: int, temperature: float, top_k: int, top_p: float) -> MeanModel:
        mean = self._source_mean(lanes) if model is None else model.mean
        return MeanModel(mean if temperature == 1.0 else self.law.tempered(mean, temperature))

    def log_density(self, model: MeanModel, points: Float) -> Float:
        return self.law.log_density(model.mean, points[:, :, 0])

    def source_log_density(self, points: Float) -> Float:
        return self.law.log_density(self._source_mean(len(points)), points[:, :, 0])

    def uniform(self, uniforms: Float) -> Float:
        """Of a law of two symbols."""
        return np.floor(2.0 * uniforms)

    def jitter(self, points: Float, normals: Float, rate: float) -> Float:
        return points + rate * float(np.sqrt(self.source_pairs())) * normals

    def right(self, points: Float, answers: tuple[float, ...]) -> NDArray[np.bool_]:
        low, high = min(answers), max(answers)
        return (points[:, :, 0] >= low) & (points[:, :, 0] <= high)
