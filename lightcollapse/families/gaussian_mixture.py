"""The Gaussian mixture, fitted by expectation and maximisation."""

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
from lightcollapse.families.estimator import DensityEstimator, Estimator, Float
from lightcollapse.kernels.draws import Draws
from lightcollapse.schedule import Schedule
from lightcollapse.sources import Mixture, Normal
from lightcollapse.special import ndtri

_SHAPES = ("full", "diagonal", "spherical")  # in the order of the kernels' numbers
_CHOICES = 2**31  # the block from which on uniforms choose components; normals take the blocks below
_EDGE = 0.05  # of the source's mass: its rarest points
_LINE_NODES, _REACH = 192, 7.5  # that stand for a normal law on the line, and how many deviations they reach
_NODES = 128  # that stand for a normal law in two dimensions or more
_EDGE_POINTS = 4096
_DIRECTIONS = {1: 1, 2: 4}  # of projections, by dimension
_MANY_DIRECTIONS = 8


class GaussianMixture(Family, frozen=True):
    """A mixture of normal laws, fitted by expectation and maximisation (EM).

    A component is lost where it expects fewer than 1e-8 training points, or its covariance is singular: its weight is 0
    from then on, the metrics `components` and `weight_k` say so, and nothing brings it back but "k-means++". The last
    component cannot be lost.

    Args:
        components: how many are fitted.
        dimension: coordinates of a point. A normal source has its mean and std in each of them.
        covariance: "full", "diagonal", or "spherical" (one variance for all coordinates of a component).
        initialise: where EM starts: "warm" from the last generation's parameters (in generation 1 from the source's, if
            it is a mixture of as many components, else by k-means++), "k-means++" anew in every generation.
        tolerance: EM stops where a step gains less mean log-likelihood a point, nats.
        iterations: and after this many steps.
        floor: added to each variance of a component (scikit-learn's reg_covar); 0 is maximum likelihood.
    """

    kind: ClassVar[str] = "gaussian-mixture"
    abilities: ClassVar[frozenset[str]] = frozenset(
        {"answers", "closeness", "log_density", "numbers", "removal", "value", "weights"}
    )  # no temperature: a power of a mixture is no mixture
    absorbed_at: ClassVar[tuple[str, float]] = ("total_variance", 0.0)
    components: int
    dimension: int = 1
    covariance: Literal["full", "diagonal", "spherical"] = "full"
    initialise: Literal["warm", "k-means++"] = "warm"
    tolerance: float = 1e-3
    iterations: int = 100
    floor: float = 0.0

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(2, iterations=5), cls(2, 2, "spherical", "k-means++", iterations=5)

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """As many weights as components, whose order lasts from one generation to the next with a warm start."""
        return (*_METRICS, *(f"weight_{k + 1}" for k in range(self.components)))

    def validate(self) -> None:
        require(self.components >= 1, "components must be at least 1", self.components)
        require(self.dimension >= 1, "dimension must be at least 1", self.dimension)
        require(self.iterations >= 1, "iterations must be at least 1", self.iterations)
        for name, value in (("tolerance", self.tolerance), ("floor", self.floor)):
            require(math.isfinite(value) and value >= 0.0, f"{name} must be at least 0", value)

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, Normal | Mixture):
            raise refuse_source(self, source, "a normal source or a mixture")
        if isinstance(source, Mixture):
            require(
                source.dimension == self.dimension,
                f"family gaussian-mixture of dimension {self.dimension} needs points of as many coordinates",
                source.dimension,
                "set dimension to the source's",
            )
            least = min(float(np.linalg.eigvalsh(matrix).min()) for matrix in source.arrays()[2])
            require(least > 0.0, "a source must have a density: covariances must be positive definite", least)
        super().check(source, schedule, curation)
        if self.dimension > 1:
            refuse_curation(self.kind, self.abilities - {"answers", "value"}, curation)

    def check_references(self, source: Any, step: Curation) -> None:
        refuse_no_interval(step)

    def estimator(self, source: Any) -> Estimator:
        return MixtureEstimator(self, source, self.dimension)


_METRICS = (
    "total_variance",
    "components",
    "largest_weight",
    "smallest_weight",
    "weight_entropy",
    "log_likelihood",
    "coverage",
    "edge_case_failure",
    "kl_model_source",
    "kl_source_model",
    "l2_squared",
    "w2_sliced",
)


