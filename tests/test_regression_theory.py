"""Linear regression on its own labels: special cases, limits, best weights, and a direct simulation."""

from __future__ import annotations

import numpy as np
import pytest
from budget import Court
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from lightcollapse.evidence import mean_p_value
from lightcollapse.predictions import regression

DIMENSIONS = st.integers(1, 8)
SIZES = st.lists(st.integers(13, 80), min_size=1, max_size=6)


@given(sizes=SIZES, d=DIMENSIONS, noise=st.floats(0, 4))
def test_least_squares(sizes, d, noise):
    replaced, pooled = regression.replace_error(sizes, d, noise), regression.accumulate_error(sizes, d, noise)
    assert np.isclose(replaced[1], pooled[1]) and np.all(pooled <= replaced + 1e-12)
    assert np.allclose(regression.replace_error(sizes, d, [noise] * len(sizes)), replaced)
    each = sum(noise * d / (n - d - 1) for n in sizes)
    assert np.isclose(replaced[-1], each, rtol=1e-12)


@given(n=st.integers(4, 60), d=DIMENSIONS)
def test_accumulation_keeps_below_its_bound(n, d):
    assume(n > d + 1)
    values = regression.accumulate_error([n] * 60, d)
    fixed = regression.fixed_design_accumulate_error(n, d, 60).mean
    assert np.all(values <= fixed + 1e-12), "new inputs are worth more than the same ones"
    assert fixed[-1] < np.pi**2 / 6 * d / (n - d - 1)


def test_published_numbers_of_a_fixed_design():
    """Gerstgrasser et al. 2024: d = 10, n = 100, noise 1, a hundred models."""
    assert np.isclose(regression.fixed_design_replace_error(100, 10, 100).mean[-1], 11.236, atol=5e-4)
    assert np.isclose(regression.fixed_design_accumulate_error(100, 10, 100).mean[-1], 0.18371, atol=5e-6)


@given(n=st.integers(10, 60), d=st.integers(1, 6))
def test_variances(n, d):
    once = regression.replace_error_variance([n], d)[1]
    fixed = regression.fixed_design_replace_error(n, d, 4)
    assert np.isclose(fixed.variance[1], once, rtol=1e-12)
    assert np.allclose(fixed.variance[1:], once * np.arange(1, 5) ** 2.0, rtol=1e-12)
    assert np.all(regression.replace_error_variance([n] * 4, d) <= fixed.variance * (1 + 1e-12))
    assert np.isclose(regression.replace_error_variance([n] * 4, d, 3.0)[-1],
                      9.0 * regression.replace_error_variance([n] * 4, d)[-1])  # fmt: skip


def test_variance_of_one_dimension():
    """The step is noise over the root of a chi-square: fourth moment 3 / ((n - 2)(n - 4)), second 1 / (n - 2)."""
    n = 11
    expected = 3 / ((n - 2) * (n - 4)) - 1 / (n - 2) ** 2
    assert np.isclose(regression.replace_error_variance([n], 1)[1], expected, rtol=1e-12)
    assert regression.fixed_design_replace_error(5, 2, 1).variance[1] == np.inf


@given(n=st.integers(4, 80), d=DIMENSIONS)
def test_mixing_constant(n, d):
    assume(n > d + 1)
    values = [regression.mixing_constant(n, k, d) for k in range(n + 1)]
    assert values[0] == 0.0 and np.isclose(values[-1], 1.0, rtol=1e-12)
    ks = np.arange(n + 1)
    if d == 1:
        assert np.allclose(values, ks * (ks + 2) / (n * (n + 2)), rtol=1e-12)
    if 3 * d < 2 * n - 6:
        assert np.all(np.diff(values) > 0)
    assert np.all(values >= (ks / n) ** 2 - 1e-12), "E B^2 is at least (E B)^2"


def test_mixing_constant_of_many_points():
    n, share, ratio = 10**8, 0.3, 0.4
    limit = share**2 + share * (1 - share) * ratio / (1 - ratio)
    assert np.isclose(regression.mixing_constant(n, int(share * n), int(ratio * n)), limit, rtol=1e-6)


