"""Kernel densities: recursions, limits, other regimes, and a direct simulation."""

from __future__ import annotations

import numpy as np
import pytest
from budget import Court
from hypothesis import given
from hypothesis import strategies as st

from lightcollapse.evidence import bounded_mean_p_value
from lightcollapse.predictions import density, pairs
from lightcollapse.schedule import ALL, REAL, blank

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=8)
WIDTHS = st.floats(0.0, 2.0)


def schedule(sizes, **columns):
    rows = blank(np.asarray(sizes, dtype=np.int64))
    rows["sample"][1:] = rows["size"][1:]
    rows["oldest"][1:] = np.arange(1, len(rows))
    rows["take"][1:] = ALL
    for name, value in columns.items():
        rows[name][1:] = value
    return rows


SCHEDULES = {
    "replace": schedule([5, 4, 6, 3]),
    "everything": schedule([5, 4, 6, 3], oldest=REAL),
    "window": schedule([5, 4, 6, 3, 5, 4], oldest=[0, 0, 1, 2, 3]),
    "part of a pool": schedule([5, 4, 6, 3, 5], oldest=REAL, take=[3, 4, 3, 5]),
    "fresh": schedule([6] * 5, fresh=2, sample=4),
    "fresh, weighted": schedule([6] * 5, fresh=2, sample=4, weight=0.6),
    "real sample again": schedule([6] * 5, anchor=ALL, sample=4),
    "part of the real sample": schedule([6] * 5, anchor=3, sample=4, weight=0.2),
    "fresh and everything": schedule([6] * 5, fresh=2, sample=4, oldest=REAL),
    "one point": schedule([3, 1, 1]),
}