class MixtureModel(NamedTuple):
    """Weights (lanes, K), means (lanes, K, d), covariances (lanes, K, d, d), mean log-likelihood of a training point
    (lanes,), and the steps that EM took (lanes,). A lost component has weight 0.
    """

    weights: Float
    means: Float
    covariances: Float
    log_likelihood: Float
    steps: Float


def law_of(source: Any, dimension: int) -> tuple[Float, Float, Float]:
    """A source as weights (1, K), means (1, K, d) and covariances (1, K, d, d), of components that have weight."""
    if isinstance(source, Normal):
        means = np.full((1, 1, dimension), source.mean)
        return np.ones((1, 1)), means, source.std**2 * np.eye(dimension)[None, None]
    weights, means, covariances = source.arrays()
    held = weights > 0.0
    return weights[None, held], means[None, held], covariances[None, held]


@dataclass(frozen=True)
class MixtureEstimator(DensityEstimator):
    """Mixtures as the engine asks for them."""

    family: GaussianMixture
    source: Normal | Mixture
    dimension: int

    @functools.cached_property
    def reference(self) -> Reference:
        """What stands for the source when a model is compared with it."""
        return _reference(self.source, self.dimension)

    def real(self, count: int, draws: Draws, bias: float = 0.0) -> Float:
        law = law_of(self.source.tilted(bias) if bias else self.source, self.dimension)
        weights, means, covariances = (np.repeat(part, draws.lanes, axis=0) for part in law)
        return _drawn(weights, means, covariances, count, draws)

    def write(self, model: MixtureModel, count: int, draws: Draws) -> Float:
        return _drawn(model.weights, model.means, model.covariances, count, draws)

    def fit(self, points: Float, weights: Float, previous: MixtureModel | None, draws: Draws) -> MixtureModel:
        from lightcollapse.kernels.mixture import fit

        family, lanes = self.family, len(points)
        law = self._start(points, weights, previous, draws)
        scores, steps = np.empty(lanes), np.empty(lanes)
        shape = _SHAPES.index(family.covariance)
        fit(points, weights, shape, family.floor, family.tolerance, family.iterations, *law, scores, steps)
        return MixtureModel(*law, scores, steps)

    def _start(
        self, points: Float, weights: Float, previous: MixtureModel | None, draws: Draws
    ) -> tuple[Float, Float, Float]:
        """Weights, means and covariances to start from, which are the fit's to change."""
        from lightcollapse.kernels.mixture import seed

        family, lanes = self.family, len(points)
        if family.initialise == "warm" and previous is not None:
            return previous.weights.copy(), previous.means.copy(), previous.covariances.copy()
        if family.initialise == "warm" and isinstance(self.source, Mixture):
            weights_0, means, covariances = self.source.arrays()
            if len(weights_0) == family.components:
                covariances = _shaped(covariances, family.covariance)
                return (
                    np.tile(weights_0, (lanes, 1)),
                    np.tile(means, (lanes, 1, 1)),
                    np.tile(covariances, (lanes, 1, 1, 1)),
                )
        count, d = family.components, self.dimension
        law = np.empty((lanes, count)), np.empty((lanes, count, d)), np.empty((lanes, count, d, d))
        seed(points, weights, _SHAPES.index(family.covariance), family.floor, *draws.arguments, *law)
        return law

    def measure(self, model: MixtureModel, draws: Draws) -> dict[str, Float]:
        variance, _ = self.pairs(model)
        alive = model.weights > 0.0
        logs = np.log(np.where(alive, model.weights, 1.0))
        return (
            {
                "total_variance": variance,
                "components": alive.sum(axis=1).astype(np.float64),
                "largest_weight": model.weights.max(axis=1),
                "smallest_weight": np.where(alive, model.weights, 2.0).min(axis=1),
                "weight_entropy": np.maximum(0.0, -(model.weights * logs).sum(axis=1)),
                "log_likelihood": model.log_likelihood,
            }
            | self.reference.compare(model)
            | {f"weight_{k + 1}": np.ascontiguousarray(model.weights[:, k]) for k in range(self.family.components)}
        )

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        law = self.reference.law
        score = np.full(1, self.reference.mean_log_density)
        measured = self.measure(MixtureModel(*_padded(law, self.family.components), score, np.zeros(1)), draws)
        return {name: np.repeat(values, draws.lanes) for name, values in measured.items()}

    def pairs(self, model: MixtureModel) -> tuple[Float, Float]:
        from lightcollapse.kernels.mixture_distances import spread_lanes

        total, centres = np.empty(len(model.weights)), np.empty((len(model.weights), self.dimension))
        spread_lanes(model.weights, model.means, model.covariances, total, centres)
        return total, centres

    def source_pairs(self) -> float:
        return float(self._source_variances.sum())

    @functools.cached_property
    def _source_variances(self) -> Float:
        """Variance of the source in each coordinate, float64 (d,)."""
        if isinstance(self.source, Normal):
            return np.full(self.dimension, self.source.std**2)
        return np.array(np.diagonal(self.source.covariance()))

    def log_density(self, model: MixtureModel, points: Float) -> Float:
        return _log_density(points, model.weights, model.means, model.covariances)

    def source_log_density(self, points: Float) -> Float:
        weights, means, covariances = (np.repeat(part, len(points), axis=0) for part in self.reference.law)
        return _log_density(points, weights, means, covariances)

    def jitter(self, points: Float, normals: Float, rate: float) -> Float:
        return points + rate * np.sqrt(self._source_variances) * normals.reshape(points.shape)

    def right(self, points: Float, answers: tuple[float, ...]) -> NDArray[np.bool_]:
        low, high = answers
        return (points[:, :, 0] >= low) & (points[:, :, 0] <= high)


