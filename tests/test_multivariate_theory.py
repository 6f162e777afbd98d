"""A Gaussian in several dimensions: the case of one, limits, identities, and a direct simulation."""

from __future__ import annotations

import numpy as np
import pytest
from budget import Court
from hypothesis import given
from hypothesis import strategies as st

from lightcollapse.evidence import mean_p_value
from lightcollapse.predictions import gaussian, gaussian_pool, multivariate, pairs
from lightcollapse.predictions._special import log1p_less, log_rising, psi_less_log

FITS = st.sampled_from(["ml", "unbiased"])
SIZES = st.lists(st.integers(12, 60), min_size=1, max_size=6)
DIMENSIONS = st.integers(1, 6)
POINTS = st.floats(0.05, 1e12)


@given(x=POINTS)
def test_psi_less_log_obeys_its_recurrence(x):
    step = float(psi_less_log(x + 1) - psi_less_log(x))
    assert np.isclose(step, -float(log1p_less(1 / x)), rtol=1e-7, atol=4e-16 * abs(float(psi_less_log(x))))


@given(x=POINTS, power=st.floats(-0.04, 30))
def test_log_rising_obeys_its_recurrence(x, power):
    step = float(log_rising(x, power + 1) - log_rising(x, power))
    scale = abs(float(log_rising(x, power + 1))) + abs(float(log_rising(x, power)))
    assert np.isclose(step, np.log1p(power / x), rtol=1e-9, atol=1e-14 + 1e-14 * scale)


@given(x=POINTS)
def test_log_rising_by_two(x):
    assert np.isclose(float(log_rising(x, 2.0)), np.log1p(1 / x), rtol=1e-9)
    assert abs(float(log_rising(x, 1.0))) < 1e-13


@given(sizes=SIZES, variance=FITS)
def test_one_dimension_is_the_gaussian(sizes, variance):
    options = {"variance": variance}
    for found, known in (
        (multivariate.covariance_mean(sizes, **options), gaussian.variance_moment(sizes, **options)),
        (multivariate.mean_square(1.0, sizes, **options), gaussian.mean_variance(sizes, **options)),
        (multivariate.log_det_mean(sizes, 1, **options), gaussian.log_variance_cumulant(sizes, 1, **options)),
        (multivariate.log_det_variance(sizes, 1), gaussian.log_variance_cumulant(sizes, 2, **options)),
        (multivariate.det_moment(sizes, 1, -0.7, **options), gaussian.variance_moment(sizes, -0.7, **options)),
        (multivariate.square_moments(1, 1, sizes, **options)[1], gaussian.variance_moment(sizes, 2.0, **options)),
        (multivariate.kl_model_source_mean(sizes, 1, **options), gaussian.kl_model_source_mean(sizes, **options)),
        (multivariate.kl_source_model_mean(sizes, 1, **options), gaussian.kl_source_model_mean(sizes, **options)),
    ):
        assert np.allclose(found, known, rtol=1e-10, atol=1e-14)
    for found, known in (
        (multivariate.kl_model_source_variance, gaussian.kl_model_source_variance),
        (multivariate.kl_source_model_variance, gaussian.kl_source_model_variance),
    ):
        assert np.allclose(found(sizes, 1, **options), known(sizes, **options), rtol=1e-6, atol=1e-13)


@given(sizes=SIZES, variance=FITS)
def test_one_dimension_accumulating(sizes, variance):
    found = multivariate.accumulate_square_moments(1, 1, sizes, variance=variance)
    known = gaussian_pool.accumulate_variance_moment(sizes, 2, variance=variance)
    assert np.allclose(found.of_covariance, known, rtol=1e-12) and np.allclose(found.of_trace, known, rtol=1e-12)


