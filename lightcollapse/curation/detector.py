"""A detector of synthetic data."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from lightcollapse.curation.base import Curation, Stage, Write
from lightcollapse.errors import require
from lightcollapse.kernels.draws import Batch


class Detector(Curation, frozen=True):
    """Points suspected to be synthetic are removed from the training set, or count for less.

    It sees real points too, from training set 2 on, and suspects some of them. Where nothing is left, the model stays
    as it was.

    Metric `suspected`: the share of what the model wrote that is suspected.

    Args:
        true_positive: chance that a synthetic point is suspected, in [0, 1].
        false_positive: chance that a real point is, in [0, 1].
        weight: how much a suspected point still counts, in [0, 1); 0 removes it.
    """

    kind: ClassVar[str] = "detector"
    metrics: ClassVar[tuple[str, ...]] = ("suspected",)
    true_positive: float
    false_positive: float
    weight: float = 0.0

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(0.5, 0.1), cls(0.5, 0.1, weight=0.5))

    def validate(self) -> None:
        require(0.0 <= self.true_positive <= 1.0, "true_positive must lie in [0, 1]", self.true_positive)
        require(0.0 <= self.false_positive <= 1.0, "false_positive must lie in [0, 1]", self.false_positive)
        require(0.0 <= self.weight < 1.0, "weight must lie in [0, 1)", self.weight)

    def asks(self) -> frozenset[str]:
        return frozenset({"removal" if self.weight == 0.0 else "weights"})

    def curate(self, stage: Stage, write: Write, count: int) -> Batch:
        batch = write(count)
        stage.count("evaluations", batch.count)
        suspected = stage.draws.uniforms(batch.count) < self.true_positive
        stage.measured["suspected"] = suspected.mean(axis=1)
        return self._lighter(batch, suspected)

    def real(self, stage: Stage, batch: Batch) -> Batch:
        return self._lighter(batch, stage.draws.uniforms(batch.count) < self.false_positive)

    def _lighter(self, batch: Batch, suspected: np.ndarray) -> Batch:
        return Batch(batch.points, np.where(suspected, self.weight, 1.0) * batch.weights)
