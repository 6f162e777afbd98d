"""The one-dimensional Gaussian."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.curation import Curation
from lightcollapse.families.base import (
    EDGE_FAILURE,
    EDGE_SHARE,
    INTERVAL,
    Block,
    Family,
    Simulation,
    integer_columns,
    needs_points,
    refuse_no_interval,
    refuse_source,
    refuse_sums,
    refuse_unbiased,
    used_columns,
    weights,
)
from lightcollapse.families.estimator import DensityEstimator, Estimator, Float
from lightcollapse.kernels.draws import Draws
from lightcollapse.measured import NEVER, Measured
from lightcollapse.schedule import Schedule
from lightcollapse.sources import Normal
from lightcollapse.special import ndtr, ndtri


class Gaussian(Family, frozen=True):
    """A normal law fitted by its mean and variance.

    Args:
        variance: "ml" divides by the size of the training set, "unbiased" by one less. Papers differ: always say which.
        draws: "points" draws every point; "statistics" draws the sample mean and a chi-square instead, which is equal
            in law and costs the same for any sample size; "auto" takes statistics wherever they suffice. For the very
            same first sample under every regime, say "points".
    """

    kind: ClassVar[str] = "gaussian"
    metrics: ClassVar[tuple[str, ...]] = (
        "mean",
        "variance",
        "std",
        "log_variance",
        "w2_squared",
        "kl_model_source",
        "kl_source_model",
        "edge_case_failure",
        "calibration",
        "sharpness",
    )
    abilities: ClassVar[frozenset[str]] = frozenset(
        {
            "answers",
            "closeness",
            "log_density",
            "numbers",
            "removal",
            "substitutes",
            "temperature",
            "top_p",
            "value",
            "weights",
        }
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("log_variance", -math.inf)
    variance: Literal["ml", "unbiased"] = "ml"
    draws: Literal["auto", "statistics", "points"] = "auto"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(), cls("unbiased")

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, Normal):
            raise refuse_source(self, source, "a normal source")
        super().check(source, schedule, curation)
        refuse_unbiased(self.variance, schedule)
        refuse_sums(self.draws, schedule)

    def check_references(self, source: Any, step: Curation) -> None:
        refuse_no_interval(step)

    def estimator(self, source: Any) -> Estimator:
        return GaussianEstimator(source, self.variance == "unbiased")

    def prepare(self, source: Any, schedule: Schedule, seed: int, curation: tuple[Curation, ...] = ()) -> Simulation:
        if curation or used_columns(schedule) & {"bias", "labs"}:
            return super().prepare(source, schedule, seed, curation)
        return GaussianSimulation(self, source, schedule, seed)


class GaussianModel(NamedTuple):
    """Mean, variance and log variance, float64 (lanes,), and the distance in stds beyond which nothing is written."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    log_variance: NDArray[np.float64]
    cut: NDArray[np.float64]


@dataclass(frozen=True)
class GaussianEstimator(DensityEstimator):
    """Points kept: what curations, tilted data and several labs ask for."""

    source: Normal
    unbiased: bool

    def real(self, count: int, draws: Draws, bias: float = 0.0) -> Float:
        law = self.source.tilted(bias) if bias else self.source
        return law.mean + law.std * draws.normals(count)[:, :, None]

    def write(self, model: GaussianModel, count: int, draws: Draws) -> Float:
        if np.all(np.isinf(model.cut)):
            standard = draws.normals(count)
        else:
            below = ndtr(-model.cut)[:, None]
            standard = ndtri(below + draws.uniforms(count) * (1.0 - 2.0 * below))
        return (model.mean[:, None] + np.sqrt(model.variance)[:, None] * standard)[:, :, None]

    def fit(self, points: Float, weights: Float, previous: GaussianModel | None, draws: Draws) -> GaussianModel:
        values, total = points[:, :, 0], weights.sum(axis=1)
        held = np.where(total > 0.0, total, 1.0)
        mean = (weights * values).sum(axis=1) / held
        squares = (weights * (values - mean[:, None]) ** 2).sum(axis=1)
        divisor = np.where(total > 1.0, total - 1.0, 1.0) if self.unbiased else held
        return _model(mean, squares / divisor)

    def measure(self, model: GaussianModel, draws: Draws) -> dict[str, Float]:
        return dict(measures(model.mean, model.variance, model.log_variance, self.source))

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        return self.measure(self._source_model(draws.lanes), draws)

    def _source_model(self, lanes: int) -> GaussianModel:
        return _model(np.full(lanes, self.source.mean), np.full(lanes, self.source.std**2))

    def pairs(self, model: GaussianModel) -> tuple[Float, Float]:
        return model.variance, model.mean[:, None]

    def source_pairs(self) -> float:
        return self.source.std**2

    def decode(self, model: GaussianModel | None, lanes: int, temperature: float, top_k: int, top_p: float) -> Any:
        """The density to the power 1 / temperature has `temperature` times the variance; its likeliest part lies
        symmetrically about the mean.
        """
        model = self._source_model(lanes) if model is None else model
        cut = np.full(lanes, ndtri(0.5 + 0.5 * top_p))
        return GaussianModel(model.mean, temperature * model.variance, model.log_variance + math.log(temperature), cut)

    def log_density(self, model: GaussianModel, points: Float) -> Float:
        return log_normal_density(points[:, :, 0], model.mean[:, None], model.variance[:, None])

    def source_log_density(self, points: Float) -> Float:
        return log_normal_density(points[:, :, 0], self.source.mean, self.source.std**2)

    def jitter(self, points: Float, normals: Float, rate: float) -> Float:
        return points + rate * self.source.std * normals

    def right(self, points: Float, answers: tuple[float, ...]) -> NDArray[np.bool_]:
        low, high = answers
        return (points[:, :, 0] >= low) & (points[:, :, 0] <= high)


