"""Decoding, selection and verification: laws, special cases, and slow twins."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from budget import Court
from exact import binomial
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import betaln
from scipy.stats import multinomial, norm, truncnorm

from lightcollapse.predictions import curation, decoding, gaussian, verification, wright_fisher

LAWS = st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6).map(lambda w: np.array(w) / np.sum(w))
RATES = st.tuples(st.floats(0.05, 1.0), st.floats(0.0, 1.0))


def entropy(law):
    return -np.sum(np.where(law > 0, law * np.log(np.where(law > 0, law, 1)), 0), axis=-1)


# -- decoding ----------------------------------------------------------------------------------------------------------


def test_a_tempered_chain_at_temperature_one_is_neutral():
    p, sizes = [0.5, 0.3, 0.1, 0.1], [20, 20, 30, 10]
    closed = decoding.tempered_expected_sum(p, sizes, 1.0, wright_fisher.entropy_term)
    assert np.allclose(closed, wright_fisher.entropy_mean(p, sizes), rtol=1e-12)


def test_a_tempered_chain_of_large_samples_follows_the_infinite_one():
    p = np.array([0.4, 0.3, 0.2, 0.1])
    closed = decoding.tempered_expected_sum(p, [1000] * 4, 0.8, np.square)
    endless = np.sum(decoding.tempered_law(p, 0.8, 4) ** 2, axis=1)
    assert np.allclose(closed, endless, rtol=1e-2)
    one = decoding.tempered_expected_sum([1.0, 0.0], [5, 5], 0.8, np.square)
    assert one.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("temperature", [0.8, 1.25])
def test_tempered_chains_come_close_to_all_chains_of_three_symbols(temperature):
    p, n = np.array([0.5, 0.3, 0.2]), 12
    counts = np.array([c for c in product(range(n + 1), repeat=3) if sum(c) == n])
    weights = counts ** (1.0 / temperature)
    chances = weights / weights.sum(axis=1, keepdims=True)
    law = multinomial.pmf(counts, n, p)
    for _ in range(3):
        law = np.array([multinomial.pmf(counts, n, chance) for chance in chances]).T @ law
    for term in (lambda x: 1.0 - x, wright_fisher.entropy_term, lambda x: 1.0 * (x > 0)):
        exact = law @ term(counts / n).sum(axis=1)
        assert np.isclose(decoding.tempered_expected_sum(p, [n] * 4, temperature, term)[-1], exact, rtol=0.02)


@pytest.mark.parametrize("arguments", [([0.5, 0.5], [2000], 0.9), ([0.5, 0.5], [10], 0.0), ([0.5, 0.5], [10], np.nan),
                                       (np.arange(1.0, 101) / 5050, [1000] * 50, 0.9)])  # fmt: skip
def test_tempered_chains_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match=r"at most 1000 points|temperature must|too large"):
        decoding.tempered_expected_sum(*arguments, np.square)


@given(p=LAWS, temperature=st.floats(0.3, 3.0), t=st.integers(0, 8))
def test_temperature_iterated_is_one_power(p, temperature, t):
    steps = decoding.decoded_law(p, t, temperature=temperature, first_real=False)
    closed = decoding.tempered_law(p, temperature, t, first_real=False)
    assert np.allclose(steps, closed, rtol=1e-6, atol=1e-12)
    change = np.diff(entropy(closed))
    assert np.all(change <= 1e-9) if temperature <= 1 else np.all(change >= -1e-9)


def test_extreme_temperatures_end_in_one_or_all():
    law = decoding.tempered_law([0.5, 0.3, 0.2, 0.0], 0.01, 5000)
    assert law[-1].tolist() == [1, 0, 0, 0]
    law = decoding.tempered_law([0.5, 0.3, 0.2, 0.0], 100.0, 5000)
    assert np.allclose(law[-1], [1 / 3, 1 / 3, 1 / 3, 0])
    tied = decoding.tempered_law([0.4, 0.4, 0.2], 0.01, 5000)
    assert tied[-1].tolist() == [0.5, 0.5, 0]


@given(p=LAWS, top_p=st.floats(0.05, 1.0), k=st.integers(0, 4))
def test_what_is_kept_is_the_least_likeliest_set(p, top_p, k):
    law = decoding.decode(p, top_k=k, top_p=top_p)
    kept, dropped = law > 0, law == 0
    assert np.isclose(law.sum(), 1) and (not k or kept.sum() <= k)
    assert not dropped.any() or p[kept].min() >= p[dropped].max()
    within = np.sort(p)[::-1][: k or len(p)]
    mass = p[kept].sum() / within.sum()
    assert mass >= top_p * (1 - 1e-9)
    assert kept.sum() == 1 or (p[kept].sum() - p[kept].min()) / within.sum() < top_p + 1e-9


@given(ratio=st.floats(0.1, 0.97), top_p=st.floats(0.1, 0.97))
def test_geometric_support_is_that_of_the_law(ratio, top_p):
    p = (1 - ratio) * ratio ** np.arange(3000)
    law = decoding.decoded_law(p / p.sum(), 6, top_p=top_p)
    assert (law[2:] > 0).sum(axis=1).tolist() == decoding.geometric_support(ratio, top_p, 6)[2:].tolist()


def test_geometric_support_at_whole_numbers():
    assert decoding.geometric_support(0.5, 0.75, 4).tolist() == [np.inf, np.inf, 2, 2, 2]


@given(top_p=st.floats(1e-6, 1 - 1e-9), temperature=st.floats(0.1, 5))
def test_scale_of_a_gaussian(top_p, temperature):
    cut = norm.ppf(0.5 + top_p / 2)
    scale = decoding.decoding_scale(temperature=temperature, top_p=top_p)
    assert 0 < scale <= temperature
    if top_p > 0.01:
        assert np.isclose(scale, temperature * truncnorm(-cut, cut).var(), rtol=1e-6)
        assert np.isclose(scale, temperature * gaussian.truncation_scale(cut), rtol=1e-6)
    else:
        assert np.isclose(scale, temperature * cut**2 / 3, rtol=1e-3)


def test_bad_decoding_is_refused():
    for bad in ({"temperature": 0.0}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.1}):
        with pytest.raises(ValueError, match="must"):
            decoding.decode([0.5, 0.5], **bad)
    with pytest.raises(ValueError, match="sum to 1"):
        decoding.decode([0.5, 0.4])
    with pytest.raises(ValueError, match="fraction"):
        decoding.decoded_law([0.5, 0.5], 2, fraction=-0.1)


# -- selection ---------------------------------------------------------------------------------------------------------


def chosen_one_by_one(p, rewards, choices):
    law = np.zeros(len(p))
    for answers in product(range(len(p)), repeat=choices):
        odds = np.exp(rewards[list(answers)])
        np.add.at(law, list(answers), np.prod(p[list(answers)]) * odds / odds.sum())
    return law


@given(p=LAWS, choices=st.integers(1, 4), data=st.data())
def test_choice_is_the_sum_over_answers(p, choices, data):
    rewards = np.array(data.draw(st.lists(st.floats(-8, 8), min_size=len(p), max_size=len(p))))
    law = curation.chosen_law(p, rewards, choices)
    assert np.allclose(law, chosen_one_by_one(p, rewards, choices), rtol=1e-9)
    gain = (law - p) @ np.exp(rewards)
    assert gain >= curation.reward_gain_bound(p, rewards, choices) * (1 - 1e-9) - 1e-9
    assert np.all(law <= choices * p * (1 + 1e-9)), "the tilt is at most the number of choices"


def test_choice_at_its_edges():
    p = np.array([0.4, 0.3, 0.2, 0.1, 0.0])
    rewards = np.array([0.0, 0.5, 0.5, 2.0, 50.0])
    assert np.array_equal(curation.chosen_law(p, rewards, 1), p)
    assert np.allclose(curation.chosen_law(p, np.zeros(5), 7), p, rtol=1e-12)
    most = curation.chosen_law(p, rewards, np.inf)
    assert most[4] == 0 and np.allclose(curation.chosen_law(p, rewards, 1e8), most, rtol=1e-6)
    far = curation.chosen_law([0.5, 0.5], [0.0, 500.0], 2)
    assert np.allclose(far, [0.25, 0.75], rtol=1e-12)
    with pytest.raises(ValueError, match="within 600"):
        curation.chosen_law([0.5, 0.5], [0.0, 700.0], 2)
    with pytest.raises(ValueError, match="one number a symbol"):
        curation.chosen_law([0.5, 0.5], [0.0], 2)


def test_preference_against_simulation(record_property):
    rng, size = np.random.default_rng(6), 40_000
    p, rewards = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, -1.0])
    answers = rng.choice(3, (size, 4), p=p)
    odds = rewards[answers] + rng.gumbel(size=(size, 4))
    chosen = answers[np.arange(size), odds.argmax(axis=1)]
    court = Court(record_property)
    for symbol in range(3):
        hits = int((chosen == symbol).sum())
        court.hold(f"symbol {symbol}", binomial(hits, size, float(curation.chosen_law(p, rewards, 4)[symbol])))
    near = float(curation.chosen_law(p, rewards, 3)[1])
    court.reject("symbol 1", [binomial(int((chosen == 1).sum()), size, near)])


@given(p=LAWS, t=st.integers(0, 6), data=st.data())
def test_infinitely_many_choices_iterated(p, t, data):
    rewards = np.array(data.draw(st.lists(st.floats(-3, 3), min_size=len(p), max_size=len(p))))
    steps = curation.preferred_law(p, rewards, np.inf, t)
    assert np.allclose(steps, curation.tilted_law(p, rewards, t), rtol=1e-9, atol=1e-15)


def test_tilt_of_a_lost_symbol_and_of_many_rounds():
    law = curation.tilted_law([0.5, 0.5, 0.0], [0.0, 1.0, 9.0], 10_000)
    assert law[-1].tolist() == [0, 1, 0]


@given(written=st.floats(0.0, 0.4), choices=st.integers(2, 3), data=st.data())
def test_divergence_stays_below_its_bound(written, choices, data):
    p = data.draw(LAWS)
    rewards = np.array(data.draw(st.lists(st.floats(-5, 5), min_size=len(p), max_size=len(p))))
    laws = curation.preferred_law(p, rewards, choices, 60, fraction=1 / (1 + written))
    drift = np.sum(laws * np.log(laws / p), axis=1)
    assert np.all(drift <= curation.kl_model_source_bound(choices, written) + 1e-12)


def test_a_bound_that_does_not_hold_is_refused():
    with pytest.raises(ValueError, match="must be below 1"):
        curation.kl_model_source_bound(3, 0.5)


@given(variance=st.floats(0.1, 5), scale=st.floats(0.2, 3), centre=st.floats(-3, 3), t=st.integers(1, 20))
def test_judge_adds_precision(variance, scale, centre, t):
    mean, spread = curation.judged_gaussian(0.5, variance, centre, scale, t)
    rounds = np.maximum(np.arange(t + 1) - 1, 0)
    assert np.allclose(1 / spread, 1 / variance + rounds / scale**2)
    assert np.allclose(mean / spread, 0.5 / variance + rounds * centre / scale**2)


@given(share=st.floats(1e-200, 1.0))
def test_cut_is_that_of_a_normal(share):
    gain, loss = curation.top_fraction_cut(share)
    assert gain >= 0 and 0 <= loss < 1
    if 1e-6 < share < 1 - 1e-6:
        above = truncnorm(norm.isf(share), np.inf)
        assert np.isclose(gain, above.mean(), rtol=1e-6) and np.isclose(1 - loss, above.var(), rtol=1e-5)


def test_no_selection_moves_nothing():
    mean, variance = curation.top_fraction_gaussian(1.0, 4, variance=2.0)
    assert mean.tolist() == [0] * 5 and variance.tolist() == [2] * 5
    assert np.allclose(curation.top_fraction_law([0.6, 0.4], [1.0, 2.0], 1.0, 3), [[0.6, 0.4]] * 4)


@given(p=LAWS, share=st.floats(0.05, 1.0), data=st.data())
def test_two_rounds_of_symbols_are_one_of_the_square(p, share, data):
    scores = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(p), max_size=len(p))), dtype=float)
    once = curation.top_fraction_law(p, scores, share * share, 1, first_real=False)[1]
    twice = curation.top_fraction_law(p, scores, share, 2, first_real=False)[2]
    step = curation.top_fraction_law(curation.top_fraction_law(p, scores, share, 1, first_real=False)[1], scores, share,
                                     1, first_real=False)[1]  # fmt: skip
    assert np.allclose(once, twice, atol=1e-9) and np.allclose(step, twice, atol=1e-9)


def test_selection_beyond_the_smallest_number():
    law = curation.top_fraction_law([0.5, 0.25, 0.25], [1.0, 2.0, 2.0], 0.1, 1000)
    assert np.allclose(law[-1], [0, 0.5, 0.5])


# -- verification ------------------------------------------------------------------------------------------------------


@given(rates=RATES, error=st.floats(0, 1), fraction=st.floats(0.05, 1), real=st.floats(0, 1))
def test_plateau_is_where_the_loop_goes(rates, error, fraction, real):
    rest = {"error": error, "fraction": fraction, "real_accuracy": real}
    plateau = verification.accuracy_plateau(*rates, **rest)
    assert 0 <= plateau <= 1 + 1e-12
    step = verification.self_training_accuracy(min(plateau, 1.0), 1, *rates, **rest)[1]
    assert np.isclose(step, plateau, atol=1e-9), "a fixed point"
    near = verification.self_training_accuracy(0.5, 400, *rates, **rest)
    assert abs(near[-1] - plateau) <= abs(near[0] - plateau) + 1e-9


def test_plateau_at_its_edges():
    plateau = verification.accuracy_plateau
    assert plateau(0.7, 0.2, error=0.2) == pytest.approx(0.72)
    assert plateau(0.8, 0.6, error=0.3) == 0 and plateau(0.5, 0.9) == 0 and plateau(0.5, 0.5, error=0.1) == 0
    assert plateau(0.7, 0.2) == 1 and plateau(0.9, 0.0, error=0.1) == pytest.approx(0.9)
    assert plateau(0.5, 0.5, fraction=0.3, real_accuracy=0.8) == pytest.approx(0.8)
    with pytest.raises(ValueError, match="settles nowhere"):
        plateau(0.5, 0.5)
    with pytest.raises(ValueError, match="right_pass must be positive"):
        plateau(0.0, 0.5)


@given(x=st.floats(0, 1), rates=RATES)
def test_precision_and_breakdown(x, rates):
    better = verification.precision(x, *rates)
    assert 0 <= better <= 1
    threshold = verification.breakdown_share(*rates)
    if abs(1 - x - threshold) > 1e-9:
        assert (better > 0.5) == (1 - x < threshold)
    assert verification.precision([0.0, 1.0], 0.0, 0.5).tolist() == [0, 0], "nothing that passes is right"


def test_self_training_against_simulation(record_property):
    """One round of n answers: what passes is right with the predicted chance."""
    rng, n = np.random.default_rng(9), 200_000
    right = rng.random(n) < 0.5
    kept = right[rng.random(n) < np.where(right, 0.8, 0.3)]
    spoiled = kept & (rng.random(len(kept)) >= 0.1)
    chance = float(verification.self_training_accuracy(0.5, 1, 0.8, 0.3, error=0.1)[1])
    court = Court(record_property)
    court.hold("accuracy", binomial(int(spoiled.sum()), len(kept), chance))
    court.reject("accuracy", [binomial(int(spoiled.sum()), len(kept), chance / 0.9)])


@given(a=st.floats(1e-6, 50), b=st.floats(1e-3, 50), k=st.integers(0, 300))
def test_coverage_whole_or_not(a, b, k):
    whole = verification.coverage(a, b, [k, k + 1])
    assert 0 <= whole[0] <= whole[1] <= 1 and (k or whole[0] == 0)
    assert np.isclose(whole[0], 1 - np.exp(betaln(a, b + k) - betaln(a, b)), rtol=1e-9, atol=1e-11)
    parts = verification.coverage(a, b, [k + 0.25, k + 0.75])
    assert whole[0] <= parts[0] <= parts[1] <= whole[1]
    assert verification.coverage(a, b, 1) == pytest.approx(a / (a + b))


def test_coverage_of_very_many_attempts_joins_on():
    few, many = verification.coverage(0.01, 3.0, [100_000, 100_001])
    assert 0 < many - few < 1e-6


def test_solver_and_verifier_against_a_solver_of_equations():
    gains = {"solver_gain": 0.5, "verifier_gain": 0.1, "rate": 0.8, "bias": 0.05}
    times = np.linspace(0, 9, 10)

    def slope(_, state):
        pull = 0.8 * (state[0] - state[1]) - 0.05
        return [-0.5 * pull, -0.1 * pull]

    found = solve_ivp(slope, (0, 9), [2.0, 1.0], t_eval=times, rtol=1e-10, atol=1e-12).y
    assert np.allclose(verification.solver_uncertainty(times, 2.0, 1.0, **gains), found[0], rtol=1e-7)
    assert np.allclose(verification.verifier_uncertainty(times, 2.0, 1.0, **gains), found[1], rtol=1e-7)
    equal = {"solver_gain": 0.3, "verifier_gain": 0.3, "rate": 1.0}
    near = {"solver_gain": 0.3, "verifier_gain": 0.3 - 1e-9, "rate": 1.0}
    assert np.allclose(
        verification.solver_uncertainty(times, 2.0, 1.0, **equal),
        verification.solver_uncertainty(times, 2.0, 1.0, **near),
        rtol=1e-7,
    )


def test_classifier_at_its_edges():
    def accuracy(*rates, **rest):
        return verification.mean_classifier_accuracy(0.75, *rates, **{"written": 100, "dimension": 3, **rest})

    assert accuracy(0.0, 0.0, separation=1.0) == 0.5 and accuracy(0.5, 0.5, separation=0.0) == 0.5
    assert accuracy(1.0, 0.0, separation=1.0, written=10**9) == pytest.approx(norm.cdf(1.0), rel=1e-6)
    assert accuracy(0.1, 0.9, separation=1.0) < 0.5
