"""The Gaussian in many dimensions, with any covariance or with a diagonal one."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np

from lightcollapse.curation import Curation
from lightcollapse.errors import require
from lightcollapse.families.base import Family, refuse_source, refuse_sums, refuse_unbiased
from lightcollapse.families.estimator import Additive, DensityEstimator, Float
from lightcollapse.kernels.draws import Draws
from lightcollapse.schedule import Schedule
from lightcollapse.sources import Mixture, Normal

_ROUNDING = 1e-11  # share of a coordinate's variance, beside what the ones before it explain, that counts as none
_MOST_TURNED = 16  # dimensions up to which rotations of columns are faster than LAPACK
_ON_THE_FLAT = 1e-8  # how far, in spreads of a coordinate, rounding takes a point off the flat of a singular law


class MultivariateGaussian(Family, frozen=True):
    """A normal law in many dimensions, fitted by its mean and covariance.

    With fewer points than dimensions, and so in any long collapse, the covariance is singular: a result. Its log
    determinant is then minus infinity, and the source diverges from it infinitely.

    Args:
        dimension: coordinates of a point, d.
        covariance: "full" fits all of it, "diagonal" the variance of each coordinate alone.
        variance: "ml" divides by the size of the training set, "unbiased" by one less.
        draws: "points" draws every point; "statistics" draws mean and scatter at once, equal in law; "auto" takes
            statistics wherever they suffice.

    The source is a mixture of one component of that dimension and full rank, or a normal source: every coordinate by
    itself then follows it.
    """

    kind: ClassVar[str] = "multivariate-gaussian"
    metrics: ClassVar[tuple[str, ...]] = (
        "total_variance",
        "effective_rank",
        "mean_squared",
        "kl_model_source",
        "kl_source_model",
        "log_det",
        "w2_squared",
    )
    abilities: ClassVar[frozenset[str]] = frozenset(
        {"closeness", "log_density", "numbers", "removal", "substitutes", "temperature", "weights"}
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("effective_rank", 0.0)
    dimension: int
    covariance: Literal["full", "diagonal"] = "full"
    variance: Literal["ml", "unbiased"] = "ml"
    draws: Literal["auto", "statistics", "points"] = "auto"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(3), cls(3, "diagonal"), cls(3, variance="unbiased")

    def validate(self) -> None:
        require(self.dimension >= 1, "dimension must be at least 1", self.dimension)

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        self.law(source)
        super().check(source, schedule, curation)
        refuse_unbiased(self.variance, schedule)
        refuse_sums(self.draws, schedule)

    def law(self, source: Any) -> Law:
        """The source as a law. Raises CardError where it is no normal law of this dimension and of full rank."""
        if isinstance(source, Normal):
            return Law.of(np.full(self.dimension, source.mean), source.std**2 * np.eye(self.dimension))
        if not isinstance(source, Mixture) or len(source.weights) != 1:
            raise refuse_source(self, source, "a normal source, or a mixture of one component")
        require(
            source.dimension == self.dimension,
            f"the source must have the family's dimension, {self.dimension}",
            source.dimension,
        )
        _, means, covariances = source.arrays()
        law = Law.of(means[0], covariances[0])
        require(
            law.log_det > -math.inf,
            "the source's covariance must have full rank",
            covariances[0].tolist(),
            "leave out the coordinates that follow from the others",
        )
        return law

    def estimator(self, source: Any) -> MultivariateEstimator:
        law = functools.cache(lambda bias: self.law(source.tilted(bias) if bias else source))
        kind = FullEstimator if self.covariance == "full" else DiagonalEstimator
        return kind(law, self.variance == "unbiased", self.draws == "points", self.dimension)


class Law(NamedTuple):
    """A normal law: mean float64 (d,), lower triangular factor (d, d) of its covariance, log determinant of that."""

    mean: Float
    factor: Float
    log_det: float

    @classmethod
    def of(cls, mean: Float, covariance: Float) -> Law:
        """Singular where a pivot is no more than rounding. Without kernels: predictions ask for it too."""
        try:
            factor = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
        except np.linalg.LinAlgError:
            return cls(mean, np.zeros_like(covariance), -math.inf)
        pivots = np.diagonal(factor)
        full = bool(np.all(pivots**2 > _ROUNDING * np.diagonal(covariance)))
        return cls(np.ascontiguousarray(mean), factor, 2.0 * float(np.log(pivots).sum()) if full else -math.inf)

    @property
    def independent(self) -> bool:
        """Whether the coordinates do not depend on one another."""
        return not np.any(np.tril(self.factor, -1))

    def model(self, lanes: int) -> MultivariateModel:
        """The same law in so many lanes."""
        return MultivariateModel(
            np.tile(self.mean, (lanes, 1)), np.tile(self.factor, (lanes, 1, 1)), np.full(lanes, self.log_det)
        )


class MultivariateModel(NamedTuple):
    """Mean (lanes, d), factor of the covariance, and its log determinant (lanes,), all float64.

    The factor is lower triangular (lanes, d, d); of a diagonal covariance it is the standard deviations, (lanes, d).
    """

    mean: Float
    factor: Float
    log_det: Float


@dataclass(eq=False)
class Sums:
    """Points summed up.

    Attributes:
        count: how many, of every lane.
        mean: float64 (lanes, d).
        factor: of the scatter about the mean over the count, like a model's. Of what one law wrote it comes from that
            of the law, and holds digits that the scatter has lost; None where it must be worked out.
        log_det: log determinant of the scatter itself, float64 (lanes,), where the factor is known.
    """

    count: float
    mean: Float
    factor: Float | None
    log_det: Float | None

    @functools.cached_property
    def scatter(self) -> Float:
        """Scatter (lanes, d, d), or (lanes, d) of a diagonal covariance."""
        assert self.factor is not None
        one = self.factor**2 if self.factor.ndim == 2 else self.factor @ self.factor.transpose(0, 2, 1)
        return self.count * one

    @classmethod
    def of(cls, count: float, mean: Float, scatter: Float) -> Sums:
        """Sums of which only the scatter is known."""
        sums = cls(count, mean, None, None)
        sums.scatter = scatter
        return sums

    def between(self, other: Sums) -> Float:
        """Products of the distance of two means, shaped like a scatter."""
        shift = other.mean - self.mean
        return shift**2 if self.scatter.ndim == 2 else shift[:, :, None] * shift[:, None, :]


def factors_of(scatters: Float, counts: Any) -> tuple[Float, Float]:
    """Lower triangular factors of scatters (lanes, d, d) of so many points each, and their log determinants (lanes,).

    A coordinate that those before it determine but for a share of 1e-11 of its variance counts as determined: sums of
    points in a plane leave such a share by rounding.
    """
    from lightcollapse.kernels.multivariate import factors_of as kernel

    lanes, d = scatters.shape[:2]
    factors, log_dets = np.empty((lanes, d, d)), np.empty(lanes)
    kernel(scatters.copy(), np.asarray(counts, dtype=np.int64), _ROUNDING, factors, log_dets)
    return factors, log_dets


@dataclass(frozen=True)
class MultivariateEstimator(Additive, DensityEstimator):
    """What both covariances have in common."""

    law: Callable[[float], Law]  # of the source, tilted by so much
    unbiased: bool
    points: bool
    dimension: int = 1

    # To be answered for each kind of covariance.

    def factors(self, scatter: Float, counts: Any) -> tuple[Float, Float]:
        """Factors of scatters of so many points each, and log determinants."""
        raise NotImplementedError

    def summed(self, points: Float, weights: Float) -> tuple[Float, Float, Float]:
        """Weighted count (lanes,), mean and scatter of points."""
        raise NotImplementedError

    def sums(self, model: MultivariateModel, count: int, draws: Draws) -> Sums:
        """Sums of so many points of a model, drawn in the way that the family asks for."""
        raise NotImplementedError

    # Points.

    def source_model(self, lanes: int, bias: float = 0.0) -> MultivariateModel:
        return self.law(bias).model(lanes)

    def real(self, count: int, draws: Draws, bias: float = 0.0) -> Float:
        return self.write(self.source_model(draws.lanes, bias), count, draws)

    def write(self, model: MultivariateModel, count: int, draws: Draws) -> Float:
        from lightcollapse.kernels.multivariate import write

        out = np.empty((draws.lanes, count, self.dimension))
        write(model.mean, model.factor, *draws.arguments, out)
        return out

    def fit(self, points: Float, weights: Float, previous: MultivariateModel | None, draws: Draws) -> MultivariateModel:
        total, mean, scatter = self.summed(points, weights)
        divisor = np.where(total > 1.0, total - 1.0, 1.0) if self.unbiased else np.where(total > 0.0, total, 1.0)
        return self.scaled(mean, *self.factors(scatter, (weights > 0.0).sum(axis=1)), divisor)

    def scaled(self, mean: Float, factor: Float, log_det: Float, divisor: Float) -> MultivariateModel:
        """The model whose covariance is a scatter, given by its factor, over a divisor (lanes,)."""
        root = np.sqrt(divisor).reshape(-1, *(1,) * (factor.ndim - 1))
        return MultivariateModel(mean, factor / root, log_det - self.dimension * np.log(divisor))

    # Sums.

    def real_statistics(self, count: int, draws: Draws) -> Sums:
        return self.sums(self.source_model(draws.lanes), count, draws)

    def write_statistics(self, model: MultivariateModel, count: int, draws: Draws) -> Sums:
        return self.sums(model, count, draws)

    def merge(self, one: Sums, other: Sums) -> Sums:
        total = one.count + other.count
        share = other.count / total
        mean = one.mean + share * (other.mean - one.mean)
        return Sums.of(total, mean, one.scatter + other.scatter + one.count * share * one.between(other))

    def fit_statistics(
        self, real: Sums | None, synthetic: Sums | None, weight: float, previous: MultivariateModel | None
    ) -> MultivariateModel:
        if real is None or synthetic is None:
            return self.fitted(synthetic or real)
        if math.isnan(weight):
            return self.fitted(self.merge(real, synthetic))
        mean = real.mean + (1.0 - weight) * (synthetic.mean - real.mean)
        covariance = (
            weight * real.scatter / real.count
            + (1.0 - weight) * synthetic.scatter / synthetic.count
            + weight * (1.0 - weight) * real.between(synthetic)
        )
        counts = np.full(len(mean), real.count + synthetic.count)
        return self.scaled(mean, *self.factors(covariance, counts), np.ones(len(mean)))

    def fitted(self, sums: Sums | None) -> MultivariateModel:
        """The model of everything summed up."""
        assert sums is not None  # a training set is never empty
        lanes = len(sums.mean)
        divisor = sums.count - 1.0 if self.unbiased else sums.count
        if sums.factor is None or sums.log_det is None:
            factor, log_det = self.factors(sums.scatter, np.full(lanes, sums.count))
            return self.scaled(sums.mean, factor, log_det, np.full(lanes, divisor))
        factor = math.sqrt(sums.count / divisor) * sums.factor if self.unbiased else sums.factor
        return MultivariateModel(sums.mean, factor, sums.log_det - self.dimension * math.log(divisor))

    # Metrics and curation.

    def measure(self, model: MultivariateModel, draws: Draws) -> dict[str, Float]:
        from lightcollapse.kernels.covariances import measure, resolvents

        source = self.law(0.0)
        out = np.empty((len(_MEASURED), len(model.mean)))
        measure(*model, *source, *resolvents(), out)
        measured = dict(zip(_MEASURED, out, strict=True))
        lost = out[-1] < 0.0
        if lost.any():
            alone = measured["mean_squared"] + measured["total_variance"] + np.sum(source.factor**2)
            overlap = overlaps(model.factor[lost], source.factor)
            measured["w2_squared"][lost] = np.maximum(alone[lost] - 2.0 * overlap, 0.0)
        return measured | {"log_det": model.log_det}

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        """Distances of the source from itself are 0, without rounding."""
        distances = ("w2_squared", "kl_model_source", "kl_source_model")
        measured = MultivariateEstimator.measure(self, self.law(0.0).model(draws.lanes), draws)
        return measured | dict.fromkeys(distances, np.zeros(draws.lanes))

    def pairs(self, model: MultivariateModel) -> tuple[Float, Float]:
        return (model.factor.reshape(len(model.factor), -1) ** 2).sum(axis=1), model.mean

    def source_pairs(self) -> float:
        return float(np.sum(self.law(0.0).factor ** 2))

    def decode(
        self, model: MultivariateModel | None, lanes: int, temperature: float, top_k: int, top_p: float
    ) -> MultivariateModel:
        """The density to the power 1 / temperature has `temperature` times the covariance."""
        model = self.source_model(lanes) if model is None else model
        log_det = model.log_det + self.dimension * math.log(temperature)
        return MultivariateModel(model.mean, math.sqrt(temperature) * model.factor, log_det)

    def log_density(self, model: MultivariateModel, points: Float) -> Float:
        """Infinite on the flat of a singular law, minus infinity elsewhere."""
        from lightcollapse.kernels.multivariate import log_densities

        out = np.empty(points.shape[:2])
        log_densities(points, model.mean, model.factor, model.log_det, _ON_THE_FLAT, out)
        return out

    def source_log_density(self, points: Float) -> Float:
        return self.log_density(self.source_model(len(points)), points)

    def jitter(self, points: Float, normals: Float, rate: float) -> Float:
        return np.asarray(points + rate * np.sqrt((self.law(0.0).factor ** 2).sum(axis=1)) * normals)


def overlaps(factors: Float, source: Float) -> Float:
    """Sums of the singular values of source' factor, for lower triangular factors (lanes, d, d) and source."""
    from lightcollapse.kernels.multivariate import cross, nuclear_norms

    crossed, out = np.empty_like(factors), np.empty(len(factors))
    cross(factors, source, crossed)
    if crossed.shape[1] > _MOST_TURNED:
        return np.asarray(np.linalg.svd(crossed, compute_uv=False).sum(axis=1))
    nuclear_norms(crossed, out)
    return out


