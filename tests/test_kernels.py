"""The kernels against slow twins: the same numbers where both see the same draws, the same law where they do not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from budget import Court
from exact import same_law
from hypothesis import given
from hypothesis import strategies as st
from oracles import categorical_chain, categorical_measures, gaussian_chain, gaussian_measures

from lightcollapse.families.base import integer_columns, weights
from lightcollapse.families.categorical import Categorical, with_tail
from lightcollapse.families.gaussian import measures
from lightcollapse.kernels import categorical, gaussian, poisson, rng
from lightcollapse.loop import run
from lightcollapse.regimes import (
    Accumulate,
    AccumulateSubsample,
    FixedReal,
    FreshFraction,
    Regime,
    Replace,
    Weighted,
    Window,
)
from lightcollapse.scenario import Scenario
from lightcollapse.schedule import RECIPE, Schedule
from lightcollapse.sources import Normal, Zipf

KEY = rng.key(99)
SIZES = np.array([6, 8, 7, 9], dtype=np.int64)


def custom(**columns: list[float]) -> Schedule:
    """Recipe rows that no regime asks for yet, but the columns allow."""
    rows = np.zeros(4, dtype=RECIPE)
    rows["oldest"] = [1, 2, 3, 4]
    rows["weight"] = math.nan
    for name, values in columns.items():
        rows[name] = values
    return rows


SCHEDULES: dict[str, Schedule] = {
    regime.kind: regime.rows(SIZES)
    for regime in (Replace(), Accumulate(), AccumulateSubsample(), FreshFraction(0.4), FixedReal(), Window(2))
} | {
    "fresh data that runs out": FreshFraction((0.75, 0.25, 0.0)).rows(SIZES),
    "half of the first sample": FixedReal(share=0.5).rows(SIZES),
    "a heavy first sample": FixedReal(weight=0.7).rows(SIZES),
    "weighted as its regime says": Weighted(0.6, 0.5).rows(SIZES),
    "window of two": custom(
        size=[6, 12, 12, 12], fresh=[6, 0, 0, 0], sample=[0, 6, 6, 6], oldest=[1, 0, 1, 2], take=[0, -1, -1, -1]
    ),
    "part of a window, fresh and anchor": custom(
        size=[6, 9, 9, 9], fresh=[6, 2, 2, 2], anchor=[0, 3, 3, 3], sample=[0, 5, 6, 7], oldest=[1, 1, 1, 2],
        take=[0, 4, 4, 4],
    ),
    "weighted": custom(
        size=[6, 12, 12, 12], fresh=[6, 4, 4, 4], sample=[0, 8, 8, 8], oldest=[1, 1, 2, 3], take=[0, -1, -1, -1],
        weight=[math.nan, 0.3, 0.3, 0.8],
    ),
    "accumulate with fresh data": custom(
        size=[6, 15, 21, 27], fresh=[6, 3, 3, 3], sample=[0, 6, 6, 6], oldest=[1, 0, 0, 0], take=[0, -1, -1, -1]
    ),
    "anchors alone": custom(size=[6, 6, 4, 2], fresh=[6, 0, 0, 0], anchor=[0, 6, 4, 2], oldest=[1, 2, 3, 4]),
}  # fmt: skip
CHAINS = 3000


def run_gaussian(schedule: Schedule, unbiased: bool, points: bool, source: Normal, chains: int) -> np.ndarray:
    """float64 (2, chains, generations + 1)."""
    keep = bool(np.any(schedule["take"] > 0) or np.any(schedule["anchor"] > 0))
    out = np.empty((2, chains, len(schedule) + 1))
    for start in range(0, chains, 64):
        numbers = np.arange(start, min(start + 64, chains), dtype=np.uint64)
        block = np.empty((2, len(numbers), len(schedule) + 1))
        gaussian.recursion(
            integer_columns(schedule), weights(schedule), unbiased, points or keep, keep, source.mean, source.std,
            numbers, *KEY, block,
        )  # fmt: skip
        out[:, start : start + len(numbers)] = block
    return out


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("points", [True, False], ids=["points", "statistics"])
@pytest.mark.parametrize("unbiased", [False, True], ids=["ml", "unbiased"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_gaussian_recursion_has_the_law_of_its_slow_twin(
    name: str, unbiased: bool, points: bool, record_property: object
) -> None:
    schedule = SCHEDULES[name]
    if unbiased and not np.isnan(schedule["weight"]).all():
        return
    fast = run_gaussian(schedule, unbiased, points, Normal(1.0, 2.0), CHAINS)
    generator = np.random.default_rng(17)
    slow = np.stack([gaussian_chain(schedule, 1.0, 2.0, unbiased, generator) for _ in range(CHAINS)], axis=1)
    court = Court(record_property)
    for t in (1, 2, 4):
        court.hold(f"{name}: mean {t}", same_law(fast[0, :, t], slow[0, :, t]))
        court.hold(f"{name}: variance {t}", same_law(fast[1, :, t], slow[1, :, t]))
    court.hold(f"{name}: steps of the mean", same_law(np.diff(fast[0, :, 2:4])[:, 0], np.diff(slow[0, :, 2:4])[:, 0]))
    ratio = fast[1, :, 4] / fast[1, :, 2], slow[1, :, 4] / slow[1, :, 2]
    court.hold(f"{name}: ratio of variances", same_law(*ratio))
    court.reject(name, [same_law(fast[1, :, 4], 1.6 * slow[1, :, 4])])


def run_categorical(schedule: Schedule, smoothing: float, points: bool, law: np.ndarray, chains: int) -> np.ndarray:
    """float64 (chains, metrics, generations + 1)."""
    out = np.empty((chains, len(Categorical.metrics), len(schedule) + 1))
    categorical.recursions(
        integer_columns(schedule), weights(schedule), smoothing, points, law, *with_tail(law, 0.3),
        np.arange(chains, dtype=np.uint64), *KEY, out,
    )  # fmt: skip
    return out


@pytest.mark.slow_without_jit
@pytest.mark.parametrize("points", [True, False], ids=["points", "counts"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_categorical_recursion_has_the_law_of_its_slow_twin(name: str, points: bool, record_property: object) -> None:
    schedule, law = SCHEDULES[name], np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    smoothing = 0.25 if np.isnan(schedule["weight"]).all() else 0.0
    fast = run_categorical(schedule, smoothing, points, law, CHAINS)
    generator = np.random.default_rng(18)
    slow = np.empty_like(fast)
    for chain in range(CHAINS):
        for t, model in enumerate(categorical_chain(schedule, law, smoothing, generator)):
            slow[chain, 0, t] = 1.0 - float(model @ model)
            slow[chain, 3, t] = model[2:].sum()
            slow[chain, 4, t] = 0.5 * np.abs(model - law).sum()
    court = Court(record_property)
    for t in (1, 2, 4):
        for metric in (0, 3, 4):
            rounded = np.round(fast[:, metric, t], 9), np.round(slow[:, metric, t], 9)  # ties stay ties
            court.hold(f"{name}: metric {metric} at {t}", same_law(*rounded))
    steps = (np.round(np.diff(values[:, 3, 2:4])[:, 0], 9) for values in (fast, slow))
    court.hold(f"{name}: steps of the tail", same_law(*steps))
    court.reject(name, [same_law(fast[:, 0, 4], slow[:, 0, 4] - 0.1)])


@pytest.mark.slow_without_jit
def test_poisson_counts_topped_up_are_multinomial(record_property: object) -> None:
    """Masses of one digit, of two, and those that are drawn by rejection."""
    masses = np.array([1, 3, 31, 32, 33, 200, 1023, 1024, 3000])
    size = int(masses.sum())
    rate = poisson.rate_of(size, size)
    tables, cuts, others = np.empty((3, poisson.TABLES)), *np.empty((2, poisson.cells_of(rate)))
    poisson.tabulate(rate, tables, cuts, others)
    counts, sums, room = np.empty(len(masses), np.int64), np.empty((2, len(masses))), np.empty(poisson.ROOM)
    drawn = np.empty((CHAINS, len(masses)))
    for chain in range(CHAINS):
        counter = (rng.SYNTHETIC, np.uint64(3), np.uint64(chain), *KEY)
        poisson.draw_counts(counts, masses, size, size, rate, tables, cuts, others, sums, room, *counter)
        drawn[chain] = counts
    assert np.all(drawn.sum(axis=1) == size)
    expected = np.random.default_rng(19).multinomial(size, masses / size, CHAINS)
    court = Court(record_property)
    for i, mass in enumerate(masses):
        court.hold(f"counts of mass {mass}", same_law(drawn[:, i], expected[:, i]))
    court.hold("sum of two", same_law(drawn[:, 4] + drawn[:, 8], expected[:, 4] + expected[:, 8]))
    independent = np.random.default_rng(20).poisson(masses, (CHAINS, len(masses)))
    court.reject("poisson", [same_law(drawn[:, 8], independent[:, 8])])


@given(rate=st.floats(1e-3, 1.0))
def test_alias_tables_hold_poisson_laws(rate: float) -> None:
    tables, cuts, others = np.empty((3, poisson.TABLES)), *np.empty((2, poisson.cells_of(rate)))
    poisson.tabulate(rate, tables, cuts, others)
    for table, mass in ((0, 0), (1, 1), (31, 31), (33, 32), (63, 992)):
        at, length, low = tables[:, table].astype(int)
        cut, other = cuts[at : at + length], others[at : at + length].astype(int)
        chance = cut.copy()
        np.add.at(chance, other - low, 1.0 - cut)
        exact = scipy.stats.poisson(rate * mass).pmf(low + np.arange(length))
        np.testing.assert_allclose(chance / length, exact, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("size", [200, 40_000])
def test_a_drift_leaves_lost_symbols_out_and_changes_nothing(size: int) -> None:
    """Where symbols are too few for Poisson counts: the same draws, and so the same record."""
    source = Zipf(300, 1.0)
    card = Scenario(source, Categorical(), sample_size=size, generations=12)
    record = run(card, seed=5, replicates=2)
    out = np.empty((2, len(Categorical.metrics), 13))
    schedule = card.schedule()
    law = source.probabilities()
    categorical.recursions(
        integer_columns(schedule), weights(schedule), 0.0, False, law, *with_tail(law, 0.05),
        np.arange(2, dtype=np.uint64), *rng.key(5), out,
    )  # fmt: skip
    for i, name in enumerate(Categorical.metrics):
        np.testing.assert_allclose(record.metrics[name], out[:, i], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("points", [True, False], ids=["points", "statistics"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_runs_alone_as_in_a_block(name: str, points: bool) -> None:
    schedule, law = SCHEDULES[name], np.array([0.7, 0.2, 0.1, 0.0])
    whole = run_gaussian(schedule, False, points, Normal(1.0, 2.0), 3)
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(whole[:, :1], run_gaussian(schedule, False, points, Normal(1.0, 2.0), 1))
    assert np.isfinite(run_categorical(schedule, 0.0, points, law, 3)[:, :6]).all()


moments = st.tuples(st.floats(-50, 50), st.floats(0.02, 400))


@given(model=moments, source=st.tuples(st.floats(-5, 5), st.floats(0.3, 6)))
def test_gaussian_closed_forms(model: tuple[float, float], source: tuple[float, float]) -> None:
    mean, variance = model
    arrays = [np.array([[value]]) for value in (mean, variance, math.log(variance))]
    got = measures(*arrays, Normal(*source))
    ratio, shift = variance / source[1] ** 2, mean - source[0]
    assert got["kl_model_source"][0, 0] == pytest.approx(
        0.5 * (ratio - 1 - math.log(ratio) + (shift / source[1]) ** 2), rel=1e-9, abs=1e-12
    )
    assert got["kl_source_model"][0, 0] == pytest.approx(
        0.5 * (1 / ratio - 1 + math.log(ratio) + shift**2 / variance), rel=1e-9, abs=1e-12
    )
    transport = shift**2 + (math.sqrt(variance) - source[1]) ** 2
    assert got["w2_squared"][0, 0] == pytest.approx(transport, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (1.5, 0.2), (-2.0, 7.0)])
def test_gaussian_measures_are_the_integrals(mean: float, variance: float) -> None:
    source = Normal(0.5, 1.5)
    arrays = [np.array([[value]]) for value in (mean, variance, math.log(variance))]
    got = measures(*arrays, source)
    for name, value in gaussian_measures(mean, variance, source.mean, source.std).items():
        assert got[name][0, 0] == pytest.approx(value, rel=1e-4, abs=1e-7), name


laws = st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda values: sum(values) > 0.1)


@given(data=st.data(), values=laws)
def test_categorical_measures_are_scipys(data: Any, values: list[float]) -> None:
    law = np.array(values) / sum(values)
    masses = st.lists(st.floats(0, 1), min_size=len(values), max_size=len(values))
    other = data.draw(masses.filter(lambda drawn: sum(drawn) > 0.1))
    model = np.array(other) / sum(other)
    share = data.draw(st.floats(0.01, 0.99))
    out = np.empty((len(Categorical.metrics), 1))
    with np.errstate(over="ignore"):  # the plain function warns of what a compiled one lets pass
        categorical.measure_lanes(model[None], *with_tail(law, share), out)
    expected = categorical_measures(model, law, share)
    np.testing.assert_allclose(out[:, 0], list(expected.values()), rtol=1e-9, atol=1e-12)


@given(
    groups=st.lists(st.lists(st.floats(-100, 100), min_size=1, max_size=9), min_size=1, max_size=6),
    offset=st.sampled_from([0.0, 1e6]),
)
def test_merged_groups_are_the_union(groups: list[list[float]], offset: float) -> None:
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for group in groups:
        values = np.array(group) + offset
        part = np.array([values.mean()]), np.array([((values - values.mean()) ** 2).sum()])
        count = gaussian._merge(count, mean, squares, len(values), *part)
    union = np.concatenate([np.array(group) for group in groups]) + offset
    assert count == len(union)
    assert mean[0] == pytest.approx(union.mean(), rel=1e-12, abs=1e-9)
    assert squares[0] == pytest.approx(((union - union.mean()) ** 2).sum(), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("count", [1, 2, 3, 127, 128, 129, 256, 300])
def test_mean_and_squares_are_those_of_the_kept_points(count: int) -> None:
    numbers = np.arange(5, dtype=np.uint64)
    mean, squares, kept = np.empty(5), np.empty(5), np.full((count + 2, 5), np.nan)
    gaussian._points(
        count,
        np.uint64(1),
        rng.REAL_DATA,
        numbers,
        *KEY,
        mean,
        squares,
        kept,
        1,
        gaussian.work(2 * gaussian.CHUNK, numbers),
    )
    assert np.isnan(kept[0]).all() and np.isnan(kept[-1]).all()
    points = kept[1:-1]
    np.testing.assert_allclose(mean, points.mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(squares, ((points - points.mean(axis=0)) ** 2).sum(axis=0), rtol=1e-12, atol=1e-14)


def test_points_of_one_lane_are_the_generators_normals() -> None:
    numbers = np.array([3], dtype=np.uint64)
    mean, squares, kept = np.empty(1), np.empty(1), np.empty((200, 1))
    gaussian._points(
        200,
        np.uint64(2),
        rng.SYNTHETIC,
        numbers,
        *KEY,
        mean,
        squares,
        kept,
        0,
        gaussian.work(2 * gaussian.CHUNK, numbers),
    )
    pairs = [rng.normals(np.uint64(i), np.uint64(2), numbers[0], rng.SYNTHETIC, *KEY) for i in range(100)]
    np.testing.assert_array_equal(np.sort(kept[:, 0]), np.sort(np.ravel(pairs)))


@pytest.mark.parametrize("regime", [Accumulate(), AccumulateSubsample(), FixedReal()], ids=lambda r: r.kind)
def test_a_far_away_source_loses_no_digits(regime: Regime) -> None:
    """Moments are of standardised draws: a source at 1e8 gives the chain of one at 0, moved."""
    schedule = regime.rows(SIZES)
    near = run_gaussian(schedule, False, True, Normal(0.0, 1.0), 20)
    far = run_gaussian(schedule, False, True, Normal(1e8, 1.0), 20)
    np.testing.assert_allclose(far[1], near[1], rtol=1e-5)
    np.testing.assert_allclose(far[0] - 1e8, near[0], atol=1e-6)
