"""A judge who turns down what looks like earlier generations."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from lightcollapse.curation.base import Curation, Stage, Write
from lightcollapse.curation.preference import chosen_of_groups
from lightcollapse.curation.score import gumbel
from lightcollapse.errors import require
from lightcollapse.kernels.draws import Batch


class Discriminator(Curation, frozen=True):
    """Each point that is kept was chosen among several candidates, with odds exp(-strength x closeness).

    The closeness of a point to earlier generations is, for a family with a density, the log ratio of the writing
    model's density to that of the model of the first real sample: with strength 1 and many candidates, that first model
    is written from again. For text it is the share of a document's n-grams that earlier generations wrote too often.

    Metric `closeness`: its mean over what the model wrote. The cost is counted: candidates as samples drawn, and each
    density or overlap as an evaluation.

    Args:
        strength: how strongly closeness is penalised, above 0.
        candidates: points written for each that is kept, at least 2.
    """

    kind: ClassVar[str] = "discriminator"
    needs: ClassVar[frozenset[str]] = frozenset({"closeness"})
    metrics: ClassVar[tuple[str, ...]] = ("closeness",)
    strength: float = 1.0
    candidates: int = 3

    def validate(self) -> None:
        require(math.isfinite(self.strength) and self.strength > 0.0, "strength must exceed 0", self.strength)
        require(self.candidates >= 2, "candidates must be at least 2", self.candidates)

    def written(self) -> float:
        return float(self.candidates)

    def curate(self, stage: Stage, write: Write, count: int) -> Batch:
        batch = write(count * self.candidates)
        close = np.zeros(batch.weights.shape)
        if stage.model is not None:
            close, evaluations = stage.craft.closeness(batch.points, stage.earlier, stage.model, stage.first)
            stage.count("evaluations", evaluations)
        own = close > -np.inf  # the model cannot have written the others: noise did
        stage.measured["closeness"] = np.where(own, close, 0.0).sum(axis=1) / np.maximum(own.sum(axis=1), 1)
        odds = np.where(batch.weights > 0.0, -self.strength * close, -np.inf)
        odds += gumbel(stage.draws.uniforms(batch.count))
        return batch.chosen(chosen_of_groups(odds, self.candidates))