_MEASURED = ("total_variance", "effective_rank", "mean_squared", "kl_model_source", "kl_source_model", "w2_squared")


class FullEstimator(MultivariateEstimator):
    """Any covariance: factors are lower triangular, (lanes, d, d)."""

    @property
    def numbers(self) -> int:
        return 2 * self.dimension**2 + self.dimension

    def factors(self, scatter: Float, counts: Any) -> tuple[Float, Float]:
        return factors_of(scatter, np.minimum(counts - 1, self.dimension))

    def summed(self, points: Float, weights: Float) -> tuple[Float, Float, Float]:
        from lightcollapse.kernels.multivariate import moments

        lanes, _, d = points.shape
        total, mean, scatter = np.empty(lanes), np.empty((lanes, d)), np.empty((lanes, d, d))
        moments(points, weights, total, mean, scatter)
        return total, mean, scatter

    def sums(self, model: MultivariateModel, count: int, draws: Draws) -> Sums:
        from lightcollapse.kernels.multivariate import bartlett, drawn

        mean, factor = np.empty_like(model.mean), np.empty_like(model.factor)
        log_det = np.empty(draws.lanes)
        fill = drawn if self.points else bartlett
        fill(count, 1.0 / math.sqrt(count), *model, *draws.arguments, mean, factor, log_det)
        return Sums(count, mean, factor, log_det)


