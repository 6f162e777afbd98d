"""Rows about the Gaussian in many dimensions, full or diagonal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec.structs import replace

from lightcollapse.families.gaussian import Gaussian
from lightcollapse.families.multivariate_gaussian import Law
from lightcollapse.predictions import multivariate
from lightcollapse.predictions.pairs import Tilt, pair_diversity, tilted_share
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Normal
from lightcollapse.theorems.gaussian import GAUSSIAN
from lightcollapse.theorems.row import Float, Kind, Theorem, Values, bounded, one_lab, one_late

Standard = Callable[[Scenario], Float]

_NOTE = "multivariate.md"
_KIND = "multivariate-gaussian"


# What a card says, in the words of the predictions.


def _family(scenario: Scenario) -> Any:
    return scenario.family


def _law(scenario: Scenario) -> Law:
    law: Law = _family(scenario).law(scenario.source)
    return law


def _trace(scenario: Scenario) -> float:
    return float(np.sum(_law(scenario).factor ** 2))


def _squares(scenario: Scenario) -> tuple[float, float]:
    """tr(C_0^2) and (tr C_0)^2."""
    factor = _law(scenario).factor
    return float(np.sum((factor @ factor.T) ** 2)), _trace(scenario) ** 2


def _variance(scenario: Scenario, wrong: bool = False) -> Any:
    return "ml" if (_family(scenario).variance == "ml") != wrong else "unbiased"


def _bias(scenario: Scenario) -> float:
    biases = scenario.schedule()["bias"]
    return float(biases[np.abs(biases).argmax()])


def _full(scenario: Scenario) -> bool:
    return bool(_family(scenario).covariance == "full") and one_lab(scenario)


def _diagonal(scenario: Scenario) -> bool:
    """Whether a diagonal covariance is fitted to a source that has one: its coordinates are chains of their own."""
    return bool(_family(scenario).covariance == "diagonal") and one_lab(scenario) and _law(scenario).independent


def _ml(scenario: Scenario) -> bool:
    return _variance(scenario) == "ml" and one_lab(scenario)


# In every regime.


def _pairs(scenario: Scenario) -> Float:
    return pair_diversity(scenario.schedule(), Tilt(1.0, 1.0 + 0.5 * _bias(scenario) ** 2))


def _distance(scenario: Scenario) -> Float:
    """E |m_t - m_0|^2: the spread of a draw, less that within a model, in units of the source's."""
    bias = _bias(scenario)
    moved = bias * bias * tilted_share(scenario.schedule()) if bias else 0.0
    return np.asarray(1.0 + moved - _pairs(scenario))


def _traced(standard: Standard) -> Values:
    return lambda scenario, seed: _trace(scenario) * standard(scenario)


def _trace_variance(scenario: Scenario, seed: int) -> Float:
    """Of the total variance, where it is known: under replacement and accumulation."""
    sizes, estimator = scenario.sample_sizes(), _variance(scenario)
    unknown = np.full(scenario.generations + 1, np.inf)
    if scenario.curation or sizes.min() < 2:
        return unknown
    if scenario.regime.kind == "replace":
        if _diagonal(scenario):
            return multivariate.diagonal_trace_variance(_squares(scenario)[0], sizes, variance=estimator)
        return (
            multivariate.trace_variance(*_squares(scenario), sizes, variance=estimator) if _full(scenario) else unknown
        )
    if scenario.regime.kind == "accumulate" and _full(scenario):
        second = multivariate.accumulate_square_moments(*_squares(scenario), sizes, variance=estimator).of_trace
        return np.asarray(np.maximum(second - (_trace(scenario) * _pairs(scenario)) ** 2, 0.0))
    return unknown


def _distance_variance(scenario: Scenario, seed: int) -> Float:
    """A bound for |m_t - m_0|^2 under replacement.

    Given all covariances the mean is normal with covariance V, the sum of C_(s-1) / n_s; so the square has mean E tr V
    and second moment E 2 tr V^2 + (tr V)^2, at most 3 E (tr V)^2.
    """
    variance = _trace_variance(scenario, seed)
    if scenario.regime.kind != "replace":
        return np.full(scenario.generations + 1, np.inf)
    sizes, estimator = scenario.sample_sizes(), _variance(scenario)
    mean = _trace(scenario) * multivariate.covariance_mean(sizes, variance=estimator)
    root = np.sqrt(variance + mean**2)[:-1]  # of E (tr C)^2, before each sample
    square = np.cumsum(root / sizes) ** 2
    return np.concatenate([[0.0], 3.0 * square - np.cumsum(mean[:-1] / sizes) ** 2])


