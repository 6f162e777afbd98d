"""Chains of documents: the estimator against its definitions by enumeration, and runs against a slow twin."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from budget import Court
from exact import counts, same_law
from msgspec.structs import replace
from oracles import training_sets
from scipy.stats import binom

from lightcollapse.curation import Decoding, Detector, Discriminator, Noise, Preference, TopFraction
from lightcollapse.errors import CardError
from lightcollapse.families import Categorical, Markov
from lightcollapse.families.markov import MarkovEstimator, MarkovModel
from lightcollapse.kernels.draws import Draws
from lightcollapse.loop import run
from lightcollapse.predictions import markov, pairs
from lightcollapse.regimes import Accumulate, FixedReal, FreshFraction, Islands, Regime, Replace, Weighted, Window
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Markov as Chain
from lightcollapse.sources import Normal, RandomMarkov, Uniform
from lightcollapse.theorems import predict

pytestmark = pytest.mark.slow_without_jit

ROWS = ((0.5, 0.3, 0.2), (0.2, 0.5, 0.3), (0.3, 0.3, 0.4))
LANES = 4
FORMS: tuple[Regime, ...] = (Replace(), Accumulate(), FreshFraction(0.25), Window(2), FixedReal(), Weighted(0.6, 0.5))


def chain(length: int = 3, initial: tuple[float, ...] | None = (0.5, 0.3, 0.2)) -> Chain:
    return Chain(ROWS, initial, document_length=length)


def draws(lanes: int = LANES) -> Draws:
    return Draws(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, dtype=np.uint64), 99, 3)


def some_models(lanes: int, symbols: int = 3, holes: bool = True) -> np.ndarray:
    """Random laws, float64 (lanes, symbols + 1, symbols), some of which hold a symbol impossible."""
    generator = np.random.default_rng(lanes)
    laws = generator.dirichlet(np.ones(symbols), (lanes, symbols + 1))
    if holes:
        laws *= generator.random(laws.shape) < 0.8
        laws[..., 0] += laws.sum(axis=2) == 0.0
    return np.asarray(laws / laws.sum(axis=2, keepdims=True))


def documents_of(laws: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """All documents, int (documents, length), and their probabilities."""
    every = np.array(list(itertools.product(range(laws.shape[1]), repeat=length)))
    mass = laws[0, every[:, 0]]
    for k in range(1, length):
        mass = mass * laws[every[:, k - 1] + 1, every[:, k]]
    return every, mass


def divergence(one: np.ndarray, other: np.ndarray) -> float:
    held = one > 0.0
    if np.any(other[held] == 0.0):
        return np.inf
    return float((one[held] * np.log(one[held] / other[held])).sum())


# --- The estimator -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [2, 3, 5])
def test_metrics_are_those_of_all_documents(length: int) -> None:
    craft = MarkovEstimator(chain(length))
    models = some_models(12)
    models[0] = craft.laws
    found = craft.measure(MarkovModel(models), draws(12))
    every, real = documents_of(craft.laws, length)
    moves = np.zeros((4, 3))  # expected, in a document of the source
    for document, mass in zip(every, real, strict=True):
        np.add.at(moves, (np.concatenate([[0], document[:-1] + 1]), document), mass)
    shares = moves[1:].sum(axis=1) / moves[1:].sum()
    flat = moves.ravel() / moves.sum()
    order = np.lexsort((-np.arange(flat.size), flat))
    rare = order[: int(np.searchsorted(np.cumsum(flat[order]), 0.05))]
    for lane, laws in enumerate(models):
        _, mass = documents_of(laws, length)
        held = mass > 0.0
        alive = {pair for document in every[held] for pair in itertools.pairwise(document.tolist())}
        differ = [1.0 - (row**2).sum() for row in laws[1:]]
        apart = [0.5 * np.abs(row - own).sum() for row, own in zip(laws[1:], craft.laws[1:], strict=True)]
        failed = laws.ravel()[rare] < 0.1 * craft.laws.ravel()[rare]
        expected = {
            "heterozygosity": shares @ differ,
            "entropy_rate": -(mass[held] * np.log(mass[held])).sum() / length,
            "support": len(alive),
            "total_variation": shares @ apart,
            "kl_model_source": divergence(mass, real) / length,
            "kl_source_model": divergence(real, mass) / length,
            "edge_case_failure": flat[rare][failed].sum() / flat[rare].sum() if len(rare) else 0.0,
            "rare_retention": (laws.ravel()[rare] > 0.0).mean() if len(rare) else 1.0,
        }
        for name, value in expected.items():
            assert found[name][lane] == pytest.approx(value, rel=1e-12, abs=1e-14), (name, lane)


def test_a_symbol_that_the_source_lacks_costs_infinitely_much() -> None:
    craft = MarkovEstimator(Chain(((1.0, 0.0), (0.5, 0.5)), (1.0, 0.0), document_length=3))
    model = np.array([[[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]]])
    found = craft.measure(MarkovModel(model), draws(1))
    assert found["kl_model_source"][0] == np.inf
    assert found["kl_source_model"][0] == pytest.approx(2.0 * np.log(2.0) / 3.0)


def test_documents_have_the_law_of_the_chain(record_property: object) -> None:
    craft, court = MarkovEstimator(chain()), Court(record_property)
    models = some_models(LANES)
    wrote = {
        "real": (np.tile(craft.laws, (LANES, 1, 1)), craft.real(3000, draws())),
        "written": (models, craft.write(MarkovModel(models), 3000, draws())),
        "tilted": (
            np.tile(MarkovEstimator(chain().tilted(0.7)).laws, (LANES, 1, 1)),
            craft.real(3000, draws(), bias=0.7),
        ),
    }
    misses = []
    for name, (laws, points) in wrote.items():
        assert points.shape == (LANES, 3000, 3)
        for lane in range(LANES):
            _, mass = documents_of(laws[lane], 3)
            seen = np.bincount((points[lane] @ [9, 3, 1]).astype(int), minlength=27)
            court.hold(f"{name} documents of lane {lane}", counts(seen, mass))
            misses.append(counts(seen, documents_of(laws[lane][[0, 2, 3, 1]], 3)[1]))
    court.reject("rows in another order", misses)


def test_substitutes_are_symbols_by_their_frequency(record_property: object) -> None:
    craft = MarkovEstimator(chain())
    every, mass = documents_of(craft.laws, 3)
    shares = np.bincount(every.ravel(), np.repeat(mass, 3)) / 3.0
    seen = np.bincount(craft.substitutes(2000, draws()).astype(int).ravel(), minlength=3)
    court = Court(record_property)
    court.hold("substitutes", counts(seen, shares))
    court.reject("uniform substitutes", [counts(seen, np.full(3, 1.0 / 3.0))])


def test_a_fit_counts_moves_and_keeps_what_it_did_not_see() -> None:
    points = np.array([[[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]], [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]])
    weights = np.array([[1.0, 3.0], [0.0, 2.0]])
    craft = MarkovEstimator(chain())
    previous = some_models(2)
    laws = craft.fit(points, weights, MarkovModel(previous), draws(2)).laws
    np.testing.assert_allclose(laws[0, :3], [[1.0, 0.0, 0.0], [1.0 / 5.0, 4.0 / 5.0, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(laws[0, 3], previous[0, 3])
    np.testing.assert_array_equal(laws[1, [0, 3]], [[0.0, 0.0, 1.0]] * 2)
    np.testing.assert_array_equal(laws[1, 1:3], previous[1, 1:3])
    first = craft.fit(points, weights, None, draws(2)).laws
    np.testing.assert_array_equal(first[1, 1:3], craft.laws[1:3])
    smooth = MarkovEstimator(chain(), 0.5).fit(points, weights, MarkovModel(previous), draws(2)).laws
    np.testing.assert_allclose(smooth[0, 1], np.array([1.5, 4.5, 0.5]) / 6.5)
    np.testing.assert_allclose(smooth[0, 3], 1.0 / 3.0)


def test_densities_are_those_of_documents() -> None:
    craft = MarkovEstimator(chain())
    models = some_models(LANES)
    every = documents_of(craft.laws, 3)[0]
    points = np.tile(every.astype(np.float64), (LANES, 1, 1))
    own = craft.log_density(MarkovModel(models), points)
    for lane in range(LANES):
        np.testing.assert_allclose(np.exp(own[lane]), documents_of(models[lane], 3)[1], rtol=1e-12)
    np.testing.assert_allclose(np.exp(craft.source_log_density(points)[0]), documents_of(craft.laws, 3)[1], rtol=1e-12)


def test_decoding_cuts_every_row() -> None:
    craft = MarkovEstimator(chain())
    laws = craft.decode(None, 2, 0.5, 2, 1.0).laws
    for row, own in zip(laws[1], craft.laws, strict=True):
        kept = np.where(own >= np.sort(own)[1], own, 0.0)
        if np.count_nonzero(kept) == 2:
            np.testing.assert_allclose(row, kept**2 / (kept**2).sum())


def test_moves_of_two_labs_differ_as_their_places_say() -> None:
    craft = MarkovEstimator(chain())
    models = some_models(2, holes=False)
    diversity, place = craft.pairs(MarkovModel(models))
    shares = craft.moves[1:] / craft.moves[1:].sum()
    differ = shares @ (1.0 - (models[0, 1:] * models[1, 1:]).sum(axis=1))
    assert diversity.mean() + 0.5 * ((place[0] - place[1]) ** 2).sum() == pytest.approx(differ, rel=1e-12)
    assert craft.source_pairs() == pytest.approx(shares @ (1.0 - (craft.laws[1:] ** 2).sum(axis=1)))


# --- Runs ----------------------------------------------------------------------------------------------------------


def twin(card: Scenario, generator: np.random.Generator) -> list[Any]:
    """Laws of models 1 .. T of one chain, symbol by symbol."""
    source: Any = card.source
    rows = np.vstack([source.start(), source.matrix()])

    def write(laws: np.ndarray, count: int) -> np.ndarray:
        out = np.zeros((count, source.document_length), dtype=np.int64)
        for document in out:
            row = 0
            for k in range(len(document)):
                document[k] = generator.choice(3, p=laws[row])
                row = document[k] + 1
        return out

    last = rows

    def fit(points: np.ndarray, weight: float | None, real: int) -> np.ndarray:
        nonlocal last
        seen = np.zeros((4, 3))
        for i, document in enumerate(points):
            mass = 1.0
            if weight is not None:
                mass = weight / real if i < real else (1.0 - weight) / (len(points) - real)
                mass = mass if real < len(points) else 1.0
            for before, after in zip([-1, *document[:-1]], document, strict=True):
                seen[before + 1, after] += mass
        laws = last.copy()
        for row, mass in enumerate(seen.sum(axis=1)):
            if mass > 0.0:
                laws[row] = seen[row] / mass
        last = laws
        return laws

    return training_sets(card.schedule(), lambda count: write(rows, count), fit, write, generator)


@pytest.mark.parametrize("regime", FORMS, ids=lambda regime: regime.kind)
def test_runs_are_equal_in_law_to_the_slow_twin(regime: Regime, record_property: object) -> None:
    card = Scenario(chain(4), Markov(), regime, sample_size=24, generations=3)
    heard = run(card, seed=5, replicates=200)
    generator = np.random.default_rng(4)
    craft = MarkovEstimator(chain(4))
    models = np.array([twin(card, generator) for _ in range(200)])
    court = Court(record_property)
    misses = []
    for t in (1, 3):
        slow = craft.measure(MarkovModel(np.ascontiguousarray(models[:, t - 1])), draws(200))
        for name, values in slow.items():
            court.hold(f"{name} at {t}", same_law(heard.metrics[name][:, t].round(9), values.round(9)))
        misses.append(same_law(heard.metrics["entropy_rate"][:, t], np.zeros(200) + 0.3 * slow["entropy_rate"]))
    court.reject("less entropy", misses)


def test_a_sample_is_whole_documents() -> None:
    rows = Scenario(chain(4), Markov(), FreshFraction(0.5), sample_size=(24, 40, 80), generations=3).schedule()
    assert rows["size"].tolist() == [6, 10, 20] and rows["fresh"].tolist() == [6, 5, 10]
    with pytest.raises(CardError, match="whole documents of 4 symbols, got 30; give 28 or 32"):
        Scenario(chain(4), Markov(), sample_size=30)
    with pytest.raises(CardError, match=r"got 3; give 4$"):
        Scenario(chain(4), Markov(), sample_size=3)
    with pytest.raises(CardError, match="document_length of at least 2, got 1"):
        Scenario(Chain(ROWS, document_length=1), Markov(), sample_size=3)
    assert Scenario(chain(4), Markov()).resolved(3).sample_size == 900 * 4


def test_what_a_chain_is_not() -> None:
    for source in (Normal(), Uniform(3)):
        with pytest.raises(CardError, match="family markov needs a Markov chain"):
            Scenario(source, Markov(), sample_size=8)
    with pytest.raises(CardError, match="family categorical needs"):
        Scenario(chain(), Categorical(), sample_size=9)
    with pytest.raises(CardError, match="smoothing must be at least 0"):
        Markov(-1.0)
    with pytest.raises(CardError, match="a weighted fit needs smoothing 0"):
        Scenario(chain(4), Markov(0.5), Weighted(0.5), sample_size=8)
    with pytest.raises(CardError, match="family markov does not offer"):
        Scenario(chain(4), Markov(), curation=(TopFraction(0.5, "value"),), sample_size=8)


@pytest.mark.parametrize("length", [2, 5])
def test_total_collapse_is_a_result(length: int) -> None:
    record = run(Scenario(chain(length), Markov(), sample_size=4 * length, generations=60), seed=1, replicates=100)
    assert not any(np.isnan(values).any() for values in record.metrics.values())
    assert np.count_nonzero(record.absorbed > 0) > 90
    for lane, absorbed in enumerate(record.absorbed):
        if absorbed < 0:
            continue
        assert record.metrics["support"][lane, absorbed] <= min(9, length - 1)
        for values in record.metrics.values():  # nothing changes any more
            assert len(set(values[lane, absorbed:])) == 1
        assert record.metrics["kl_source_model"][lane, absorbed] == np.inf


def test_one_symbol_has_nothing_to_lose() -> None:
    record = run(Scenario(Chain(((1.0,),), document_length=2), Markov(), sample_size=4, generations=3), 1, 3)
    assert np.all(record.absorbed == 0)
    for name, values in record.metrics.items():
        assert np.all(values == (1.0 if name in ("support", "rare_retention") else 0.0)), name


def test_curations_treat_documents() -> None:
    steps = (
        Noise(0.2),
        Noise(0.2, "source"),
        Decoding(0.8, top_k=2),
        Preference(2, "source"),
        TopFraction(0.5, "likelihood"),
        Detector(0.5, 0.1, weight=0.3),
        Discriminator(),
    )
    for step in steps:
        for regime in (Replace(), Islands(2, own=0.5, shared=0.3)):
            card = Scenario(RandomMarkov(4, document_length=5), Markov(), regime, (step,), 40, 3)
            record = run(card, seed=2, replicates=5)
            assert not any(np.isnan(values).any() for values in record.metrics.values()), (step, regime)
    heard = run(Scenario(chain(4), Markov(), curation=(Noise(1.0),), sample_size=4000, generations=2), 3, 20)
    assert abs(heard.metrics["entropy_rate"][:, 2].mean() - np.log(3.0)) < 0.01


# --- Theory --------------------------------------------------------------------------------------------------------


def test_one_context_drifts_as_one_law() -> None:
    drifting = markov.context_diversity_drifting([1.0], [0.6], [9, 12, 5, 7])
    np.testing.assert_allclose(drifting, 0.6 * pairs.replace([9, 12, 5, 7]), rtol=1e-12)


def test_two_contexts_drift_as_all_histories_say() -> None:
    share, sizes = 0.3, (3, 2)
    kept = np.zeros(3)
    kept[0] = 1.0
    for first in range(4):
        chance = binom.pmf(first, 3, share)
        left = 1.0 - 1.0 / first if first else 1.0
        kept[1] += chance * left
        for second in range(3):
            kept[2] += chance * binom.pmf(second, 2, first / 3.0) * left * (1.0 - 1.0 / second if second else 1.0)
    both = markov.context_diversity_drifting([share, 1.0 - share], [0.5, 0.0], sizes)
    np.testing.assert_allclose(both, share * 0.5 * kept, rtol=1e-12)


def test_a_card_of_other_roundings_is_not_predicted() -> None:
    # 4 of 12 documents are 28 of 84 moves, and not 25
    card = Scenario(chain(8), Markov(), FreshFraction(0.3), sample_size=96, generations=3)
    assert "support" not in predict(card)
    assert "support" in predict(replace(card, regime=FreshFraction(0.25)))