def _drawn(weights: Float, means: Float, covariances: Float, count: int, draws: Draws) -> Float:
    """`count` points of each lane's mixture: a uniform chooses the component, d normals the place in it."""
    from lightcollapse.kernels.mixture import place

    d = means.shape[2]
    out = np.empty((len(weights), count, d))
    place(draws.uniforms(count, _CHOICES), draws.normals(count * d), weights, means, covariances, out)
    return out


def _log_density(points: Float, weights: Float, means: Float, covariances: Float) -> Float:
    from lightcollapse.kernels.mixture import log_densities

    out = np.empty(points.shape[:2])
    log_densities(np.ascontiguousarray(points), weights, means, covariances, out)
    return out


def _shaped(covariances: Float, shape: str) -> Float:
    """Covariances (K, d, d) as a shape allows them: their diagonals, or the mean variance in every coordinate."""
    if shape == "full":
        return covariances
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    if shape == "spherical":
        variances = np.broadcast_to(variances.mean(axis=1, keepdims=True), variances.shape)
    return np.asarray(variances[:, :, None] * np.eye(covariances.shape[1]))


def _padded(law: tuple[Float, Float, Float], components: int) -> tuple[Float, Float, Float]:
    """A law (1, K, ...) with at least so many components, the new ones of weight 0."""
    more = max(0, components - law[0].shape[1])
    return tuple(np.pad(part, ((0, 0), (0, more), *((0, 0),) * (part.ndim - 2))) for part in law)  # type: ignore[return-value]


@dataclass(frozen=True)
class Reference:
    """What stands for a source when models are compared with it; the same for every lane, card and seed.

    In one dimension KL is integrated by the trapezoidal rule over each component of the law that draws. In more, 128
    points stand for the normal law: of a Kronecker sequence, each with its opposite, stretched to covariance 1, so that
    the divergence of two normal laws is exact. Edge cases are the rarest 5 % of 4,096 such points of the source.

    Attributes:
        law: the source's weights (1, K), means (1, K, d) and covariances (1, K, d, d).
        tables: the other arguments of the kernel that compares.
        mean_log_density: of the source's own points, nats.
    """

    law: tuple[Float, Float, Float]
    tables: tuple[Float, ...]
    mean_log_density: float

    @classmethod
    def of(cls, law: tuple[Float, Float, Float]) -> Reference:
        from lightcollapse.kernels.mixture_distances import LEVELS, projected

        d = law[1].shape[2]
        nodes, node_weights = normal_nodes(d)
        parts = [(pushed(law, nodes), (law[0][0][:, None] * node_weights).ravel())]
        edge = _rarest(law, _sample(law, d))
        parts += [
            (edge, np.full(len(edge), 1.0 / len(edge))),
            (law[1][0], np.full(law[1].shape[1], 1.0 / law[1].shape[1])),
        ]
        points = np.concatenate([points for points, _ in parts])
        weights = np.zeros((3, len(points)))
        at = 0
        for row, (_, share) in enumerate(parts):
            weights[row, at : at + len(share)] = share
            at += len(share)
        logs = _log_density(points[None], *law)[0]
        levels = (np.arange(LEVELS) + 0.5) / LEVELS
        normal, ways = np.asarray(ndtri(levels)), _directions(d)
        away = np.empty((len(ways), LEVELS))
        projected(*law, np.int64(0), ways, levels, normal, np.empty((3, LEVELS)), away)
        tables = (
            _blocks(nodes),
            _rows(node_weights, pad=True),
            _blocks(points),
            _rows(logs),
            np.stack([_rows(row, pad=True) for row in weights]),
            ways,
            levels,
            normal,
            away,
        )
        return cls(law, tables, float(weights[0] @ logs))

    def compare(self, model: MixtureModel) -> dict[str, Float]:
        """Distances of each lane's model from the source."""
        from lightcollapse.kernels.mixture_distances import compare

        out = np.empty((6, len(model.weights)))
        compare(model.weights, model.means, model.covariances, self.law, *self.tables, out)
        return {
            "coverage": 1.0 - out[3],
            "edge_case_failure": out[2],
            "kl_model_source": out[0],
            "kl_source_model": out[1],
            "l2_squared": out[4],
            "w2_sliced": out[5],
        }


