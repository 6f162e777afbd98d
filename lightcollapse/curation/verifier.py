"""A test of each answer before it is learned from."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np

from lightcollapse.curation.base import Curation, Stage, Write
from lightcollapse.errors import require
from lightcollapse.kernels.draws import Batch


class Verifier(Curation, frozen=True):
    """Answers are tested, and those that fail are removed: an agent that learns from its successes.

    The training set is as much smaller; where no answer passes, the model stays as it was. A task has right and wrong
    answers: of symbols some are right, of numbers those of an interval, of labels those that the true law gives.

    Metrics: `accuracy`, the share of right answers in what the model wrote; `pass_rate`, the share that passes.
    Source: Feng et al. 2024 (arXiv:2406.07515) for the setting.

    Args:
        sensitivity: chance that a right answer passes, in [0, 1].
        specificity: chance that a wrong answer fails, in [0, 1].
        right: the symbols that are right, or [low, high] of a number; labels need none.
    """

    kind: ClassVar[str] = "verifier"
    needs: ClassVar[frozenset[str]] = frozenset({"answers", "removal"})
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "pass_rate")
    sensitivity: float
    specificity: float
    right: tuple[float, ...] = (0.0,)

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(0.9, 0.6), cls(0.9, 0.6, right=(-1.0, 1.0)))

    def validate(self) -> None:
        require(0.0 <= self.sensitivity <= 1.0, "sensitivity must lie in [0, 1]", self.sensitivity)
        require(0.0 <= self.specificity <= 1.0, "specificity must lie in [0, 1]", self.specificity)
        for value in self.right:
            require(not math.isnan(value), "right must hold numbers", value)

    def answers(self) -> tuple[float, ...]:
        return self.right

    def curate(self, stage: Stage, write: Write, count: int) -> Batch:
        batch = write(count)
        right = stage.craft.right(batch.points, self.right)
        stage.count("evaluations", batch.count)
        chance = np.where(right, self.sensitivity, 1.0 - self.specificity)
        passed = stage.draws.uniforms(batch.count) < chance
        stage.measured["accuracy"] = right.mean(axis=1)
        stage.measured["pass_rate"] = passed.mean(axis=1)
        return Batch(batch.points, batch.weights * passed)
