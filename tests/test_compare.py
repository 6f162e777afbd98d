"""compare(): honest numbers in every row, and p-values from the right test."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from theorem_cards import possible

from lightcollapse.compare import Comparison, Row, compare, with_p_values
from lightcollapse.evidence import law_p_value, mean_p_value
from lightcollapse.families import Categorical, Gaussian
from lightcollapse.loop import run
from lightcollapse.predictions.gaussian_law import LogVarianceLaw
from lightcollapse.record import Record
from lightcollapse.regimes import (
    REGIMES,
    Accumulate,
    AccumulateSubsample,
    FixedReal,
    FreshFraction,
    Islands,
    Regime,
    Replace,
    Weighted,
    Window,
)
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Normal, Probabilities, Uniform, Zipf
from lightcollapse.theorems import THEOREMS, predict

pytestmark = pytest.mark.slow_without_jit

REGIME_CARDS: list[Regime] = [
    Replace(),
    Accumulate(),
    AccumulateSubsample(),
    FreshFraction(0.3),
    FreshFraction(0.3, bias=1.0),
    FixedReal(),
    FixedReal(share=0.4),
    FixedReal(weight=0.4),
    Weighted(0.6),
    Window(2),
    Islands(2, own=0.5, shared=0.25),
]


def record_of(card: Scenario, replicates: int = 200, seed: int = 11) -> Record:
    return run(card, seed=seed, replicates=replicates)


def extreme() -> Iterator[tuple[str, Scenario]]:
    for regime in REGIME_CARDS:
        yield f"one point, {regime.kind}", Scenario(Normal(), Gaussian(), regime, sample_size=1, generations=3)
        yield f"two points, {regime.kind}", Scenario(Normal(), Gaussian(), regime, sample_size=2, generations=4)
        yield f"few symbols, {regime.kind}", Scenario(Uniform(3), Categorical(), regime, sample_size=2, generations=9)
        yield f"one symbol, {regime.kind}", Scenario(Uniform(1), Categorical(), regime, sample_size=3, generations=3)
        none = Probabilities((0.5, 0.5, 0.0))
        for card in possible(none, Categorical(0.5), regime, sample_size=3, generations=3):
            yield f"no mass, {regime.kind}", card
    yield "below the smallest float", Scenario(Normal(), Gaussian(), sample_size=2, generations=1500)
    yield "a far source", Scenario(Normal(1e150, 1e-150), Gaussian(), sample_size=5, generations=3)
    yield "one generation", Scenario(Normal(), Gaussian("unbiased"), sample_size=5, generations=1)


EXTREME = list(extreme())


def finite_or_honest(row: Row) -> None:
    assert not any(math.isnan(value) for value in (row.mean, row.median, row.ci_low, row.ci_high))
    assert row.ci_low <= row.ci_high
    if row.predicted is not None:
        assert not math.isnan(row.predicted) and row.kind and row.theorem
    if row.p_value is not None:
        assert 0.0 <= row.p_value <= 1.0 and row.kind in ("exact law", "exact mean")


@pytest.mark.parametrize("replicates", [1, 2, 40])
@pytest.mark.parametrize(("name", "card"), EXTREME, ids=[name for name, _ in EXTREME])
def test_rows_are_finite_or_honest(name: str, card: Scenario, replicates: int) -> None:
    record = record_of(card, replicates)
    comparison = compare(record)
    assert len(comparison.rows) == len(record.metrics) * (card.generations + 1)
    for row in comparison.rows:
        finite_or_honest(row)
    if comparison.worst is not None:
        assert comparison.worst.p_value is not None and comparison.worst.p_value > 1e-6


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(record_of(Scenario(Normal(1.0, 2.0), Gaussian(), sample_size=10, generations=4)))


def test_rows_come_by_metric_then_generation(comparison: Comparison) -> None:
    order = [(row.metric, row.generation) for row in comparison.rows]
    assert order == [(metric, t) for metric in Gaussian.metrics for t in range(5)]


def test_a_row_is_mean_interval_and_median_of_the_replicates() -> None:
    record = record_of(Scenario(Zipf(9, 1.0), Categorical(), sample_size=10, generations=2), 30)
    rows = {(row.metric, row.generation): row for row in compare(record).rows}
    values = record.metrics["entropy"][:, 2]
    row = rows["entropy", 2]
    half = 2.045229642132703 * values.std(ddof=1) / math.sqrt(30)  # Student's t of 29 degrees of freedom, 97.5 %
    assert row.mean == pytest.approx(values.mean())
    assert (row.ci_low, row.ci_high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert row.median == np.median(values)


def test_predictions_stand_beside_what_they_speak_of(comparison: Comparison) -> None:
    found = predict(Scenario(Normal(1.0, 2.0), Gaussian(), sample_size=10, generations=4))
    for row in comparison.rows:
        prediction = found.get(row.metric)
        if prediction is None:
            assert row.predicted is row.kind is row.p_value is row.theorem is None
        else:
            assert row.predicted == prediction.values[row.generation]
            assert (row.kind, row.theorem) == (prediction.kind, prediction.theorem.name)


def test_p_values_come_from_the_law_where_there_is_one() -> None:
    card = Scenario(Normal(), Gaussian(), sample_size=10, generations=3)
    record = record_of(card)
    rows = {(row.metric, row.generation): row for row in compare(record).rows}
    theorem = next(row for row in THEOREMS if row.name == "gaussian-replace-variance")
    values = record.metrics["variance"][:, 2]
    assert theorem.law is not None
    assert rows["variance", 2].p_value == law_p_value(lambda x: theorem.law(card, 2, x), values)  # type: ignore[misc]
    assert rows["mean", 2].p_value == pytest.approx(mean_p_value(record.metrics["mean"][:, 2], 0.0, 1 - 0.9**2))


def test_the_source_itself_is_not_tested(comparison: Comparison) -> None:
    assert all(row.p_value is None for row in comparison.rows if row.generation == 0)


def test_the_worst_row_and_all_together(comparison: Comparison) -> None:
    tested = [row.p_value for row in comparison.rows if row.p_value is not None]
    assert comparison.worst is not None
    assert comparison.worst.p_value == min(tested)
    predicted = {row.metric for row in comparison.rows if row.theorem is not None}
    assert comparison.checks == len(tested) == 4 * len(predicted) == 4 * 7
    assert comparison.p_value == min(1.0, min(tested) * len(tested))


@pytest.mark.parametrize("change", [{"std": 1.3}, {"mean": 0.5}])
def test_a_wrong_record_is_found(change: dict[str, float]) -> None:
    """A record of another source, passed off as one of this card."""
    card = Scenario(Normal(), Gaussian(), sample_size=20, generations=4)
    other = record_of(Scenario(Normal(**change), Gaussian(), sample_size=20, generations=4), 2000)
    passed_off = Record(card, other.seed, other.replicates, other.metrics, other.absorbed)
    verdict = compare(passed_off).p_value
    assert verdict is not None and verdict < 1e-20


def test_a_constant_that_is_off_is_found() -> None:
    card = Scenario(Uniform(4), Categorical(0.5), sample_size=5, generations=2)
    record = record_of(card, 50)
    record.metrics["support"][:] = 3.0
    rows = [row for row in compare(record).rows if row.metric == "support" and row.generation > 0]
    assert [row.p_value for row in rows] == [0.0, 0.0] or all(row.p_value < 1e-6 for row in rows)  # type: ignore[operator]


def test_rows_as_plain_data(comparison: Comparison) -> None:
    rows = comparison.to_rows()
    assert len(rows) == len(comparison.rows)
    expected = {"metric", "generation", "mean", "ci_low", "ci_high", "median", "predicted", "kind", "p_value"}
    assert all(expected <= set(row) for row in rows)


@pytest.mark.parametrize("regime", REGIME_CARDS, ids=lambda regime: regime.kind)
def test_every_regime_has_something_to_compare(regime: Regime) -> None:
    cards: list[Any] = [(Normal(), Gaussian()), (Uniform(4), Categorical())]
    for source, family in cards:
        # Of some Gaussians the mean alone is tried: no bound is known of the variance of their variance.
        least = 3 if family.kind == "gaussian" and regime in (Window(2), FixedReal(share=0.4)) else 6
        assert compare(record_of(Scenario(source, family, regime, sample_size=8, generations=3), 20)).checks >= least


def test_the_list_of_regimes_is_whole() -> None:
    assert {type(regime) for regime in REGIME_CARDS} == set(REGIMES)


def test_p_values_may_be_added_later() -> None:
    for family, source in ((Gaussian(), Normal()), (Categorical(), Uniform(5))):
        record = record_of(Scenario(source, family, sample_size=10, generations=4), replicates=30)
        untested = compare(record, test=False)
        assert untested.checks == 0
        assert with_p_values(untested, record) == compare(record)
        assert compare(record).checks > 0


def test_a_law_is_asked_again_where_the_points_are_others() -> None:
    """Variance, std and log variance of the same chains have one answer; other chains have theirs."""
    card = Scenario(Normal(), Gaussian(), sample_size=10, generations=3)
    asked = []
    for seed in (1, 2):
        comparison = compare(record_of(card, seed=seed))
        found = {row.metric: row.p_value for row in comparison.rows if row.generation == 3}
        assert found["variance"] == pytest.approx(found["std"], rel=1e-9)
        assert found["variance"] == pytest.approx(found["log_variance"], rel=1e-9)
        asked.append(found["variance"])
    assert asked[0] != asked[1]
    law = LogVarianceLaw([10, 10, 10])
    for seed, p_value in zip((1, 2), asked, strict=True):
        values = record_of(card, seed=seed).metrics["log_variance"][:, 3]
        assert law_p_value(law.cdf, values) == pytest.approx(p_value, rel=1e-9)
