"""Limits held against measurements: pass, fail, unsure, and what pipelines see."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lightcollapse.check import CRITERIA, FAIL, PASS, UNSURE, check, limits, names
from lightcollapse.cli import main
from lightcollapse.errors import CardError
from lightcollapse.text import Measurement, Row, measure

WORDS = np.array([f"w{k}" for k in range(400)])
LAW = (1.0 / np.arange(1, 401)) / (1.0 / np.arange(1, 401)).sum()


def documents(seed: int, types: int, count: int = 120) -> str:
    law = LAW[:types] / LAW[:types].sum()
    drawn = np.random.default_rng(seed).choice(WORDS[:types], size=(count, 40), p=law)
    return "\n\n".join(" ".join(one) for one in drawn)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline, a generation of the same law, one that has lost most words, and one that is too short."""
    made = tmp_path_factory.mktemp("texts")
    for name, text in {
        "human": documents(1, 400),
        "alike": documents(2, 400),
        "poor": documents(3, 25),
        "short": documents(4, 400, 12),
    }.items():
        (made / f"{name}.txt").write_text(text)
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> Measurement:
    return measure([str(folder / f"{name}.txt") for name in ("human", "alike", "poor")], order=2)


def made_of(row: Row, base: Row, bootstrap: int = 100) -> Measurement:
    return Measurement((base, row), (0, 1), {"order": 4, "bootstrap": bootstrap}, ())


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.0, 0.1, PASS), (0.11, 0.3, FAIL), (0.05, 0.11, UNSURE), (0.1, 0.2, UNSURE)],
)
def test_a_limit_from_above_asks_for_the_whole_interval(low: float, high: float, verdict: str) -> None:
    row = Row("duplicates", 1, (low + high) / 2, low, high, 0.0, low, high)
    (one,) = check(made_of(row, Row("duplicates", 0, 0.0, 0.0, 0.0)), {"max-duplicates": 0.1})
    assert one.verdict == verdict
    assert (one.note != "") == (verdict == UNSURE)


def test_a_share_carries_the_spread_of_both_and_of_their_difference() -> None:
    rng = np.random.default_rng(0)
    base, own = rng.normal(100.0, 2.0, 200_000), rng.normal(80.0, 3.0, 200_000)
    halves = [1.96 * float(values.std()) for values in (own, base, own - base)]
    row = Row("entropy_1", 1, 80.0, 80 - halves[0], 80 + halves[0], -20.0, -20 - halves[2], -20 + halves[2])
    first = Row("entropy_1", 0, 100.0, 100 - halves[1], 100 + halves[1])
    (one,) = check(made_of(row, first), {"min-entropy": 0.75})
    assert one.value == pytest.approx(0.8) and one.ci_low is not None and one.ci_high is not None
    assert one.ci_high - one.ci_low == pytest.approx(2 * 1.96 * float((own / base).std()), rel=0.02)
    assert one.verdict == UNSURE


def test_divergences_are_held_as_their_excess_over_the_noise_floor() -> None:
    row = Row("js_1", 1, 0.3, 0.28, 0.32, 0.1, 0.06, 0.14, "too high: compare with the noise floor")
    base = Row("js_1", 0, 0.2, 0.18, 0.22)
    (one,) = check(made_of(row, base), {"max-js": 0.15})
    assert (one.value, one.ci_low, one.ci_high, one.verdict) == (0.1, 0.06, 0.14, PASS)
    (none,) = check(made_of(Row("js_1", 1, 0.3, 0.28, 0.32), base), {"max-js": 0.15})
    assert none.verdict == UNSURE and "noise floor" in none.note


def test_what_the_measurement_doubts_is_unsure_however_good_it_looks() -> None:
    base = Row("support_1", 0, 100.0, 90.0, 110.0)
    doubted = Row("support_1", 1, 100.0, 99.0, 101.0, 0.0, -1.0, 1.0, "at its own size: not comparable")
    assert check(made_of(doubted, base), {"min-support": 0.5})[0].verdict == UNSURE
    missing = Row("support_1", 1, None, note="too few 1-grams")
    (one,) = check(made_of(missing, base), {"min-support": 0.5})
    assert (one.verdict, one.value, one.note) == (UNSURE, None, "too few 1-grams")


def test_without_resamples_the_value_alone_decides_and_says_so() -> None:
    row = Row("duplicates", 1, 0.2)
    (one,) = check(made_of(row, Row("duplicates", 0, 0.0), bootstrap=0), {"max-duplicates": 0.1})
    assert one.verdict == FAIL and "value alone" in one.note
    assert check(made_of(row, Row("duplicates", 0, 0.0)), {"max-duplicates": 0.1})[0].verdict == UNSURE


