"""Plans against loops that run at the planned share of fresh data, and just below it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lightcollapse as lc
from lightcollapse import gallery, planning
from lightcollapse.cli import main
from lightcollapse.errors import CardError, DataError
from lightcollapse.planning import EVER, Plan, plan_counts
from lightcollapse.predictions import budget, keeping, pairs, weighted
from lightcollapse.predictions import wright_fisher_mixed as mixed
from tests.coverage_study import zipf

Float = NDArray[np.float64]
COUNTS = np.random.default_rng(3).multinomial(2000, zipf(300))
T = 5
SETTLED = 60  # generations after which the loops below have forgotten how they began


@pytest.fixture(scope="module")
def made() -> Plan:
    keep = {"support": 0.8, "entropy": 0.97, "kl": 0.15, "heterozygosity": 0.9999}
    return plan_counts(COUNTS, keep=keep, generations=T, human_cost=1.0, synthetic_cost=0.01)


def law_of(made: Plan) -> Float:
    """Probabilities of all types, those included that the text lacks."""
    law = np.repeat(made.probabilities, made.times.astype(np.int64))
    return np.asarray(law / law.sum())


def simulated(made: Plan, training: str, tokens: int, target: str, generations: int) -> Float:
    """What is left of a target in the last model, in units of the mean of model 1, which learned from human text."""
    share = tokens / 2000
    regime: lc.regimes.Regime
    if training == "pooled":
        regime = lc.regimes.FreshFraction(share)
    else:
        horizon = EVER if generations == SETTLED else generations
        regime = lc.regimes.Weighted(keeping.best_weighted(2000, tokens, horizon).weight, share)
    source = lc.sources.Probabilities(tuple(law_of(made).tolist()))
    card = lc.Scenario(source, lc.families.Categorical(), regime, sample_size=2000, generations=generations + 1)
    values = lc.run(card, seed=4, replicates=100).metrics[METRICS[target]]
    return np.asarray(values[:, -1] / (1.0 if target == "kl" else values[:, 1].mean()))


LEFT = ((keeping.support, mixed.presences, 5e-3), (keeping.entropy, mixed.entropy_terms, 1e-3))  # errors fall as 1/n
METRICS = {"support": "support", "entropy": "entropy", "kl": "kl_model_source"}


@pytest.mark.parametrize("horizon", [T, EVER])
@pytest.mark.parametrize("training", ["pooled", "weighted"])
@pytest.mark.parametrize("target", ["support", "entropy", "kl"])
def test_the_planned_share_keeps_the_target_and_a_lower_one_does_not(
    made: Plan, target: str, training: str, horizon: float
) -> None:
    need = made.need(target, training, horizon)
    assert need.verdict == "needed" and need.tokens is not None and need.kept is not None
    generations = T if horizon == T else SETTLED
    enough = simulated(made, training, need.tokens, target, generations)
    error = enough.std() / math.sqrt(len(enough))
    assert abs(enough.mean() - need.wanted) < 6 * error + 0.002
    little = simulated(made, training, round(0.7 * need.tokens), target, generations)
    error = little.std() / math.sqrt(len(little))
    lacking = (little.mean() - need.wanted) * (1 if target == "kl" else -1)
    assert lacking > 4 * error
    assert (need.without > need.wanted) is (target == "kl")


def test_heterozygosity_is_exact_in_every_plan(made: Plan) -> None:
    ever = made.need("heterozygosity", horizon=EVER)
    loss = 1.0 - ever.wanted * (1.0 - 1.0 / 2000)
    assert ever.tokens == math.ceil(weighted.pooled_points_needed(loss, 2000))
    now = made.need("heterozygosity")
    assert now.tokens == math.ceil(budget.fresh_points_needed(loss, 2000, T + 1))


@pytest.mark.parametrize("fresh", [0, 1, 7, 500, 1000])
def test_diversity_is_that_of_the_pairs(fresh: int) -> None:
    wanted = pairs.fresh_fraction(1000, fresh, 9)
    pooled = keeping.pooled(1000, fresh)
    assert keeping.diversity(pooled, 8) == pytest.approx(wanted[9] / wanted[1])
    if fresh:
        assert keeping.diversity(pooled, math.inf) == pytest.approx(pairs.fresh_limit(1000, fresh) / (1 - 1 / 1000))
        values = [1.0 - 1.0 / 1000]
        for _ in range(8):
            mixed = 0.3**2 * (1 - 1 / fresh) + 2 * 0.3 * 0.7
            values.append(mixed + 0.7**2 * (1 - 1 / 1000) * values[-1])
        training = keeping.Training(1000, fresh, 0.3, 1000)
        assert keeping.diversity(training, 8) == pytest.approx(values[-1] / values[0])
        limit = weighted.weighted_limit(0.3, fresh, 1000) / (1 - 1 / 1000)
        assert keeping.diversity(training, math.inf) == pytest.approx(limit)


@pytest.mark.parametrize("fresh,generations", [(0, 4), (30, 6), (200, 3)])
def test_types_and_entropy_are_those_of_exact_chains(fresh: int, generations: int) -> None:
    law, n = zipf(150), 400
    training = keeping.pooled(n, fresh)
    for function, terms, tolerance in LEFT:
        wanted = mixed.fresh_expected_sum(law, [n] * (generations + 1), fresh, terms)[-1]
        assert function(law, np.ones(150), training, generations) == pytest.approx(wanted, rel=tolerance)


def test_weighted_training_keeps_what_an_exact_chain_does() -> None:
    law, n, m = zipf(80), 150, 40
    for function, terms, tolerance in LEFT:
        wanted = mixed.weighted_expected_sum(law, n, [m, m], [n, n], 0.5, terms)[-1]
        found = function(law, np.ones(80), keeping.Training(n, m, 0.5, n), 2)
        assert found == pytest.approx(wanted, rel=tolerance)


def test_the_best_weight_is_the_best() -> None:
    for tokens, generations in ((5, 1), (5, 5), (300, 5), (300, 1000), (2000, 2)):
        best = keeping.best_weighted(2000, tokens, generations)
        kept = keeping.diversity(best, generations)
        for weight in np.linspace(0.0, 1.0, 101):
            other = keeping.Training(2000, tokens, float(weight), 2000)
            assert keeping.diversity(other, generations) <= kept + 1e-12
    assert keeping.best_weighted(2000, 300, 1000).weight == pytest.approx(
        keeping.best_weighted(2000, 300).weight, rel=1e-2
    )


@pytest.mark.parametrize("fresh", [1, 50])
def test_a_sum_over_many_generations_is_that_of_each(fresh: int, monkeypatch: pytest.MonkeyPatch) -> None:
    law, times = zipf(100), np.ones(100)
    for training in (keeping.pooled(20_000, fresh), keeping.best_weighted(20_000, fresh)):
        for generations in (3000, math.inf):
            short = [function(law, times, training, generations) for function in (keeping.support, keeping.entropy)]
            with monkeypatch.context() as patch:
                patch.setattr(keeping, "_STEPS", 30_000)
                whole = [function(law, times, training, generations) for function in (keeping.support, keeping.entropy)]
            assert short == pytest.approx(whole, rel=5e-4)


def test_ten_thousand_words_are_planned_by_few_looks() -> None:
    counts = np.random.default_rng(1).multinomial(22_000, zipf(6000))
    looks = 0
    kept = planning._Planner.kept

    def counted(self: planning._Planner, *arguments: Any) -> float:
        nonlocal looks
        looks += 1
        return kept(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning._Planner, "kept", counted)
        plan_counts(counts, keep={"support": 0.9, "entropy": 0.97, "kl": 0.3}, generations=10)
    assert looks < 400  # each takes a millisecond


def test_nothing_needed_and_nothing_suffices_are_said() -> None:
    made = plan_counts(COUNTS, keep={"support": 0.05, "kl": 0.001}, generations=3)
    assert made.need("support").verdict == "nothing needed" and made.need("support").tokens == 0
    assert made.need("kl").verdict == "nothing suffices" and made.need("kl").tokens is None
    assert "without fresh data" in made.sentence and "Nothing keeps kl" in made.sentence


def test_more_is_dearer(made: Plan) -> None:
    for name in ("support", "entropy", "heterozygosity"):
        for training in ("pooled", "weighted"):
            points = [point for point in made.curve if point.training == training]
            assert np.all(np.diff([point.kept[name] for point in points]) > -1e-9)
            assert np.all(np.diff([point.cost or 0.0 for point in points]) > 0)
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


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_curve_is_drawn_with_its_recipe(
    book: str, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"curve.{kind}"
    line = ["plan", book, "--keep", "support=0.9", "--keep", "kl=0.2", "--generations", "2", "--figure", str(path)]
    assert main(line) == 0
    assert "figure:" in capsys.readouterr().err
    assert gallery.recipe_of(path)["plan"]["keep"] == {"support": 0.9, "kl": 0.2}


@pytest.mark.parametrize(
    "arguments,code,message",
    [
        (["nowhere.txt", "--keep", "support=0.9"], 4, "no such file"),
        (["BOOK", "--keep", "support"], 2, "--keep must be NAME=NUMBER"),
        (["BOOK", "--keep", "entropi=0.9"], 2, "did you mean 'entropy'"),
        (["BOOK", "--keep", "entropy=2"], 2, "entropy must lie in (0, 1]"),
        (["BOOK"], 2, "Missing option '--keep'"),
        (["BOOK", "--keep", "entropy=0.9", "--figure", "a.gif"], 2, "must end in .png, .svg or .pdf, got 'a.gif'"),
    ],
)
def test_bad_input_ends_with_its_reason(
    book: str, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *(book if word == "BOOK" else word for word in arguments)]) == code
    assert message in capsys.readouterr().err
