"""Curation by people who choose among several answers."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from lightcollapse.curation.base import Curation, Stage, Write
from lightcollapse.curation.score import Score, ability, check_score, gumbel, scores
from lightcollapse.errors import require
from lightcollapse.kernels.draws import Batch


class Preference(Curation, frozen=True):
    """Each point that is kept was chosen among several, with odds e^reward (the law of Bradley and Terry).

    Source: Ferbach et al. 2024 (arXiv:2407.09499) for the setting.

    Args:
        choices: how many points stand for choice each time, at least 1.
        reward: "likelihood" (log density under the model that wrote the point), "source" (log density under the law of
            real data), "value" (the number or the symbol's number itself), a list of one number a symbol, or
            {"centre", "scale"}: the reward -(x - centre)^2 / (2 scale^2) of a number.
    """

    kind: ClassVar[str] = "preference"
    metrics: ClassVar[tuple[str, ...]] = ("mean_score",)
    choices: int
    reward: Score = "value"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(2), cls(2, "likelihood"), cls(2, "source"), cls(2, (0.0, 0.5, 1.0, 0.0, 0.5, 1.0))

    def validate(self) -> None:
        require(self.choices >= 1, "choices must be at least 1", self.choices)
        check_score(self.reward, "reward")

    def asks(self) -> frozenset[str]:
        return frozenset({ability(self.reward)})

    def written(self) -> float:
        return float(self.choices)

    def tables(self) -> tuple[tuple[float, ...], ...]:
        return (self.reward,) if isinstance(self.reward, tuple) else ()

    def curate(self, stage: Stage, write: Write, count: int) -> Batch:
        batch = write(count * self.choices)
        rewards = scores(stage, self.reward, batch.points)
        stage.measured["mean_score"] = rewards.mean(axis=1)
        odds = np.where(batch.weights > 0.0, rewards, -np.inf) + gumbel(stage.draws.uniforms(batch.count))
        return batch.chosen(chosen_of_groups(odds, self.choices))


def chosen_of_groups(odds: np.ndarray, size: int) -> np.ndarray:
    """Place of the largest of each group of `size` neighbours: int64 (lanes, points / size)."""
    best = odds.reshape(len(odds), -1, size).argmax(axis=2)
    return np.asarray(best + size * np.arange(best.shape[1]))
