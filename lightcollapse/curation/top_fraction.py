"""Selection of the best-scored points."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np

from lightcollapse.curation.base import Curation, Stage, Write
from lightcollapse.curation.score import Score, ability, check_score, scores
from lightcollapse.errors import require
from lightcollapse.kernels.draws import Batch


class TopFraction(Curation, frozen=True):
    """The model writes more than is needed, and the best-scored share of it is kept.

    Of n points wanted, ceil(n / share) are written. Points of equal score are kept in the order in which they came.

    Args:
        share: of what was written that is kept, in (0, 1].
        score: "likelihood" (log density under the model that wrote the point), "source" (log density under the law of
            real data), "value" (the number or the symbol's number itself), a list of one number a symbol, or
            {"centre", "scale"}: the score -(x - centre)^2 / (2 scale^2) of a number.
    """

    kind: ClassVar[str] = "top-fraction"
    metrics: ClassVar[tuple[str, ...]] = ("mean_score",)
    share: float
    score: Score = "likelihood"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(0.5), cls(0.5, "source"), cls(0.5, "value"), cls(0.5, (0.0, 0.5, 1.0, 0.0, 0.5, 1.0))

    def validate(self) -> None:
        require(0.0 < self.share <= 1.0, "share must lie in (0, 1]", self.share)
        check_score(self.score, "score")

    def asks(self) -> frozenset[str]:
        return frozenset({ability(self.score)})

    def written(self) -> float:
        return 1.0 / self.share

    def tables(self) -> tuple[tuple[float, ...], ...]:
        return (self.score,) if isinstance(self.score, tuple) else ()

    def curate(self, stage: Stage, write: Write, count: int) -> Batch:
        batch = write(math.ceil(count / self.share * (1.0 - 1e-12)))
        points = scores(stage, self.score, batch.points)
        stage.measured["mean_score"] = points.mean(axis=1)
        points = np.where(batch.weights > 0.0, points, -np.inf)
        return batch.chosen(np.argsort(-points, axis=1, kind="stable")[:, :count])