@functools.lru_cache(maxsize=16)
def _reference(source: Normal | Mixture, dimension: int) -> Reference:
    return Reference.of(law_of(source, dimension))


def normal_nodes(dimension: int) -> tuple[Float, Float]:
    """Points (nodes, d) and weights (nodes,) that stand for the standard normal law."""
    if dimension == 1:
        nodes = np.linspace(-_REACH, _REACH, _LINE_NODES)
        weights = np.exp(-0.5 * nodes**2)
        return nodes[:, None], weights / weights.sum()
    count = _NODES * -(-dimension // (_NODES // 4))
    half = _spread_normals(count // 2, dimension)
    nodes = np.concatenate([half, -half])
    root = np.linalg.cholesky(nodes.T @ nodes / count)
    return np.linalg.solve(root, nodes.T).T, np.full(count, 1.0 / count)


def _spread_normals(count: int, dimension: int) -> Float:
    """`count` points (count, d) spread as evenly as the standard normal law allows.

    Source: the Kronecker sequence of Roberts 2018, from the root of x^(d + 1) = x + 1.
    """
    root = 1.5
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (dimension + 1))
    steps = np.modf(root ** -np.arange(1.0, dimension + 1))[0]
    return np.asarray(ndtri(np.modf(0.5 + np.arange(count)[:, None] * steps)[0]))


def pushed(law: tuple[Float, Float, Float], nodes: Float) -> Float:
    """Nodes (nodes, d) of the normal law in each component: (K * nodes, d)."""
    roots = np.linalg.cholesky(law[2][0])
    return np.concatenate([mean + nodes @ root.T for mean, root in zip(law[1][0], roots, strict=True)])


def _sample(law: tuple[Float, Float, Float], dimension: int) -> Float:
    """About 4,096 points spread like the law."""
    marks = np.rint(np.concatenate([[0.0], np.cumsum(law[0][0])]) * _EDGE_POINTS).astype(np.int64)
    roots = np.linalg.cholesky(law[2][0])
    return np.concatenate(
        [
            mean + _spread_normals(count, dimension) @ root.T
            for mean, root, count in zip(law[1][0], roots, np.diff(marks), strict=True)
        ]
    )


def _rarest(law: tuple[Float, Float, Float], points: Float) -> Float:
    """The points of least density, a share of _EDGE."""
    order = np.argsort(_log_density(points[None], *law)[0], kind="stable")
    return points[order[: math.ceil(_EDGE * len(points))]]


def _directions(dimension: int) -> Float:
    """Directions (directions, d) of projections, evenly spread."""
    count = _DIRECTIONS.get(dimension, _MANY_DIRECTIONS)
    if dimension == 1:
        return np.ones((1, 1))
    if dimension == 2:
        angles = math.pi * (np.arange(count) + 0.5) / count
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    ways = _spread_normals(count + 1, dimension)[1:]  # the first is 0
    return np.asarray(ways / np.linalg.norm(ways, axis=1, keepdims=True))


def _blocks(values: Float, pad: bool = False) -> Float:
    """Values (count, columns) as the kernels lay them out, (blocks, columns, BLOCK).

    The last block is filled up with the first values, or with zeros where `pad`: what has weight 0 may be any point.
    """
    from lightcollapse.kernels.mixture import BLOCK

    missing = -len(values) % BLOCK
    filled = np.concatenate([values, np.repeat((0.0 if pad else 1.0) * values[:1], missing, axis=0)])
    return np.ascontiguousarray(filled.reshape(-1, BLOCK, values.shape[1]).transpose(0, 2, 1))


def _rows(values: Float, pad: bool = False) -> Float:
    """Values (count,) as (blocks, BLOCK)."""
    return np.ascontiguousarray(_blocks(values[:, None], pad)[:, 0])