class DiagonalEstimator(MultivariateEstimator):
    """A variance for each coordinate: factors are standard deviations, (lanes, d). The source's own law may be of
    another kind, with a factor of its own.
    """

    @property
    def numbers(self) -> int:
        return 3 * self.dimension

    def source_model(self, lanes: int, bias: float = 0.0) -> MultivariateModel:
        law = self.law(bias)
        if not law.independent:
            return law.model(lanes)
        stds = np.tile(np.diagonal(law.factor), (lanes, 1))
        return MultivariateModel(np.tile(law.mean, (lanes, 1)), stds, np.full(lanes, law.log_det))

    def write(self, model: MultivariateModel, count: int, draws: Draws) -> Float:
        if model.factor.ndim == 3:
            return super().write(model, count, draws)
        return model.mean[:, None] + model.factor[:, None] * self.standard(count, draws)

    def standard(self, count: int, draws: Draws) -> Float:
        """Standard normal points."""
        return draws.normals(count * self.dimension).reshape(draws.lanes, count, self.dimension)

    def factors(self, scatter: Float, counts: Any) -> tuple[Float, Float]:
        with np.errstate(divide="ignore"):
            return np.sqrt(scatter), np.log(scatter).sum(axis=1)

    def summed(self, points: Float, weights: Float) -> tuple[Float, Float, Float]:
        total = weights.sum(axis=1)
        mean = (weights[:, :, None] * points).sum(axis=1) / np.where(total > 0.0, total, 1.0)[:, None]
        return total, mean, (weights[:, :, None] * (points - mean[:, None]) ** 2).sum(axis=1)

    def sums(self, model: MultivariateModel, count: int, draws: Draws) -> Sums:
        if model.factor.ndim == 3:
            whole = FullEstimator(self.law, self.unbiased, self.points, self.dimension).sums(model, count, draws)
            return Sums.of(count, whole.mean, np.diagonal(whole.scatter, axis1=1, axis2=2))
        shift, squares = self.chi_squares(count, draws)
        with np.errstate(divide="ignore"):
            log_det = model.log_det + np.log(squares).sum(axis=1)
        return Sums(count, model.mean + model.factor * shift, model.factor * np.sqrt(squares / count), log_det)

    def chi_squares(self, count: int, draws: Draws) -> tuple[Float, Float]:
        """Mean and sum of squares about it of standard normals in every coordinate."""
        if self.points:
            points = self.standard(count, draws)
            return self.summed(points, np.ones(points.shape[:2]))[1:]
        from lightcollapse.kernels.multivariate import chi_square_rows

        means, squares = np.empty((2, draws.lanes, self.dimension))
        chi_square_rows(count - 1, *draws.arguments, means, squares)
        return means / math.sqrt(count), squares

    def measure(self, model: MultivariateModel, draws: Draws) -> dict[str, Float]:
        source = self.law(0.0)
        if not source.independent:
            whole = np.zeros((*model.factor.shape, self.dimension))
            np.einsum("lii->li", whole)[:] = model.factor
            return super().measure(MultivariateModel(model.mean, whole, model.log_det), draws)
        return measures_of_stds(model, source.mean, np.diagonal(source.factor), source.log_det)

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        if not self.law(0.0).independent:
            return super().measure_source(draws)
        return self.measure(self.source_model(draws.lanes), draws)

    def log_density(self, model: MultivariateModel, points: Float) -> Float:
        if model.factor.ndim == 3:
            return super().log_density(model, points)
        return log_normal_density(points, model.mean[:, None], model.factor[:, None] ** 2, model.log_det)