@given(sizes=SIZES, dimension=DIMENSIONS, variance=FITS)
def test_squares_are_ordered_and_consistent(sizes, dimension, variance):
    start = (dimension, dimension**2)
    squares = multivariate.square_moments(*start, sizes, variance=variance)
    assert np.all(squares.of_covariance <= squares.of_trace * (1 + 1e-12))
    assert np.all(squares.of_trace <= dimension * squares.of_covariance * (1 + 1e-12)), "Cauchy and Schwarz"
    mean = dimension * multivariate.covariance_mean(sizes, variance=variance)
    spread = multivariate.trace_variance(*start, sizes, variance=variance)
    assert np.allclose(spread, squares.of_trace - mean**2, rtol=1e-9, atol=1e-12 * dimension**2)
    trend = multivariate.effective_rank_trend(*start, sizes)
    assert np.allclose(trend, squares.of_trace / squares.of_covariance, rtol=1e-10)
    assert np.all(np.diff(trend) <= 1e-12)
    pooled = multivariate.accumulate_square_moments(*start, sizes, variance=variance)
    assert np.allclose(pooled.of_trace[:2], squares.of_trace[:2], rtol=1e-12)
    assert np.allclose(pooled.of_covariance[:2], squares.of_covariance[:2], rtol=1e-12)


@given(sizes=SIZES, dimension=DIMENSIONS)
def test_determinant_moments(sizes, dimension):
    n = np.array(sizes, dtype=float)
    first = np.prod([(n - i) / n for i in range(1, dimension + 1)])
    assert np.isclose(multivariate.det_moment(sizes, dimension, 1.0)[-1], first, rtol=1e-12)
    slope = np.log(multivariate.det_moment(sizes, dimension, 1e-6)[-1]) / 1e-6
    assert np.isclose(slope, multivariate.log_det_mean(sizes, dimension)[-1], rtol=1e-4)
    spectrum = sum(multivariate.lyapunov_spectrum(size, dimension).sum() for size in sizes)
    assert np.isclose(spectrum, multivariate.log_det_mean(sizes, dimension)[-1], rtol=1e-12)


@given(sizes=SIZES, dimension=DIMENSIONS, variance=FITS)
def test_divergence_is_the_moments_it_is_made_of(sizes, dimension, variance):
    options = {"variance": variance}
    total = dimension * multivariate.covariance_mean(sizes, **options)
    total += multivariate.mean_square(dimension, sizes, **options)
    total -= dimension + multivariate.log_det_mean(sizes, dimension, **options)
    assert np.allclose(
        total / 2, multivariate.kl_model_source_mean(sizes, dimension, **options), rtol=1e-10, atol=1e-13
    )


@given(sizes=SIZES, dimension=DIMENSIONS, variance=FITS)
def test_diagonal_fits_are_chains_side_by_side(sizes, dimension, variance):
    options = {"variance": variance}
    found = multivariate.diagonal_log_det_mean(sizes, dimension, **options)
    assert np.allclose(found, dimension * gaussian.log_variance_cumulant(sizes, 1, **options), rtol=1e-10, atol=1e-14)
    assert np.allclose(
        multivariate.diagonal_kl_source_model_mean(sizes, dimension, **options),
        dimension * gaussian.kl_source_model_mean(sizes, **options),
        rtol=1e-9,
        atol=1e-13,
    )
    full = multivariate.kl_model_source_mean(sizes, dimension, **options)
    assert np.all(multivariate.diagonal_kl_model_source_mean(sizes, dimension, **options) <= full + 1e-12)
    squares = dimension * (
        gaussian.variance_moment(sizes, 2.0, **options) - gaussian.variance_moment(sizes, **options) ** 2
    )
    assert np.allclose(
        multivariate.diagonal_trace_variance(dimension, sizes, **options), squares, rtol=1e-8, atol=1e-13
    )
    assert multivariate.diagonal_log_det_variance(sizes, dimension)[-1] > 0
    assert multivariate.diagonal_w2_squared_mean(5.0, sizes, **options)[-1] > 0


@pytest.mark.parametrize("d", [1, 4, 20])
def test_first_order_in_large_samples(d):
    n, t = 10**9, 7
    rate = multivariate.kl_gain_first_order(n, d * (d + 3) / 2)
    assert np.isclose(multivariate.kl_gain(n, d), rate, rtol=1e-6)
    for mean in (multivariate.kl_model_source_mean, multivariate.kl_source_model_mean):
        assert np.isclose(mean([n] * t, d)[-1], t * rate, rtol=1e-6)
    assert np.isclose(multivariate.mean_square(1.0, [n] * t)[-1], t / n, rtol=1e-8)
    assert np.isclose(multivariate.trace_variance(d, d * d, [n] * t)[-1], 2 * d * t / n, rtol=1e-6)