def _model(mean: Float, variance: Float) -> GaussianModel:
    with np.errstate(divide="ignore"):
        return GaussianModel(mean, variance, np.log(variance), np.full(len(mean), np.inf))


def log_normal_density(values: Float, mean: Float | float, variance: Float | float) -> Float:
    """Log density of a normal law; of a collapsed one infinite at its mean and minus infinity elsewhere."""
    distance = (values - mean) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        log = -0.5 * (distance / variance + np.log(2.0 * math.pi * np.asarray(variance)))
    return np.where(np.asarray(variance) > 0.0, log, np.where(distance == 0.0, np.inf, -np.inf))


@dataclass(frozen=True)
class GaussianSimulation:
    """A Gaussian card made ready to run; lanes are replicates."""

    family: Gaussian
    source: Normal
    schedule: Schedule
    seed: int

    @functools.cached_property
    def kept(self) -> int:
        """Points of a replicate that are kept."""
        return int(self.schedule["sample"].sum() + self.schedule["fresh"][0]) if needs_points(self.schedule) else 0

    @functools.cached_property
    def every_point(self) -> bool:
        """Whether every point is drawn."""
        return self.kept > 0 or self.family.draws == "points"

    @functools.cached_property
    def rows(self) -> tuple[NDArray[np.int64], Float]:
        """The schedule as kernels read it."""
        return integer_columns(self.schedule), weights(self.schedule)

    @property
    def block_size(self) -> int:
        """As many as fill 64 MiB with results, and draw 2^26 points, in multiples of the lanes that run side by side;
        64 where points are kept, fewer where these would take more than 64 MiB a block.
        """
        if self.kept:
            return max(1, min(64, 2**23 // self.kept))
        lanes, most = 256, 2**26 // (2 * 8 * (len(self.schedule) + 1))
        if self.every_point:
            lanes, most = 64, min(most, 2**26 // int((self.schedule["fresh"] + self.schedule["sample"]).sum()))
        return lanes * max(1, min(256, most // lanes))

    @property
    def memory(self) -> int:
        """Kept points and their order, the moments of batches, and the results."""
        lanes = min(self.block_size, 256)
        return 8 * (lanes * (self.kept + 2 * len(self.schedule)) + self.kept + 4 * self.block_size * len(self.schedule))

    def run_block(self, replicates: NDArray[np.uint64]) -> Block:
        from lightcollapse.kernels.gaussian import recursion
        from lightcollapse.kernels.rng import key

        out = np.empty((2, len(replicates), len(self.schedule) + 1))
        logs = recursion(
            *self.rows,
            self.family.variance == "unbiased",
            self.every_point,
            self.kept > 0,
            float(self.source.mean),
            float(self.source.std),
            replicates,
            *key(self.seed),
            out,
        )
        mean, spread = out
        if not logs:
            return Block(measures(mean, spread, None, self.source), absorbed=np.full(len(replicates), NEVER))
        log = np.where(spread < 0.0, spread, np.log(np.abs(spread)))
        return Block(measures(mean, np.where(spread < 0.0, np.exp(log), spread), log, self.source))


def measures(mean: Float, variance: Float, log_variance: Float | None, source: Normal) -> Measured:
    """All metrics of a Gaussian from its moments; each array float64 (replicates, generations + 1), and None where no
    variance is too small for its logarithm to be taken of it.

    A collapsed model has infinite divergences, never NaN.
    """
    moments = {"mean": mean, "variance": variance}
    if log_variance is not None:
        moments["log_variance"] = log_variance
    later = {name: functools.partial(function, source=source) for name, function in _LATER.items()}
    return Measured(moments, later, Gaussian.metrics)


def _log_variance(known: Mapping[str, Float], source: Normal) -> Float:
    return np.log(known["variance"])


def _shift(known: Mapping[str, Float], source: Normal) -> Float:
    return (known["mean"] - source.mean) / source.std


def _log_ratio(known: Mapping[str, Float], source: Normal) -> Float:
    return known["log_variance"] - 2.0 * math.log(source.std)


def _std(known: Mapping[str, Float], source: Normal) -> Float:
    return np.exp(0.5 * known["log_variance"])


def _w2_squared(known: Mapping[str, Float], source: Normal) -> Float:
    return (known["mean"] - source.mean) ** 2 + (known["std"] - source.std) ** 2


def _kl_model_source(known: Mapping[str, Float], source: Normal) -> Float:
    log_ratio = _log_ratio(known, source)
    with np.errstate(over="ignore"):
        return np.asarray(0.5 * (np.expm1(log_ratio) - log_ratio + _shift(known, source) ** 2))


def _kl_source_model(known: Mapping[str, Float], source: Normal) -> Float:
    log_ratio = _log_ratio(known, source)
    with np.errstate(over="ignore"):
        inverse = np.exp(-log_ratio)
        collapsed = np.isposinf(inverse)
        distance = _shift(known, source) ** 2 * np.where(collapsed, 0.0, inverse)
        return np.asarray(0.5 * (inverse + distance - 1.0 + np.where(collapsed, 0.0, log_ratio)))


def _edge_case_failure(known: Mapping[str, Float], source: Normal) -> Float:
    return edge_case_failure(_shift(known, source), _log_ratio(known, source))


def _calibration(known: Mapping[str, Float], source: Normal) -> Float:
    shift, half = _shift(known, source), 0.5 * known["sharpness"] / source.std
    return np.asarray(ndtr(shift + half) - ndtr(shift - half))


def _sharpness(known: Mapping[str, Float], source: Normal) -> Float:
    return 2.0 * float(ndtri(0.5 + 0.5 * INTERVAL)) * known["std"]


_LATER: dict[str, Callable[..., Float]] = {
    "log_variance": _log_variance,
    "std": _std,
    "w2_squared": _w2_squared,
    "kl_model_source": _kl_model_source,
    "kl_source_model": _kl_source_model,
    "edge_case_failure": _edge_case_failure,
    "calibration": _calibration,
    "sharpness": _sharpness,
}
_TAIL = -float(ndtri(0.5 * EDGE_SHARE))  # stds beyond which a source's edge cases lie


def edge_case_failure(shift: Float, log_ratio: Float) -> Float:
    """Share of the source's edge cases, its rarest 5 %, to which a normal model gives less than a tenth of the source's
    density. `shift` is the distance of the means in stds of the source, `log_ratio` the log ratio of the variances.

    The log ratio of the densities is a quadratic in x; what lies below log 0.1 is outside its roots, or between them.
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        inverse = np.exp(-log_ratio)
        square = 0.5 * (1.0 - inverse)
        linear = shift * inverse
        constant = -0.5 * log_ratio - 0.5 * shift * linear - math.log(EDGE_FAILURE)
        # roots of square z^2 + linear z + constant, the larger in size first, free of cancellation
        discriminant = linear * linear - 4.0 * square * constant
        larger = -0.5 * (linear + np.copysign(np.sqrt(np.maximum(discriminant, 0.0)), linear))
        first = larger / square
        second = np.where(larger == 0.0, 0.0, constant / larger)
        low, high = np.minimum(first, second), np.maximum(first, second)
        between = (_edge_mass(high) - _edge_mass(low)) / EDGE_SHARE
        line = _edge_mass(-constant / linear) / EDGE_SHARE  # equal variances
        narrower = np.where(discriminant <= 0.0, 1.0, 1.0 - between)
        wider = np.where(discriminant <= 0.0, 0.0, between)
        failed = np.where(square < 0.0, narrower, wider)
        equal = np.where(linear > 0.0, line, 1.0 - line)
        failed = np.where(square == 0.0, np.where(linear == 0.0, 0.0, equal), failed)
    return np.where(np.isinf(inverse) | np.isnan(failed), 1.0, np.clip(failed, 0.0, 1.0))


def _edge_mass(z: Float) -> Float:
    """Mass of a standard normal law's edge cases below z."""
    return np.asarray(ndtr(np.minimum(z, -_TAIL)) + ndtr(-_TAIL) - ndtr(-np.maximum(z, _TAIL)))