@pytest.mark.parametrize("rows", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_without_a_kernel_pairs_are_followed(rows):
    of_mean, within = density.kernel_spread(rows, 0.0)
    assert np.allclose(within, pairs.pair_diversity(rows), rtol=1e-13)
    assert np.allclose(of_mean + within, 1.0, rtol=1e-13)


@pytest.mark.parametrize("rows", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_a_kernel_widens_every_regime(rows):
    narrow, wide = (density.kernel_spread(rows, h) for h in (0.3, 0.6))
    bare = density.kernel_spread(rows, 0.0)
    for part in (0, 1):
        assert np.all(narrow[part] >= bare[part] - 1e-15)
        # Everything is linear in h^2.
        assert np.allclose(wide[part] - bare[part], 4.0 * (narrow[part] - bare[part]), rtol=1e-9, atol=1e-14)


@given(sizes=SIZES, h=WIDTHS)
def test_closed_forms_are_the_general_recursion(sizes, h):
    each = np.full(len(sizes), h)
    replaced, pooled = schedule(sizes), schedule(sizes, oldest=REAL)
    assert np.allclose(density.kernel_variance(sizes, each), density.kernel_spread(replaced, h)[1], rtol=1e-11)
    assert np.allclose(density.accumulate_kernel_variance(sizes, each), density.kernel_spread(pooled, h)[1], rtol=1e-11)


@given(n=st.integers(1, 50), h=st.floats(0.01, 2), t=st.integers(1, 40))
def test_equal_sizes(n, h, t):
    values = density.kernel_variance([n] * t, h)
    step = [1.0]
    for _ in range(t):
        step.append((1 - 1 / n) * step[-1] + h * h)
    assert np.allclose(values, step, rtol=1e-12)
    limit = density.kernel_variance_limit(n, h)
    assert np.all(np.diff(np.abs(values - limit)) <= 1e-12)


def test_large_samples_and_many_generations():
    n = 10**9
    assert np.isclose(density.kernel_variance([n] * 10, 0.0)[-1] - 1.0, -1e-8, rtol=1e-6)
    assert np.isclose(density.kernel_variance(np.full(10**6, 100), 0.1)[-1], 1.0, rtol=1e-12)
    assert density.kernel_variance(np.full(10**6, 100), 0.2)[-1] == pytest.approx(4.0)
    pooled = density.accumulate_kernel_variance(np.full(10**5, 100), 0.1)
    assert np.isclose(pooled[10**5] - pooled[10**4], 0.01 * np.log(10), rtol=0.05), "like h^2 log t"


@pytest.mark.parametrize("unbiased", [True, False])
def test_bandwidth_in_proportion_to_the_sample(unbiased):
    sizes, ratio = [8, 5, 9], 0.4
    values = density.relative_kernel_variance(sizes, ratio, unbiased=unbiased)
    expected = 1.0
    for n in sizes:
        kernel = ratio**2 * (1.0 if unbiased else 1 - 1 / n)
        expected *= 1 - 1 / n + kernel
    assert np.isclose(values[-1], expected, rtol=1e-13)
    steady = density.relative_kernel_variance([25] * 500, 0.2)
    assert np.allclose(steady, 1.0, rtol=1e-10)


@given(n=st.integers(1, 200), h=st.floats(0.05, 2), t=st.integers(0, 8))
def test_squared_error_as_a_sum_of_normal_integrals(n, h, t):
    def integral(square):  # of exp(-square w^2 / 2) over w, by 2 pi
        return 1 / np.sqrt(2 * np.pi * square)

    pair = sum((1 - 1 / n) ** j / n * integral(2 * (j + 1) * h * h) for j in range(t))
    pair += (1 - 1 / n) ** t * integral(2 + 2 * t * h * h)
    expected = pair - 2 * integral(2 + t * h * h) + integral(2.0)
    assert np.isclose(density.kernel_squared_error(n, h, t)[-1], expected, rtol=1e-6, atol=1e-12)


@given(a=st.floats(0.05, 1.0), h=WIDTHS)
def test_fresh_share_reaches_its_limit(a, h):
    values = density.smoothing_variance(a, h, 800)
    assert np.isclose(values.training[-1], density.smoothing_variance_limit(a, h), rtol=1e-9)
    assert values.training[1] == 1.0 and np.allclose(values.model[1:], values.training[1:] + h * h)
    w = np.array([0.0, 1e-4])
    one, near = density.smoothing_damping(a, h, w)
    curve = (one - near) * 2 / w[1] ** 2  # the variance added, from the mode's curvature
    assert one == 1.0 and np.isclose(curve, h * h * (1 - a) / a, rtol=1e-4, atol=1e-7)


def test_extreme_shares():
    assert np.allclose(density.smoothing_variance(0.0, 0.5, 4).training, [1, 1, 1.25, 1.5, 1.75])
    assert np.allclose(density.smoothing_variance(1.0, 0.5, 4).training, 1.0)
    assert np.isclose(density.smoothing_variance(1e-12, 0.5, 4).training[-1], 1.75, rtol=1e-9)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="bandwidth must not be negative"):
        density.kernel_variance([5], -0.1)
    with pytest.raises(ValueError, match="one a generation"):
        density.kernel_variance([5, 6], [0.1])
    with pytest.raises(ValueError, match="exceed 0"):
        density.kernel_squared_error(5, 0.0, 3)
    for function in (density.smoothing_variance_limit, lambda a, h: density.smoothing_damping(a, h, 1.0)):
        with pytest.raises(ValueError, match="fraction"):
            function(0.0, 0.1)
    rows = schedule([5, 5])
    for column, value in (("labs", 2), ("bias", 0.5)):
        bad = rows.copy()
        bad[column][1] = value
        with pytest.raises(ValueError, match=r"one lab|not be tilted"):
            density.kernel_spread(bad, 0.1)
    for column, value, rule in (("take", 9, "pool"), ("anchor", 7, "anchor"), ("take", 0, "at least one")):
        bad = rows.copy()
        bad[column][1] = value
        with pytest.raises(ValueError, match=rule):
            density.kernel_spread(bad, 0.1)


def test_against_a_simulation(record_property):
    """The integrated squared error of every run lies between 0 and the two integrals of squares."""
    rng, runs, n, h, t = np.random.default_rng(7), 20_000, 6, 0.5, 4
    points = rng.standard_normal((runs, n))
    for _ in range(t - 1):
        picked = np.take_along_axis(points, rng.integers(n, size=(runs, n)), axis=1)
        points = picked + h * rng.standard_normal((runs, n))

    def bump(x, square):
        return np.exp(-x * x / (2 * square)) / np.sqrt(2 * np.pi * square)

    own = bump(points[:, :, None] - points[:, None], 2 * h * h).mean(axis=(1, 2))
    errors = own - 2 * bump(points, 1 + h * h).mean(axis=1) + bump(0.0, 2.0)
    most = float(bump(0.0, 2 * h * h) + bump(0.0, 2.0))
    court, exact = Court(record_property), density.kernel_squared_error(n, h, t)
    court.hold("squared error", bounded_mean_p_value(errors, exact[t], 0.0, most))
    court.reject("squared error", [bounded_mean_p_value(errors, exact[t - 1], 0.0, most)])
