"""The trial of every theorem outside the suite: its verdicts, and the verbs that show them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightcollapse import conform as module
from lightcollapse import theorems
from lightcollapse.cli import main
from lightcollapse.conform import ALPHA, Verdict, conform
from lightcollapse.probes import probe, probes
from lightcollapse.theorems import THEOREMS, Theorem

NAMES = ("gaussian-replace-variance", "categorical-replace-support", "gaussian-fresh-fraction-std")
EXACT, MEAN, ABOUT = (next(row for row in THEOREMS if row.name == name) for name in NAMES)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line."""
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def strict(text: str) -> Any:
    """JSON without NaN or Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A table of three theorems, and a cache of one's own."""
    shorten(monkeypatch, (EXACT, MEAN, ABOUT))
    monkeypatch.setenv("LIGHTCOLLAPSE_CACHE_DIR", str(tmp_path / "cache"))
    return monkeypatch


def shorten(patch: pytest.MonkeyPatch, rows: tuple[Theorem, ...]) -> None:
    patch.setattr(module, "THEOREMS", rows)
    patch.setattr(theorems, "THEOREMS", rows)


def false(row: Theorem) -> Theorem:
    """The same theorem with its near miss for a claim."""
    return dataclasses.replace(row, values=row.near_miss, law=row.near_law)


@pytest.mark.parametrize("theorem", THEOREMS, ids=str)
def test_every_theorem_has_a_small_card(theorem: Theorem) -> None:
    card = probe(theorem)
    assert theorem.applies(card)
    values = theorem.values(card, 0)
    assert values.shape == (card.generations + 1,) and not np.isnan(values).any()


def test_a_theorem_is_tried_under_every_regime_that_it_speaks_of() -> None:
    row = next(row for row in THEOREMS if row.name == "categorical-pairs-heterozygosity")
    cards = [card for group in probes(row) for card in [next(group, None)] if card is not None]
    assert {card.regime.kind for card in cards} >= {"replace", "accumulate", "window", "fresh-fraction", "weighted"}
    assert len(set(cards)) == len(cards)


def test_what_no_card_reaches_is_said() -> None:
    nowhere = dataclasses.replace(MEAN, condition=lambda scenario: False)
    with pytest.raises(LookupError, match=nowhere.name):
        probe(nowhere)


def test_right_claims_hold_and_their_near_misses_fall(few: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    verdicts = conform(800, seed=3, progress=lambda done, total: seen.append((done, total)))
    assert [verdict.theorem for verdict in verdicts] == [EXACT, MEAN, ABOUT]
    assert all(verdict.holds and verdict.near_miss for verdict in verdicts)
    assert seen[0][0] == 0 and seen[-1][0] == seen[-1][1] == len(seen) - 1
    exact, mean, about = verdicts
    assert exact.checks > 0 and exact.p_value is not None and ALPHA < exact.p_value <= 1.0 and exact.error is None
    assert mean.cards >= 1 and mean.generation is not None and mean.simulated is not None
    assert about.p_value is None and about.checks == 0 and about.error is not None and 0.0 <= about.error < 0.15


def test_the_same_seed_gives_the_same_verdicts(few: pytest.MonkeyPatch) -> None:
    first, again, other = (conform(200, seed, only="support") for seed in (5, 5, 6))
    assert first == again != other


@pytest.mark.parametrize("row", [EXACT, MEAN, ABOUT], ids=str)
def test_false_claims_fail(row: Theorem, few: pytest.MonkeyPatch) -> None:
    shorten(few, (false(row),))
    (verdict,) = conform(800, seed=3)
    assert not verdict.holds


def test_what_cannot_be_tried_is_no_failure(few: pytest.MonkeyPatch) -> None:
    nowhere = dataclasses.replace(MEAN, condition=lambda scenario: False)
    shorten(few, (nowhere,))
    assert conform(100) == [Verdict(nowhere, 0, 0, None, None, None, None, None, None, True)]


# --- the verbs


def test_conform_shows_a_line_a_theorem_and_a_summary(
    few: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "conform", "--replicates", "800")
    lines = out.splitlines()
    assert code == 0 and max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:4]] == list(NAMES)
    assert all(line.endswith("falls") for line in lines[1:4])
    assert "3 theorems, 3 tried" in out and "Every claim stands" in " ".join(out.split())


