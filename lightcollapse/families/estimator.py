"""Estimator: how a family draws, fits, writes and measures, for one source; the engine does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.kernels.draws import Batch, Draws

Float = NDArray[np.float64]
Model = Any  # a NamedTuple of float64 arrays whose first axis is the lanes
Statistics = Any  # the same; its first field, `count`, float64 (lanes,), says how many points it sums up


class Estimator:
    """How one family treats the points of one source.

    Points are float64 (lanes, count, dimension), weights float64 (lanes, count): 1 as it stands, 0 removed. A symbol is
    a whole number, its dimension 1. Every method works on all lanes of a block, draws only from the Draws it is given,
    and treats no lane differently for the lanes beside it.
    """

    dimension: int = 1
    symbols_per_point: int = 1  # of text: of a document; noise hits each by itself

    def real(self, count: int, draws: Draws, bias: float = 0.0) -> Float:
        """Points of the source, tilted by `bias`."""
        raise NotImplementedError

    def write(self, model: Model, count: int, draws: Draws) -> Float:
        """Points of each lane's model."""
        raise NotImplementedError

    def fit(self, points: Float, weights: Float, previous: Model | None, draws: Draws) -> Model:
        """A model of each lane's points. A lane whose weights are all 0 may hold anything: it keeps its model."""
        raise NotImplementedError

    def measure(self, model: Model, draws: Draws) -> dict[str, Float]:
        """The family's metrics of each lane's model, float64 (lanes,)."""
        raise NotImplementedError

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        """The source's own values, float64 (lanes,)."""
        raise NotImplementedError

    # Optional: one of these is called only where the family says that it offers it.

    def pairs(self, model: Model) -> tuple[Float, Float]:
        """Diversity of two draws from a lane's model (lanes,), and the model's place (lanes, k): two draws from two
        lanes have the mean of the lanes' diversities and half the squared distance of their places. For islands.
        """
        raise NotImplementedError

    def source_pairs(self) -> float:
        """The diversity of two draws from the source."""
        raise NotImplementedError

    def substitutes(self, count: int, draws: Draws) -> Float:
        """Real data that noise puts in the place of points."""
        return self.real(count, draws)

    def decode(self, model: Model | None, lanes: int, temperature: float, top_k: int, top_p: float) -> Model:
        """The model of each of so many lanes (None: the source) with its law sharpened and cut; top_k 0 and top_p 1 do
        not cut.
        """
        raise NotImplementedError

    def log_density(self, model: Model, points: Float) -> Float:
        raise NotImplementedError

    def source_log_density(self, points: Float) -> Float:
        raise NotImplementedError


class DensityEstimator(Estimator):
    """An estimator with a density: how close a point is to earlier generations is a log ratio of densities."""

    def closeness(self, points: Float, earlier: Sequence[Batch], model: Model, first: Model) -> tuple[Float, int]:
        """Log density under the model that writes, less that under the model of the first real sample; both are
        evaluated at each point. Where both hold a point impossible, or infinitely dense, it is 0.
        """
        own, real = self.log_density(model, points), self.log_density(first, points)
        with np.errstate(invalid="ignore"):
            ratio = own - real
        return np.where(own == real, 0.0, ratio), 2 * points.shape[1]


class Additive(Estimator):
    """An estimator whose fit needs no more of points than sums: the engine then draws these and keeps no points.

    Attributes:
        numbers: that the statistics of one batch hold, a lane.
    """

    @property
    def numbers(self) -> int:
        return 2 * self.dimension

    def real_statistics(self, count: int, draws: Draws) -> Statistics:
        """Statistics of `count` points of the source."""
        raise NotImplementedError

    def write_statistics(self, model: Model, count: int, draws: Draws) -> Statistics:
        """Statistics of `count` points of each lane's model."""
        raise NotImplementedError

    def merge(self, one: Statistics, other: Statistics) -> Statistics:
        """Statistics of the union."""
        raise NotImplementedError

    def fit_statistics(
        self, real: Statistics | None, synthetic: Statistics | None, weight: float, previous: Model | None
    ) -> Model:
        """A model of the union, or where `weight` is no NaN of the mixture that gives it to the real part."""
        raise NotImplementedError
