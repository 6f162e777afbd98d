"""Linear regression, refitted to labels of its own."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from msgspec.structs import replace

from lightcollapse.curation import Curation
from lightcollapse.errors import require
from lightcollapse.families.base import Family, Simulation, needs_points, refuse_source
from lightcollapse.families.estimator import Additive, DensityEstimator, Float
from lightcollapse.families.gaussian import log_normal_density
from lightcollapse.kernels import draws as purposes
from lightcollapse.kernels.draws import Draws
from lightcollapse.schedule import COLUMNS, Schedule
from lightcollapse.sources import LinearModel

_LABELS = 1 << 29  # first block of the labels' noise: inputs have those before it


class LinearRegression(Family, frozen=True):
    """Least squares on inputs and labels. Model t labels the inputs of training set t + 1, with the source's noise.

    Where there are fewer points than dimensions the fit is the shortest of those that meet every label.

    Args:
        ridge: lambda in the loss, mean squared error + lambda |w|^2.
        design: "fresh" draws new inputs for every batch; "fixed" labels the inputs of the first one again and again.
        draws: "points" draws every point; "statistics" draws their sums of products, equal in law; "auto" takes
            statistics wherever they suffice.
    """

    kind: ClassVar[str] = "linear-regression"
    metrics: ClassVar[tuple[str, ...]] = ("test_error", "weight_norm")
    columns: ClassVar[frozenset[str]] = frozenset(COLUMNS) - {"bias"}
    abilities: ClassVar[frozenset[str]] = frozenset(
        {"closeness", "log_density", "numbers", "removal", "substitutes", "weights"}
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("weight_norm", 0.0)
    ridge: float = 0.0
    design: Literal["fresh", "fixed"] = "fresh"
    draws: Literal["auto", "statistics", "points"] = "auto"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(), cls(design="fixed"), cls(ridge=0.1)

    def validate(self) -> None:
        require(math.isfinite(self.ridge) and self.ridge >= 0.0, "ridge must be at least 0", self.ridge)

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, LinearModel):
            raise refuse_source(self, source, "a linear model")
        super().check(source, schedule, curation)
        require(
            self.draws != "statistics" or not self._needs_points(schedule),
            "a training set that takes a part of a pool, or of a fixed design, needs its points",
            self.draws,
            'use draws="auto" or "points"',
        )

    def _needs_points(self, schedule: Schedule) -> bool:
        """Whether some batch holds only a part of a fixed design, whose sums do not say what the part has."""
        batches = {int(count) for name in ("fresh", "sample") for count in schedule[name] if count > 0}
        return needs_points(schedule) or (self.design == "fixed" and len(batches) > 1)

    def wants_points(self) -> bool:
        return self.draws == "points"

    def estimator(self, source: LinearModel) -> LinearEstimator:
        return LinearEstimator(source, self.ridge, self.design == "fixed", source.dimension + 1)

    def prepare(self, source: Any, schedule: Schedule, seed: int, curation: tuple[Curation, ...] = ()) -> Simulation:
        family = replace(self, draws="points") if self._needs_points(schedule) else self
        return Family.prepare(family, source, schedule, seed, curation)


class LinearWeights(NamedTuple):
    """Weights of the inputs, float64 (lanes, d)."""

    weights: Float


class Products(NamedTuple):
    """How many points, the sum of x x', float64 (lanes, d, d), and that of x y, (lanes, d)."""

    points: float
    gram: Float
    moment: Float