def test_a_false_claim_is_exit_code_3(few: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shorten(few, (EXACT, false(MEAN)))
    code, out, _ = call(capsys, "conform", "--replicates", "800")
    assert code == 3 and out.splitlines()[2].endswith("FAILS") and "1 fail." in out
    code, out, _ = call(capsys, "conform", "--replicates", "800", "--json")
    data = strict(out)
    assert code == 3 and data["ok"] is False and [row["holds"] for row in data["rows"]] == [True, False]


def test_conform_as_json(few: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "conform", "--replicates", "300", "--seed", "9", "--only", "std", "--json")
    data = strict(out)
    assert code == 0 and data["schema"] == "lightcollapse/conform/1" and data["ok"] is True
    assert data["recipe"] == {"replicates": 300, "seed": 9, "only": "std", "alpha": ALPHA}
    (row,) = data["rows"]
    assert row["theorem"] == ABOUT.name and row["p_value"] is None and row["near_miss"] in (True, False)
    assert {"family", "metric", "kind", "cards", "checks", "simulated", "predicted", "generation", "error"} <= set(row)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_name_that_no_theorem_has(
    more: list[str], few: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(capsys, "conform", "--only", "gausian-replace-variance", *more)
    message = strict(out)["error"]["message"] if more else err
    assert code == 2 and "gaussian-replace-variance" in message


@pytest.mark.parametrize("arguments", [["--replicates", "1"], ["--replicates", "x"], ["--seed", "x"]])
def test_bad_numbers_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "conform", *arguments)
    assert (code, out) == (2, "") and arguments[0] in err


def test_theory_recalls_the_last_whole_run(few: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _, before, _ = call(capsys, "theory", "--json")
    assert [row["worst_p_value"] for row in strict(before)["rows"]] == [None] * 3
    call(capsys, "conform", "--replicates", "100", "--only", "std")
    assert call(capsys, "theory", "--json")[1] == before
    first = call(capsys, "conform", "--replicates", "100")
    p_values = [row["worst_p_value"] for row in strict(call(capsys, "theory", "--json")[1])["rows"]]
    assert p_values[0] is not None and p_values[1] is not None and p_values[2] is None
    assert call(capsys, "conform", "--replicates", "100") == first
    code, out, _ = call(capsys, "theory")
    assert code == 0 and f"{p_values[0]:.2g}" in out.splitlines()[1]


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_a_broken_memory_is_as_good_as_none(
    content: str, few: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/conform.json").write_text(content)
    assert call(capsys, "theory")[0] == 0


def test_a_cache_that_cannot_be_written_is_no_failure(
    few: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    few.setenv("LIGHTCOLLAPSE_CACHE_DIR", "file")
    assert call(capsys, "conform", "--replicates", "50")[0] == 0
    code, out, _ = call(capsys, "theory", "--json")
    assert code == 0 and all(row["worst_p_value"] is None for row in strict(out)["rows"])


def test_theory_lists_every_theorem(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "theory")
    lines = out.splitlines()
    assert code == 0 and max(map(len, lines)) <= 80 and len(lines) == len(THEOREMS) + 3
    data = strict(call(capsys, "theory", "--json")[1])
    assert [row["theorem"] for row in data["rows"]] == [row.name for row in THEOREMS]
    assert {"family", "regimes", "curation", "metric", "kind", "statement", "source", "note", "ids"} < set(
        data["rows"][0]
    )


def test_theory_of_one_family(capsys: pytest.CaptureFixture[str]) -> None:
    rows = strict(call(capsys, "theory", "--family", "markov", "--json")[1])["rows"]
    assert rows and {row["family"] for row in rows} == {"markov"}
    code, out, err = call(capsys, "theory", "--family", "marko")
    assert (code, out) == (2, "") and "'markov'" in err