def measures_of_stds(model: MultivariateModel, mean: Float, stds: Float, log_det: float) -> dict[str, Float]:
    """All metrics of laws whose coordinates are independent, against a source of the same kind."""
    ratio, shift = model.factor / stds, model.mean - mean
    gain = model.log_det - log_det
    largest = np.where(model.factor.max(axis=1) > 0.0, model.factor.max(axis=1), 1.0)
    shares = (model.factor / largest[:, None]) ** 2
    squares = (shares**2).sum(axis=1)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        inverse = (ratio**-2 + (shift / model.factor) ** 2 - 1.0).sum(axis=1)
        backward = 0.5 * (inverse + gain)
    return {
        "total_variance": (model.factor**2).sum(axis=1),
        "effective_rank": shares.sum(axis=1) ** 2 / np.where(squares > 0.0, squares, 1.0),
        "mean_squared": (shift**2).sum(axis=1),
        "kl_model_source": 0.5 * ((ratio**2 + (shift / stds) ** 2 - 1.0).sum(axis=1) - gain),
        "kl_source_model": np.where((ratio > 0.0).all(axis=1) & (inverse < np.inf), backward, np.inf),
        "log_det": model.log_det,
        "w2_squared": (shift**2 + (model.factor - stds) ** 2).sum(axis=1),
    }


def log_normal_density(points: Float, mean: Float, variance: Float, log_det: Float) -> Float:
    """Log density of independent coordinates; of a singular law infinite on its flat and minus infinity elsewhere."""
    d = points.shape[2]
    distance = (points - mean) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        log = -0.5 * ((distance / variance).sum(axis=2) + log_det[:, None] + d * math.log(2.0 * math.pi))
    confined = np.where((variance > 0.0) | (distance == 0.0), np.inf, -np.inf).min(axis=2)
    return np.asarray(np.where((variance > 0.0).all(axis=2), log, confined))
