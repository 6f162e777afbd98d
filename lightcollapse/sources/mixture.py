"""A mixture of normal laws."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import CardError, require
from lightcollapse.sources.base import Source

Float = NDArray[np.float64]

_SUM = 1e-9  # how far weights may be from summing to 1
_ROUNDING = 1e-9  # relative: asymmetry and negative eigenvalues that rounding explains


class Mixture(Source, frozen=True):
    """A mixture of K normal laws in d dimensions.

    Args:
        weights: (K,), at least 0, summing to 1.
        means: (K, d); in one dimension (K,) will do.
        covariances: (K, d, d), symmetric and positive semidefinite. For one component a list of d variances stands for
            a diagonal matrix, and a number for that variance in every coordinate. A card keeps them in full.
    """

    kind: ClassVar[str] = "mixture"
    weights: tuple[float, ...]
    means: tuple[Any, ...]
    covariances: tuple[Any, ...]

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls((0.6, 0.4), ((-2.0,), (2.0,)), (1.0, 0.5)),)

    def validate(self) -> None:
        require(len(self.weights) >= 1, "weights must hold at least one component", list(self.weights))
        for weight in self.weights:
            require(math.isfinite(weight) and weight >= 0.0, "a weight must lie in [0, 1]", weight)
        total = math.fsum(self.weights)
        require(abs(total - 1.0) <= _SUM, "weights must sum to 1", total, "divide each by the sum")
        means = _means(self.means)
        for name, values in (("means", self.means), ("covariances", self.covariances)):
            require(len(values) == len(self.weights), f"{name} must hold one a component", len(values))
        matrices = [_matrix(value, means.shape[1]) for value in self.covariances]
        for name, array in (("means", means), ("covariances", np.array(matrices))):
            msgspec.structs.force_setattr(self, name, _nested(array))

    @property
    def dimension(self) -> int:
        """Coordinates of a point."""
        return len(self.means[0])

    def arrays(self) -> tuple[Float, Float, Float]:
        """Weights (K,), means (K, d) and covariances (K, d, d), float64."""
        weights = np.asarray(self.weights) / math.fsum(self.weights)
        return weights, np.array(self.means, dtype=np.float64), np.array(self.covariances, dtype=np.float64)

    def covariance(self) -> Float:
        """Covariance of the whole mixture, float64 (d, d)."""
        weights, means, covariances = self.arrays()
        centred = means - weights @ means
        return np.asarray(np.einsum("k,kij->ij", weights, covariances) + (weights[:, None] * centred).T @ centred)

    def tilted(self, bias: float) -> Mixture:
        """The mixture moved by `bias` of its own standard deviations in every coordinate."""
        _, means, _ = self.arrays()
        moved = means + bias * np.sqrt(np.diagonal(self.covariance()))
        return Mixture(self.weights, tuple(moved.tolist()), self.covariances)


def _numbers(value: Any, rule: str) -> Float:
    """A list of numbers, nested or not, as float64. Raises CardError where it is none, or holds what is not finite."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise CardError(f"{rule}, got {value!r}") from None
    require(bool(np.all(np.isfinite(array))), f"{rule}; every number must be finite", value)
    return array


def _means(values: tuple[Any, ...]) -> Float:
    """Means as float64 (K, d)."""
    rule = "means must be a list of points of one dimension"
    means = _numbers(values, rule)
    means = means[:, None] if means.ndim == 1 else means
    require(means.ndim == 2 and means.shape[1] >= 1, rule, values)
    return means


def _matrix(value: Any, dimension: int) -> Float:
    """A covariance as float64 (d, d)."""
    rule = f"a covariance must be a symmetric {dimension} x {dimension} matrix, {dimension} variances or one variance"
    matrix = _numbers(value, rule)
    if matrix.ndim < 2:
        require(matrix.ndim == 0 or matrix.shape == (dimension,), rule, value)
        matrix = np.diag(np.broadcast_to(matrix, (dimension,)))
    require(matrix.shape == (dimension, dimension), rule, value)
    scale = float(np.abs(matrix).max())
    require(bool(np.all(np.abs(matrix - matrix.T) <= _ROUNDING * scale)), rule, value)
    least = float(np.linalg.eigvalsh(matrix).min())
    require(least >= -_ROUNDING * scale, "a covariance must be positive semidefinite", value, f"eigenvalue {least:g}")
    return matrix


def _nested(array: Float) -> Any:
    """An array as nested tuples."""
    return tuple(_nested(row) for row in array) if array.ndim > 1 else tuple(array.tolist())