# Under replacement.


def _row(
    name: str,
    ids: tuple[str, ...],
    metric: str,
    statement: str,
    values: Standard,
    variance: Standard | None,
    *,
    condition: Callable[[Scenario], bool] = _full,
    near_miss: Standard | None = None,
    kind: Kind = "exact mean",
    source: str = "derived for this package",
    error: float | None = None,
) -> Theorem:
    def right(scenario: Scenario, seed: int) -> Float:
        return values(scenario)

    return Theorem(
        name=f"multivariate-replace-{name}",
        ids=ids,
        family=_KIND,
        regimes=("replace",),
        metric=metric,
        kind=kind,
        statement=statement,
        note=_NOTE,
        source=source,
        values=right,
        near_miss=one_late(right) if near_miss is None else lambda scenario, seed: near_miss(scenario),
        condition=condition,
        variance=bounded(variance),
        error=error,
    )


def _dimension(scenario: Scenario) -> int:
    return int(_family(scenario).dimension)


def _log_det(scenario: Scenario, wrong: bool = False) -> Float:
    log = multivariate.log_det_mean(scenario.sample_sizes(), _dimension(scenario), variance=_variance(scenario, wrong))
    return np.asarray(_law(scenario).log_det + log)


def _unbiased_full(scenario: Scenario) -> bool:
    return _full(scenario) and _variance(scenario) == "unbiased"


def _of(function: Callable[..., Float]) -> Standard:
    """A prediction of sizes, dimension and estimator."""
    return lambda scenario: function(scenario.sample_sizes(), _dimension(scenario), variance=_variance(scenario))


def _drifted(standard: Standard) -> Standard:
    """A total variance that lost, or gained, a fifth at once."""

    def drifted(scenario: Scenario) -> Float:
        values = standard(scenario).copy()
        values[1:] *= 1.2
        return values

    return drifted


# Of a diagonal covariance: every coordinate is a one-dimensional chain.

_OF_A_COORDINATE = {
    "log_variance": "log_det",
    "w2_squared": "w2_squared",
    "kl_model_source": "kl_model_source",
    "kl_source_model": "kl_source_model",
}


def _coordinate(scenario: Scenario) -> Scenario:
    """The card of one coordinate in units of the source's standard deviation."""
    return replace(scenario, source=Normal(), family=Gaussian(_variance(scenario)))


def _by_coordinate(row: Theorem) -> Theorem:
    """A row about one dimension, for the sum over coordinates: means and variances add up."""
    metric = _OF_A_COORDINATE[row.metric]

    def summed(values: Values) -> Values:
        def sums(scenario: Scenario, seed: int) -> Float:
            one = values(_coordinate(scenario), seed)
            if metric == "w2_squared":
                return np.asarray(_trace(scenario) * one)
            return np.asarray(_dimension(scenario) * one + (_law(scenario).log_det if metric == "log_det" else 0.0))

        return sums

    def variance(scenario: Scenario, seed: int) -> Float:
        if row.variance is None:
            return np.full(scenario.generations + 1, np.inf)
        weight = _squares(scenario)[0] if metric == "w2_squared" else float(_dimension(scenario))
        return np.asarray(weight * row.variance(_coordinate(scenario), seed))

    return Theorem(
        name=f"multivariate-diagonal-{row.name.removeprefix('gaussian-')}",
        ids=(),
        family=_KIND,
        regimes=row.regimes,
        metric=metric,
        kind="exact mean" if row.kind == "exact law" else row.kind,
        statement=f"of a diagonal covariance, coordinate by coordinate: {row.statement}",
        note=_NOTE,
        source=row.source,
        values=summed(row.values),
        near_miss=summed(row.near_miss),
        condition=lambda scenario: _diagonal(scenario) and row.condition(_coordinate(scenario)),
        variance=variance if row.kind.startswith("exact") else None,
        error=row.error,
    )


def _diagonal_log_det_variance(scenario: Scenario) -> Float:
    return multivariate.diagonal_log_det_variance(scenario.sample_sizes(), _dimension(scenario))


