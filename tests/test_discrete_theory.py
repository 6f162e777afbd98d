"""Zipf tails, budgets, mixtures, chains of symbols, new symbols and times: laws, slow twins, limits, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from budget import Court
from exact import binomial
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import zeta

from lightcollapse.evidence import bounded_mean_p_value
from lightcollapse.predictions import (
    absorption,
    branching,
    budget,
    innovation,
    markov,
    mixture,
    pairs,
    weighted,
    wright_fisher,
    zipf,
)

EXPONENTS = st.floats(1.05, 4.0)
LAWS = st.lists(st.floats(0.05, 1.0), min_size=2, max_size=5).map(lambda w: np.array(w) / np.sum(w))
SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=6)


# -- Zipf tails --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [1.05, 1.5, 3.0])
@pytest.mark.parametrize("n", [0, 1, 50, 2.5e3, 1e6, 1e12])
def test_infinite_sums_do_not_depend_on_where_the_head_ends(exponent, n, monkeypatch):
    mass, distinct = zipf.missing_mass(exponent, n), zipf.distinct_mean(exponent, n)
    mixed = zipf.mixed_error(exponent, 30, 0.2, n)
    monkeypatch.setattr(zipf, "_HEAD", 200_000)
    again = np.arange(1.0, 200_001.0) ** -exponent / zeta(exponent)
    monkeypatch.setattr(zipf, "_head", lambda _: again)
    assert np.isclose(mass, zipf.missing_mass(exponent, n), rtol=1e-9)
    assert np.isclose(distinct, zipf.distinct_mean(exponent, n), rtol=1e-9)
    assert np.isclose(mixed, zipf.mixed_error(exponent, 30, 0.2, n), rtol=1e-9)


@settings(max_examples=40)
@given(exponent=EXPONENTS, n=st.floats(1, 1e9))
def test_one_more_point_learns_the_missing_mass(exponent, n):
    """E distinct(n + 1) - E distinct(n) = missing mass(n)."""
    seen = zipf.distinct_mean(exponent, [n, n + 1])
    assert np.isclose(seen[1] - seen[0], zipf.missing_mass(exponent, n), rtol=1e-5, atol=1e-13 * seen[1])


def test_no_points_miss_everything_and_one_sees_one():
    assert zipf.missing_mass(1.7, 0) == pytest.approx(1.0) and zipf.distinct_mean(1.7, [0, 1]) == pytest.approx([0, 1])
    assert zipf.tail_mass(1.7, 0) == pytest.approx(1.0)


@settings(max_examples=30)
@given(exponent=st.floats(1.1, 3.0), n=st.floats(1e4, 1e9))
def test_powers_of_large_samples(exponent, n):
    assert np.isclose(zipf.missing_mass_power(exponent, n), zipf.missing_mass(exponent, n), rtol=1e-3)
    assert np.isclose(zipf.heaps(exponent, n), zipf.distinct_mean(exponent, n), rtol=1e-3)


@settings(max_examples=12)
@given(rank=st.integers(1, 300), fraction=st.floats(0.01, 1), n=st.floats(0, 1e9))
def test_more_real_data_miss_less_in_the_tail(rank, fraction, n):
    cut = zipf.cut_error(1.5, rank, n)
    mixed = zipf.mixed_error(1.5, rank, fraction, n)
    assert zipf.tail_mass(1.5, rank) <= cut * (1 + 1e-12)
    assert np.isclose(zipf.mixed_error(1.5, rank, 1.0, n), zipf.missing_mass(1.5, n), rtol=1e-10)
    assert mixed <= cut + zipf.missing_mass(1.5, fraction * n) * (1 + 1e-9)


def test_a_law_of_one_symbol_is_learned_at_once():
    assert zipf.cut_error(2.0, 1, [0, 1, 1000]) == pytest.approx([1.0, 1 - 1 / zeta(2.0), 1 - 1 / zeta(2.0)])


def test_generations_of_zipf_follow_the_long_law():
    law = zipf._head(1.5)
    law = np.append(law, 1 - law.sum())
    close = branching.missing_mass(law, [300] * 10)
    found = zipf.missing_mass_generations(1.5, [300] * 10)
    assert np.all(found[1:] > close[1:]) and np.allclose(found, close, rtol=0.12)


def test_zipf_refuses():
    with pytest.raises(ValueError, match="exponent must exceed 1"):
        zipf.heaps(1.0, 10)
    with pytest.raises(ValueError, match="rank must lie"):
        zipf.mixed_error(1.5, 0, 0.5, 10)
    with pytest.raises(ValueError, match="must not be negative"):
        zipf.missing_mass(1.5, [-1])


# -- budgets -----------------------------------------------------------------------------------------------------------


@given(loss=st.floats(1e-9, 0.999), generations=st.integers(1, 40_000))
def test_sizes_give_back_the_loss(loss, generations):
    n = budget.sample_size_needed(loss, generations)
    assert np.isclose(-np.expm1(generations * np.log1p(-1 / n)), loss, rtol=1e-9)
    assert weighted.generations_of_grace(loss, n) == pytest.approx(generations)
    pool = budget.pool_size_needed(loss, generations)
    j = np.arange(1.0, generations + 1)
    assert np.isclose(-np.expm1(np.log1p(-1 / (pool * j**2)).sum()), loss, rtol=1e-8)
    assert pool <= budget.pool_size_needed(loss) <= np.pi**2 / 6 / loss * (1 + 1e-12)


@given(n=st.integers(2, 300), share=st.floats(0, 1), t=st.integers(2, 200))
def test_fresh_points_give_back_the_loss(n, share, t):
    m = round(share * n)
    loss = 1 - pairs.fresh_fraction(n, m, t)[-1]
    found = budget.fresh_points_needed(min(loss, 1 - 1e-12), n, t)
    assert np.isclose(1 - pairs.fresh_fraction(n, m, t)[-1], budget._fresh_loss(n, found, t), rtol=1e-6)
    assert found <= m + 1e-4 * n


def test_budgets_at_their_edges():
    assert budget.fresh_points_needed(0.6, 100, 50) == 0, "fifty generations cost less than that"
    assert budget.fresh_points_needed(0.01, 100) == weighted.pooled_points_needed(0.01, 100) == 99
    assert budget.fresh_points_needed(0.1, 100) == pytest.approx(weighted.pooled_points_needed(0.1, 100))
    assert budget.sample_size_needed(0.25, 1) == pytest.approx(4.0)
    assert weighted.generations_of_grace(0.5, 1) == 0, "one point has no diversity left"
    with pytest.raises(ValueError, match="at least 1/n"):
        budget.fresh_points_needed(0.001, 100)
    with pytest.raises(ValueError, match="loss must lie"):
        budget.pool_size_needed(1.0)


@given(real=st.integers(0, 9), written=st.integers(0, 9), t=st.integers(1, 30))
def test_drift_of_a_pool(real, written, t):
    if real + written == 0:
        return
    drift = budget.pooled_drift(real, written, t)
    n = real + written
    assert drift[0] == 0 and drift[1] == pytest.approx(1 / n)
    bounds = 1 / (n * np.arange(1, t + 1)), np.cumsum(1 / np.arange(1, t + 1) ** 2) / n
    assert np.all(drift[1:] >= bounds[0] * (1 - 1e-12)) and np.all(drift[1:] <= bounds[1] * (1 + 1e-12))
    if written == 0:
        assert np.allclose(drift[1:], bounds[0])
    if real == 0:
        assert np.allclose(drift[1:], bounds[1])


@pytest.mark.parametrize("real", [2, 4, 8])
def test_drift_exponent(real):
    drift = budget.pooled_drift(real, 10 - real, 60_000)
    slope = np.log(drift[60_000] / drift[6000]) / np.log(10)
    assert abs(slope + budget.pooled_drift_exponent(real / 10)) < 0.05


@given(first=st.integers(1, 500), real=st.integers(0, 50), written=st.integers(0, 50), t=st.integers(0, 60))
def test_feedback_round_by_round(first, real, written, t):
    size, bias = float(first), 0.0
    for _ in range(t):
        total = size + real + written
        bias, size = (size * bias + written * (bias + 1)) / total, total
    found = budget.feedback_factor(first, real, written, t)
    assert np.isclose(found[-1], bias + 1, rtol=1e-10)
    if real + written:
        assert found[-1] <= budget.feedback_limit(real, written) * (1 + 1e-12)


def test_stability_is_refused_where_it_does_not_hold():
    assert budget.stability_rate(0.25, 0.5) == pytest.approx(0.6)
    with pytest.raises(ValueError, match="below 1/2"):
        budget.stability_rate(0.4, 0.25)
    ratio = np.linspace(0, 0.49, 50)
    assert np.all(budget.gaussian_contraction(ratio) <= [budget.stability_rate(x) + 1e-15 for x in ratio])


# -- mixtures ----------------------------------------------------------------------------------------------------------


@given(shares=LAWS, data=st.data())
def test_total_variance_is_that_of_moments(shares, data):
    k = len(shares)
    means, spread = (np.array(data.draw(st.lists(st.floats(0, 9), min_size=k, max_size=k))) for _ in range(2))
    total = mixture.total_variance(shares, means, spread)
    assert np.isclose(total, shares @ (spread + means**2) - (shares @ means) ** 2, atol=1e-9)
    values = mixture.total_variance_mean(shares, means, spread, [5, 7, 3])
    assert np.allclose(values, total * pairs.replace([5, 7, 3]))


@given(share=st.floats(0, 1), sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_a_component_against_all_paths(share, sizes):
    states = {(share): 1.0}
    for n in sizes:
        following: dict[float, float] = {}
        for model, weight in states.items():
            for count, chance in enumerate(wright_fisher.binomial_rows(n, [model])[0]):
                if count:
                    key = count / n
                    following[key] = following.get(key, 0.0) + weight * chance * (1 - 1 / count)
        states = following
    exact = sum(share * weight for share, weight in states.items())
    assert np.isclose(mixture.separated_component(share, sizes)[-1], exact, rtol=1e-9, atol=1e-15)


def test_separated_components_of_simulated_mixtures(record_property):
    """Three components so far apart that every point tells its own, fitted by maximum likelihood."""
    runs, n, generations = 60_000, 20, 6
    shares, rng = np.array([0.5, 0.3, 0.2]), np.random.default_rng(12)
    centres, spreads, models = np.tile([-1e6, 0.0, 1e6], (runs, 1)), np.ones((runs, 3)), np.tile(shares, (runs, 1))
    for _ in range(generations):
        counts = rng.multinomial(n, models)
        label = (np.arange(n)[None, :, None] >= np.cumsum(counts, axis=1)[:, None, :]).sum(axis=2)
        points = rng.standard_normal((runs, n)) * np.take_along_axis(np.sqrt(spreads), label, axis=1)
        points += np.take_along_axis(centres, label, axis=1)
        for k in range(3):
            inside = np.abs(points - 1e6 * (k - 1)) < 5e5
            held = np.maximum(inside.sum(axis=1), 1)
            centres[:, k] = np.where(inside.any(axis=1), (points * inside).sum(axis=1) / held, 1e6 * (k - 1))
            spreads[:, k] = (inside * (points - centres[:, k : k + 1]) ** 2).sum(axis=1) / held
        models = counts / n
    court = Court(record_property)
    for k, share in enumerate(shares):
        part = np.minimum(models[:, k] * spreads[:, k], 10.0)
        exact, lost = mixture.separated_component(share, [n] * (generations + 1)), models[:, k] == 0.0
        chance = wright_fisher.loss_probability([share], [n] * (generations + 1))[:, 0]
        court.hold("separated component", bounded_mean_p_value(part, float(exact[generations]), 0.0, 10.0))
        court.hold("component lost", binomial(int(lost.sum()), runs, float(chance[generations])))
        court.reject("component lost", [binomial(int(lost.sum()), runs, float(chance[generations + 1]))])
        shrunk = share * (1.0 - 1.0 / n) ** generations  # as one Gaussian, not as its own few points
        court.reject("separated component", [bounded_mean_p_value(part, float(shrunk), 0.0, 10.0)])


def test_parts_of_a_mixture():
    shares, sizes = [0.5, 0.3, 0.2], [20] * 6
    within = mixture.within_variance_mean(shares, [1.0, 4.0, 0.0], sizes)
    parts = [mixture.separated_component(w, sizes) for w in shares]
    assert np.allclose(within, parts[0] + 4 * parts[1])
    assert np.all(within <= mixture.total_variance_mean(shares, [-9, 0, 9], [1.0, 4.0, 0.0], sizes))
    fresh = mixture.total_variance_mean(shares, 0.0, 1.0, [20] * 6, fresh=4)
    assert np.allclose(fresh, pairs.fresh_fraction(20, 4, 6))
    with pytest.raises(ValueError, match="equal sample sizes"):
        mixture.total_variance_mean(shares, 0.0, 1.0, [20, 10], fresh=4)


# -- chains of symbols -------------------------------------------------------------------------------------------------


def test_contexts_that_are_one_law():
    het = 0.7
    assert np.allclose(markov.context_diversity([1.0], [het], [9], 5), het * pairs.replace([9] * 5))
    assert np.allclose(markov.context_diversity_random([1.0], [het], 9, 5), het * pairs.replace([9] * 5))
    split = markov.context_diversity([0.25, 0.75], [0.5, 0.8], [3, 30], 4)
    assert np.allclose(split, 0.125 * (2 / 3) ** np.arange(5) + 0.6 * (29 / 30) ** np.arange(5))


@given(n=st.integers(1, 300), p=st.floats(0.0, 1.0))
def test_inverse_count(n, p):
    found = markov.inverse_count_mean(n, [p])[0]
    assert 0 <= found <= 1 and (p < 1 or found == pytest.approx(1 / n))
    chance = wright_fisher.binomial_rows(n, [p])[0]
    assert np.isclose(found, sum(chance[k] / k for k in range(1, n + 1)), rtol=1e-10, atol=1e-300)


def test_stationary_law_of_a_slow_and_of_a_periodic_chain():
    slow = np.array([[1 - 1e-6, 1e-6], [3e-6, 1 - 3e-6]])
    assert np.allclose(markov.stationary_law(slow), [0.75, 0.25], rtol=1e-6)
    assert np.allclose(markov.stationary_law([[0, 1], [1, 0]]), 0.5)
    with pytest.raises(ValueError, match="rows that sum to 1"):
        markov.stationary_law([[0.5, 0.4], [0.5, 0.5]])


@given(law=LAWS, sizes=SIZES)
def test_collapse_lies_between_its_bounds(law, sizes):
    exact = wright_fisher.collapse_probability(law, sizes)
    lower, upper = markov.collapse_bounds(law, sizes)
    assert np.all(lower <= exact + 1e-9) and np.all(exact <= upper + 1e-9)


def test_collapse_bounds_of_one_symbol():
    lower, upper = markov.collapse_bounds([1.0], [5, 5])
    assert lower.tolist() == upper.tolist() == [1, 1, 1]


def test_partial_real_data_against_simulation(record_property):
    rng, runs, N, k = np.random.default_rng(8), 20_000, 12, 20
    r = np.array([0.5, 0.25, 0.25])
    q = np.tile(r, (runs, 1))
    for _ in range(3):
        q = (N * r + rng.multinomial(k, q)) / (N + k)
    square, court = ((q - r) ** 2).sum(axis=1), Court(record_property)
    drift = markov.partial_drift(float(1 - r @ r), N, k, 3)
    court.hold("squared distance", bounded_mean_p_value(square, drift[3], 0.0, 2.0))
    court.reject("squared distance", [bounded_mean_p_value(square, float(drift[1]), 0.0, 2.0)])
    assert markov.partial_drift_limit(0.6, N, k) == pytest.approx(markov.partial_drift(0.6, N, k, 500)[-1])


# -- new symbols -------------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 60), rate=st.floats(1e-4, 1.0))
def test_agreement_settles(n, rate):
    values = innovation.heterozygosity_mean(0.4, [n] * 3, 0.0)
    assert np.allclose(values, 0.4 * pairs.replace([n] * 3)), "no new symbols: plain drift"
    limit = innovation.agreement_limit(n, rate)
    step = (1 - rate) ** 2 * (1 / n + (1 - 1 / n) * limit)
    assert np.isclose(step, limit, rtol=1e-9, atol=1e-12)
    after = innovation.heterozygosity_mean(1 - limit, [n] * 4, rate)
    assert np.allclose(after[1:], (1 - 1 / n) * (1 - limit), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 30])
def test_numbers_of_symbols_at_the_edges(n):
    assert innovation.distinct_limit(n, 0.0) == 1
    assert innovation.distinct_limit(n, 1.0) == pytest.approx(n)
    assert innovation.distinct_limit(n, 1e-7) == pytest.approx(1.0, abs=1e-4)
    assert innovation.ewens_distinct(n, 1e9) == pytest.approx(n, rel=1e-6)


def test_two_points_know_their_number_of_symbols():
    """For n = 2 the number of symbols is 2 less the chance to agree."""
    for rate in (0.01, 0.3, 0.9):
        assert innovation.distinct_limit(2, rate) == pytest.approx(2 - innovation.agreement_limit(2, rate))


def test_ewens_sum_and_digamma_join():
    few, many = innovation.ewens_distinct(100_000, 3.0), innovation.ewens_distinct(100_001, 3.0)
    assert many - few == pytest.approx(3 / 100_003, rel=1e-4)
    assert innovation.matched_theta(50, 0.01) == pytest.approx(1 / innovation.agreement_limit(50, 0.01) - 1)


# -- times -------------------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 25), law=LAWS)
def test_time_to_one_symbol_is_the_sum_of_chances(n, law):
    alone = wright_fisher.collapse_probability(law, [n] * 1500)
    assert np.isclose(absorption.collapse_time(law, n), np.sum(1 - alone), rtol=1e-6)


@given(n=st.integers(2, 40), data=st.data())
def test_times_from_counts(n, data):
    j = data.draw(st.integers(0, n))
    times = absorption.absorption_times(n)
    assert absorption.collapse_time_from_counts([j, n - j]) == pytest.approx(times[j], rel=1e-9)
    assert times[0] == times[n] == 0 and np.allclose(times, times[::-1])
    more = absorption.collapse_time_from_counts(np.ones(n, dtype=int))
    assert more >= times.max() * (1 - 1e-12), "more symbols take longer"


def test_times_of_sources_that_need_none():
    assert absorption.collapse_time([1.0], 10) == 0 and absorption.collapse_time([0.5, 0.5], 1) == 1
    assert absorption.collapse_time_from_counts([7, 0]) == 0
    with pytest.raises(ValueError, match="between 1 and 2000"):
        absorption.collapse_time([0.5, 0.5], 10**6)


@pytest.mark.parametrize("n", [50, 400, 10**5, 10**7])
def test_first_loss_of_two_halves_is_known(n):
    """By the diffusion the mean is the integral of (1 - exp(-n/t))^2: 2 n log 2."""
    diffusion = absorption.first_loss_time([0.5, 0.5], n, method="diffusion")
    assert diffusion == pytest.approx(2 * n * np.log(2), rel=1e-9)
    assert absorption.first_loss_time([0.5, 0.5], n) == pytest.approx(diffusion, rel=2.0 / n**0.5)


@settings(max_examples=20)
@given(law=LAWS)
def test_first_loss_of_many_symbols_is_the_sum_of_chances(law):
    direct = np.prod(1 - branching.loss_probability(law, [8] * 4000), axis=1).sum()
    assert absorption.first_loss_time(law, 8) == pytest.approx(direct, rel=5e-3)


def test_first_loss_against_simulation(record_property):
    rng, runs, n, t = np.random.default_rng(3), 6000, 300, 10
    law = np.arange(1, 16) ** -0.5
    law /= law.sum()
    counts, held = rng.multinomial(n, law, runs), np.ones(runs, dtype=bool)
    for _ in range(t):
        held &= (counts > 0).all(axis=1)
        counts = rng.multinomial(n, counts / n)
    share = held.mean()
    exact = absorption.no_loss_probability(law, [n] * t)[t]
    close = absorption.no_loss_probability(law, [n] * t, method="branching")[t]
    far = absorption.no_loss_probability(law, [n] * t, method="diffusion")[t]
    assert abs(share - exact) < 0.05 and abs(share - close) < 0.05 and far - share > 0.05
    court = Court(record_property)
    court.reject("diffusion", [binomial(int(held.sum()), runs, float(far))])


def test_methods_are_named():
    with pytest.raises(ValueError, match="method must be"):
        absorption.first_loss_time([0.5, 0.5], 10, method="exact")
    with pytest.raises(ValueError, match="at least 2 symbols"):
        absorption.first_loss_time([1.0], 10)
    with pytest.raises(ValueError, match="method must be"):
        absorption.no_loss_probability([0.5, 0.5], [10], method="wrong")
