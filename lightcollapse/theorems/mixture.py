"""Rows about Gaussian mixtures: every step of EM keeps the total variance of the training set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lightcollapse.predictions.islands import Diversity, fixation_index, island_diversity
from lightcollapse.predictions.mixture_bounds import fourth_moment, total_square_bound
from lightcollapse.predictions.pairs import Tilt, pair_diversity
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Mixture, Source
from lightcollapse.theorems.row import Float, Theorem, Values, one_late

_NOTE = "mixture-moments.md"
_KIND = "gaussian-mixture"


def _law(source: Source, dimension: int) -> tuple[Float, Float, Float]:
    """Shares (K,), means (K, d) and covariances (K, d, d) of a source."""
    if isinstance(source, Mixture):
        return source.arrays()
    normal: Any = source
    return np.ones(1), np.full((1, dimension), normal.mean), normal.std**2 * np.eye(dimension)[None]


def _moments(source: Source, dimension: int, centre: Float) -> tuple[float, float]:
    """E |X - centre|^2 and E |X - centre|^4."""
    shares, means, covariances = _law(source, dimension)
    second = shares @ (np.trace(covariances, axis1=1, axis2=2) + ((means - centre) ** 2).sum(axis=1))
    return float(second), fourth_moment(shares, means, covariances, centre)


def _dimension(scenario: Scenario) -> int:
    family: Any = scenario.family
    return int(family.dimension)


def _centre(scenario: Scenario) -> Float:
    shares, means, _ = _law(scenario.source, _dimension(scenario))
    return np.asarray(shares @ means)


def _unit(scenario: Scenario) -> float:
    """Total variance of the source."""
    return _moments(scenario.source, _dimension(scenario), _centre(scenario))[0]


def _bias(scenario: Scenario) -> float:
    """The tilt of fresh data, of rows that have one."""
    biases = scenario.schedule()["bias"]
    return float(biases[np.argmax(np.abs(biases))])


def _total(scenario: Scenario, seed: int) -> Float:
    tilt = Tilt(1.0, 1.0 + 0.5 * _bias(scenario) ** 2)
    return _unit(scenario) * pair_diversity(scenario.schedule(), tilt)


def _square(scenario: Scenario) -> Float:
    """Bound of the mean square of the total variance; exact at the source."""
    centre, dimension = _centre(scenario), _dimension(scenario)
    laws = [scenario.source, scenario.source.tilted(_bias(scenario))]
    second, fourth = np.max([_moments(law, dimension, centre) for law in laws], axis=0)
    bound = total_square_bound(scenario.schedule(), float(second), float(fourth))
    bound[0] = _unit(scenario) ** 2
    return bound


def _variance(values: Values, factor: Callable[[Scenario], float] = lambda scenario: 1.0) -> Values:
    """Bound of the mean square, less the square of the mean."""

    def variance(scenario: Scenario, seed: int) -> Float:
        square = factor(scenario) * _square(scenario)
        square[0] = _unit(scenario) ** 2
        return np.maximum(square - values(scenario, seed) ** 2, 0.0)

    return variance


def _kept(scenario: Scenario) -> bool:
    """Whether nothing is added to the covariances."""
    family: Any = scenario.family
    return bool(family.floor == 0.0)


def _labs(scenario: Scenario) -> int:
    return int(scenario.schedule()["labs"].max())


def _kept_by_one(scenario: Scenario) -> bool:
    return _kept(scenario) and _labs(scenario) == 1


def _islands(scenario: Scenario, alone: bool = False) -> Diversity:
    row, sizes = scenario.schedule()[-1], scenario.sample_sizes()
    if alone:  # the mistake of taking every lab for one that hears of nobody and nothing new
        within = island_diversity(sizes, 2, 1.0, 0.0).within
        return Diversity(within, within, within)
    return island_diversity(sizes, int(row["labs"]), float(row["own"]), float(row["shared"]))


def _part(name: str, alone: bool = False) -> Values:
    def values(scenario: Scenario, seed: int) -> Float:
        return _unit(scenario) * np.asarray(getattr(_islands(scenario, alone), name))

    return values


def _between(scenario: Scenario) -> float:
    labs = _labs(scenario)
    return (labs / (labs - 1)) ** 2


def _island_row(metric: str, part: str, phrase: str) -> Theorem:
    values = _part(part)
    return Theorem(
        name=f"mixture-islands-{metric.replace('_', '-')}",
        ids=("GM1.totalvar", "E2.island.HT" if part == "total" else f"E1.island.{'Hb' if part == 'between' else 'Hw'}"),
        family=_KIND,
        regimes=("islands",),
        metric=metric,
        kind="exact mean",
        statement=f"the expected total variance {phrase} follows Wright's island model, for any number of components",
        note=_NOTE,
        source="Wright 1943 for the model; derived for mixtures",
        values=values,
        near_miss=one_late(values) if part == "within" else _part(part, alone=True),
        condition=_kept,
        variance=_variance(values, _between) if part == "between" else _variance(values),
    )


def _fixation(scenario: Scenario, seed: int) -> Float:
    row = scenario.schedule()[-1]
    return fixation_index(scenario.sample_sizes(), int(row["labs"]), float(row["own"]), float(row["shared"]))


MIXTURE: tuple[Theorem, ...] = (
    Theorem(
        name="mixture-total-variance",
        ids=("GM1.totalvar",),
        family=_KIND,
        regimes=(),
        metric="total_variance",
        kind="exact mean",
        statement="the expected total variance is h_t times the source's, for any number of components and EM steps",
        note=_NOTE,
        source="derived for this package",
        values=_total,
        near_miss=one_late(_total),
        condition=_kept_by_one,
        variance=_variance(_total),
    ),
    _island_row("total_variance", "within", "within a lab"),
    _island_row("within", "within", "within a lab"),
    _island_row("between", "between", "between two labs"),
    _island_row("total", "total", "of all labs together"),
    Theorem(
        name="mixture-islands-fst",
        ids=("E3.Fst",),
        family=_KIND,
        regimes=("islands",),
        metric="fst",
        kind="approximation",
        statement="F_ST is close to that of the expected total variances",
        note=_NOTE,
        source="Wright 1943 for the model; derived for mixtures",
        values=_fixation,
        near_miss=one_late(_fixation),
        condition=_kept,
    ),
)
