"""compare(): the kernels' testimony beside the theory's, metric by metric."""

from __future__ import annotations

import itertools
import sys
from dataclasses import asdict, dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.evidence import bounded_mean_p_value, law_p_value, mean_p_value
from lightcollapse.record import Record
from lightcollapse.scenario import Scenario
from lightcollapse.special import stdtrit
from lightcollapse.theorems import THEOREMS, Prediction, Theorem, predict

Float = NDArray[np.float64]

Summary = tuple[float, float, float, float]  # mean, both ends of its interval, median

_CONFIDENCE = 0.95
_SMALLEST = float(np.finfo(np.float64).tiny)  # below it numbers lose digits, and then vanish
_ROUNDING = 1e-9  # relative: what floating-point arithmetic may add to an exact number


@dataclass(frozen=True)
class Row:
    """One metric at one generation.

    Attributes:
        mean: over replicates; infinite where some replicate's value is.
        ci_low, ci_high: 95 % interval of the mean by Student's law over replicates; every number for one replicate. In
            the place of an infinite mean's, the 2.5 % and 97.5 % quantiles of the replicates.
        median: over replicates.
        predicted, kind, theorem: what theory says, None where it says nothing.
        p_value: of the claim that theory is right, valid for any number of replicates; None where nothing exact is
            claimed, or nothing varies.
    """

    metric: str
    generation: int
    mean: float
    ci_low: float
    ci_high: float
    median: float
    predicted: float | None = None
    kind: str | None = None
    p_value: float | None = None
    theorem: str | None = None


@dataclass(frozen=True)
class Comparison:
    """All rows, in the order of metrics and generations."""

    rows: tuple[Row, ...]

    def to_rows(self) -> list[dict[str, Any]]:
        """The rows as plain data."""
        return [asdict(row) for row in self.rows]

    @property
    def checks(self) -> int:
        """Rows that have a p-value."""
        return sum(row.p_value is not None for row in self.rows)

    @property
    def worst(self) -> Row | None:
        """The row with the least p-value, None where there is none."""
        tried = [row for row in self.rows if row.p_value is not None]
        return min(tried, key=lambda row: row.p_value if row.p_value is not None else 1.0) if tried else None

    @property
    def p_value(self) -> float | None:
        """p-value of the claim that every row is right: the least one times their number (Bonferroni)."""
        worst = self.worst
        return None if worst is None or worst.p_value is None else min(1.0, worst.p_value * self.checks)


def compare(record: Record, *, test: bool = True) -> Comparison:
    """Hold a record against every theorem that speaks about its card; without `test` no p-value is computed."""
    predictions = predict(record.scenario, record.seed)
    found = Comparison(
        tuple(
            _row(metric, t, summary, predictions.get(metric))
            for metric, values in record.metrics.items()
            for t, summary in enumerate(_summaries(values))
        )
    )
    return with_p_values(found, record) if test else found


def with_p_values(comparison: Comparison, record: Record) -> Comparison:
    """The same rows with their p-values, which take the longest."""
    known = {(theorem.name, theorem.metric): theorem for theorem in THEOREMS}
    rows: list[Row] = []
    for (metric, name), group in itertools.groupby(comparison.rows, lambda row: (row.metric, row.theorem)):
        held = list(group)
        predicted = np.array([row.predicted for row in held], dtype=np.float64)
        p_values = {} if name is None else trial(record, known[name, metric], predicted)
        rows += [replace(row, p_value=p_values.get(row.generation)) for row in held]
    return Comparison(tuple(rows))


def trial(record: Record, theorem: Theorem, predicted: Float, *, near_miss: bool = False) -> dict[int, float]:
    """p-value of a theorem at each generation from 1 on, where it makes an exact claim.

    `predicted` is float64 (generations + 1,). With `near_miss` the near miss is tried instead, its own numbers given.
    """
    card, seed = record.scenario, record.seed
    values = record.metrics[theorem.metric]
    generations = range(1, card.generations + 1)
    law = theorem.near_law if near_miss else theorem.law
    if theorem.kind == "exact law" and law is not None:
        held = [t for t in generations if np.abs(values[:, t]).min() > _SMALLEST]  # else the law is a float's, not ours
        return {t: law_p_value(partial(law, card, t), values[:, t]) for t in held}
    if theorem.kind != "exact mean":
        return {}
    if theorem.bounds is not None:
        low, high = theorem.bounds(card, seed)
        slack = _ROUNDING * (high - low)
        return {
            t: _unless_equal(values[:, t], predicted[t])
            or bounded_mean_p_value(values[:, t], float(predicted[t]), low - slack, high + slack)
            for t in generations
        }
    variances = _least_variance(theorem, card, seed)
    return {
        t: _unless_equal(values[:, t], predicted[t])
        or mean_p_value(values[:, t], float(predicted[t]), float(variances[t]))
        for t in testable(theorem, card, seed)
    }


