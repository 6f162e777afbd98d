"""What a row of THEOREMS says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lightcollapse.scenario import Scenario

Float = NDArray[np.float64]
Kind = Literal["exact law", "exact mean", "approximation", "limit", "upper bound", "lower bound"]
Values = Callable[[Scenario, int], Float]  # (card, seed) -> float64 (generations + 1,)
Law = Callable[[Scenario, int, Float], Float]  # (card, generation >= 1, values) -> P(metric <= value), same shape


def always(scenario: Scenario) -> bool:
    """The condition of a row that has none."""
    return True


def one_lab(scenario: Scenario) -> bool:
    """Whether a single model is fitted in each generation, and not several that train on one another."""
    return bool(scenario.schedule()["labs"].max() <= 1)


@dataclass(frozen=True)
class Theorem:
    """One prediction about one metric of the cards it applies to.

    Attributes:
        name: its name, unique in the table.
        ids: its entries in the catalogue of results.
        family, regimes: kinds of the cards it speaks about; no regimes means every one.
        metric: the metric of a record that it predicts.
        kind: what is claimed: the law of the metric, its mean, or an approximation of the mean.
        statement: the claim in a line.
        note: the file under theory/ that derives it.
        source: who showed it first, as far as known.
        values: (card, seed) -> float64 (generations + 1,), the expected metric. The seed matters to texts alone.
        near_miss: the same for a plausible mistake, which a trial of the theorem must reject.
        curation: kinds of the card's curation steps, in order.
        condition: whether the theorem speaks about a card of that family, regime and curation.
        law: the distribution function, for an exact law; near_law: that of the near miss.
        variance: an upper bound of the metric's variance, for an exact mean; infinite where none is known.
        bounds: (card, seed) -> the least and largest value of the metric, for an exact mean.
        error: relative error of an approximation, where one is stated.
    """

    name: str
    ids: tuple[str, ...]
    family: str
    regimes: tuple[str, ...]
    metric: str
    kind: Kind
    statement: str
    note: str
    source: str
    values: Values
    near_miss: Values
    curation: tuple[str, ...] = ()
    condition: Callable[[Scenario], bool] = always
    law: Law | None = None
    near_law: Law | None = None
    variance: Values | None = None
    bounds: Callable[[Scenario, int], tuple[float, float]] | None = None
    error: float | None = None

    def __str__(self) -> str:
        return self.name

    def applies(self, scenario: Scenario) -> bool:
        """Whether the theorem speaks about this card. Where it does, `values` may still raise ValueError: the result
        holds, but not at this size.
        """
        return (
            scenario.family.kind == self.family
            and (not self.regimes or scenario.regime.kind in self.regimes)
            and tuple(step.kind for step in scenario.curation) == self.curation
            and self.condition(scenario)
        )


def bounded(variance: Callable[[Scenario], Float] | None) -> Values | None:
    """A bound of the variance as rows take it: infinite where the mean exists at a size and its variance does not."""
    if variance is None:
        return None

    def bound(scenario: Scenario, seed: int) -> Float:
        try:
            return variance(scenario)
        except ValueError:
            return np.full(scenario.generations + 1, np.inf)

    return bound


def one_late(values: Values) -> Values:
    """The near miss that counts generations from the first model instead of the source."""

    def late(scenario: Scenario, seed: int) -> Float:
        right = values(scenario, seed)
        return np.concatenate([right[:1], right[:-1]])

    return late
