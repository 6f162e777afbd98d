"""The tests that judge everything else: they reject the truth no oftener than they say, and find what is false."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from budget import ALPHA, MOST_CHECKS, SHARE, Court
from exact import binomial, counts, same_law, whole_numbers
from scipy import stats
from scipy.special import ndtr

from lightcollapse.evidence import bounded_mean_p_value, law_p_value, mean_p_value

Draw = Callable[[np.random.Generator, int], np.ndarray]
ROUNDS = 1500


def lognormal(generator: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(1.5 * generator.standard_normal(n))


def lottery(generator: np.random.Generator, n: int) -> np.ndarray:
    return np.where(generator.random(n) < 1e-3, 1000.0, 0.0)


# name -> how to draw, the mean, the variance
UNBOUNDED: dict[str, tuple[Draw, float, float]] = {
    "normal": (lambda g, n: g.standard_normal(n), 0.0, 1.0),
    "exponential": (lambda g, n: g.standard_exponential(n), 1.0, 1.0),
    "lognormal": (lognormal, math.exp(1.125), math.expm1(2.25) * math.exp(2.25)),
    "student with 2.2 degrees of freedom": (lambda g, n: g.standard_t(2.2, n), 0.0, 11.0),
    "lottery": (lottery, 1.0, 999.0),
    "sign": (lambda g, n: np.sign(g.random(n) - 0.5), 0.0, 1.0),
}
BOUNDED: dict[str, tuple[Draw, float]] = {
    "uniform": (lambda g, n: g.random(n), 0.5),
    "coin of 1 %": (lambda g, n: (g.random(n) < 0.01).astype(float), 0.01),
    "beta(0.1, 2)": (lambda g, n: g.beta(0.1, 2.0, n), 0.1 / 2.1),
    "nearly constant": (lambda g, n: 0.3 + 1e-3 * (g.random(n) - 0.5), 0.3),
}


def false_alarms(p_values: list[float], name: str, court: Court) -> None:
    """Hold the number of p <= alpha to the binomial law at alpha, for several alpha: not more than chance allows."""
    for alpha in (0.2, 0.05, 0.01, 0.001):
        alarms = sum(p <= alpha for p in p_values)
        tail = float(stats.binom(len(p_values), alpha).sf(alarms - 1))
        court.hold(f"false alarms of {name} at {alpha}", tail)


@pytest.mark.parametrize("n", [3, 60])
@pytest.mark.parametrize("name", UNBOUNDED)
def test_a_true_mean_is_seldom_rejected_whatever_the_tail(name: str, n: int, record_property: object) -> None:
    draw, mean, variance = UNBOUNDED[name]
    generator = np.random.default_rng(1)
    p_values = [mean_p_value(draw(generator, n), mean, variance) for _ in range(ROUNDS)]
    false_alarms(p_values, f"mean_p_value, {name}, n = {n}", Court(record_property))


@pytest.mark.parametrize("n", [3, 60])
@pytest.mark.parametrize("name", BOUNDED)
def test_a_true_bounded_mean_is_seldom_rejected(name: str, n: int, record_property: object) -> None:
    draw, mean = BOUNDED[name]
    generator = np.random.default_rng(2)
    p_values = [bounded_mean_p_value(draw(generator, n), mean, 0.0, 1.0) for _ in range(ROUNDS)]
    false_alarms(p_values, f"bounded_mean_p_value, {name}, n = {n}", Court(record_property))


@pytest.mark.parametrize("n", [1, 5, 100, 1000])
def test_a_true_law_is_seldom_rejected(n: int, record_property: object) -> None:
    generator = np.random.default_rng(3)
    p_values = [law_p_value(ndtr, generator.standard_normal(n)) for _ in range(ROUNDS)]
    false_alarms(p_values, f"law_p_value, n = {n}", Court(record_property))


@pytest.mark.parametrize("n", [1, 7, 300])
@pytest.mark.parametrize("ties", [False, True])
def test_equal_laws_are_seldom_told_apart(n: int, ties: bool, record_property: object) -> None:
    generator = np.random.default_rng(4)

    def sample() -> np.ndarray:
        values = generator.standard_normal(n)
        return np.round(values) if ties else values

    p_values = [same_law(sample(), sample()) for _ in range(ROUNDS)]
    false_alarms(p_values, f"same_law, n = {n}, ties = {ties}", Court(record_property))


def test_true_counts_are_seldom_rejected(record_property: object) -> None:
    generator = np.random.default_rng(5)
    mass = stats.binom(6, 0.3).pmf(np.arange(7))
    court = Court(record_property)
    p_values = [counts(generator.multinomial(50, mass), mass) for _ in range(ROUNDS)]
    false_alarms(p_values, "counts", court)
    p_values = [whole_numbers(generator.binomial(6, 0.3, 50), mass) for _ in range(ROUNDS)]
    false_alarms(p_values, "whole_numbers", court)


@pytest.mark.parametrize(("k", "n", "p"), [(0, 5, 0.3), (5, 5, 0.3), (2, 9, 0.5), (40, 50, 0.6)])
def test_binomial_is_twice_the_smaller_tail(k: int, n: int, p: float) -> None:
    share = Fraction(p).limit_denominator(10)
    mass = [math.comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(n + 1)]
    exact = min(1, 2 * min(sum(mass[: k + 1]), sum(mass[k:])))
    assert binomial(k, n, p) == pytest.approx(float(exact), rel=1e-12)


def test_same_law_is_the_exact_chance_of_a_one_sided_distance() -> None:
    """All arrangements of 4 + 4 points, listed: twice the share whose one-sided distance is at least k / 4."""
    arrangements = [[(bits >> i) & 1 for i in range(8)] for bits in range(256) if bits.bit_count() == 4]
    for k in range(1, 5):
        far = sum(max(np.cumsum([2 * b - 1 for b in a])) >= k for a in arrangements)
        first = np.arange(4.0)
        p = same_law(first, first + k - 0.5)
        assert p == pytest.approx(min(1.0, 2 * far / len(arrangements)))


@pytest.mark.parametrize("n", [500, 5000])
@pytest.mark.parametrize("name", ["normal", "exponential", "sign"])
def test_a_mean_that_is_off_by_ten_standard_errors_is_found(name: str, n: int) -> None:
    draw, mean, variance = UNBOUNDED[name]
    for sign in (-1, 1):
        claimed = mean + sign * 10.0 * math.sqrt(variance / n)
        assert mean_p_value(draw(np.random.default_rng(6), n), claimed, variance) < SHARE


@pytest.mark.parametrize("name", ["uniform", "coin of 1 %"])
def test_a_bounded_mean_that_is_off_by_ten_standard_errors_is_found(name: str) -> None:
    draw, mean = BOUNDED[name]
    values = draw(np.random.default_rng(7), 5000)
    for sign in (-1, 1):
        assert bounded_mean_p_value(values, mean + sign * 10.0 * values.std() / math.sqrt(5000), 0.0, 1.0) < SHARE


def test_a_law_that_is_off_is_found() -> None:
    values = np.random.default_rng(8).standard_normal(4000)
    assert law_p_value(lambda x: ndtr(x - 0.25), values) < SHARE
    assert law_p_value(lambda x: ndtr(1.3 * x), values) < SHARE
    assert same_law(values, np.random.default_rng(9).standard_normal(4000) + 0.3) < SHARE


def test_an_overstated_variance_is_safe_and_a_claim_out_of_range_is_not() -> None:
    values = np.random.default_rng(10).standard_normal(1000)
    assert mean_p_value(values, 0.0, 50.0) > 0.01
    assert bounded_mean_p_value(values, 0.0, -1.0, 1.0) < SHARE  # values outside the stated range
    assert bounded_mean_p_value(np.full(9, 0.5), 1.5, 0.0, 1.0) < SHARE


def test_order_does_not_matter() -> None:
    values = np.random.default_rng(11).random(200)
    assert mean_p_value(values, 0.45, 0.1) == pytest.approx(mean_p_value(values[::-1], 0.45, 0.1), rel=1e-9)
    forth, back = (bounded_mean_p_value(sample, 0.4, 0.0, 1.0) for sample in (values, values[::-1]))
    assert forth == pytest.approx(back, rel=1e-9)
    assert law_p_value(lambda x: x, values) == law_p_value(lambda x: x, values[::-1])


@pytest.mark.parametrize("values", [[0.3], [0.0, 1.0], [0.5] * 50])
def test_every_p_value_lies_in_0_to_1(values: list[float]) -> None:
    sample = np.array(values)
    p_values = (
        mean_p_value(sample, 0.5, 0.25),
        bounded_mean_p_value(sample, 0.5, 0.0, 1.0),
        law_p_value(lambda x: x, sample),
        same_law(sample, sample),
    )
    assert all(0.0 <= p <= 1.0 for p in p_values)


def test_the_budget_is_what_it_says() -> None:
    assert pytest.approx(ALPHA) == SHARE * MOST_CHECKS