def test_copies_of_the_baseline_pass_no_limit_that_they_fool() -> None:
    rows = (Row("kl_source_model_1", 0, 0.0, 0.0, 0.0), Row("kl_source_model_1", 1, 0.0, 0.0, 0.0, 0.0, -0.01, 0.01),
            Row("copied", 0, 0.0), Row("copied", 1, 0.9, 0.8, 1.0, 0.9, 0.8, 1.0))  # fmt: skip
    found = Measurement(rows, (0, 1), {"order": 1, "bootstrap": 100}, ())
    assert check(found, {"max-kl": 0.1})[0].verdict == UNSURE


def test_a_like_text_passes_and_a_collapsed_one_fails(found: Measurement) -> None:
    asked = {"max-kl": 0.2, "min-distinct": 0.8, "min-entropy": 0.9, "min-rare-retention": 0.5}
    verdicts = check(found, asked)
    assert [verdict.generation for verdict in verdicts] == [1] * 4 + [2] * 4
    assert {verdict.verdict for verdict in verdicts[:4]} == {PASS}
    assert {verdict.verdict for verdict in verdicts[4:]} == {FAIL}
    assert check(found, asked, "2") == verdicts[4:]


def test_every_criterion_names_a_metric_that_is_measured(found: Measurement) -> None:
    for limit in limits({criterion.name: 1.0 for criterion in CRITERIA}, 2):
        assert limit.metric in found.metrics, limit.name


@pytest.mark.parametrize(
    ("asked", "generation", "said"),
    [
        ({}, None, "no limit given"),
        ({"max-kll": 1.0}, None, "did you mean 'max-kl'"),
        ({"max-kl": float("nan")}, None, "at least 0"),
        ({"max-kl": -1.0}, None, "at least 0"),
        ({"min-distinct4": 0.9}, None, "order must be 4 or more, got 2"),
        ({"max-kl": 1.0}, "7", "no generation '7'"),
        ({"max-kl": 1.0}, "0", "no generation '0'"),
    ],
)
def test_bad_limits_are_told(found: Measurement, asked: dict[str, float], generation: str | None, said: str) -> None:
    with pytest.raises(CardError, match=said):
        check(found, asked, generation)


def test_pipelines_see_a_line_each_and_an_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(folder / "human.txt"), str(folder / "alike.txt"), str(folder / "poor.txt")]
    assert main(["check", *files, "--max-kl", "0.2", "--order", "1"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [["PASS", "1", "max-kl"], ["FAIL", "2", "max-kl"]]
    assert max(map(len, lines)) <= 80
    assert main(["check", *files, "--max-kl", "0.2", "--order", "1", "--generation", "1"]) == 0
    capsys.readouterr()
    assert main(["check", *files, "--max-kl", "0.2", "--order", "1", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "lightcollapse/check/1" and told["ok"] is False
    assert [row["verdict"] for row in told["rows"]] == [PASS, FAIL]
    assert main(["check", *files, "--max-kl", "0.2", "--order", "1", "--csv"]) == 3
    assert capsys.readouterr().out.startswith("generation,criterion,metric,of,value,ci_low,ci_high,limit,verdict,note")


def test_unequal_sizes_are_unsure_and_fail_when_strict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["check", str(folder / "human.txt"), str(folder / "short.txt"), "--min-support", "0.9", "--order", "1"]
    assert main(given) == 0
    out = capsys.readouterr().out
    assert out.startswith("UNSURE") and "not comparable" in out
    assert main([*given, "--strict"]) == 3


def test_a_text_too_short_for_a_limit_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("word.txt").write_text("hello")
    assert main(["check", str(folder / "human.txt"), "word.txt", "--max-kl", "0.1"]) == 4
    assert "a generation is too short to measure it" in capsys.readouterr().err


def test_wrong_use_names_the_criteria(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder / "human.txt"), str(folder / "alike.txt")]) == 2
    assert all(f"--{criterion.name}" in capsys.readouterr().err for criterion in CRITERIA[:1])
    assert main(["check", "--max-kl", "1"]) == 2
    assert main(["check", str(folder / "human.txt"), "--max-kl", "1", "--json", "--csv"]) == 2
    assert main(["check", str(folder / "nowhere.txt"), "--max-kl", "1"]) == 4
    assert main(["check", str(folder / "human.txt"), "--max-kl", "many"]) == 2
    assert set(names()) >= {"max-kl", "max-kl2", "min-distinct4", "max-repeated3"}
