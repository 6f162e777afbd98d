"""Curation of text: what the n-gram family offers, against its definitions, and whole runs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from lightcollapse.corpus import padding
from lightcollapse.curation import (
    Curation,
    Decoding,
    Detector,
    Discriminator,
    Noise,
    Preference,
    TopFraction,
)
from lightcollapse.families import NGram
from lightcollapse.families.language_craft import LanguageCraft
from lightcollapse.families.language_model import LanguageSimulation
from lightcollapse.kernels.draws import SYNTHETIC, Draws
from lightcollapse.loop import run
from lightcollapse.regimes import FreshFraction, Regime, Replace
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Text

pytestmark = pytest.mark.slow_without_jit
LENGTH = 30
SOURCE = Text(str(Path(__file__).parent / "data" / "tiny.txt"), document_length=LENGTH)
DRAWS = Draws(np.array([3], dtype=np.uint64), np.zeros(1, dtype=np.uint64), 11, 2, SYNTHETIC)


def card(steps: tuple[Curation, ...], regime: Regime | None = None) -> Scenario:
    return Scenario(SOURCE, NGram(3), regime or Replace(), steps, sample_size=900, generations=3)


@pytest.fixture(scope="module")
def simulation() -> LanguageSimulation:
    made = card(()).family.prepare(SOURCE, card(()).schedule(), 5)
    assert isinstance(made, LanguageSimulation)
    return made


@pytest.fixture(scope="module")
def craft(simulation: LanguageSimulation) -> LanguageCraft:
    return simulation.craft


def test_documents_become_points_and_documents_again(craft: LanguageCraft) -> None:
    text = craft.human.held_out
    batch = craft.points(text)
    begin, length = padding.runs(text)
    assert batch.points.shape == (1, len(begin), LENGTH)
    np.testing.assert_array_equal((batch.points[0] != 0).sum(axis=1), length)
    np.testing.assert_array_equal(craft.text(batch), text)
    assert padding.size(craft.text(craft.points(padding.EMPTY))) == 0


def test_removed_documents_are_left_out(craft: LanguageCraft) -> None:
    batch = craft.points(craft.human.held_out)
    batch.weights[0, 1:] = 0.0
    begin, length = padding.runs(craft.human.held_out)
    np.testing.assert_array_equal(craft.text(batch)[1:-1], craft.human.held_out[begin[0] : begin[0] + length[0]])


def test_what_is_written_is_what_the_model_writes(craft: LanguageCraft) -> None:
    points = craft.write(craft.human_model, 7, DRAWS)
    text = craft.human_model.write(7 * LENGTH, LENGTH, 2, 3, 11)
    np.testing.assert_array_equal(craft.text(craft.points(text)), text)
    np.testing.assert_array_equal(points, craft.points(text).points)


def test_a_score_is_the_log_likelihood_of_the_document(craft: LanguageCraft) -> None:
    points = craft.write(craft.human_model, 5, DRAWS)
    scores = craft.source_log_density(points)
    for document, score in zip(points[0], scores[0], strict=True):
        one = padding.pad(document[document != 0].astype(np.int32), LENGTH)
        assert score == pytest.approx(float(craft.human_model.log_probabilities(one).sum()), rel=1e-12)


def test_cold_decoding_writes_what_is_likeliest(craft: LanguageCraft) -> None:
    plain = craft.source_log_density(craft.write(craft.human_model, 40, DRAWS)).mean()
    cold = craft.decode(craft.human_model, 1, 0.4, 0, 1.0)
    assert craft.source_log_density(craft.write(cold, 40, DRAWS)).mean() > plain + 5.0


def test_closeness_is_the_share_of_ngrams_that_were_written_before(craft: LanguageCraft) -> None:
    earlier = craft.points(craft.human_model.write(40 * LENGTH, LENGTH, 1, 0, 1))
    points = craft.write(craft.human_model, 12, DRAWS)
    close, evaluations = craft.closeness(points, (earlier,), craft.human_model, craft.human_model)
    size = max(1, min(8, int(62 / math.log2(craft.human.alphabet + 1))))
    grams = lambda row: [tuple(row[i : i + size]) for i in range(len(row) - size + 1)]  # noqa: E731
    past = {gram for row in earlier.points[0] for gram in grams(row)}
    expected = [np.mean([gram in past for gram in grams(row)]) for row in points[0]]
    np.testing.assert_allclose(close[0], expected)
    assert evaluations == 12 and 0.0 < np.mean(expected) < 1.0
    none, _ = craft.closeness(points, (), craft.human_model, craft.human_model)
    assert np.all(none == 0.0)


def test_substitutes_have_the_frequencies_of_human_text(craft: LanguageCraft) -> None:
    drawn = craft.substitutes(4000, DRAWS).ravel()
    share = np.bincount(drawn, minlength=craft.human.alphabet + 1)[1:] / len(drawn)
    np.testing.assert_allclose(share, craft.human.counts / craft.human.counts.sum(), atol=0.01)
    uniform = craft.uniform(DRAWS.uniforms(50_000))
    assert uniform.min() == 1 and uniform.max() == craft.human.alphabet


def test_a_step_that_does_nothing_changes_nothing() -> None:
    plain = run(card(()), seed=5, replicates=2)
    idle = run(card((Detector(0.0, 0.0),)), seed=5, replicates=2)
    for name, values in plain.metrics.items():
        np.testing.assert_array_equal(values, idle.metrics[name], err_msg=name)


def test_a_model_with_nothing_to_read_stays_as_it_was() -> None:
    record = run(card((Detector(1.0, 1.0),), FreshFraction(0.3)), seed=5, replicates=2)
    for name in ("perplexity", "kl_source_model"):
        np.testing.assert_array_equal(record.metrics[name][:, 1], record.metrics[name][:, 3])


def test_selection_of_the_likeliest_narrows_faster_than_drift_and_noise_widens() -> None:
    plain, likeliest, noisy, chosen, judged = (
        run(card(steps), seed=5, replicates=6).metrics
        for steps in (
            (),
            (TopFraction(0.3, "likelihood"),),
            (Noise(0.05),),
            (Preference(3, "source"),),
            (Discriminator(20.0, 4),),
        )
    )
    last = {
        name: metrics["distinct_4"][:, -1].mean()
        for name, metrics in zip("plncd", (plain, likeliest, noisy, chosen, judged), strict=True)
    }
    assert last["l"] < 0.7 * last["p"] and last["c"] < 0.9 * last["p"] and last["n"] > 1.2 * last["p"]
    assert last["d"] > last["p"]
    assert np.all(judged["samples_drawn"][:, 1:] == 4 * 30) and np.all(judged["evaluations"][:, 1:] == 4 * 30)
    assert np.all(np.diff(likeliest["mean_score"].mean(axis=0)[1:]) > 0.0)


def test_decoding_of_text_collapses_it() -> None:
    cold, plain = (run(card(steps), seed=5, replicates=4).metrics for steps in ((Decoding(0.5),), ()))
    assert cold["distinct_4"][:, -1].mean() < 0.5 * plain["distinct_4"][:, -1].mean()
    cut = run(card((Decoding(top_k=1),)), seed=5, replicates=2)
    assert cut.metrics["distinct_4"][:, -1].max() < 40
