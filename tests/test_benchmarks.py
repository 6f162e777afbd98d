"""The house of benchmarks: turns, medians, memory, rows that fit; no time is asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from tests.benchmarks import child, cost, dictionaries, machine, race, table  # noqa: E402
from tests.benchmarks.limits import Limits  # noqa: E402
from tests.benchmarks.setting import Setting  # noqa: E402

HELPERS = {
    "child",
    "cost",
    "dictionaries",
    "kenlm_peer",
    "limits",
    "machine",
    "plain_gpt",
    "race",
    "setting",
    "table",
    "text",
}
LIMITS = Limits(word=1.0, exp=1.0, exp_numpy=1.0, gather=10.0, chase=100.0, sort=10.0, bandwidth=1e10, flops=1e10)
JIT = os.environ.get("NUMBA_DISABLE_JIT") != "1"


def test_every_benchmark_is_in_the_table() -> None:
    files = {path.stem for path in (ROOT / "tests/benchmarks").glob("[!_]*.py")}
    assert files == HELPERS | set(table.BENCHMARKS)


def test_contenders_take_turns() -> None:
    order: list[str] = []
    calls = [lambda: order.append("ours"), lambda: order.append("peer")]
    times = race.take_turns(calls, 3)
    assert order == ["ours", "peer"] * 4
    assert [len(found) for found in times] == [3, 3]


def test_a_contender_may_measure_itself_and_do_a_part() -> None:
    spent = iter([9.0, 1.0, 3.0, 2.0])
    peers = [
        race.Peer("other", lambda: race.Spent(next(spent), 5.0), goal=2.0, share=0.5),
        race.Peer("absent", None, missing="missing: pip install it"),
    ]
    ours = [race.Spent(2.0, 7.0)] * 9
    one, other = race.race("some", "work", lambda: ours[0], peers, repeats=3, count=4.0, limit=0.5)
    assert (one.ours, one.theirs, one.ratio, one.met, one.distance) == (2.0, 4.0, 2.0, True, 4.0)
    assert one.times_theirs == (2.0, 6.0, 4.0) and one.memory == 7.0 and one.memory_theirs == 5.0
    assert "0.5 of the work" in one.note
    assert (other.theirs, other.ratio, other.met) == (None, None, None) and other.note == "missing: pip install it"


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux counts pages so")
def test_memory_is_what_the_system_counts() -> None:
    size = 2**26

    def call() -> float:
        return float(np.ones(size // 8).sum())

    found = race.peak(call)
    if found is None:
        pytest.skip("this system does not let a process reset its peak")
    assert 0.9 * size < found < 2.0 * size


def test_a_process_is_measured_from_outside() -> None:
    found = child.spent([sys.executable, "-c", "x = bytearray(2**26)"])
    assert found["wall"] > 0 and found["processor"] > 0 and 2**26 < found["memory"] < 2**28
    with pytest.raises(RuntimeError, match="exit code 3"):
        child.spent([sys.executable, "-c", "raise SystemExit(3)"])


ROWS = (
    race.Row("mixture", "some work " * 20, "p" * 60, 1234.5, 98765.4, 100.0, count=1e9, unit="point", limit=0.5,
             limit_of="some limit " * 12, memory=2e10, memory_theirs=3e10, note="some words of a note " * 9),
    race.Row("wasserstein", "work", "peer", None, 0.3, 20.0, limit=1e-3, limit_of="sort"),
    race.Row("processes", "--help", "", 0.2, most=0.15),
)  # fmt: skip


def test_lines_fit_eighty_columns() -> None:
    shown = [table.HEAD, *table.lines(ROWS), *(cost.line(row) for row in COSTS)]
    shown += table.FOOT.splitlines()
    assert [text for text in shown if len(text) > 80] == []
    assert any(">= 100!" in text for text in shown)
    assert any("<= 0.15!" in text for text in shown)


COSTS = (
    {
        "name": "n" * 50,
        "nanoseconds_a_point": {1000: [123.4, 130.1, 67.8], 10000: None, 100000: [1e5, 1e5, 1e4]},
        "grows": True,
    },
)


def test_growth_is_marked() -> None:
    assert cost.grows({1: [10.0, 11.0, 5.0], 2: [16.0, 16.0, 8.0]})
    assert not cost.grows({1: [10.0, 11.0, 5.0], 2: [14.0, 40.0, 20.0]})
    assert not cost.grows({1: [10.0, 11.0, 5.0], 2: None})
    assert cost.line(COSTS[0]).endswith(" +")
    named = [{"name": name, "grows": grows} for name, grows in (("a + top-fraction", True), ("b", True), ("c", False))]
    assert list(cost.reasons(named)) == ["+ a + top-fraction: it sorts", "+ b: NOT EXPLAINED"]


def test_the_plain_model_is_a_law_and_writes_by_it() -> None:
    model = dictionaries.Dictionaries(["abab", "abc"], 3)
    for context in ("", "a", "ab", "bc"):
        known = sum(model.probability(context, character) for character in "abc")
        unknown = model.probability(context, "z")
        assert known + unknown == pytest.approx(1.0)
    written = model.write(2, 50, 1)
    assert [len(document) for document in written] == [50, 50] and set("".join(written)) <= set("abc")
    assert model.score(["ab"]) < 0.0


@pytest.mark.skipif(not JIT, reason="slow where nothing is compiled")
@pytest.mark.parametrize("name", ["gaussian_sums", "wright_fisher", "divergences", "distinct", "wasserstein"])
def test_a_benchmark_runs(name: str) -> None:
    found = list(table.rows(name, Setting(LIMITS, quick=True)))
    assert found and all(row.benchmark == name for row in found)
    for row in found:
        assert row.theirs is not None or row.note.startswith("missing")
        assert row.ours is None or row.ours == median(row.times) > 0.0
    whole = table.as_json(machine.describe(), Setting(LIMITS, quick=True), found, [])
    again: dict[str, Any] = json.loads(json.dumps(whole, allow_nan=False))
    assert again["schema"] == "lightcollapse/benchmarks/1" and len(again["rows"]) == len(found)


def test_the_machine_is_named_without_its_owner() -> None:
    told = json.dumps(machine.describe())
    assert "processor" in told and os.uname().nodename not in told and str(Path.home()) not in told


def test_an_unknown_benchmark_is_refused() -> None:
    line = [sys.executable, "-m", "tests.benchmarks", "wasserstien"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "'wasserstein'" in done.stderr


def test_every_published_loop_has_its_card() -> None:
    from tests.benchmarks import published

    for one in (*published.PUBLISHED, *published.WITH_SKLEARN):
        card = published.card_of(one)
        assert one.chains >= one.looped >= 1 and card.generations >= 1
    rng = np.random.default_rng(1)
    published.gaussian(rng, 1, n=5, generations=3, d=2, keep="subsample")
    published.regression(rng, 1, accumulate=True)
    published.symbols(rng, 1, law=np.full(3, 1 / 3), n=4, generations=50)
    published.words_again(rng, 1, tokens=["a", "b", "a"], generations=2)
