"""Rows about labs side by side: diversity within a lab, between two labs, and of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightcollapse.predictions.islands import Diversity, fixation_index, island_diversity, island_square_bound
from lightcollapse.scenario import Scenario
from lightcollapse.theorems.row import Float, Theorem, Values, one_late

_NOTE = "islands.md"
_SOURCE = "Wright 1943 for the model; derived"


def _diversity(scenario: Scenario) -> Diversity:
    rows = scenario.schedule()[-1]
    return island_diversity(scenario.sample_sizes(), int(rows["labs"]), float(rows["own"]), float(rows["shared"]))


def _alone(scenario: Scenario) -> Diversity:
    """The mistake of taking every lab for one that hears of nobody and nothing new."""
    within = island_diversity(scenario.sample_sizes(), 2, 1.0, 0.0).within
    return Diversity(within, within, within)


@dataclass(frozen=True)
class _Kind:
    """What differs between families: when the rows hold, and the source's own diversity."""

    family: str
    condition: Callable[[Scenario], bool]
    unit: Callable[[Any], float]
    within: str  # the family's name for the diversity of a lab's model


def _heterozygosity(source: Any) -> float:
    return float(1.0 - np.sum(source.probabilities() ** 2))


def _ml(scenario: Scenario) -> bool:
    """Whether variances are fitted by maximum likelihood."""
    family: Any = scenario.family
    return bool(family.variance == "ml")


def _plain(scenario: Scenario) -> bool:
    """Whether the fit is without smoothing."""
    family: Any = scenario.family
    return bool(family.smoothing == 0.0)


_KINDS = (
    _Kind("gaussian", _ml, lambda source: source.std**2, "variance"),
    _Kind("categorical", _plain, _heterozygosity, "heterozygosity"),
)


def _values(kind: _Kind, part: str, diversity: Callable[[Scenario], Diversity] = _diversity) -> Values:
    def values(scenario: Scenario, seed: int) -> Float:
        return kind.unit(scenario.source) * np.asarray(getattr(diversity(scenario), part))

    return values


def _variance(kind: _Kind, part: str) -> Values:
    """Of a Gaussian: the bound of its mean square, less the square of the mean."""

    def variance(scenario: Scenario, seed: int) -> Float:
        if scenario.sample_sizes().min() < 2:
            return np.full(scenario.generations + 1, np.inf)
        labs = int(scenario.schedule()["labs"][-1])
        factor = (labs / (labs - 1)) ** 2 if part == "between" else 1.0
        square = factor * island_square_bound(scenario.sample_sizes())
        square[0] = 1.0
        unit = kind.unit(scenario.source)
        mean = np.asarray(getattr(_diversity(scenario), part))
        return np.asarray(unit**2 * np.maximum(square - mean**2, 0.0))

    return variance


def _unit_interval(scenario: Scenario, seed: int) -> tuple[float, float]:
    return 0.0, 1.0


def _row(kind: _Kind, metric: str, part: str) -> Theorem:
    symbols = kind.family == "categorical"
    return Theorem(
        name=f"{kind.family}-islands-{metric}",
        ids=(f"E1.island.{'Hb' if part == 'between' else 'Hw'}" if part != "total" else "E2.island.HT",),
        family=kind.family,
        regimes=("islands",),
        metric=metric,
        kind="exact mean",
        statement=f"the expected diversity {_PHRASES[part]} follows Wright's island model",
        note=_NOTE,
        source=_SOURCE,
        values=_values(kind, part),
        near_miss=_values(kind, part, _alone),
        condition=kind.condition,
        variance=None if symbols else _variance(kind, part),
        bounds=_unit_interval if symbols else None,
    )


_PHRASES = {"within": "within a lab", "between": "between two labs", "total": "of all labs together"}


def _fixation(kind: _Kind) -> Theorem:
    def values(scenario: Scenario, seed: int) -> Float:
        rows = scenario.schedule()[-1]
        return fixation_index(scenario.sample_sizes(), int(rows["labs"]), float(rows["own"]), float(rows["shared"]))

    return Theorem(
        name=f"{kind.family}-islands-fst",
        ids=("E3.Fst",),
        family=kind.family,
        regimes=("islands",),
        metric="fst",
        kind="approximation",
        statement="F_ST is close to that of the expected diversities",
        note=_NOTE,
        source=_SOURCE,
        values=values,
        near_miss=one_late(values),
        condition=kind.condition,
    )


ISLANDS: tuple[Theorem, ...] = tuple(
    row
    for kind in _KINDS
    for row in (
        _row(kind, kind.within, "within"),
        *(_row(kind, part, part) for part in ("within", "between", "total")),
        _fixation(kind),
    )
)