def test_a_million_generations():
    sizes = np.full(10**6, 50)
    assert multivariate.covariance_mean(sizes)[-1] == 0.0
    assert np.isclose(multivariate.mean_square(4.0, sizes)[-1], 4.0, rtol=1e-12)
    exponents = multivariate.lyapunov_spectrum(50, 4)
    assert np.isclose(multivariate.log_det_mean(sizes, 4)[-1], 1e6 * exponents.sum(), rtol=1e-9)
    assert np.isclose(multivariate.effective_rank_trend(4, 16, sizes)[-1], 1.0, rtol=1e-12)
    assert multivariate.kl_source_model_mean(sizes, 4)[-1] == np.inf


@pytest.mark.parametrize("variance", ["ml", "unbiased"])
def test_variances_far_out_are_numbers_or_infinite(variance):
    sizes = [20] * 5000
    for function in (multivariate.kl_model_source_variance, multivariate.kl_source_model_variance):
        values = function(sizes, 3, variance=variance)
        assert not np.any(np.isnan(values)) and np.all(values >= 0)
    assert not np.any(np.isnan(multivariate.trace_variance(3, 9, [2] * 3000, variance=variance)))


def test_fewer_points_than_dimensions():
    assert np.allclose(multivariate.covariance_mean([3, 4]), pairs.replace([3, 4]))
    assert multivariate.square_moments(50, 2500, [2]).of_trace[1] == pytest.approx((2500 + 100) / 4)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (multivariate.log_det_mean, ([5, 4], 4)),
        (multivariate.log_det_variance, ([4], 4)),
        (multivariate.det_moment, ([9], 4, -2.5)),
        (multivariate.kl_source_model_mean, ([6], 4)),
        (multivariate.kl_source_model_variance, ([8], 4)),
        (multivariate.lyapunov_spectrum, (3, 3)),
        (multivariate.kl_gain, (3, 3)),
    ],
)
def test_too_few_points_are_refused(function, arguments):
    with pytest.raises(ValueError, match="must exceed dimension"):
        function(*arguments)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="dimension must be"):
        multivariate.log_det_mean([5], 0)
    with pytest.raises(ValueError, match="must hold"):
        multivariate.square_moments(5.0, 4.0, [5])
    with pytest.raises(ValueError, match="first sample"):
        multivariate.accumulate_square_moments(1.0, 1.0, [1, 5])
    with pytest.raises(ValueError, match="must be positive"):
        multivariate.kl_gain_first_order(10, 0)


def test_against_a_simulation(record_property):
    """Points, means and covariances; the variances of the statistics are the predicted ones."""
    rng, runs, d, sizes = np.random.default_rng(2), 12_000, 2, [20, 24]
    mean, cov = np.zeros((runs, d)), np.tile(np.eye(d), (runs, 1, 1))
    for n in sizes:
        points = mean[:, None] + rng.standard_normal((runs, n, d)) @ np.swapaxes(np.linalg.cholesky(cov), 1, 2)
        mean = points.mean(axis=1)
        rest = points - mean[:, None]
        cov = np.swapaxes(rest, 1, 2) @ rest / n
    logs, trace = np.linalg.slogdet(cov)[1], np.trace(cov, axis1=1, axis2=2)
    inverse = np.linalg.inv(cov)
    forward = (trace + (mean**2).sum(axis=1) - d - logs) / 2
    distance = np.einsum("ri,rij,rj->r", mean, inverse, mean)
    reverse = (np.trace(inverse, axis1=1, axis2=2) + distance - d + logs) / 2
    court = Court(record_property)
    one = {"log det": gaussian.log_variance_cumulant, "forward": gaussian.kl_model_source_mean}
    one["reverse"] = gaussian.kl_source_model_mean
    for name, values, exact, spread in (
        ("log det", logs, multivariate.log_det_mean, multivariate.log_det_variance(sizes, d)),
        ("forward", forward, multivariate.kl_model_source_mean, multivariate.kl_model_source_variance(sizes, d)),
        ("reverse", reverse, multivariate.kl_source_model_mean, multivariate.kl_source_model_variance(sizes, d)),
    ):
        court.hold(name, mean_p_value(values, exact(sizes, d)[-1], spread[-1]))
        side_by_side = d * one[name](sizes)[-1]
        court.reject(name, [mean_p_value(values, side_by_side, spread[-1])])