def testable(theorem: Theorem, card: Scenario, seed: int) -> list[int]:
    """Generations from 1 on at which trial() has a test of an exact claim, but for numbers that are too small."""
    generations = range(1, card.generations + 1)
    if theorem.kind == "exact law" or (theorem.kind == "exact mean" and theorem.bounds is not None):
        return list(generations)
    if theorem.kind != "exact mean":
        return []
    variances = _least_variance(theorem, card, seed)
    return [t for t in generations if np.isfinite(variances[t])]


def _least_variance(theorem: Theorem, card: Scenario, seed: int) -> Float:
    """The least bound of the metric's variance that any theorem states about the card, float64 (generations + 1,)."""
    least = np.full(card.generations + 1, np.inf)
    for row in THEOREMS:
        if row.variance is not None and row.metric == theorem.metric and row.applies(card):
            least = np.minimum(least, row.variance(card, seed))
    return least


def _unless_equal(values: Float, predicted: float) -> float:
    """1 where every value is the predicted one but for rounding, else 0."""
    near = _ROUNDING**2 + _ROUNDING * abs(float(predicted))
    if abs(float(values[0]) - float(predicted)) > near:  # as a rule, and all values take longer
        return 0.0
    return float(np.allclose(values, predicted, rtol=_ROUNDING, atol=_ROUNDING**2))


def _row(metric: str, generation: int, summary: Summary, prediction: Prediction | None) -> Row:
    """One row of the comparison, without its p-value."""
    known = {} if prediction is None else {
        "predicted": float(prediction.values[generation]),
        "kind": str(prediction.kind),
        "theorem": prediction.theorem.name,
    }  # fmt: skip
    return Row(metric, generation, *summary, **known)  # type: ignore[arg-type]


def _summaries(values: Float) -> list[Summary]:
    """Mean, both ends of its interval and median of each generation of float64 (replicates, generations + 1)."""
    columns = np.sort(values.T, axis=1)  # in this order whatever the memory's: sums have the same bits
    n = columns.shape[1]
    whole = np.asarray(np.isfinite(columns).all(axis=1))
    with np.errstate(over="ignore", invalid="ignore"):
        means = columns.mean(axis=1)
        halves = _half_width(columns)
        middles = 0.5 * columns[:, (n - 1) // 2] + 0.5 * columns[:, n // 2]
        ends = [
            (mean, mean - half, mean + half) if finite else interval(column)
            for mean, half, finite, column in zip(means.tolist(), halves.tolist(), whole.tolist(), columns, strict=True)
        ]
    medians = np.where(np.isfinite(middles), middles, columns[:, (n - 1) // 2]).tolist()
    return [(*three, median) for three, median in zip(ends, medians, strict=True)]


def _half_width(values: Float) -> Float:
    """Half of the 95 % interval of the mean over the last axis by Student's law; infinite for one value."""
    n = values.shape[-1]
    if n == 1:
        return np.full(values.shape[:-1], np.inf)
    return np.asarray(stdtrit(n - 1, 0.5 + 0.5 * _CONFIDENCE) * np.std(values, axis=-1, ddof=1) / np.sqrt(n))


def interval(values: Float) -> tuple[float, float, float]:
    """Mean and 95 % interval by Student's law; where some value is infinite, the interval is of quantiles."""
    if not np.all(np.isfinite(values)):
        low, high = np.quantile(values, [0.5 - 0.5 * _CONFIDENCE, 0.5 + 0.5 * _CONFIDENCE], method="inverted_cdf")
        return (np.inf if values.max() == np.inf else -np.inf), float(low), float(high)
    mean = float(np.mean(values))
    half = float(_half_width(values))
    return mean, mean - half, mean + half


class _Callable(ModuleType):
    """`lc.compare` is the function, and becomes this module once somebody imports it: either may be called."""

    def __call__(self, record: Record, *, test: bool = True) -> Comparison:
        return compare(record, test=test)


sys.modules[__name__].__class__ = _Callable
