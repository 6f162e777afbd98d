"""Forecasts of language models are held to what came, and departures from drift are seen where there are some."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import lightcollapse as lc
from lightcollapse.cli import main
from lightcollapse.errors import CardError
from lightcollapse.forecasting import forecast_counts
from lightcollapse.scenario import Scenario
from lightcollapse.validation import METRICS, Validation, measured, validate, written

SIZE = 20_000


def words(order: int = 1, smoothing: str = "ml", **more: object) -> Scenario:
    """Words drawn one by one from those of the last text; a document is a word, so that draws are independent."""
    fields: dict[str, object] = {"sample_size": SIZE, "generations": 6} | more
    source = lc.sources.Text(unit="words", lowercase=True, document_length=1 if order == 1 else 50)
    return lc.Scenario(source, lc.families.NGram(order=order, smoothing=smoothing), **fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def drift() -> Validation:
    return validate(words(), seed=4, orders=(1,))


def test_words_drawn_one_by_one_are_drift_of_as_many_tokens(drift: Validation) -> None:
    (departure,) = drift.departures
    drivers = {one.name: one for one in departure.drivers}
    size, heat = drivers["effective_sample_size"], drivers["temperature"]
    assert size.ci_low is not None and size.ci_high is not None and size.ci_low < SIZE < size.ci_high
    assert heat.ci_low is not None and heat.ci_high is not None and heat.ci_low < 1.0 < heat.ci_high
    assert departure.tokens == SIZE and departure.new == (0.0,) * 6


def test_forecasts_of_drift_hold(drift: Validation) -> None:
    inside, of = drift.coverage()
    assert of == 4 * len(METRICS) and inside >= of - 2
    assert drift.coverage("entropy", 1)[1] == 4 and drift.coverage("entropy", 2) == (0, 0)


def test_what_came_is_what_the_texts_hold(drift: Validation) -> None:
    texts, human = written(words(), 4, 0)
    counts = np.array([np.bincount(text[text > 0], minlength=human.alphabet + 1) for text in texts])
    for t in (3, 6):
        own = forecast_counts(counts[: t + 1], generations=1, chain=True)
        for metric in METRICS:
            truth = next(row.truth for row in drift.rows if (row.metric, row.generation) == (metric, t))
            assert truth == pytest.approx(measured(metric, counts[t], counts[0]))
            assert truth == pytest.approx(own[metric, t].value)


def test_a_smoothed_model_writes_what_nobody_wrote_and_is_seen_to() -> None:
    (departure,) = validate(words(2, "witten-bell"), seed=4, orders=(2,)).departures
    assert min(departure.new) > 0.01 and departure.trusted < 6


def test_a_sharpened_model_is_seen_to_sharpen() -> None:
    card = words(curation=(lc.curation.Decoding(0.9),))
    (departure,) = validate(card, seed=4, orders=(1,)).departures
    heat = next(one for one in departure.drivers if one.name == "temperature")
    assert heat.ci_low is not None and heat.ci_high is not None and heat.ci_low < 0.9 < heat.ci_high


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (lc.Scenario(lc.sources.Normal(), lc.families.Gaussian(), sample_size=9), "needs a family of language models"),
        (words(generations=2), "needs at least 3 generations"),
        (words(sample_size=(9000,) * 6), "one sample size"),
    ],
)
def test_what_cannot_be_validated_is_refused(card: Scenario, message: str) -> None:
    with pytest.raises(CardError, match=message):
        validate(card)


def test_the_command_prints_forecast_and_truth(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["validate", "text", "--order", "1", "--order", "3", "--generations", "4", "--sample-size", "30000"]
    assert main(line) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert all(text in shown for text in ("effective sample size", "1-grams", "3-grams", "How many lay inside"))
    assert main([*line, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "lightcollapse/validate/1" and len(found["rows"]) == 2 * len(METRICS) * 2
    assert {one["order"] for one in found["departures"]} == {1, 3}
    assert main([*line, "--csv"]) == 0
    assert capsys.readouterr().out.startswith("order,metric,generation,truth,expected")


def test_a_transformer_is_validated_and_goes_on_from_what_it_kept(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the transformer needs torch")
    source = lc.sources.Text(document_length=64, held_out=0.9)
    family = lc.families.Transformer(width=16, depth=1, heads=1, tokens=5_000, device="cpu")
    card = lc.Scenario(source, family, sample_size=6_400, generations=3)
    found = validate(card, seed=2, orders=(1, 2), checkpoints=tmp_path)
    assert {row.generation for row in found.rows} == {3} and any(tmp_path.iterdir())
    assert validate(card, seed=2, orders=(1, 2), checkpoints=tmp_path) == found
