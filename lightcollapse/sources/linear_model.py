"""Points with labels: normal inputs, and a label that a linear function of them decides, with noise."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import CardError, require
from lightcollapse.sources.base import Source

Float = NDArray[np.float64]
_SYMMETRIC = 1e-9  # relative difference of a matrix and its transpose that rounding explains


class Inputs(NamedTuple):
    """What families read of a linear model: true weights (d,), and the lower triangular factor (d, d) of the inputs'
    covariance.
    """

    weights: Float
    factor: Float


class LinearModel(Source, frozen=True):
    """Inputs x ~ N(0, covariance); labels from x'weights. A point is (x_1 .. x_d, y).

    For a linear regression y = x'weights + noise z with z standard normal. For a logistic one y is 1 where
    x'weights + noise v > 0, else 0, with v of the standard logistic law: weights / noise are then its coefficients, and
    with noise 0 the label is the sign.

    Args:
        weights: the true weights, (d,). None given: 1 / sqrt(dimension) each, so that their length is 1.
        dimension: of the inputs, d; 0 takes as many as there are weights.
        noise: standard deviation of the noise, or scale of the logistic one; at least 0.
        covariance: of the inputs, (d, d) of full rank, or (d,) variances of independent ones; none given: the identity.
    """

    kind: ClassVar[str] = "linear-model"
    weights: tuple[float, ...] = ()
    dimension: int = 0
    noise: float = 1.0
    covariance: tuple[Any, ...] = ()

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(dimension=3), cls(dimension=40)

    def validate(self) -> None:
        require(self.dimension >= 0, "dimension must be at least 1", self.dimension)
        d = self.dimension or len(self.weights)
        require(d >= 1, "a linear model needs weights or a dimension", list(self.weights))
        msgspec.structs.force_setattr(self, "dimension", d)
        require(len(self.weights) in (0, d), f"weights must be {d}, one for each dimension", len(self.weights))
        require(all(map(math.isfinite, self.weights)), "weights must be finite", list(self.weights))
        require(math.isfinite(self.noise) and self.noise >= 0.0, "noise must be at least 0", self.noise)
        self.inputs()

    def inputs(self) -> Inputs:
        """Raises CardError where the covariance is none of full rank."""
        d = self.dimension
        return Inputs(np.array(self.weights or (1.0 / math.sqrt(d),) * d), self._factor())

    def _factor(self) -> Float:
        d = self.dimension
        if not self.covariance:
            return np.eye(d)
        rule = f"covariance must be a symmetric {d} x {d} matrix of full rank, or {d} positive variances"
        try:
            matrix = np.asarray(self.covariance, dtype=np.float64)
        except (TypeError, ValueError):
            raise CardError(f"{rule}, got {self.covariance!r}") from None
        require(matrix.shape in ((d,), (d, d)) and bool(np.all(np.isfinite(matrix))), rule, self.covariance)
        if matrix.ndim == 1:
            require(bool(np.all(matrix > 0.0)), rule, self.covariance)
            return np.diag(np.sqrt(matrix))
        tilt = float(np.abs(matrix - matrix.T).max())
        require(tilt <= _SYMMETRIC * float(np.abs(matrix).max()), rule, self.covariance)
        try:
            return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
        except np.linalg.LinAlgError:
            raise CardError(f"{rule}, got {self.covariance!r}") from None