@dataclass(frozen=True)
class LinearEstimator(Additive, DensityEstimator):
    """Points are (x_1 .. x_d, y)."""

    source: LinearModel
    ridge: float
    fixed: bool
    dimension: int = 2

    @property
    def numbers(self) -> int:
        return self.dimension**2

    @functools.cached_property
    def true(self) -> Float:
        """The source's weights, (d,)."""
        return self.source.inputs().weights

    @functools.cached_property
    def factor(self) -> Float:
        """Lower triangular factor of the inputs' covariance, (d, d)."""
        return self.source.inputs().factor

    def source_model(self, lanes: int) -> LinearWeights:
        return LinearWeights(np.tile(self.true, (lanes, 1)))

    # Points.

    def inputs(self, count: int, draws: Draws) -> Float:
        """Inputs (lanes, count, d), of a fixed design the first of them."""
        where = draws.at(1, purposes.REAL) if self.fixed else draws
        d = self.dimension - 1
        return np.asarray(where.normals(count * d).reshape(draws.lanes, count, d) @ self.factor.T)

    def real(self, count: int, draws: Draws, bias: float = 0.0) -> Float:
        return self.write(self.source_model(draws.lanes), count, draws)

    def write(self, model: LinearWeights, count: int, draws: Draws) -> Float:
        inputs = self.inputs(count, draws)
        labels = predicted(inputs, model.weights) + self.source.noise * draws.normals(count, _LABELS)
        return np.concatenate([inputs, labels[:, :, None]], axis=2)

    def fit(self, points: Float, weights: Float, previous: LinearWeights | None, draws: Draws) -> LinearWeights:
        inputs = np.ascontiguousarray(points[:, :, :-1])
        weighted = (inputs * weights[:, :, None]).transpose(0, 2, 1)
        return self.solved(weighted @ inputs, (weighted @ points[:, :, -1:])[:, :, 0], weights.sum(axis=1))

    def solved(self, gram: Float, moment: Float, total: Float) -> LinearWeights:
        """The shortest weights of least loss; total (lanes,) is the weight of all points."""
        from lightcollapse.kernels.regression import least_squares

        out = np.empty_like(moment)
        least_squares(np.ascontiguousarray(gram), np.ascontiguousarray(moment), self.ridge * total, out)
        return LinearWeights(out)

    # Sums.

    def real_statistics(self, count: int, draws: Draws) -> Products:
        return self.write_statistics(self.source_model(draws.lanes), count, draws)

    def write_statistics(self, model: LinearWeights, count: int, draws: Draws) -> Products:
        """With x x' = F F', a Wishart variate by its factor, the sum of x times noise is F times normals."""
        factor = self.design(count, draws)
        across = factor.transpose(0, 2, 1)
        noise = self.source.noise * draws.normals(self.dimension - 1, _LABELS)[:, :, None]
        moment = factor @ (across @ model.weights[:, :, None] + noise)
        return Products(count, factor @ across, moment[:, :, 0])

    def design(self, count: int, draws: Draws) -> Float:
        """A factor F (lanes, d, d) of the sum of x x' over so many inputs."""
        from lightcollapse.kernels.multivariate import bartlett

        where = draws.at(1, purposes.REAL) if self.fixed else draws
        lanes, d = draws.lanes, self.dimension - 1
        means, factors = np.zeros((lanes, d)), np.tile(self.factor, (lanes, 1, 1))
        out = np.empty_like(factors)
        moved, log_dets = np.empty_like(means), np.zeros(lanes)
        bartlett(count + 1, 1.0, means, factors, log_dets, *where.arguments, moved, out, np.empty(lanes))
        return out

    def merge(self, one: Products, other: Products) -> Products:
        return Products(one.points + other.points, one.gram + other.gram, one.moment + other.moment)

    def fit_statistics(
        self, real: Products | None, synthetic: Products | None, weight: float, previous: LinearWeights | None
    ) -> LinearWeights:
        if real is None or synthetic is None:
            whole = synthetic or real
        elif math.isnan(weight):
            whole = self.merge(real, synthetic)
        else:
            total = real.points + synthetic.points
            shares = (weight * total / real.points, (1.0 - weight) * total / synthetic.points)
            gram, moment = (
                shares[0] * getattr(real, name) + shares[1] * getattr(synthetic, name) for name in ("gram", "moment")
            )
            whole = Products(total, gram, moment)
        assert whole is not None  # a training set is never empty
        return self.solved(whole.gram, whole.moment, np.full(len(whole.moment), whole.points))

    # Metrics, islands and curation.

    def measure(self, model: LinearWeights, draws: Draws) -> dict[str, Float]:
        distance = predicted(self.factor.T[None], model.weights - self.true)
        return {
            "test_error": (distance**2).sum(axis=1),
            "weight_norm": np.sqrt((model.weights**2).sum(axis=1)),
        }

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        return self.measure(self.source_model(draws.lanes), draws)

    def pairs(self, model: LinearWeights) -> tuple[Float, Float]:
        """Of the labels of one input: the noise, and what the models say."""
        return np.full(len(model.weights), self.source.noise**2), predicted(self.factor.T[None], model.weights)

    def source_pairs(self) -> float:
        return self.source.noise**2

    def log_density(self, model: LinearWeights, points: Float) -> Float:
        """Of input and label; without noise infinite where the label is the model's, minus infinity elsewhere."""
        inputs = np.ascontiguousarray(points[:, :, :-1])
        labels = log_normal_density(points[:, :, -1], predicted(inputs, model.weights), self.source.noise**2)
        return labels + log_input_density(inputs, self.factor)

    def source_log_density(self, points: Float) -> Float:
        return self.log_density(self.source_model(len(points)), points)

    def jitter(self, points: Float, normals: Float, rate: float) -> Float:
        spread = np.append((self.factor**2).sum(axis=1), ((self.true @ self.factor) ** 2).sum() + self.source.noise**2)
        return np.asarray(points + rate * np.sqrt(spread) * normals)


def predicted(inputs: Float, weights: Float) -> Float:
    """x'w for inputs (lanes, count, d) and weights (lanes, d): float64 (lanes, count)."""
    return np.asarray((inputs @ weights[:, :, None])[:, :, 0])


def log_input_density(inputs: Float, factor: Float) -> Float:
    """Log density of inputs (lanes, count, d) under N(0, factor factor'), float64 (lanes, count)."""
    from scipy.linalg import solve_triangular  # slow to import

    d = len(factor)
    whitened = inputs @ solve_triangular(factor, np.eye(d), lower=True).T
    log_det = float(np.log(np.diagonal(factor)).sum())
    return np.asarray(-0.5 * (whitened**2).sum(axis=2) - log_det - 0.5 * d * math.log(2.0 * math.pi))
