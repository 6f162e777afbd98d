"""Laws that every card must obey, whatever its numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lightcollapse.families import Categorical, Gaussian
from lightcollapse.loop import run
from lightcollapse.regimes import (
    Accumulate,
    AccumulateSubsample,
    FixedReal,
    FreshFraction,
    Islands,
    Regime,
    Replace,
    Trend,
    Weighted,
    Window,
)
from lightcollapse.scenario import Scenario
from lightcollapse.schedule import ALL, REAL
from lightcollapse.sources import Normal, Probabilities, SymbolSource, Uniform, Zipf
from lightcollapse.theorems import predict

pytestmark = pytest.mark.slow_without_jit

unit = st.floats(0, 1)
regimes: st.SearchStrategy[Regime] = st.one_of(
    st.just(Replace()),
    st.just(Accumulate()),
    st.just(AccumulateSubsample()),
    st.builds(FreshFraction, unit),
    st.just(FixedReal()),
    st.builds(FixedReal, unit),
    st.builds(FixedReal, st.none(), unit),
    st.builds(Weighted, unit, st.floats(0, 1, exclude_min=True)),
    st.builds(Window, st.integers(1, 4)),
)
tilted = st.builds(FreshFraction, unit, st.floats(-2, 2))
islands = st.builds(lambda labs, own, part: Islands(labs, own, (1 - own) * part), st.integers(2, 5), unit, unit)
trends = st.builds(
    Trend, st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.sampled_from(["linear", "geometric", "logistic"])
)
weights = st.lists(st.floats(0, 1), min_size=1, max_size=12).filter(lambda values: sum(values) > 1e-3)
symbol_sources: st.SearchStrategy[SymbolSource] = st.one_of(
    st.builds(Uniform, st.integers(1, 12)),
    st.builds(Zipf, st.integers(1, 12), st.floats(0, 4), st.floats(-0.9, 5)),
    weights.map(lambda values: Probabilities(tuple(value / math.fsum(values) for value in values))),
)
sample_sizes = st.lists(st.integers(1, 40), min_size=1, max_size=7)
seeds = st.integers(0, 2**64 - 1)
few = settings(max_examples=60)


def weighted(regime: Regime) -> bool:
    """Whether real and synthetic points have weights of their own, which not every fit takes."""
    return getattr(regime, "weight", None) is not None


@given(source=symbol_sources)
def test_probabilities_are_a_law(source: SymbolSource) -> None:
    law = source.probabilities()
    assert law.dtype == np.float64 and law.ndim == 1
    assert (law >= 0).all() and abs(math.fsum(law) - 1.0) <= 1e-12


@given(size=st.integers(1, 50), offset=st.floats(-0.9, 9))
def test_zipf_of_exponent_0_is_uniform(size: int, offset: float) -> None:
    np.testing.assert_allclose(Zipf(size, 0.0, offset).probabilities(), Uniform(size).probabilities(), rtol=1e-14)


@given(regime=st.one_of(regimes, tilted, st.builds(FreshFraction, trends)), sizes=sample_sizes)
def test_rows_add_up(regime: Regime, sizes: list[int]) -> None:
    """fresh + anchor + take is the size; nothing is taken that is not there; training set 1 is real."""
    rows = regime.rows(np.array(sizes, dtype=np.int64))
    assert len(rows) == len(sizes)
    assert rows[0]["size"] == rows[0]["fresh"] == sizes[0]
    assert rows[0]["sample"] == rows[0]["take"] == rows[0]["anchor"] == 0
    batches = [sizes[0]]
    for t, row in enumerate(rows, start=1):
        if t > 1:
            batches.append(int(row["sample"]))
        assert REAL <= row["oldest"] <= t
        pool = sum(batches[int(row["oldest"]) : t])
        anchor = batches[REAL] if row["anchor"] == ALL else int(row["anchor"])
        take = pool if row["take"] == ALL else int(row["take"])
        assert 0 <= anchor <= batches[REAL] and 0 <= take <= pool and row["fresh"] >= 0 and row["sample"] >= 0
        assert row["fresh"] + anchor + take == row["size"] >= 1
        assert math.isnan(row["weight"]) or (0 <= row["weight"] <= 1 and row["fresh"] + anchor >= 1 and take >= 1)
        assert row["bias"] == 0 or (t > 1 and row["fresh"] > 0)
        assert row["labs"] == 1 and row["own"] == row["shared"] == 0


@given(regime=islands, sizes=sample_sizes)
def test_rows_of_islands_hold_shares(regime: Islands, sizes: list[int]) -> None:
    rows = regime.rows(np.array(sizes, dtype=np.int64))
    assert rows["size"].tolist() == sizes and rows["fresh"].tolist() == [sizes[0], *[0] * (len(sizes) - 1)]
    assert not any(np.any(rows[name]) for name in ("anchor", "sample", "take", "bias"))
    assert (rows["labs"] == regime.labs).all() and np.isnan(rows["weight"]).all()
    assert (rows["oldest"] == np.arange(1, len(sizes) + 1)).all()
    assert math.fsum(regime.shares) == pytest.approx(1.0, abs=1e-12)
    for row in rows[1:]:
        assert (row["own"], row["shared"]) == regime.shares[:2]


@given(trend=trends, count=st.integers(1, 30))
def test_a_trend_goes_from_start_to_end_without_turning(trend: Trend, count: int) -> None:
    shares = trend.shares(count)
    assert shares.shape == (count,) and np.all((shares >= 0) & (shares <= 1))
    assert shares[0] == pytest.approx(trend.start, rel=1e-12)
    assert count == 1 or shares[-1] == pytest.approx(trend.end, rel=1e-12)
    assert np.all(np.diff(shares) * np.sign(trend.end - trend.start) >= -1e-15)
    if count == 3:
        middle = {
            "linear": 0.5 * (trend.start + trend.end),
            "geometric": math.sqrt(trend.start * trend.end),
            "logistic": 1.0 / (1.0 + math.sqrt((1.0 / trend.start - 1.0) * (1.0 / trend.end - 1.0))),
        }[trend.shape]
        assert shares[1] == pytest.approx(middle, rel=1e-12)


@given(source=symbol_sources, bias=st.floats(-3, 3), more=st.floats(0.01, 1))
def test_a_tilt_moves_mass_to_the_frequent_symbols(source: SymbolSource, bias: float, more: float) -> None:
    """Tilts add up; a larger one has a larger mean of log p; symbols of no mass stay without."""
    law = source.probabilities()
    first, further = source.tilted(bias).probabilities(), source.tilted(bias + more).probabilities()
    np.testing.assert_allclose(source.tilted(0.0).probabilities(), law, rtol=1e-9)
    assert np.array_equal(first > 0, law > 0) or first[law > 0].min() < 1e-300
    logs = np.log(law[law > 0])
    assert further[law > 0] @ logs >= first[law > 0] @ logs - 1e-9
    present = first > 1e-100
    spread = np.log(first[present]) - (1.0 + bias) * np.log(law[present])
    assert np.ptp(spread) <= 1e-6 * (1.0 + np.abs(logs).max())


@given(regime=st.one_of(regimes, tilted, islands), sizes=sample_sizes, longer=st.integers(1, 40))
def test_a_row_depends_on_the_past_alone(regime: Regime, sizes: list[int], longer: int) -> None:
    rows = regime.rows(np.array(sizes, dtype=np.int64))
    more = regime.rows(np.array([*sizes, longer], dtype=np.int64))
    for name in rows.dtype.names or ():
        np.testing.assert_array_equal(rows[name], more[name][:-1])


@given(
    regime=regimes,
    sizes=sample_sizes,
    seed=seeds,
    source=symbol_sources,
    smoothing=st.sampled_from([0.0, 0.0, 0.5, 3.0]),
    points=st.booleans(),
)
def test_categorical_metrics_keep_their_ranges(
    regime: Regime, sizes: list[int], seed: int, source: SymbolSource, smoothing: float, points: bool
) -> None:
    assume(smoothing == 0.0 or not weighted(regime))
    family = Categorical(smoothing, draws="points" if points else "statistics")
    card = Scenario(source, family, regime, sample_size=sizes, generations=len(sizes))
    record = run(card, seed=seed, replicates=2, jobs=1)
    law = source.probabilities()
    m = record.metrics
    rounding = 1e-12
    assert not any(np.isnan(values).any() for values in m.values())
    assert np.all((m["heterozygosity"] >= 0) & (m["heterozygosity"] <= 1 - 1 / len(law) + rounding))
    assert np.all((m["support"] >= 1) & (m["support"] <= len(law)))
    assert np.all(m["support"] == np.rint(m["support"]))
    assert np.all((m["entropy"] >= 0) & (m["entropy"] <= np.log(m["support"]) + rounding))
    assert np.all(m["heterozygosity"] <= 1 - 1 / m["support"] + rounding)
    assert np.all((m["tail_mass"] >= 0) & (m["tail_mass"] <= 1 + rounding))
    assert np.all((m["total_variation"] >= 0) & (m["total_variation"] <= 1 + rounding))
    for name in ("kl_model_source", "kl_source_model"):
        assert np.all(m[name] >= 2 * m["total_variation"] ** 2 - rounding)  # Pinsker
        assert np.all(np.abs(m[name][:, 0]) <= rounding)
    if smoothing == 0.0:
        assert np.all(np.isfinite(m["kl_model_source"]))
        lost = m["support"] < np.count_nonzero(law)
        assert np.array_equal(np.isinf(m["kl_source_model"]), lost)
        if regime.kind == "replace":
            assert np.all(np.diff(m["support"]) <= 0)
        if regime in (Accumulate(), FixedReal()):
            assert np.all(np.diff(m["support"][:, 1:]) == 0)  # nothing real is ever thrown away
    elif len(sizes) > 0:
        assert np.all(m["support"][:, 1:] == len(law))


@given(regime=regimes, sizes=sample_sizes, seed=seeds, mean=st.floats(-100, 100), std=st.floats(0.01, 100))
def test_gaussian_metrics_move_with_their_source(
    regime: Regime, sizes: list[int], seed: int, mean: float, std: float
) -> None:
    """Chains of N(m, s^2) are those of N(0, 1), moved and scaled; divergences do not change."""
    plain, moved = (
        run(Scenario(source, Gaussian(), regime, sample_size=sizes, generations=len(sizes)), seed=seed, replicates=2)
        for source in (Normal(), Normal(mean, std))
    )
    m, n = plain.metrics, moved.metrics
    alive = m["variance"] > 1e-9  # a chain that is nearly a point has lost the digits of its mean
    close = {"rtol": 1e-5, "atol": 1e-7}
    np.testing.assert_allclose(n["mean"], mean + std * m["mean"], rtol=1e-9, atol=1e-9 * (abs(mean) + std))
    np.testing.assert_allclose(n["variance"][alive], std**2 * m["variance"][alive], **close)
    np.testing.assert_allclose(n["log_variance"][alive], 2 * math.log(std) + m["log_variance"][alive], **close)
    np.testing.assert_allclose(n["w2_squared"][alive], std**2 * m["w2_squared"][alive], **close)
    for name in ("kl_model_source", "kl_source_model"):
        np.testing.assert_allclose(n[name][alive], m[name][alive], rtol=1e-5, atol=1e-6)


@given(regime=regimes, sizes=sample_sizes, seed=seeds, unbiased=st.booleans())
def test_gaussian_metrics_keep_their_ranges(regime: Regime, sizes: list[int], seed: int, unbiased: bool) -> None:
    assume(not (unbiased and weighted(regime)))
    sizes = [size + 1 for size in sizes]
    family = Gaussian("unbiased" if unbiased else "ml")
    card = Scenario(Normal(), family, regime, sample_size=sizes, generations=len(sizes))
    m = run(card, seed=seed, replicates=2).metrics
    assert not any(np.isnan(values).any() for values in m.values())
    assert np.all(m["variance"] >= 0)
    np.testing.assert_allclose(m["std"] ** 2, m["variance"], rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(np.exp(m["log_variance"]), m["variance"], rtol=1e-9, atol=1e-300)
    for name in ("w2_squared", "kl_model_source", "kl_source_model"):
        assert np.all(m[name] >= -1e-12), name
        assert np.all(m[name][:, 0] == 0.0), name


@few
@given(regime=regimes, size=st.integers(2, 30), generations=st.integers(1, 12), source=symbol_sources)
def test_predictions_start_at_the_source_and_keep_their_ranges(
    regime: Regime, size: int, generations: int, source: SymbolSource
) -> None:
    gaussian = Scenario(Normal(), Gaussian(), regime, sample_size=size, generations=generations)
    categorical = Scenario(source, Categorical(), regime, sample_size=size, generations=generations)
    for card in (gaussian, categorical):
        found = predict(card)
        own = run(card, seed=1, replicates=1).metrics
        for metric, prediction in found.items():
            assert not np.isnan(prediction.values).any()
            np.testing.assert_allclose(prediction.values[0], own[metric][0, 0], rtol=1e-12, atol=1e-12)
    drift, diversity = predict(gaussian).get("variance"), predict(categorical).get("heterozygosity")
    if drift is not None and diversity is not None and diversity.values[0] > 0:
        np.testing.assert_allclose(drift.values, diversity.values / diversity.values[0], rtol=1e-8)