MULTIVARIATE: tuple[Theorem, ...] = (
    Theorem(
        name="multivariate-pairs-total-variance",
        ids=("M1.trace",),
        family=_KIND,
        regimes=(),
        metric="total_variance",
        kind="exact mean",
        statement="the expected covariance is h_t times the source's, in any dimension and every regime",
        note=_NOTE,
        source="Shumailov et al. 2023 (2305.17493) under replacement; derived",
        values=_traced(_pairs),
        near_miss=one_late(_traced(_pairs)),
        condition=_ml,
        variance=_trace_variance,
    ),
    Theorem(
        name="multivariate-pairs-mean-squared",
        ids=("M5.meandrift",),
        family=_KIND,
        regimes=(),
        metric="mean_squared",
        kind="exact mean",
        statement="what the covariance loses the mean gains: E |m_t - m_0|^2 is 1 - h_t times its trace",
        note=_NOTE,
        source="derived for this package",
        values=_traced(_distance),
        near_miss=one_late(_traced(_distance)),
        condition=_ml,
        variance=_distance_variance,
    ),
    _row(
        "unbiased-total-variance",
        ("M1.trace",),
        "total_variance",
        "the unbiased covariance keeps its expectation while every path collapses",
        lambda scenario: np.full(scenario.generations + 1, _trace(scenario)),
        lambda scenario: _trace_variance(scenario, 0),
        near_miss=_drifted(lambda scenario: np.full(scenario.generations + 1, _trace(scenario))),
        condition=_unbiased_full,
        source="Shumailov et al. 2023 (2305.17493); derived",
    ),
    _row(
        "unbiased-mean-squared",
        ("M5.meandrift",),
        "mean_squared",
        "with an unbiased covariance the mean walks off without bound",
        lambda scenario: multivariate.mean_square(_trace(scenario), scenario.sample_sizes(), variance="unbiased"),
        lambda scenario: _distance_variance(scenario, 0),
        condition=_unbiased_full,
    ),
    _row(
        "log-det",
        ("M2.logdet", "M2.logdetvar"),
        "log_det",
        "the log determinant is a sum of independent log chi-square variates of n - 1 to n - d degrees of freedom",
        _log_det,
        lambda scenario: multivariate.log_det_variance(scenario.sample_sizes(), _dimension(scenario)),
        near_miss=lambda scenario: _log_det(scenario, wrong=True),
        source="Bartlett 1933; derived",
    ),
    _row(
        "kl-model-source",
        ("M4.KLmr",),
        "kl_model_source",
        "KL(M_t || P0) is half the expected loss of the log determinant",
        _of(multivariate.kl_model_source_mean),
        _of(multivariate.kl_model_source_variance),
    ),
    _row(
        "kl-source-model",
        ("M4.KLrm",),
        "kl_source_model",
        "KL(P0 || M_t) grows exponentially, and is finite only for samples beyond d + 2",
        _of(multivariate.kl_source_model_mean),
        _of(multivariate.kl_source_model_variance),
    ),
    _row(
        "effective-rank",
        ("M3.PR_ratio",),
        "effective_rank",
        "the effective rank falls to 1 on the scale of n/3 generations, whatever the dimension",
        lambda scenario: multivariate.effective_rank_trend(*_squares(scenario), scenario.sample_sizes()),
        None,
        kind="approximation",
        error=0.3,
    ),
    _row(
        "diagonal-log-det",
        (),
        "log_det",
        "of a diagonal covariance the log determinant is a sum over coordinates and generations",
        lambda scenario: _coordinate_log_det(scenario),
        _diagonal_log_det_variance,
        near_miss=lambda scenario: _coordinate_log_det(scenario, wrong=True),
        condition=lambda scenario: _diagonal(scenario) and bool(scenario.sample_sizes().min() >= 2),
    ),
    *(
        _by_coordinate(row)
        for row in GAUSSIAN
        if row.metric in _OF_A_COORDINATE and row.name != "gaussian-replace-log-variance"
    ),
)


def _coordinate_log_det(scenario: Scenario, wrong: bool = False) -> Float:
    log = multivariate.diagonal_log_det_mean(
        scenario.sample_sizes(), _dimension(scenario), variance=_variance(scenario, wrong)
    )
    return np.asarray(_law(scenario).log_det + log)
