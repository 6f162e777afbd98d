"""Metrics of papers that a record does not hold, from those that it does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightcollapse.measured import NEVER
from lightcollapse.record import Record

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Derived:
    """A metric of one generation.

    Attributes:
        needs: metrics of the record that it is made of.
        values: (record, generation) -> float64 (replicates,).
    """

    needs: tuple[str, ...]
    values: Callable[[Record, int], Float]


def _absorbed(record: Record, generation: int) -> Float:
    """The generation from which nothing changes any more; infinite where it was not reached."""
    return np.where(record.absorbed == NEVER, math.inf, record.absorbed.astype(np.float64))


def _within_std(record: Record, generation: int) -> Float:
    """Standard deviation a coordinate inside the components of a mixture in the plane, the geometric mean of them.

    Holds when components stand apart: a training point then has the log-likelihood log w - log(2 pi e s^2) on average.
    """
    likelihood, entropy = (record.metrics[name][:, generation] for name in ("log_likelihood", "weight_entropy"))
    return np.asarray(np.exp(-0.5 * (likelihood + entropy)) / math.sqrt(2.0 * math.pi * math.e))


def _error(record: Record, generation: int) -> Float:
    """Squared distance of the mean from the source's own."""
    mean = record.metrics["mean"]
    return np.asarray((mean[:, generation] - mean[:, 0]) ** 2)


DERIVED: dict[str, Derived] = {
    "absorbed": Derived((), _absorbed),
    "error": Derived(("mean",), _error),
    "within_std": Derived(("log_likelihood", "weight_entropy"), _within_std),
}


def column(record: Record, metric: str, generation: int) -> Float:
    """A metric of a record, or one derived from it: float64 (replicates,)."""
    if metric in DERIVED:
        return DERIVED[metric].values(record, generation)
    return np.array(record.metrics[metric][:, generation])
