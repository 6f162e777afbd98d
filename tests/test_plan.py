"""Plans against loops that run at the planned share of fresh data, and just below it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import lightcollapse as lc
from lightcollapse.cli import main
from lightcollapse.errors import CardError, DataError
from lightcollapse.planning import EVER, Plan, plan_counts
from lightcollapse.predictions import budget, keeping, pairs, weighted
from tests.coverage_study import zipf

Float = NDArray[np.float64]
COUNTS = np.random.default_rng(3).multinomial(2000, zipf(300))
T = 5


@pytest.fixture(scope="module")
def made() -> Plan:
    keep = {"support": 0.8, "entropy": 0.97, "heterozygosity": 0.9999}
    return plan_counts(COUNTS, keep=keep, generations=T, human_cost=1.0, synthetic_cost=0.01)


def kept_of(record: lc.Record, metric: str) -> Float:
    """What is left of generation 1, human tokens alone, in the last model: float64 (replicates,)."""
    values = record.metrics[metric]
    return np.asarray(values[:, T + 1] / values[:, 1].mean())


def run(made: Plan, regime: object) -> lc.Record:
    law = np.repeat(made.probabilities, made.times.astype(np.int64))
    source = lc.sources.Probabilities(tuple((law / law.sum()).tolist()))
    card = lc.Scenario(source=source, family=lc.families.Categorical(), regime=regime, sample_size=2000,
                       generations=T + 1)  # fmt: skip
    return lc.run(card, seed=4, replicates=200)


@pytest.mark.parametrize("target", ["support", "entropy"])
def test_the_planned_share_keeps_the_target_and_a_lower_one_does_not(made: Plan, target: str) -> None:
    need = made.need(target)
    assert need.verdict == "needed" and need.fraction is not None and need.kept is not None
    enough = kept_of(run(made, lc.regimes.FreshFraction(need.fraction)), target)
    error = enough.std() / math.sqrt(len(enough))
    assert abs(enough.mean() - need.wanted) < 6 * error + 0.003
    little = kept_of(run(made, lc.regimes.FreshFraction(0.8 * need.fraction)), target)
    assert little.mean() < need.wanted - 2 * error
    assert need.without < need.wanted


def test_heterozygosity_is_exact_in_every_plan(made: Plan) -> None:
    ever = made.need("heterozygosity", horizon=EVER)
    assert ever.fraction is not None and ever.weight is not None
    loss = 1.0 - ever.wanted * (1.0 - 1.0 / 2000)
    assert ever.fraction * 2000 == pytest.approx(weighted.pooled_points_needed(loss, 2000), rel=1e-6)
    now = made.need("heterozygosity")
    assert now.fraction is not None
    assert now.fraction * 2000 == pytest.approx(budget.fresh_points_needed(loss, 2000, T + 1), rel=1e-6)


@pytest.mark.parametrize("fresh", [0, 1, 7, 500, 1000])
def test_diversity_is_that_of_the_pairs(fresh: int) -> None:
    wanted = pairs.fresh_fraction(1000, fresh, 9)
    assert keeping.pooled_diversity(1000, fresh, 8) == pytest.approx(wanted[9] / wanted[1])
    if fresh:
        values = [1.0 - 1.0 / 1000]
        for _ in range(8):
            mixed = 0.3**2 * (1 - 1 / fresh) + 2 * 0.3 * 0.7
            values.append(mixed + 0.7**2 * (1 - 1 / 1000) * values[-1])
        assert keeping.weighted_diversity(1000, fresh, 0.3, 8) == pytest.approx(values[-1] / values[0])
        limit = weighted.weighted_limit(0.3, fresh, 1000) / (1 - 1 / 1000)
        assert keeping.weighted_diversity(1000, fresh, 0.3, math.inf) == pytest.approx(limit)


def test_weighted_training_keeps_types_as_a_loop_does() -> None:
    random = np.random.default_rng(2)
    law, n, m, weight, t = zipf(400), 1000, 300, 0.5, 6
    seen, whole = [], []
    for _ in range(150):
        share = random.multinomial(n, law) / n
        whole.append((share > 0).sum())
        for _ in range(t):
            share = random.multinomial(n, share) / n
            share = weight * random.multinomial(m, law) / m + (1 - weight) * share
        seen.append((random.multinomial(n, share) > 0).sum())
    wanted = keeping.support_kept(law, np.ones(400), n, keeping.effective_size(n, m, t, weight))
    assert np.mean(seen) / np.mean(whole) == pytest.approx(wanted, rel=0.03)


def test_effective_size_settles_and_its_tail_is_its_sum() -> None:
    ever = keeping.effective_size(1e6, 100, math.inf)
    assert keeping.effective_size(1e6, 100, 1e7) == pytest.approx(ever, rel=1e-3)
    alive, total = 1.0, 0.0
    for _ in range(400_000):
        total += alive
        alive = -math.expm1(-(1.0 - 1e-4) * alive)
    assert ever == pytest.approx(100 * total, rel=1e-3)


def test_nothing_needed_and_nothing_suffices_are_said() -> None:
    made = plan_counts(COUNTS, keep={"support": 0.05, "kl": 0.001}, generations=3)
    assert made.need("support").verdict == "nothing needed" and made.need("support").tokens == 0
    assert made.need("kl").verdict == "nothing suffices" and made.need("kl").tokens is None
    assert "without fresh data" in made.sentence and "Nothing keeps kl" in made.sentence


def test_more_is_dearer(made: Plan) -> None:
    for name in ("support", "entropy", "heterozygosity"):
        assert np.all(np.diff([point.kept[name] for point in made.curve]) > -1e-9)
    assert np.all(np.diff([point.cost or 0.0 for point in made.curve]) > 0)
    need = made.need("support")
    assert need.tokens is not None
    assert need.cost == pytest.approx((need.tokens + 0.01 * (2000 - need.tokens)) * T)


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"keep": {}}, "at least one target"),
        ({"keep": {"suport": 0.9}}, "did you mean 'support'"),
        ({"keep": {"support": 1.2}}, r"support must lie in \(0, 1\], got 1.2"),
        ({"keep": {"kl": -1.0}}, "kl must be above 0"),
        ({"keep": {"support": math.nan}}, "support must lie"),
        ({"keep": {"support": 0.9}, "generations": 0}, "generations must lie"),
        ({"keep": {"support": 0.9}, "human_cost": -1.0}, "human_cost must be at least 0"),
        ({"keep": {"support": 0.9}, "sample_size": 1}, "sample_size must lie in"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(CardError, match=message):
        plan_counts(COUNTS, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("counts", [[0, 0], [-1, 5], [0.5, 2.0]])
def test_counts_that_are_none_are_refused(counts: list[float]) -> None:
    with pytest.raises((CardError, DataError)):
        plan_counts(np.array(counts), keep={"support": 0.9})


@pytest.fixture
def book(tmp_path: Path) -> str:
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(" ".join(f"w{(k * k + j) % 97}" for k in range(60)) for j in range(20)))
    return str(path)


def test_the_command_answers_in_a_sentence_a_table_and_a_curve(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", book, "--keep", "heterozygosity=0.9999", "--human-cost", "1", "--generations", "3"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("To keep heterozygosity at 0.9999 for 3 generations")
    assert max(map(len, shown.splitlines())) <= 80
    assert "share" in shown and "What pooled training keeps" in shown
    assert main(["plan", book, "--keep", "support=0.5", "--generations", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "lightcollapse/plan/1" and len(found["rows"]) == 4 and found["curve"]
    assert {row["horizon"] for row in found["rows"]} == {2, "ever"}


@pytest.mark.parametrize(
    "arguments,code,message",
    [
        (["nowhere.txt", "--keep", "support=0.9"], 4, "no such file"),
        (["BOOK", "--keep", "support"], 2, "--keep must be NAME=NUMBER"),
        (["BOOK", "--keep", "entropi=0.9"], 2, "did you mean 'entropy'"),
        (["BOOK", "--keep", "entropy=2"], 2, "entropy must lie in (0, 1]"),
        (["BOOK"], 2, "Missing option '--keep'"),
    ],
)
def test_bad_input_ends_with_its_reason(
    book: str, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *(book if word == "BOOK" else word for word in arguments)]) == code
    assert message in capsys.readouterr().err
