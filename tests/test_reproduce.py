"""Published experiments: every item is whole, a verdict says what it should, and the command keeps its manners."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lightcollapse.cli import claims, main
from lightcollapse.errors import CardError, DataError, MissingExtra
from lightcollapse.loop import run
from lightcollapse.reproduce import STATISTICS, Estimate, Item, Limits, Number, item_names, load_item, reproduce
from lightcollapse.reproduce.audit import Finding
from lightcollapse.reproduce.claim import claim_names, load_claim
from lightcollapse.reproduce.derived import column
from lightcollapse.reproduce.item import parse_item
from lightcollapse.reproduce.rows import AGREES, DIFFERS, OFF, UNTESTED, VERDICTS, judge
from lightcollapse.scenario import Scenario

pytestmark = pytest.mark.slow_without_jit
CHEAP = ("koyejo-gaussian-replace", "suresh-bernoulli", "shumailov-w2", "categorical-heterozygosity", "xu-improvement")
ROOT = Path(__file__).parents[1]
WORDS = "the cat sat on the mat and the dog ate the rat by the vat while Owls flew Over the Moor \n\n" * 40


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["reproduce", *arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def text_of(name: str) -> str:
    return (files("lightcollapse.reproduce") / "items" / f"{name}.toml").read_text(encoding="utf-8")


def number(**more: Any) -> Number:
    return msgspec.structs.replace(Number(metric="variance", published=1.0, kind="pub"), **more)


# --- items


@pytest.mark.parametrize("name", item_names())
def test_every_item_has_a_source_cards_that_build_and_theory_that_can_be_called(name: str) -> None:
    item = load_item(name)  # builds every card
    assert item.paper and (item.arxiv or item.claim) and item.setting and item.numbers
    assert item.replicates.quick <= item.replicates.full and item.seconds.quick <= item.seconds.full
    assert {one.card for one in item.numbers} == set(item.variants())
    for one in item.numbers:
        assert one.chains is None or one.kind in ("pub", "ran")
        assert one.within == 0.0 or one.note or item.generations or item.claim


@pytest.mark.parametrize("name", CHEAP)
def test_cheap_items_agree(name: str) -> None:
    rows = list(reproduce(load_item(name), Limits(quick=True)))
    assert [row.verdict for row in rows] == [AGREES] * len(rows)
    for row in rows:
        assert row.ours is not None and row.ours.low < row.ours.value < row.ours.high
        assert row.exact is None or row.ours.low < row.exact < row.ours.high


def test_what_two_witnesses_hold_against_a_published_law_is_off() -> None:
    rows = list(reproduce(load_item("benati-first-extinction"), Limits(quick=True)))
    assert {row.verdict for row in rows} == {OFF}
    for row in rows:
        assert row.ours is not None and row.exact is not None and row.exact < row.number.lowest > row.ours.high


def test_a_row_is_what_the_record_says() -> None:
    item = load_item("koyejo-gaussian-replace")
    row = next(iter(reproduce(item, Limits(quick=True, seed=9))))
    values = run(Scenario.from_dict(item.data("")), 9, row.replicates).metrics["variance"][:, 10]
    assert row.ours is not None and row.ours.value == pytest.approx(values.mean(), rel=1e-12)


@pytest.mark.parametrize("name", ["koyejo-gaussian-replace", "categorical-heterozygosity"])
def test_a_wrong_published_number_differs(name: str) -> None:
    item = load_item(name)
    wrong = msgspec.structs.replace(item.numbers[0], published=1.05 * item.numbers[0].lowest)
    rows = list(reproduce(msgspec.structs.replace(item, numbers=(wrong, *item.numbers[1:])), Limits(quick=True)))
    assert [row.verdict for row in rows] == [DIFFERS] + [AGREES] * (len(rows) - 1)
    assert "our closed form gives" in rows[0].why


def test_a_digit_that_the_simulation_cannot_see_is_seen_by_the_theory() -> None:
    text = text_of("koyejo-gaussian-replace").replace("0.9044", "0.9045")
    first = next(iter(reproduce(parse_item("wrong", text), Limits(quick=True))))
    assert first.verdict == DIFFERS and "0.904382" in first.why


# --- verdicts


@pytest.mark.parametrize(
    ("published", "verdict"),
    [
        (number(), AGREES),
        (number(published=1.1), AGREES),
        (number(published=1.11), DIFFERS),
        (number(published=0.89), DIFFERS),
        (number(published=1.11, rounding=0.02), AGREES),
        (number(published=1.11, within=0.02), AGREES),
        (number(published=1.13, error=0.05), AGREES),
        (number(published=1.25, error=0.05), DIFFERS),
        (number(published=1.25, chains=10), AGREES),
        (number(published=(0.2, 0.3)), DIFFERS),
        (number(published=(0.2, 0.95)), AGREES),
        (number(published=2.0, off="a slip"), OFF),
        (number(published=1.0, off="a slip"), AGREES),
    ],
)
def test_verdicts_follow_from_the_interval(published: Number, verdict: str) -> None:
    ours, theirs = Estimate(1.0, 0.9, 1.1), Estimate(1.0, 0.7, 1.3)
    assert judge(published, ours, theirs, None, None)[0] == verdict


def test_a_published_number_is_off_only_where_our_two_witnesses_agree() -> None:
    ours = Estimate(1.0, 0.9, 1.1)
    off = number(published=2.0, off="a slip")
    assert judge(off, ours, ours, 1.02, "exact mean") == (OFF, "a slip")
    assert judge(off, ours, ours, 1.5, "exact mean")[0] == DIFFERS
    assert judge(number(kind="exact"), ours, ours, 1.02, "exact mean")[0] == DIFFERS
    assert judge(number(kind="exact"), ours, ours, 1.02, "approximation")[0] == AGREES


def test_what_does_not_vary_is_said() -> None:
    assert "does not vary" in judge(number(), Estimate(2.0, 2.0, 2.0), Estimate(2.0, 2.0, 2.0), None, None)[1]


# --- statistics


def test_statistics_against_their_definitions() -> None:
    values = np.arange(1.0, 10_001.0)
    for name, statistic in STATISTICS.items():
        one = statistic.estimate(values, 0.25 if name == "quantile" else 2500.0, len(values), math.inf)
        assert one.low < one.value < one.high
    mean = STATISTICS["mean"].estimate(values, math.nan, 10_000, math.inf)
    assert mean.value == 5000.5 and mean.high - mean.value == pytest.approx(4 * values.std(ddof=1) / 100)
    assert STATISTICS["mean"].estimate(values, math.nan, 10_000, 1e12).high == pytest.approx(5000.5 + 4e4)
    assert STATISTICS["median"].estimate(values, math.nan, 10_000, math.inf).low == 4800.0  # 2 % of level a side
    assert STATISTICS["quantile"].estimate(values, 0.25, 10_000, math.inf).value == 2500.0
    assert STATISTICS["share above"].estimate(values, 2500.0, 10_000, math.inf).value == 0.75
    both = np.concatenate([-values, values])
    assert STATISTICS["share within"].estimate(both, 2500.5, 20_000, math.inf).value == 0.25


def test_intervals_of_few_or_endless_values_are_open_or_wide() -> None:
    one = STATISTICS["mean"].estimate(np.array([3.0]), math.nan, 1, math.inf)
    assert (one.low, one.high) == (-math.inf, math.inf)
    endless = STATISTICS["mean"].estimate(np.array([3.0, math.inf]), math.nan, 2, math.inf)
    assert (endless.value, endless.low, endless.high) == (math.inf, -math.inf, math.inf)
    assert STATISTICS["median"].estimate(np.array([1.0, 2.0]), math.nan, 2, math.inf).low == -math.inf
    none = STATISTICS["share above"].estimate(np.zeros(100), 0.0, 100, math.inf)
    assert none.value == 0.0 and 0.1 < none.high < 0.15


@pytest.mark.parametrize("rate", [0.5, 3.0])
def test_quantiles_and_shares_of_a_law(rate: float) -> None:
    def law(x: np.ndarray) -> np.ndarray:
        return -np.expm1(-rate * x)

    median, quantile, share = (STATISTICS[name].of_law for name in ("median", "quantile", "share above"))
    assert median is not None and quantile is not None and share is not None
    assert median(law, math.nan) == pytest.approx(math.log(2) / rate)
    assert quantile(law, 0.9) == pytest.approx(math.log(10) / rate)
    assert share(law, 1.0) == pytest.approx(math.exp(-rate))


def test_the_spread_inside_the_components_of_a_mixture() -> None:
    source = {
        "kind": "mixture",
        "weights": [0.5, 0.5],
        "means": [[-50.0, 0.0], [50.0, 0.0]],
        "covariances": [0.25, 4.0],
    }
    family = {"kind": "gaussian-mixture", "components": 2, "dimension": 2}
    card = Scenario.from_dict({"source": source, "family": family, "sample_size": 4000, "generations": 1})
    assert column(run(card, 1, 20), "within_std", 1).mean() == pytest.approx(1.0, rel=0.02)


# --- what the command is for


def test_items_are_listed_with_setting_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys)
    assert (code, err) == (0, "") and max(map(len, out.splitlines())) <= 80
    assert all(name in out for name in (*item_names(), *claim_names())) and "2410.16713" in out
    data = strict(call(capsys, "--json")[1])
    assert [row["item"] for row in data["rows"]] == [*item_names(), *claim_names()]


def test_a_table_has_a_row_a_number_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, *CHEAP, "--quick")
    assert code == 0 and max(map(len, out.splitlines())) <= 80
    count = sum(len(load_item(name).numbers) for name in CHEAP)
    assert sum(line.endswith("agrees") for line in out.splitlines()) == count
    assert f"{count} numbers: {count} agrees, 0 differs" in out


def test_json_rows_and_their_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "suresh-bernoulli", "suresh-unigram", "--quick", "--seed", "3", "--json")
    data = strict(out)
    assert code == 0 and data["schema"] == "lightcollapse/reproduce/1" and data["ok"] is True
    assert data["recipe"]["seed"] == 3 and data["recipe"]["quick"] is True
    assert {row["verdict"] for row in data["rows"]} == {AGREES, UNTESTED} <= set(VERDICTS)
    first, last = data["rows"][0], data["rows"][-1]
    assert first["ci_low"] < first["theory"] < first["ci_high"] and first["published"] == 0.63397
    assert last["ours"] is None and "--corpus" in last["why"]
    assert Scenario.from_dict(data["recipe"]["items"]["suresh-bernoulli"][""]).generations == 50


def test_a_second_run_keeps_the_same_bytes_and_another_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    held = []
    for _ in range(2):
        assert call(capsys, "shumailov-w2", "--quick", "-o", "kept")[0] == 0
        held.append(Path("kept/shumailov-w2.json").read_bytes())
    assert held[0] == held[1] and strict(held[0].decode())["rows"]
    code, out, err = call(capsys, "shumailov-w2", "--quick", "--seed", "2", "-o", "kept")
    assert (code, out) == (2, "") and "holds another run" in err
    assert Path("kept/shumailov-w2.json").read_bytes() == held[0]


def test_a_folder_that_cannot_be_written_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    assert call(capsys, "shumailov-w2", "--quick", "-o", "file")[0] == 2
    code, out, err = call(capsys, "shumailov-w2", "--quick", "-o", "file/folder")
    assert code == 1 and "cannot write" in err and "0.0150" in out
    if os.geteuid() != 0:
        Path("locked").mkdir(mode=0o500)
        assert call(capsys, "shumailov-w2", "--quick", "-o", "locked")[0] == 1


def test_a_second_run_goes_on_where_the_first_one_ended(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("shumailov-w2", "suresh-bernoulli")
    _, whole, _ = call(capsys, *names, "--quick", "-o", "kept")
    with monkeypatch.context() as patch:
        patch.setattr("lightcollapse.reproduce.rows.run", None)  # nothing may be run again
        again = call(capsys, *names, "--quick", "-o", "kept")
    assert again == (0, whole, "")
    Path("kept/shumailov-w2.json").write_text(Path("kept/shumailov-w2.json").read_text().replace("0.015,", "0.016,"))
    assert call(capsys, *names, "--quick", "-o", "kept") == (0, whole, "")
    assert '"published": 0.015,' in Path("kept/shumailov-w2.json").read_text()


def test_findings_about_a_claim_are_kept_whole() -> None:
    claim = load_claim(claim_names()[0])
    whole = Finding(claim, "a", "1", Estimate(1.0, 0.5, 2.0), AGREES, "so", 1.5, 0.1, 3.0, 4, 2, "order 3")
    bare = Finding(claim, "b", "", None, UNTESTED, "")
    assert claims.restored(claim, [claims.data(whole), claims.data(bare)]) == [whole, bare]


@pytest.mark.parametrize("option", ["-o", "--json"])
def test_what_was_done_before_ctrl_c_is_kept(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(card: Scenario, *arguments: Any, **options: Any) -> Any:
        if card.family.kind == "bernoulli":
            raise KeyboardInterrupt
        return run(card, *arguments, **options)

    monkeypatch.setattr("lightcollapse.reproduce.rows.run", interrupted)
    arguments = ["shumailov-w2", "suresh-bernoulli", "--quick", option, *(["kept"] if option == "-o" else [])]
    code, out, err = call(capsys, *arguments)
    assert code == 130 and "interrupted after 1 numbers" in err
    if option == "--json":
        assert strict(out)["ok"] is False and [row["item"] for row in strict(out)["rows"]] == ["shumailov-w2"]
    else:
        assert "0.0150" in out and "goes on in kept" in err
        assert [path.name for path in Path("kept").iterdir()] == ["shumailov-w2.json"]


def test_a_missing_extra_skips_its_item_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(card: Scenario, *arguments: Any, **options: Any) -> Any:
        if card.family.kind == "bernoulli":
            raise MissingExtra("needs torch: pip install 'lightcollapse[gpu]'")
        return run(card, *arguments, **options)

    monkeypatch.setattr("lightcollapse.reproduce.rows.run", missing)
    code, out, _ = call(capsys, "suresh-bernoulli", "shumailov-w2", "--quick", "--json")
    first, *_, last = strict(out)["rows"]
    assert code == 0 and last["verdict"] == AGREES
    assert (
        first["verdict"] == UNTESTED
        and "pip install" in first["why"]
        and first["theory"] == pytest.approx(0.63397, abs=1e-5)
    )


def test_a_run_stops_within_a_card_when_the_time_is_over() -> None:
    item = load_item("suresh-gaussian-paths")
    limits = Limits(until=time.monotonic() + 0.2)
    many = msgspec.structs.replace(item, replicates=msgspec.structs.replace(item.replicates, full=10_000_000))
    started = time.monotonic()
    rows = list(reproduce(many, limits))
    assert limits.reached and {row.verdict for row in rows} == {UNTESTED}
    assert time.monotonic() - started < 60.0  # seconds, where all of it would take an hour


def test_bounds_hold_on_their_side_only() -> None:
    below, ours = number(kind="bound", published=(-math.inf, 0.8)), Estimate(1.0, 0.9, 1.1)
    assert judge(below, ours, ours, 1.0, "exact mean")[0] == DIFFERS
    above = number(kind="bound", published=(0.8, math.inf))
    assert judge(above, ours, ours, 1.0, "exact mean")[0] == AGREES
    text = text_of("suresh-bernoulli").replace("[0.63212, inf]", "[-inf, inf]")
    with pytest.raises(CardError, match="published must have an end"):
        parse_item("mine", text)


def test_times_of_published_loops_stand_beside_ours(capsys: pytest.CaptureFixture[str]) -> None:
    rows = strict(call(capsys, "suresh-bernoulli", "shumailov-w2", "--quick", "--json")[1])["rows"]
    assert (rows[0]["published_seconds"], rows[0]["published_chains"]) == (1.7, 5000)
    assert rows[0]["seconds"] > 0.0 and rows[-1]["published_seconds"] is None


def test_time_that_is_over_leaves_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "shumailov-w2", "suresh-bernoulli", "--quick", "--max-seconds", "0")
    assert code == 6 and "the time asked for was over" in out and "--max-seconds" in err
    code, out, _ = call(capsys, "shumailov-w2", "--quick", "--max-seconds", "0", "--json")
    assert code == 6 and strict(out)["ok"] is False and len(strict(out)["rows"]) == 1


def test_check_fails_where_a_closed_form_differs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text(text_of("categorical-heterozygosity").replace("0.8139", "0.8239"))
    assert call(capsys, "mine.toml", "--quick")[0] == 0
    code, out, _ = call(capsys, "mine.toml", "--quick", "--check")
    assert code == 3 and "differs: our closed form gives 0.8139" in " ".join(out.split())
    assert call(capsys, "categorical-heterozygosity", "--quick", "--check")[0] == 0


def test_the_reader_of_a_pipe_may_go() -> None:
    verb = f"{sys.executable} -m lightcollapse reproduce suresh-bernoulli shumailov-w2 --quick"
    done = subprocess.run(["bash", "-c", f"{verb} | head -1; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.splitlines() == ["suresh-bernoulli"]


# --- the page


def page(path: Path) -> Any:
    """The script that writes it, as a module."""
    spec = importlib.util.spec_from_file_location("_results", path / "figures" / "_results.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_results_is_about_the_items_that_there_are() -> None:
    text = (ROOT / "figures" / "RESULTS.md").read_text(encoding="utf-8")
    headings = [line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")]
    assert set(item_names()) <= set(headings) and len(headings) == len(set(headings))
    for name in item_names():
        section = text.split(f"### {name}\n")[1].split("\n### ")[0].split("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| ")]
        assert len(rows) == 2 + len(load_item(name).numbers), name


def test_the_page_shows_numbers_verdicts_and_times(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("suresh-bernoulli", "suresh-unigram", "shumailov-w2")
    _, out, _ = call(capsys, *names, "--quick", "--json")
    text = page(ROOT).page([strict(out)])
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == sorted(names)
    assert "| P(not lost), t = 1 | 0.63397 | exact | 0.6" in text and "> 0.63212" in text
    assert "not testable here; needs a text" in text and "| suresh-bernoulli | 0.34 | " in text


# --- texts of one's own


def test_another_text_than_the_papers_gives_numbers_and_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.txt").write_text(WORDS)
    code, out, _ = call(capsys, "suresh-unigram", "suresh-bigram", "--quick", "--corpus", "mine.txt", "--json")
    rows = strict(out)["rows"]
    assert code == 0 and {row["verdict"] for row in rows} == {UNTESTED}
    assert all(0.0 < row["ours"] <= 1.0 and "another text" in row["why"] for row in rows)
    digest = hashlib.sha256(Path("mine.txt").read_bytes()).hexdigest()
    assert strict(out)["recipe"]["corpus"] == {"name": "mine.txt", "sha256": digest}
    assert call(capsys, "suresh-unigram", "--corpus", "none.txt")[0] == 4


def test_a_text_that_nothing_reads_is_said_and_makes_no_other_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.txt").write_text(WORDS)
    assert call(capsys, "shumailov-w2", "--quick", "-o", "kept")[0] == 0
    code, out, err = call(capsys, "shumailov-w2", "--quick", "-o", "kept", "--corpus", "mine.txt")
    assert code == 0 and "0.0150" in out and "--corpus is not used" in err
    assert call(capsys, "fresh-5-percent", "--quick", "--corpus", "none.txt")[0] == 4


# --- bad input


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["suresh-bernouli"], 2, "did you mean 'suresh-bernoulli'"),
        (["suresh"], 2, "`lightcollapse reproduce` lists all"),
        (["none.toml"], 4, "none.toml"),
        (["shumailov-w2", "--seed", "-1"], 2, "seed must lie in [0, 2^64)"),
        (["shumailov-w2", "--max-seconds", "-1"], 2, "--max-seconds"),
        (["shumailov-w2", "--bogus"], 2, "--bogus"),
    ],
)
def test_bad_input_is_refused_on_one_line(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given, out, err = call(capsys, *arguments)
    assert (given, out) == (code, "") and message in err and len(err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('metric = "heterozygosity", generation = 1,', 'metric = "heterozygocity", generation = 1,', "did you mean"),
        ("generation = 50", "generation = 51", "generation must lie on the card, got 51"),
        ('kind = "exact"', 'kind = "exakt"', "exakt"),
        ('kind = "exact" }', 'kind = "exact", statistic = "medium" }', "did you mean 'median'"),
        ('kind = "exact" }', 'kind = "exact", statistic = "quantile" }', "needs `at`"),
        ('kind = "exact" }', 'kind = "exact", statistic = "least" }', "needs a sweep"),
        ('kind = "exact" }', 'kind = "exact", card = "b" }', "unknown card 'b'"),
        ("claim =", "clame =", "clame"),
        ("claim =", "generations =", "arxiv or claim"),
        ("sample_size = 100", "sample_size = 0", "sample_size must be at least 1"),
        ("[card]", "[card", "not valid TOML"),
    ],
)
def test_a_bad_item_says_what_is_wrong(old: str, new: str, message: str) -> None:
    text = text_of("categorical-heterozygosity")
    assert old in text
    with pytest.raises(CardError, match=message.replace("(", r"\(")):
        parse_item("mine", text.replace(old, new))


def test_an_item_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"title = \xff")
    with pytest.raises(DataError, match="invalid UTF-8"):
        load_item(str(bad))


def test_a_sweep_of_no_field_is_refused() -> None:
    item: Item = load_item("golden-ratio")
    one = next(number for number in item.numbers if number.sweep is not None and not number.untestable)
    assert one.sweep is not None
    bad = msgspec.structs.replace(one, sweep=msgspec.structs.replace(one.sweep, field="regime.wait"))
    cards = {one.card: item.cards[one.card]}
    with pytest.raises(CardError, match=r"no field 'regime\.wait'"):
        list(reproduce(msgspec.structs.replace(item, numbers=(bad,), cards=cards), Limits(quick=True)))
