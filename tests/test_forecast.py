"""Drivers of drift against loops whose drivers are known; forecasts against exact chains and against loops run."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.cli import main
from lightcollapse.errors import CardError, DataError
from lightcollapse.forecasting import forecast_counts
from lightcollapse.predictions import estimators, spectrum, temporal, wright_fisher
from tests import exact
from tests.budget import Court
from tests.coverage_study import SETTINGS, Setting, embedded, hits, measured, padded, text_hits, zipf

RUNS = 60
NOVELS = Path(__file__).parents[2] / "shared" / "data"
TEXT = " ".join(f"w{k % 37} w{(k * k) % 101} w{(7 * k) % 53}" for k in range(1500))


# --- Drivers of drift --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_intervals_of_drivers_hold_what_they_should(setting: Setting, record_property: object) -> None:
    court = Court(record_property)
    for name, count in hits(setting, RUNS, seed=5).items():
        court.hold(f"{setting.name}: {name}", exact.binomial(count, RUNS, 0.95))


def test_intervals_that_leave_out_sampling_noise_fall(record_property: object) -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(RUNS):
        x, y = (random.multinomial(20_000, zipf(5000)) for _ in range(2))  # no drift, noise alone
        held += temporal.chain_step(x, y).effective.high > 1e6
    Court(record_property).reject("samples taken for a chain", [exact.binomial(held, RUNS, 0.95)])


def test_old_estimators_on_counts_small_enough_for_a_hand() -> None:
    first, second = [6, 4, 0], [3, 5, 2]
    x, y = np.array([0.6, 0.4, 0.0]), np.array([0.3, 0.5, 0.2])
    each = (x - y) ** 2 / ((x + y) / 2 - x * y)
    assert temporal.nei_tajima(first, second) == pytest.approx(each.mean())
    z = (x + y) / 2
    assert temporal.jorde_ryman(first, second) == pytest.approx(((x - y) ** 2).sum() / (z * (1 - z)).sum())
    noise = (x * (1 - x) / 9 + y * (1 - y) / 9).sum()
    assert temporal.drift(first, second) == pytest.approx((((x - y) ** 2).sum() - noise) / (1 - (x * y).sum()))


def test_the_unbiased_ratio_is_unbiased_in_both_its_sums() -> None:
    """Sums over all samples of 3 and of 2 tokens of two laws on two types, weighted by their chances."""
    p, q, n, m = 0.3, 0.6, 3, 2
    above = 0.0
    for i in range(n + 1):
        for j in range(m + 1):
            chance = math.comb(n, i) * p**i * (1 - p) ** (n - i) * math.comb(m, j) * q**j * (1 - q) ** (m - j)
            x, y = np.array([i, n - i]) / n, np.array([j, m - j]) / m
            between = 1.0 - float((x * y).sum())
            above += chance * temporal.drift([i, n - i], [j, m - j]) * between
    assert above == pytest.approx(2 * (p - q) ** 2)


def test_equal_counts_of_few_types_give_no_nonsense() -> None:
    for x, y in (([5, 5], [5, 5]), ([10, 0], [10, 0]), ([1, 1], [2, 0]), ([100, 1, 1], [1, 100, 1])):
        for step in (temporal.chain_step(x, y), temporal.sample_step(x, y)):
            for found in (step.effective, step.temperature, step.dispersion):
                assert not math.isnan(found.value) and found.low <= found.value <= found.high


@pytest.mark.parametrize("x,y", [([1, 2], [1]), ([-1, 3], [1, 1]), ([0, 0], [1, 1])])
def test_bad_counts_are_refused(x: list[int], y: list[int]) -> None:
    with pytest.raises(ValueError, match="counts must"):
        temporal.chain_step(x, y)


# --- Closed forms over frequencies of frequencies --------------------------------------------------------------------


def test_a_small_text_has_the_exact_chain() -> None:
    counts = np.array([60, 50, 30, 20, 12, 9, 6, 5, 3, 2, 1, 1, 1])
    n, t = int(counts.sum()), 12
    made = spectrum.course(spectrum.classes(counts), t)
    law = counts / n
    for name, wanted in (
        ("support", wright_fisher.support_mean(law, [n] * t)),
        ("entropy", wright_fisher.entropy_mean(law, [n] * t)),
        ("heterozygosity", wright_fisher.heterozygosity_mean(law, [n] * t)),
        ("kl", wright_fisher.kl_model_source_mean(law, [n] * t)),
    ):
        assert made.mean[name] == pytest.approx(wanted, rel=2e-4, abs=2e-4), name
    assert made.variance["heterozygosity"] == pytest.approx(wright_fisher.heterozygosity_variance(law, [n] * t))


@pytest.mark.parametrize("changes", [{}, {"fresh": 0.2}, {"temperature": 0.95}, {"temperature": 1.05}], ids=str)
def test_the_course_is_that_of_loops_that_were_run(changes: dict[str, float], record_property: object) -> None:
    random = np.random.default_rng(7)
    counts = random.multinomial(4000, zipf(2000))
    counts = counts[counts > 0]
    law, t, runs = counts / 4000, 5, 200
    made = spectrum.course(spectrum.classes(counts), t, **changes)
    fresh, power = changes.get("fresh", 0.0), 1.0 / changes.get("temperature", 1.0)
    values = []
    for _ in range(runs):
        share = law
        for _ in range(t):
            mixed = ((1.0 - fresh) * share + fresh * law) ** power
            share = random.multinomial(4000, mixed / mixed.sum()) / 4000
        values.append(measured(np.rint(share * 4000).astype(np.int64), counts))
    court = Court(record_property)
    for name in ("support", "entropy", "heterozygosity", "kept_1"):
        seen = np.array([value[name] for value in values])
        middle, spread = made.mean[name][t], made.variance[name][t] ** 0.5
        inside = int(np.sum(np.abs(seen - middle) <= 1.96 * spread))
        court.hold(f"{name} {changes}", exact.binomial(inside, runs, 0.95))
        above = int(np.sum(seen > middle))
        court.hold(f"{name} {changes}: middle", exact.binomial(above, runs, 0.5))


@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0])
def test_rows_have_the_mean_and_variance_asked_for(spread: float) -> None:
    k = np.arange(301)
    for mean in (0.2, 3.0, 40.0):
        row = spectrum.count_rows([mean], 1000.0, spread, 300)[0]
        assert row.sum() == pytest.approx(1.0)
        assert row @ k == pytest.approx(mean)
        least = (mean % 1) * (1 - mean % 1)  # of whole numbers with this mean
        wanted = max(mean * (1 - mean / 1000) * spread, least)
        assert row @ (k - mean) ** 2 == pytest.approx(wanted, rel=0.05 if spread < 1 else 1e-6)


def test_entropy_of_a_spectrum_is_that_of_counts() -> None:
    counts = np.array([9, 4, 2, 2, 1, 1, 1, 1])
    assert spectrum.entropy_of_spectrum(*spectrum.tally(counts)) == pytest.approx(
        float(estimators.chao_wang_jost(counts))
    )


def test_shares_of_types_seen_once_are_goods() -> None:
    counts = np.repeat([1, 2, 3, 50], [200, 60, 20, 4])
    values, times = spectrum.tally(counts)
    n = counts.sum()
    assert spectrum.good_shares(values, times)[0] == pytest.approx(2 * 60 / (200 * n))
    assert spectrum.good_shares(values, times)[-1] == pytest.approx(50 / n, rel=0.05)


# --- Forecasts -------------------------------------------------------------------------------------------------------


def chained(tokens: int, generations: int, random: np.random.Generator) -> NDArray[np.int64]:
    counts = [random.multinomial(tokens, zipf(1500))]
    for _ in range(generations):
        counts.append(random.multinomial(tokens, counts[-1] / tokens))
    return np.array(counts)


@pytest.mark.parametrize("known", [1, 3])
def test_forecasts_hold_the_generations_that_came(known: int, record_property: object) -> None:
    random, runs = np.random.default_rng(11), 50
    held: dict[str, int] = {}
    for _ in range(runs):
        counts = chained(5000, 8, random)
        made = forecast_counts(counts[:known], generations=9 - known, chain=True)
        for name, value in measured(counts[8], counts[0]).items():
            row = made[name, 8]
            assert row.ci_low is not None and row.ci_high is not None
            held[name] = held.get(name, 0) + (row.ci_low <= value <= row.ci_high)
    court = Court(record_property)
    for name in ("support", "entropy", "heterozygosity", "kl", "kept_1"):
        court.hold(f"{name} from {known}", exact.binomial(held[name], runs, 0.95))


def test_a_held_out_baseline_forecasts_another_lineage(record_property: object) -> None:
    random, runs = np.random.default_rng(12), 50
    held = {"support": 0, "entropy": 0}
    for _ in range(runs):
        baseline = random.multinomial(5000, zipf(1500))
        made = forecast_counts(baseline, generations=4)
        found = measured(chained(5000, 4, random)[4], np.maximum(baseline, 1))
        for name in held:
            row = made[name, 4]
            assert row.ci_low is not None and row.ci_high is not None
            held[name] += row.ci_low <= found[name] <= row.ci_high
    court = Court(record_property)
    for name, count in held.items():
        court.hold(f"{name} of another lineage", exact.binomial(count, runs, 0.95))


def test_more_time_less_trust() -> None:
    made = forecast_counts(np.array([3, 2, 2, 1, 1, 1]), generations=20)
    assert made.trusted < 20 and made.rule
    counts = chained(3000, 1, np.random.default_rng(0))
    made = forecast_counts(counts, generations=9, chain=True)
    assert made.trusted == 6 and "measured" in made.rule


def test_a_loop_of_another_kind_is_not_trusted() -> None:
    random = np.random.default_rng(0)
    counts = [random.multinomial(5000, zipf(1500))]
    for _ in range(2):  # a model that smooths: each type has four tokens more than it had
        share = (counts[-1] + 4.0) / (5000 + 6000)
        counts.append(random.multinomial(5000, share))
    made = forecast_counts(np.array(counts), generations=3, chain=True)
    assert made.trusted == 2 and "another kind" in made.rule
    assert any("smooths" in warning for warning in made.warnings)


def test_fresh_data_keeps_more_and_heat_keeps_types() -> None:
    counts = chained(3000, 0, np.random.default_rng(0))[0]

    def entropy(**changes: float) -> float:
        value = forecast_counts(counts, generations=4, **changes)["entropy", 4].value  # type: ignore[arg-type]
        assert value is not None
        return value

    assert entropy(temperature=0.9) < entropy() < entropy(fresh=0.3)
    assert entropy() < entropy(temperature=1.1)


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"generations": 0}, "generations must lie in 1"),
        ({"generations": 1000}, "generations must lie in 1"),
        ({"sample_size": 1}, "sample_size must lie in"),
        ({"fresh": 1.5}, r"fresh must lie in \[0, 1\], got 1.5"),
        ({"temperature": 0.0}, "temperature must lie in"),
        ({"temperature": math.nan}, "temperature must lie in"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(CardError, match=message):
        forecast_counts(np.array([5, 3, 2]), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("counts", [[0, 0], [-1, 5], [[3, 2], [0, 0]], [0.5, 2.0]])
def test_counts_that_are_none_are_refused(counts: list[float]) -> None:
    with pytest.raises((CardError, DataError)):
        forecast_counts(np.array(counts))


def test_a_text_of_one_type_stays_as_it_is() -> None:
    made = forecast_counts(np.array([50]), generations=3)
    assert made["support", 3].value == pytest.approx(1.0)
    assert made["entropy", 3].value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("order", [1, 2])
def test_forecasts_hold_on_text_that_models_write(order: int, record_property: object) -> None:
    runs = 16
    held, _ = text_hits(embedded(10_000)[0], order, runs, last=6)
    court = Court(record_property)
    for name in ("support", "entropy", "heterozygosity", "kl", "kept_1", "kept_2-3"):
        for t in (3, 6):
            court.hold(
                f"{name} of generation {t}, order {order}", exact.binomial(round(held[name, t] * runs), runs, 0.95)
            )


def test_types_that_are_lost_together_are_seen_in_documents(record_property: object) -> None:
    text, runs = embedded(20_000)[0], 12
    held, trusted = text_hits(text, 3, runs, last=6)
    apart, blind = text_hits(text, 3, runs, last=6, clustered=False)
    assert held["support", 3] > apart["support", 3] + 0.1 and held["kl", 3] > apart["kl", 3] + 0.1
    assert blind > 5.9
    far, trusted = text_hits(text, 3, 1, last=7)
    assert far and trusted < 7.0


@pytest.mark.skipif(not (NOVELS / "northanger_abbey.txt").is_file(), reason="needs the novels")
@pytest.mark.parametrize("order", [1, 2])
def test_forecasts_hold_on_a_novel(order: int) -> None:
    held, _ = text_hits(padded(NOVELS / "northanger_abbey.txt")[0], order, 2, last=6)
    assert np.mean(list(held.values())) > 0.7


# --- The command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path) -> str:
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(TEXT[i : i + 400] for i in range(0, len(TEXT), 400)))
    return str(path)


def test_the_table_fits_and_says_what_it_is(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forecast", book, "--generations", "3"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "each generation learns from" in shown and "95 % interval" in shown


def test_json_is_one_object_with_drivers_and_trust(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forecast", book, book, "--chain", "--generations", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "lightcollapse/forecast/1" and found["ok"]
    assert {driver["name"] for driver in found["drivers"]} >= {"effective_sample_size", "temperature"}
    assert found["trusted"]["generation"] >= 1
    assert {row["metric"] for row in found["rows"]} >= {"support", "entropy", "heterozygosity"}


def test_python_and_the_command_say_the_same(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = lc.forecast([book], generations=2)
    assert main(["forecast", book, "--generations", "2", "--metric", "entropy", "--csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "metric,generation,value,ci_low,ci_high,note"
    assert float(rows[-1].split(",")[2]) == made["entropy", 2].value


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_course_is_drawn_with_its_recipe(
    book: str, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"course.{kind}"
    assert main(["forecast", book, "--generations", "3", "--figure", str(path)]) == 0
    assert "figure:" in capsys.readouterr().err
    assert gallery.recipe_of(path)["forecast"]["generations"] == 3


@pytest.mark.parametrize(
    "arguments,code,message",
    [
        (["BOOK", "--figure", "a.gif"], 2, "must end in .png, .svg or .pdf"),
        (["nowhere.txt"], 4, "no such file"),
        (["BOOK", "--fresh", "2"], 2, "fresh must lie in"),
        (["BOOK", "--metric", "entropie"], 2, "did you mean 'entropy'"),
        (["BOOK", "--json", "--csv"], 2, "choose one"),
        (["BOOK", "--order", "9"], 2, "order must lie in"),
        ([], 2, "no FILES given"),
    ],
)
def test_bad_input_ends_with_its_reason(
    book: str, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forecast", *(book if word == "BOOK" else word for word in arguments)]) == code
    assert message in capsys.readouterr().err


def test_importing_the_package_does_not_import_forecasts() -> None:
    assert "forecast" in lc.__all__ and "plan" in lc.__all__ and sys.modules["lightcollapse"] is lc
