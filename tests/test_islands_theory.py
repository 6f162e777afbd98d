"""Labs side by side: laws, special cases and a direct simulation."""

from __future__ import annotations

import numpy as np
import pytest
from budget import Court
from hypothesis import given
from hypothesis import strategies as st

from lightcollapse.evidence import bounded_mean_p_value
from lightcollapse.predictions import islands, pairs

SHARES = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda s: (s[0], (1 - s[0]) * s[1]))
SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=8)
LABS = st.integers(2, 12)


@given(sizes=SIZES, labs=LABS, shares=SHARES)
def test_order_of_the_three_diversities(sizes, labs, shares):
    within, between, total = islands.island_diversity(sizes, labs, *shares)
    assert np.all(within <= total + 1e-15) and np.all(total <= between + 1e-15) and np.all(between <= 1 + 1e-12)
    assert within[1] == pytest.approx(1 - 1 / sizes[0]) and between[1] == pytest.approx(1.0)
    alone = pairs.replace(sizes)
    assert np.all(within >= alone - 1e-12), "labs that share or see fresh data lose no more than one alone"


@given(sizes=SIZES, labs=LABS, shares=SHARES)
def test_recursion_as_the_catalogue_writes_it(sizes, labs, shares):
    own, shared = shares
    fresh = 1 - own - shared
    within = between = 1.0
    for n in sizes:
        pooled = within / labs + (1 - 1 / labs) * between
        rest = (2 * own * shared + shared**2) * pooled + 1 - (1 - fresh) ** 2
        within, between = (1 - 1 / n) * (own**2 * within + rest), own**2 * between + rest
    found = islands.island_diversity(sizes, labs, own, shared)
    assert np.isclose(found.within[-1], within, rtol=1e-9, atol=1e-300)
    assert np.isclose(found.between[-1], between, rtol=1e-9)
    index = islands.fixation_index(sizes, labs, own, shared)[-1]
    assert np.isclose(index, 1 - within / between, atol=1e-9)


@given(n=st.integers(2, 200), labs=LABS, own=st.floats(0, 0.9), fresh=st.floats(0.02, 0.1))
def test_limit_is_reached_at_the_rate_of_the_eigenvalue(n, labs, own, fresh):
    shared = 1 - own - fresh
    limit = islands.island_limit(n, labs, own, shared)
    decay = islands.island_decay(n, labs, own, shared)
    values = islands.island_diversity([n] * 2000, labs, own, shared)
    assert np.allclose([part[-1] for part in values], limit, rtol=1e-9)
    assert 0 <= decay < (1 - fresh) ** 2 + 1e-9


def test_without_fresh_data_everything_shrinks_by_the_eigenvalue():
    values = islands.island_diversity([10] * 4000, 5, 0.9, 0.1)
    ratio = values.within[-1] / values.within[-2]
    assert np.isclose(ratio, islands.island_decay(10, 5, 0.9, 0.1), rtol=1e-12)
    assert islands.island_limit(10, 5, 0.9, 0.1) == (0, 0, 0)


def test_vanishing_diversities_leave_their_ratio():
    index = islands.fixation_index([2] * 40_000, 3, 0.5, 0.5)
    assert np.all(np.isfinite(index)) and np.isclose(index[-1], index[400], rtol=1e-9)


def test_special_cases():
    alone = islands.island_diversity([7] * 5, 3, 1.0, 0.0)
    assert np.allclose(alone.between, 1) and np.allclose(alone.within, pairs.replace([7] * 5))
    assert islands.island_limit(7, 4, 1.0, 0.0) == pytest.approx((0, 1, 0.75))
    split = islands.island_limit(30, 5, 0.8, 0.0)
    assert np.isclose(split.within, pairs.fresh_random_split(30, 0.2, 3000)[-1], rtol=1e-12)
    real = islands.island_limit(30, 5, 0.0, 0.0)
    assert real == pytest.approx((1 - 1 / 30, 1, 1 - 1 / 150))
    tenth = islands.island_diversity([5] * 3, 4, 1 - 0.1 - 0.9, 0.9)
    assert np.all(np.isfinite(tenth.total)), "own is -3e-17 by rounding"


@pytest.mark.parametrize("labs, own, shared", [(1, 0.5, 0.5), (3, 0.7, 0.4), (3, -0.1, 0.4), (3, 0.5, -0.1)])
def test_bad_shares_are_refused(labs, own, shared):
    with pytest.raises(ValueError, match=r"labs must|own \+ shared|must not be negative"):
        islands.island_diversity([5], labs, own, shared)


def test_against_labs_of_counts(record_property):
    """Labs as counts: the mixed law of a training set is multinomial given the last models."""
    rng, runs, labs, own, shared = np.random.default_rng(4), 6000, 3, 0.4, 0.5
    law, sizes = np.array([0.5, 0.3, 0.2]), [8, 6, 9]
    model = rng.multinomial(sizes[0], law, (runs, labs)) / sizes[0]
    for n in sizes[1:]:
        chance = own * model + shared * model.mean(axis=1, keepdims=True) + (1 - own - shared) * law
        model = rng.multinomial(n, chance / chance.sum(axis=2, keepdims=True)) / n
    unit = 1 - law @ law
    within = 1 - (model**2).sum(axis=2).mean(axis=1)
    between = 1 - (model[:, 0] * model[:, 1]).sum(axis=1)
    total = 1 - (model.mean(axis=1) ** 2).sum(axis=1)
    court, exact = Court(record_property), islands.island_diversity(sizes, labs, own, shared)
    wrong = islands.island_diversity(sizes, labs, own + shared, 0.0)  # labs that never share
    for name, values in (("within", within), ("between", between), ("total", total)):
        court.hold(name, bounded_mean_p_value(values, unit * getattr(exact, name)[-1], 0.0, 1.0))
    court.reject("within", [bounded_mean_p_value(within, unit * wrong.within[-1], 0.0, 1.0)])
