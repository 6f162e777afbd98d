"""Logistic regression, refitted to labels of its own."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightcollapse.curation import Curation
from lightcollapse.errors import require
from lightcollapse.families.base import Family, refuse_source
from lightcollapse.families.estimator import DensityEstimator, Float
from lightcollapse.families.linear_regression import log_input_density, predicted
from lightcollapse.kernels.draws import Draws
from lightcollapse.schedule import COLUMNS, Schedule
from lightcollapse.sources import LinearModel
from lightcollapse.special import expit, log_expit, logit, ndtr

_LABELS = 1 << 29  # first block of the labels' noise: inputs have those before it
_STEPS = 30  # Newton steps of a fit, at most


class LogisticRegression(Family, frozen=True):
    """Coefficients of least logistic loss. Model t labels the inputs of training set t + 1, 0 or 1, by its own chances.

    Without a ridge the coefficients of labels that a plane separates are infinite: a fit then ends after 30 Newton
    steps, its direction that of the separation, its length as far as the steps went, and `converged` is 0.

    Args:
        ridge: lambda in the loss, mean log-loss + lambda / 2 |w|^2.
    """

    kind: ClassVar[str] = "logistic-regression"
    metrics: ClassVar[tuple[str, ...]] = ("agreement", "label_error", "log_loss", "weight_norm", "converged")
    columns: ClassVar[frozenset[str]] = frozenset(COLUMNS) - {"bias", "labs"}
    abilities: ClassVar[frozenset[str]] = frozenset(
        {"answers", "closeness", "log_density", "removal", "substitutes", "weights"}
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("converged", -1.0)  # never: labels keep their chances
    ridge: float = 0.001

    def validate(self) -> None:
        require(math.isfinite(self.ridge) and self.ridge >= 0.0, "ridge must be at least 0", self.ridge)

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, LinearModel):
            raise refuse_source(self, source, "a linear model")
        require(bool(source.inputs().weights.any()), "labels need weights that are not all 0", list(source.weights))
        super().check(source, schedule, curation)

    def estimator(self, source: LinearModel) -> LogisticEstimator:
        return LogisticEstimator(source, self.ridge, source.dimension + 1)


class Coefficients(NamedTuple):
    """Coefficients (lanes, d), and whether the fit found the least loss (lanes,), 1 or 0; float64."""

    weights: Float
    converged: Float


@dataclass(frozen=True)
class LogisticEstimator(DensityEstimator):
    """Points are (x_1 .. x_d, y), y 0 or 1."""

    source: LinearModel
    ridge: float
    dimension: int = 2

    @functools.cached_property
    def true(self) -> Float:
        """Direction of the source's coefficients, (d,); they are these over the noise."""
        return self.source.inputs().weights

    @functools.cached_property
    def factor(self) -> Float:
        """Lower triangular factor of the inputs' covariance, (d, d)."""
        return self.source.inputs().factor

    def real(self, count: int, draws: Draws, bias: float = 0.0) -> Float:
        return self.labelled(np.tile(self.true, (draws.lanes, 1)), self.source.noise, count, draws)

    def write(self, model: Coefficients, count: int, draws: Draws) -> Float:
        return self.labelled(model.weights, 1.0, count, draws)

    def labelled(self, weights: Float, noise: float, count: int, draws: Draws) -> Float:
        """New inputs, labelled 1 where x'w and so much logistic noise exceed 0."""
        d = self.dimension - 1
        inputs = np.matmul(draws.normals(count * d).reshape(draws.lanes, count, d), self.factor.T)
        score = predicted(inputs, weights) + noise * logit(draws.uniforms(count, _LABELS))
        return np.concatenate([inputs, (score > 0.0).astype(np.float64)[:, :, None]], axis=2)

    def fit(self, points: Float, weights: Float, previous: Coefficients | None, draws: Draws) -> Coefficients:
        from lightcollapse.kernels.regression import logistic

        coefficients, converged = np.empty((len(points), self.dimension - 1)), np.empty(len(points))
        logistic(np.ascontiguousarray(points), weights, self.ridge, _STEPS, coefficients, converged)
        return Coefficients(coefficients, converged)

    # Metrics. Of a new input only x'w_0 and x'w matter, two normal variates.

    def measure(self, model: Coefficients, draws: Draws) -> dict[str, Float]:
        spread, true = predicted(self.factor.T[None], model.weights), self.true @ self.factor
        unit = math.sqrt(float((true**2).sum()))
        along = (spread * true).sum(axis=1) / unit
        across = np.sqrt(((spread - along[:, None] * true / unit) ** 2).sum(axis=1))
        length = np.hypot(along, across)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(length > 0.0, along / across, 0.0)
        return {
            "agreement": np.where(length > 0.0, 1.0 - np.arctan2(across, along) / math.pi, 0.5),
            "label_error": self.label_error(slope, unit),
            "log_loss": self.log_loss(along, length, unit),
            "weight_norm": np.sqrt((model.weights**2).sum(axis=1)),
            "converged": model.converged,
        }

    def label_error(self, slope: Float | float, unit: float) -> Float:
        """Chance that a label of the source is not the model's likelier one. Where x'w_0 = unit z, x'w has `slope` z
        for its mean in units of its spread.
        """
        right, kept = self.chance(unit * _NODES), ndtr(np.multiply.outer(slope, _NODES))
        return np.asarray((_WEIGHTS * (right * (1.0 - kept) + (1.0 - right) * kept)).sum(axis=-1))

    def log_loss(self, along: Float, length: Float, unit: float) -> Float:
        """Mean log-loss on labels of the source, nats: E log(1 + e^(x'w)) - E y x'w."""
        bent = (_WEIGHTS * np.log1p(np.exp(-np.multiply.outer(length, _NODES)))).sum(axis=1)
        met = (_WEIGHTS * _NODES * (self.chance(unit * _NODES) - 0.5)).sum()
        return np.asarray(length / math.sqrt(2.0 * math.pi) + bent - along * met)

    def chance(self, score: Float) -> Float:
        """Of label 1 at x'w_0 = score > 0."""
        return np.ones_like(score) if self.source.noise == 0.0 else expit(score / self.source.noise)

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        """Without noise the source's coefficients are infinite, and no label of its own surprises it."""
        if self.source.noise > 0.0:
            model = Coefficients(np.tile(self.true / self.source.noise, (draws.lanes, 1)), np.ones(draws.lanes))
            return self.measure(model, draws) | {"agreement": np.ones(draws.lanes)}
        values = {"agreement": 1.0, "label_error": 0.0, "log_loss": 0.0, "weight_norm": math.inf, "converged": 1.0}
        return {name: np.full(draws.lanes, value) for name, value in values.items()}

    # Curation.

    def right(self, points: Float, answers: tuple[float, ...]) -> NDArray[np.bool_]:
        """Whether the label is the likelier one under the source."""
        return np.asarray((points[:, :, :-1] @ self.true > 0.0) == (points[:, :, -1] > 0.5))

    def log_density(self, model: Coefficients, points: Float) -> Float:
        inputs = np.ascontiguousarray(points[:, :, :-1])
        return self.label_density(predicted(inputs, model.weights), points) + log_input_density(inputs, self.factor)

    def source_log_density(self, points: Float) -> Float:
        inputs = np.ascontiguousarray(points[:, :, :-1])
        with np.errstate(divide="ignore"):
            score = np.divide(inputs @ self.true, self.source.noise)
        return self.label_density(score, points) + log_input_density(inputs, self.factor)

    def label_density(self, score: Float, points: Float) -> Float:
        """Log chance of each label at a score x'w."""
        return np.asarray(log_expit(np.where(points[:, :, -1] > 0.5, score, -score)))


def _quadrature() -> tuple[Float, Float]:
    """Nodes z > 0 and weights of E f(|Z|), Z standard normal: the trapezoid rule in log z, which sees every scale."""
    step = 0.125
    nodes = np.exp(np.arange(-40.0, math.log(12.0), step))
    return nodes, step * nodes * math.sqrt(2.0 / math.pi) * np.exp(-0.5 * nodes**2)


_NODES, _WEIGHTS = _quadrature()
