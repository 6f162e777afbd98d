"""Curations, each against its definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from budget import Court
from exact import same_law
from scipy.stats import binomtest, norm

from lightcollapse.curation import (
    CURATIONS,
    Curation,
    Decoding,
    Detector,
    Discriminator,
    Noise,
    Preference,
    Quadratic,
    Stage,
    TopFraction,
    Verifier,
)
from lightcollapse.errors import CardError
from lightcollapse.families import Categorical, Gaussian
from lightcollapse.families.categorical import CategoricalEstimator, CategoricalModel
from lightcollapse.families.gaussian import GaussianEstimator, GaussianModel
from lightcollapse.kernels.draws import CURATION, SYNTHETIC, Batch, Draws
from lightcollapse.loop import run
from lightcollapse.part import build
from lightcollapse.regimes import FreshFraction, Islands, Regime, Replace
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Normal, Probabilities, Uniform, Zipf

LAW = np.array([0.4, 0.3, 0.2, 0.1])
LANES = 3


def stage(step: int = 0, model: Any = None, first: Any = None, lanes: int = LANES, craft: Any = None) -> Stage:
    draws = Draws(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, dtype=np.uint64), 77, 2, CURATION + step)
    return Stage(craft or CategoricalEstimator(Probabilities(tuple(LAW)), 0.0, 0.05), model, first, (), draws)


def writer(here: Stage) -> Callable[[int], Batch]:
    """What the source writes, every count from its beginning."""
    return lambda count: Batch.whole(here.craft.real(count, here.draws.at(2, SYNTHETIC)))  # type: ignore[attr-defined]


def symbols(batch: Batch) -> np.ndarray:
    return batch.points[:, :, 0].astype(int)


def shares(values: np.ndarray, size: int = len(LAW)) -> np.ndarray:
    return np.bincount(values.ravel(), minlength=size) / values.size


def near(court: Court, name: str, hits: int, trials: int, chance: float) -> None:
    court.hold(name, float(binomtest(hits, trials, chance).pvalue))


def test_every_curation_is_a_part_by_its_name() -> None:
    assert len({step.kind for step in CURATIONS}) == len(CURATIONS) == 7
    for curation in CURATIONS:
        assert curation.__doc__ and all(type(form) is curation for form in curation.examples())


# --- Selection -----------------------------------------------------------------------------------------------------


def test_top_fraction_keeps_the_best_of_what_was_written() -> None:
    here, score = stage(), (0.0, 3.0, 1.0, 2.0)
    wrote = symbols(writer(here)(250))
    kept = symbols(TopFraction(0.4, score).curate(here, writer(here), 100))
    for lane in range(LANES):
        best = sorted((score[symbol] for symbol in wrote[lane]), reverse=True)[:100]
        assert sorted((score[symbol] for symbol in kept[lane]), reverse=True) == best
    np.testing.assert_allclose(here.measured["mean_score"], np.asarray(score)[wrote].mean(axis=1))
    assert np.all(here.measured["evaluations"] == 250)


def test_top_fraction_of_all_is_what_was_written() -> None:
    here = stage()
    np.testing.assert_array_equal(
        np.sort(symbols(TopFraction(1.0, "likelihood").curate(here, writer(here), 50))),
        np.sort(symbols(writer(here)(50))),
    )


def test_equal_scores_are_kept_in_the_order_in_which_they_came() -> None:
    here = stage()
    kept = symbols(TopFraction(0.5, (1.0,) * 4).curate(here, writer(here), 40))
    np.testing.assert_array_equal(kept, symbols(writer(here)(80))[:, :40])


def test_removed_points_are_chosen_last() -> None:
    here = stage()

    def holes(count: int) -> Batch:
        batch = writer(here)(count)
        return Batch(batch.points, np.where(np.arange(count) % 2 == 0, batch.weights, 0.0))

    for step in (TopFraction(0.5, "value"), Preference(2, "value")):
        assert np.all(step.curate(here, holes, 60).weights == 1.0)


@pytest.mark.parametrize("choices", [1, 2, 5])
def test_preference_follows_bradley_and_terry(choices: int, record_property: object) -> None:
    """The law of the chosen: p_i times the mean of K e^r_i over the sum of e^r of K choices, by enumeration."""
    rewards, here, count = (0.0, 0.5, 1.0, 2.0), stage(), 20_000
    chosen = symbols(Preference(choices, rewards).curate(here, writer(here), count))
    odds, law = np.exp(rewards), np.zeros(4)
    for group in np.ndindex(*(4,) * choices):
        weight = np.prod(LAW[list(group)])
        for place in group:
            law[place] += weight * odds[place] / odds[list(group)].sum()
    court = Court(record_property)
    for symbol in range(4):
        near(court, f"symbol {symbol}", int((chosen == symbol).sum()), chosen.size, law[symbol])
    wrong = LAW if choices > 1 else np.roll(LAW, 1)
    court.reject("no choice", [float(binomtest(int((chosen == 3).sum()), chosen.size, wrong[3]).pvalue)])


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("value", lambda x: x),
        ("source", lambda x: norm.logpdf(x, 1.0, 2.0)),
        (Quadratic(0.5, 3.0), lambda x: -((x - 0.5) ** 2) / 18.0),
    ],
)
def test_scores_of_numbers(score: Any, expected: Callable[[np.ndarray], np.ndarray]) -> None:
    here = stage(craft=GaussianEstimator(Normal(1.0, 2.0), False))
    wrote = writer(here)(90).points[:, :, 0]
    kept = TopFraction(0.5, score).curate(here, writer(here), 45).points[:, :, 0]
    np.testing.assert_allclose(np.sort(expected(kept)), np.sort(expected(wrote))[:, 45:], rtol=1e-12)


def test_likelihood_is_that_of_the_model_that_wrote() -> None:
    model = GaussianModel(np.zeros(LANES), np.full(LANES, 4.0), np.full(LANES, np.log(4.0)), np.full(LANES, np.inf))
    here = stage(model=model, craft=GaussianEstimator(Normal(1.0, 2.0), False))
    points = np.linspace(-5, 5, 7)[None, :, None].repeat(LANES, axis=0)
    np.testing.assert_allclose(here.log_density(points), norm.logpdf(points[:, :, 0], 0.0, 2.0))


# --- Noise, tests, detectors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "law"), [("uniform", np.full(4, 0.25)), ("source", LAW)])
def test_noise_replaces_a_share_of_the_points(form: Any, law: np.ndarray, record_property: object) -> None:
    here, count, rate = stage(), 20_000, 0.3

    def zeros(wanted: int) -> Batch:
        return Batch.whole(np.zeros((LANES, wanted, 1)))

    noisy = symbols(Noise(rate, form).curate(here, zeros, count))
    court = Court(record_property)
    for symbol in range(4):
        chance = rate * law[symbol] + (1.0 - rate) * (symbol == 0)
        near(court, f"symbol {symbol}", int((noisy == symbol).sum()), noisy.size, chance)
    court.reject("rate", [float(binomtest(int((noisy == 0).sum()), noisy.size, 1.0 - rate).pvalue)])


def test_noise_takes_its_form_as_kind() -> None:
    assert Noise(0.5, kind="jitter") == Noise(0.5, "jitter")  # type: ignore[call-arg]
    assert build("curation", CURATIONS, {"kind": "noise", "rate": 0.5, "form": "jitter"}) == Noise(0.5, "jitter")


def test_jitter_adds_normal_noise(record_property: object) -> None:
    here = stage(craft=GaussianEstimator(Normal(1.0, 2.0), False))
    moved = Noise(0.25, "jitter").curate(here, lambda count: Batch.whole(np.full((LANES, count, 1), 7.0)), 4000)
    court = Court(record_property)
    values = (moved.points.ravel() - 7.0) / 0.5
    quantiles = norm.ppf((np.arange(len(values)) + 0.5) / len(values))
    court.hold("jitter", same_law(values, quantiles))
    court.reject("jitter of another rate", [same_law(values, 2.0 * quantiles)])


def test_a_verifier_removes_what_fails(record_property: object) -> None:
    here, count = stage(), 20_000
    batch = Verifier(0.9, 0.7, right=(0.0, 2.0)).curate(here, writer(here), count)
    right = np.isin(symbols(batch), (0, 2))
    passed = batch.weights == 1.0
    assert np.all(passed | (batch.weights == 0.0))
    court = Court(record_property)
    near(court, "right answers that pass", int(passed[right].sum()), int(right.sum()), 0.9)
    near(court, "wrong answers that pass", int(passed[~right].sum()), int((~right).sum()), 0.3)
    court.reject("specificity", [float(binomtest(int(passed[~right].sum()), int((~right).sum()), 0.7).pvalue)])
    np.testing.assert_allclose(here.measured["accuracy"], right.mean(axis=1))
    np.testing.assert_allclose(here.measured["pass_rate"], passed.mean(axis=1))


def test_a_model_with_nothing_to_learn_from_stays_as_it_was() -> None:
    for family, source, right in ((Categorical(), Uniform(4), (0.0,)), (Gaussian(), Normal(), (8.0, 9.0))):
        card = Scenario(source, family, curation=(Verifier(1.0, 1.0, right),), sample_size=3, generations=5)
        record = run(card, seed=2, replicates=40)
        stuck = record.metrics["pass_rate"][:, 1] == 0.0
        assert stuck.sum() > 5
        for name in family.metrics:
            np.testing.assert_array_equal(record.metrics[name][stuck, 2], record.metrics[name][stuck, 1])


@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_a_detector_sees_both_kinds_of_points(weight: float, record_property: object) -> None:
    here, count, step = stage(), 20_000, Detector(0.8, 0.1, weight)
    court = Court(record_property)
    for name, batch, chance in (
        ("synthetic", step.curate(here, writer(here), count), 0.8),
        ("real", step.real(stage(64), writer(here)(count)), 0.1),
    ):
        suspected = batch.weights == weight
        assert np.all(suspected | (batch.weights == 1.0))
        near(court, name, int(suspected.sum()), suspected.size, chance)
    court.reject("rates", [float(binomtest(int(suspected.sum()), suspected.size, 0.8).pvalue)])


def test_a_detector_leaves_the_first_real_sample_alone() -> None:
    card = Scenario(
        Zipf(9, 1.0), Categorical(), FreshFraction(0.5), (Detector(1.0, 1.0),), sample_size=30, generations=3
    )
    plain = Scenario(
        Zipf(9, 1.0), Categorical(), FreshFraction(0.5), (Detector(0.0, 0.0),), sample_size=30, generations=3
    )
    all_suspected, none = (run(one, seed=4, replicates=20) for one in (card, plain))
    for name in Categorical.metrics:
        np.testing.assert_array_equal(all_suspected.metrics[name][:, 1], none.metrics[name][:, 1])
        np.testing.assert_array_equal(all_suspected.metrics[name][:, 3], all_suspected.metrics[name][:, 1])


# --- Decoding and the discriminator --------------------------------------------------------------------------------


def decoded(law: np.ndarray, temperature: float, top_k: int, top_p: float) -> np.ndarray:
    """By sorting, symbol after symbol, as it is defined."""
    mass = np.array([p ** (1.0 / temperature) if p > 0 else 0.0 for p in law])
    ranked = sorted(range(len(law)), key=lambda i: -mass[i])
    ranked = ranked[: top_k or len(law)]
    total = sum(mass[i] for i in ranked)
    kept: list[int] = []
    while sum(mass[i] for i in kept) < top_p * total * (1.0 - 1e-9):
        kept.append(ranked[len(kept)])
    return np.array([mass[i] if i in kept else 0.0 for i in range(len(law))]) / sum(mass[i] for i in kept)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("top_k", [0, 1, 3])
@pytest.mark.parametrize("top_p", [0.35, 0.7, 1.0])
def test_decoding_of_frequencies(temperature: float, top_k: int, top_p: float) -> None:
    craft = stage().craft
    laws = np.array([LAW, [0.0, 0.5, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]])
    got = craft.decode(CategoricalModel(laws), LANES, temperature, top_k, top_p)
    for law, sharp in zip(laws, got.probabilities, strict=True):
        np.testing.assert_allclose(sharp, decoded(law, temperature, top_k, top_p), atol=1e-14)


def test_a_decoded_gaussian_is_scaled_and_cut(record_property: object) -> None:
    here = stage(craft=GaussianEstimator(Normal(1.0, 2.0), False))
    points = Decoding(0.5, top_p=0.8).curate(here, writer(here), 5000).points.ravel()
    std, cut = 2.0 * np.sqrt(0.5), norm.ppf(0.9)
    assert np.abs(points - 1.0).max() <= std * cut * (1 + 1e-12)
    share = (np.arange(len(points)) + 0.5) / len(points)
    quantiles = 1.0 + std * norm.ppf(0.1 + 0.8 * share)
    court = Court(record_property)
    court.hold("cut law", same_law(points, quantiles))
    court.reject("uncut law", [same_law(points, 1.0 + std * norm.ppf(share))])


def test_decoding_that_changes_nothing_is_no_decoding() -> None:
    for source, family in ((Zipf(9, 1.0), Categorical()), (Normal(), Gaussian())):
        idle = Scenario(source, family, curation=(Decoding(),), sample_size=20, generations=4)
        noise = Scenario(source, family, curation=(Detector(0.0, 0.0),), sample_size=20, generations=4)
        first, second = (run(card, seed=9, replicates=5) for card in (idle, noise))
        for name in family.metrics:
            assert first.metrics[name].tobytes() == second.metrics[name].tobytes(), name


def test_a_discriminator_turns_down_what_models_made_likelier() -> None:
    first = CategoricalModel(np.tile(LAW, (LANES, 1)))
    model = CategoricalModel(np.tile([0.7, 0.1, 0.1, 0.1], (LANES, 1)))
    here = stage(model=model, first=first)
    wrote = lambda count: Batch.whole(here.craft.write(model, count, here.draws.at(2, SYNTHETIC)))  # noqa: E731
    mild, strong = (symbols(Discriminator(s, 80).curate(here, wrote, 2000)) for s in (0.01, 1.0))
    assert abs(shares(mild)[0] - 0.7) < 0.03
    np.testing.assert_allclose(shares(strong), LAW, atol=0.05)
    assert np.all(here.measured["evaluations"] == 2 * (2 * 80 * 2000))


def test_costs_are_counted() -> None:
    steps = (Preference(3, "value"), Verifier(0.9, 0.9), TopFraction(0.5, "likelihood"))
    card = Scenario(Uniform(5), Categorical(), curation=steps, sample_size=10, generations=2)
    record = run(card, seed=1, replicates=2)
    assert np.all(record.metrics["samples_drawn"] == 60)  # 20 for the best half, each chosen among 3
    assert np.all(record.metrics["evaluations"] == 60 + 20 + 20)


@pytest.mark.parametrize("regime", [Islands(3, own=0.5, shared=0.4), FreshFraction(1.0), Replace()])
def test_curation_is_measured_in_every_generation(regime: Regime) -> None:
    card = Scenario(Uniform(5), Categorical(), regime, (Verifier(0.8, 0.8),), sample_size=50, generations=3)
    record = run(card, seed=1, replicates=200)
    np.testing.assert_allclose(record.metrics["accuracy"][:, 0].mean(), 0.2, atol=0.02)
    np.testing.assert_allclose(record.metrics["pass_rate"][:, 0].mean(), 0.2 * 0.8 + 0.8 * 0.2, atol=0.02)
    assert record.metrics["accuracy"][:, 1:].min() >= 0.0


# --- Refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Decoding(0.0), "temperature must exceed 0, got 0.0"),
        (lambda: Decoding(top_p=0.0), r"top_p must lie in \(0, 1\], got 0.0"),
        (lambda: Decoding(top_k=-1), "top_k must be at least 0, got -1"),
        (lambda: Noise(1.5), r"rate must lie in \[0, 1\], got 1.5"),
        (lambda: Noise(0.1, "loud"), "unknown name 'loud'"),
        (lambda: TopFraction(0.0), r"share must lie in \(0, 1\], got 0.0"),
        (lambda: TopFraction(0.5, "nice"), "unknown score 'nice'"),
        (lambda: TopFraction(0.5, Quadratic(0.0, 0.0)), "score.scale must be positive, got 0.0"),
        (lambda: Preference(0), "choices must be at least 1, got 0"),
        (lambda: Preference(2, (1.0, float("nan"))), "reward must hold finite numbers, got nan"),
        (lambda: Verifier(1.1, 0.5), r"sensitivity must lie in \[0, 1\], got 1.1"),
        (lambda: Discriminator(0.0), "strength must exceed 0, got 0.0"),
        (lambda: Discriminator(1.0, 1), "candidates must be at least 2, got 1"),
        (lambda: Detector(0.5, 2.0), r"false_positive must lie in \[0, 1\], got 2.0"),
        (lambda: Detector(0.5, 0.5, 1.0), r"weight must lie in \[0, 1\), got 1.0"),
    ],
)
def test_values_out_of_range_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(CardError, match=message):
        make()


@pytest.mark.parametrize(
    ("source", "family", "steps", "message"),
    [
        (Normal(), Gaussian(), (Noise(0.1),), "curation noise needs symbols, which family gaussian does not offer"),
        (Uniform(4), Categorical(), (Noise(0.1, "jitter"),), "curation noise needs real numbers"),
        (Normal(), Gaussian(), (Decoding(top_k=3),), "curation decoding needs symbols to keep the k likeliest of"),
        (Uniform(4), Categorical(), (Noise(0.1), Decoding(0.5)), "curation decoding must be the first of the list"),
        (Uniform(4), Categorical(), (Preference(2, (1.0, 2.0)),), "one number for each of 4 symbols, got 2"),
        (Uniform(4), Categorical(), (Verifier(0.9, 0.9, (4.0,)),), "the number of a symbol, 0 to 3, got 4.0"),
        (Normal(), Gaussian(), (Verifier(0.9, 0.9, (1.0,)),), r"an interval, right = \[low, high\], got \[1.0\]"),
        (Uniform(4), Categorical(), (Noise(0.1),) * 33, "curation must hold at most 32 steps, got 33"),
    ],
)
def test_curations_that_do_not_fit_are_refused(
    source: Any, family: Any, steps: tuple[Curation, ...], message: str
) -> None:
    with pytest.raises(CardError, match=message):
        Scenario(source, family, curation=steps, sample_size=10, generations=2)


@pytest.mark.parametrize("regime", [Replace(), FreshFraction(0.2)], ids=lambda regime: regime.kind)
def test_a_discriminator_judges_what_noise_put_in_the_model_s_mouth(regime: Regime) -> None:
    """A symbol that the model cannot write is no part of its closeness, whatever the first model thinks of it."""
    steps = (Noise(rate=0.1), Discriminator())
    card = Scenario(Zipf(50, exponent=1.0), Categorical(), regime, curation=steps, sample_size=40, generations=6)
    closeness = run(card, seed=1, replicates=20).metrics["closeness"]
    assert not np.isnan(closeness).any() and (closeness > -np.inf).all()
