"""Distances between samples against SciPy, their laws, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import lightcollapse as lc

numbers = st.lists(st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float), min_size=1, max_size=30)


@given(one=numbers, other=numbers)
def test_wasserstein_is_scipys(one: list[float], other: list[float]) -> None:
    expected = scipy.stats.wasserstein_distance(one, other)
    scale = max(map(abs, [*one, *other]))
    assert lc.wasserstein(one, other) == pytest.approx(expected, rel=1e-9, abs=1e-12 * scale)


@given(one=numbers, other=numbers, third=numbers)
def test_wasserstein_is_a_metric(one: list[float], other: list[float], third: list[float]) -> None:
    distance = lc.wasserstein(one, other)
    slack = 1e-12 * max(map(abs, [*one, *other, *third]))
    assert lc.wasserstein(one, one) == 0.0
    assert lc.wasserstein(other, one) == pytest.approx(distance, rel=1e-9, abs=slack)
    assert distance <= lc.wasserstein(one, third) + lc.wasserstein(third, other) + slack
    assert lc.wasserstein(one * 3, other) == pytest.approx(distance, rel=1e-9, abs=slack)  # the same law


def test_wasserstein_of_many_points() -> None:
    generator = np.random.default_rng(21)
    one, other = generator.normal(size=70_000), generator.normal(0.5, 2.0, size=50_001)
    kept = one.copy()
    assert lc.wasserstein(one, other) == pytest.approx(scipy.stats.wasserstein_distance(one, other), rel=1e-12)
    assert np.array_equal(one, kept)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        ([], "first sample must be a list of at least one number"),
        ([[1.0]], r"shape \(1, 1\)"),
        (["a"], "must hold numbers"),
        ([1.0, np.nan], "finite numbers, got nan"),
        ([-np.inf, 1.0], "finite numbers, got -inf"),
    ],
)
def test_samples_that_are_refused(one: list[float], words: str) -> None:
    with pytest.raises(lc.DataError, match=words):
        lc.wasserstein(one, [1.0])