@given(n=st.integers(4, 60), d=DIMENSIONS, part=st.floats(0, 1))
def test_fresh_points(n, d, part):
    assume(n > d + 1)
    fresh = round(part * n)
    values, unit = regression.fresh_error(n, fresh, d, 8), d / (n - d - 1)
    limit = regression.fresh_error_limit(n, fresh, d)
    assert np.isclose(values[1], unit, rtol=1e-12) and np.all(values <= limit * (1 + 1e-12))
    assert np.isclose(regression.fresh_error(n, 0, d, 8)[-1], 8 * unit) and np.isclose(
        regression.fresh_error(n, n, d, 8)[-1], unit
    )
    again = regression.strong_collapse_error(n, n - fresh, d, values[-2])
    assert np.isclose(again, values[-1], rtol=1e-12), "one more pooled fit"


@given(n=st.integers(1, 20), more=st.integers(2, 30), noise=st.floats(0, 3), norm=st.floats(0, 3))
def test_least_norm(n, more, noise, norm):
    d = n + more
    share, unit = n / d, noise * n / (more - 1)
    t = np.arange(9)
    closed = (1 - share**t) * (norm + unit / (1 - share))
    assert np.allclose(regression.minimum_norm_error([n] * 8, d, noise, norm), closed, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n", "d"), [(4, 10), (20, 40), (30, 33), (50, 20), (9, 3)])
@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("noise", [0.2, 3.0])
def test_two_labels(n, d, fixed, noise):
    options = {"noise": noise, "fixed_design": fixed}
    best = regression.best_label_weight(n, d, **options)
    search = minimize_scalar(
        lambda w: regression.label_mixing_limit(w, n, d, **options), bounds=(0.05, 1), method="bounded"
    )
    assert abs(search.x - best) < 1e-4
    values = regression.label_mixing_error(best, n, d, 400, **options)
    assert np.isclose(values[-1], regression.label_mixing_limit(best, n, d, **options), rtol=1e-9)
    golden = (np.sqrt(5) - 1) / 2
    if fixed or n > d:
        assert np.isclose(best, golden, rtol=1e-12)
        unit = noise * (d / (n - d - 1) if n > d else n / (d - n - 1))
        lost = max(0.0, 1 - n / d)
        assert np.isclose(values[-1], lost + unit * golden, rtol=1e-9)
    real = regression.label_mixing_error(1.0, n, d, 3, **options)
    assert np.allclose(real[1:], real[1]) and real[0] == 0.0


def test_synthetic_labels_alone():
    assert regression.label_mixing_limit(0.0, 50, 20) == np.inf
    assert regression.label_mixing_limit(0.0, 20, 40, fixed_design=True) == np.inf
    endless = regression.minimum_norm_error([20] * 500, 40)[-1]
    assert np.isclose(regression.label_mixing_limit(0.0, 20, 40), endless, rtol=1e-9)
    assert regression.label_mixing_limit(0.0, 50, 20, noise=0.0) == 0.0


@given(ratio=st.floats(0.05, 5), penalty=st.floats(1e-3, 10))
def test_traces_solve_their_equation(ratio, penalty):
    first, second = regression.resolvent_traces(ratio, penalty)
    left = ratio * penalty * first**2 + (1 - ratio + penalty) * first
    assert np.isclose(left, 1.0, rtol=1e-8)
    step = 1e-5 * penalty
    slope = (
        regression.resolvent_traces(ratio, penalty + step).first
        - regression.resolvent_traces(ratio, penalty - step).first
    ) / (2 * step)
    assert np.isclose(second, -slope, rtol=1e-4)
    assert first**2 <= second * (1 + 1e-9)


def test_traces_at_a_small_penalty():
    first, second = regression.resolvent_traces(0.5, 1e-12)
    assert np.isclose(first, 2.0, rtol=1e-9) and np.isclose(second, 8.0, rtol=1e-9)
    first, _ = regression.resolvent_traces(2.0, 1e-12)
    assert np.isclose(first * 1e-12, 0.5, rtol=1e-9), "half of the directions are never seen"


def test_ridge():
    one = regression.ridge_replace_error([120], 60, 0.3)[1]
    assert np.isclose(one, regression.ridge_after_least_squares_error(120, 200, 60, 0, 0.3), rtol=1e-12)
    small = regression.ridge_replace_error([10**5] * 4, 3 * 10**4, 1e-9, 0.5)
    assert np.allclose(small, regression.replace_error([10**5] * 4, 3 * 10**4, 0.5), rtol=1e-3)
    short = regression.ridge_replace_error([10**4] * 4, 4 * 10**4, 1e-9, 0.5)
    assert np.allclose(short, regression.minimum_norm_error([10**4] * 4, 4 * 10**4, 0.5), rtol=1e-3)
    late = regression.ridge_replace_error([100] * 3000, 50, 0.1, 0.0)
    assert np.isclose(late[-1], 1.0, rtol=1e-9), "without noise the model fades to 0"
    drifted = regression.ridge_after_least_squares_error(120, 200, 60, 5, 0.3)
    assert drifted > one


def test_far_generations_and_large_samples():
    values = regression.accumulate_error(np.full(10**6, 10**9), 10)
    assert np.isclose(values[-1], np.pi**2 / 6 * 1e-8, rtol=1e-5)
    assert np.isclose(regression.replace_error(np.full(10**6, 10**9), 10)[-1], 1e-2, rtol=1e-6)
    assert 1 - regression.mixing_constant(10**9, 10**9 - 1, 10) == pytest.approx(2e-9, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: regression.replace_error([5], 4), r"dimension \+ 1"),
        (lambda: regression.replace_error([5], 0), "dimension must be"),
        (lambda: regression.replace_error([9], 4, -1.0), "noise"),
        (lambda: regression.replace_error([9, 9], 4, [1.0]), "one a generation"),
        (lambda: regression.replace_error_variance([7], 4), r"dimension \+ 3"),
        (lambda: regression.accumulate_error([5, 50], 4), "first sample"),
        (lambda: regression.fixed_design_replace_error(5, 4, 2), "sample_size"),
        (lambda: regression.mixing_constant(5, 2, 4), "sample_size"),
        (lambda: regression.mixing_constant(9, 10, 4), "written"),
        (lambda: regression.fresh_error(9, 10, 4, 2), "fresh"),
        (lambda: regression.fresh_error_limit(9, -1, 4), "fresh"),
        (lambda: regression.strong_collapse_error(9, 3, 4, -1.0), "shift"),
        (lambda: regression.minimum_norm_error([9], 10), "below dimension"),
        (lambda: regression.minimum_norm_error([5], 10, 1.0, -1.0), "norm"),
        (lambda: regression.label_mixing_error(1.2, 5, 10, 2), "weight"),
        (lambda: regression.label_mixing_limit(0.5, 10, 10), "differ from dimension"),
        (lambda: regression.best_label_weight(5, 10, 0.0), "noise"),
        (lambda: regression.resolvent_traces(0.5, 0.0), "penalty"),
    ],
)
def test_out_of_range(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()


def test_against_a_simulation(record_property):
    """Errors of least squares, with the predicted variances."""
    rng, runs, n, d, steps = np.random.default_rng(1), 8000, 16, 3, 3
    replaced, x = np.zeros((runs, d, 1)), rng.standard_normal((runs, n, d))
    again = np.zeros((runs, d, 1))
    solve = np.linalg.pinv(x)
    for t in range(1, steps + 1):
        again = again + solve @ rng.standard_normal((runs, n, 1)) / t
        fresh = rng.standard_normal((runs, n, d))
        replaced = replaced + np.linalg.pinv(fresh) @ rng.standard_normal((runs, n, 1))
    court, fixed = Court(record_property), regression.fixed_design_accumulate_error(n, d, steps)
    exact = regression.replace_error([n] * steps, d)
    spread = regression.replace_error_variance([n] * steps, d)
    for name, model, mean, variance, wrong in (
        ("replace", replaced, exact[-1], spread[-1], steps * d / n),
        ("same inputs", again, fixed.mean[-1], fixed.variance[-1], exact[-1]),
    ):
        values = (model**2).sum(axis=(1, 2))
        court.hold(name, mean_p_value(values, mean, variance))
        court.reject(name, [mean_p_value(values, wrong, variance)])
