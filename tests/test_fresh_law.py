"""The stationary law of a Gaussian with a few fresh points, and which of its moments are finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from lightcollapse.predictions import fresh_law, gaussian_mixed, heavy_tail
from lightcollapse.predictions._checks import Variance

Float = NDArray[np.float64]
ESTIMATORS: tuple[Variance, ...] = ("ml", "unbiased")
every_estimator = pytest.mark.parametrize("variance", ESTIMATORS)


@every_estimator
@pytest.mark.parametrize("fresh", [1, 2, 5])
def test_the_density_solves_the_equation_of_the_diffusion(fresh: int, variance: Variance) -> None:
    """Drift and spread of (v, mu) against the density, by differences, at points all over."""
    law = fresh_law.stationary_law(fresh, variance=variance)
    shrink = fresh + (1.0 if variance == "ml" else 0.0)

    def density(v: float, mu: float) -> float:
        return float(
            stats.invgamma.pdf(v, law.shape, scale=law.scale) * stats.norm.pdf(mu, scale=math.sqrt(law.spread * v))
        )

    def flux_v(v: float, mu: float) -> float:
        return (-shrink * v + fresh * (1.0 + mu * mu)) * density(v, mu)

    def slope(f: object, x: float, order: int, step: float) -> float:
        g = f  # five-point differences
        assert callable(g)
        if order == 1:
            return float((g(x - 2 * step) - 8 * g(x - step) + 8 * g(x + step) - g(x + 2 * step)) / (12 * step))
        middle = 16 * (g(x - step) + g(x + step)) - g(x - 2 * step) - g(x + 2 * step) - 30 * g(x)
        return float(middle / (12 * step * step))

    for v, mu in ((0.2, 0.1), (0.5, -0.4), (1.0, 0.0), (2.0, 1.5), (5.0, 0.3)):
        h = 1e-3 * v
        terms = (
            -slope(lambda x, mu=mu: flux_v(x, mu), v, 1, h),
            slope(lambda x, v=v: fresh * x * density(v, x), mu, 1, 1e-3),
            slope(lambda x, mu=mu: x * x * density(x, mu), v, 2, h),
            0.5 * v * slope(lambda x, v=v: density(v, x), mu, 2, 1e-3),
        )
        assert abs(sum(terms)) < 1e-6 * max(map(abs, terms))


@every_estimator
@pytest.mark.parametrize("fresh", [2, 5, 20])
def test_exact_moments_at_finite_size_tend_to_those_of_the_law(fresh: int, variance: Variance) -> None:
    law = fresh_law.stationary_law(fresh, variance=variance)
    errors = []
    for n in (10**4, 10**6):
        exact, _ = gaussian_mixed.fresh_stationary_moments(n, fresh, variance=variance)
        mean, square = (fresh_law.stationary_moment(fresh, power, variance=variance) for power in (1.0, 2.0))
        limit = (mean, law.spread * mean, square, law.spread * square, 3.0 * law.spread**2 * square)
        errors.append(max(abs(float(part[0]) / value - 1.0) for part, value in zip(exact, limit, strict=True)))
    assert errors[0] < 20.0 * fresh / 10**4 and errors[1] < 20.0 * fresh / 10**6


@every_estimator
def test_distribution_quantiles_and_expectations_agree(variance: Variance) -> None:
    fresh = 3
    law = fresh_law.stationary_law(fresh, variance=variance)
    twin = stats.invgamma(law.shape, scale=law.scale)
    p = np.array([1e-6, 0.01, 0.5, 0.99, 1.0 - 1e-6])
    x = fresh_law.stationary_quantile(p, fresh, variance=variance)
    np.testing.assert_allclose(fresh_law.stationary_cdf(x, fresh, variance=variance), p, rtol=1e-9)
    np.testing.assert_allclose(x, twin.ppf(p), rtol=1e-9)
    assert fresh_law.stationary_cdf([0.0], fresh, variance=variance)[0] == 0.0

    def mean(function: object) -> float:
        assert callable(function)
        return float(integrate.quad(lambda u: function(float(twin.ppf(u))), 1e-12, 1.0 - 1e-12, limit=400)[0])

    log = fresh_law.stationary_log_mean(fresh, variance=variance)
    assert log == pytest.approx(mean(math.log), rel=1e-6)
    # given v the mean of mu^2 is spread v
    w2 = mean(lambda v: law.spread * v + (math.sqrt(v) - 1.0) ** 2)
    assert fresh_law.stationary_w2_squared(fresh, variance=variance) == pytest.approx(w2, rel=1e-5)
    forward = mean(lambda v: 0.5 * ((1.0 + law.spread) * v - 1.0 - math.log(v)))
    backward = mean(lambda v: 0.5 * (math.log(v) + 1.0 / v + law.spread - 1.0))
    assert fresh_law.stationary_kl(fresh, variance=variance) == pytest.approx((forward, backward), rel=1e-5)


def test_moments_end_at_the_shape() -> None:
    assert math.isinf(fresh_law.stationary_moment(1, 2.5)) and math.isfinite(fresh_law.stationary_moment(1, 2.49))
    assert fresh_law.stationary_moment(4, 0.0) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="fresh must be positive"):
        fresh_law.stationary_law(0)
    with pytest.raises(ValueError, match="probabilities"):
        fresh_law.stationary_quantile([1.0], 2)


# --- The tail at finite sample size


@every_estimator
@pytest.mark.parametrize(("n", "fresh"), [(10, 2), (100, 1), (7, 5)])
def test_blocks_of_the_exact_map_of_moments(n: int, fresh: int, variance: Variance) -> None:
    step = gaussian_mixed.fresh_step(fresh, n - fresh, variance=variance)
    for order, block in ((1, step[1:3, 1:3]), (2, step[3:, 3:])):
        expected = np.max(np.abs(np.linalg.eigvals(block)))
        assert heavy_tail.moment_growth(n, fresh, order, variance=variance) == pytest.approx(expected, rel=1e-12)


@every_estimator
@pytest.mark.parametrize("order", [1, 3, 5])
def test_a_far_step_by_quadrature(order: int, variance: Variance) -> None:
    """Expected monomials after one step from several states, by Gauss and Hermite's rule for the normal number."""
    n, fresh = 9, 2
    k, below = n - fresh, n if variance == "ml" else n - 1
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    step = heavy_tail._step(n, fresh, order, variance)
    for s2, mu in ((1.0, 0.0), (1.0, 0.7), (0.3, 2.0)):
        y = mu + math.sqrt(s2 / k) * nodes
        added, later = fresh * k / (n * below) * y * y, (k / n * y) ** 2
        spread = [float(np.prod([(k - 1.0 + 2.0 * i) / below for i in range(power)])) for power in range(order + 1)]
        for i in range(order + 1):
            parts = [math.comb(i, j) * s2**j * spread[j] * added ** (i - j) for j in range(i + 1)]
            expected = float(weights @ (sum(parts) * later ** (order - i)))
            state = np.array([s2**j * mu ** (2 * (order - j)) for j in range(order + 1)])
            assert step[i] @ state == pytest.approx(expected, rel=1e-11)


def test_growth_is_log_convex_and_bounds_close_in_on_the_limit() -> None:
    logs = np.log([heavy_tail.moment_growth(50, 3, order) for order in range(1, 12)])
    assert np.all(np.diff(np.concatenate([[0.0], logs]), 2) > 0.0)
    for variance, shift in zip(ESTIMATORS, (1.5, 0.5), strict=True):
        for fresh in (1, 2, 4, 8):
            index = heavy_tail.tail_index(10**7, fresh, variance=variance)
            assert index.finite <= index.low < fresh + shift < index.high < index.finite + 1


def test_what_has_no_tail_index_says_so() -> None:
    with pytest.raises(ValueError, match="fresh must be at least 1"):
        heavy_tail.tail_index(10, 0)
    with pytest.raises(ValueError, match="order must lie in"):
        heavy_tail.moment_growth(10, 1, 0)
    with pytest.raises(ValueError, match="moments must be finite"):
        heavy_tail.tail_index(10**4, 5000)
