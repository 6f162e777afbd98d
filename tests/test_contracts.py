"""What every family and regime owes, by being listed: the same bits however work is cut, and collapse as a result."""

from __future__ import annotations

import importlib
import json
import math
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

import lightcollapse.kernels
from lightcollapse import families, sources
from lightcollapse.errors import CardError
from lightcollapse.families import FAMILIES, Categorical, Family, Gaussian, NGram
from lightcollapse.families.base import used_columns
from lightcollapse.loop import run
from lightcollapse.measured import Measured
from lightcollapse.record import Record
from lightcollapse.regimes import (
    REGIMES,
    Accumulate,
    AccumulateSubsample,
    FixedReal,
    FreshFraction,
    Islands,
    Regime,
    Replace,
    Trend,
    Weighted,
    Window,
)
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Normal, Probabilities, Source, Text, Uniform, Zipf

pytestmark = pytest.mark.slow_without_jit
CORPUS = Path(__file__).parent / "data" / "tiny.txt"

CHAIN = sources.Markov(((0.5, 0.3, 0.2), (0.2, 0.5, 0.3), (0.3, 0.3, 0.4)), document_length=5)
# A small instance of every family, with its source and sample size; and of every regime.
FAMILY_CARDS: dict[str, tuple[Source, Family, int]] = {
    "gaussian ml": (Normal(1.0, 2.0), Gaussian(), 9),
    "gaussian unbiased": (Normal(), Gaussian("unbiased"), 9),
    "gaussian points": (Normal(), Gaussian(draws="points"), 130),  # more points than one buffer of draws holds
    "categorical": (Zipf(7, 1.0), Categorical(), 30),
    "categorical smoothed": (Zipf(7, 1.0), Categorical(0.5), 30),
    "categorical points": (Uniform(5), Categorical(draws="points"), 15),
    "ngram chars": (Text(str(CORPUS), document_length=40), NGram(3), 1500),
    "ngram words": (Text(str(CORPUS), unit="words", document_length=20), NGram(2, smoothing="ml"), 300),
    "ngram kneser-ney": (Text(str(CORPUS), unit="bytes", document_length=40), NGram(4, smoothing="kneser-ney"), 1500),
    "ngram three discounts": (Text(str(CORPUS), document_length=40), NGram(4, smoothing="modified-kneser-ney"), 1500),
    "ngram backoff": (
        Text(str(CORPUS), unit="words", document_length=20),
        NGram(3, smoothing="backoff", vocabulary="closed"),
        300,
    ),
    "bernoulli": (sources.Bernoulli(0.3), families.Bernoulli(), 12),
    "poisson": (sources.Poisson(2.5), families.Poisson(), 9),
    "geometric": (sources.Geometric(2.0), families.Geometric(), 9),
    "exponential": (sources.Exponential(3.0), families.Exponential(), 9),
    "gamma": (sources.Gamma(0.4, 2.0), families.Gamma(), 9),
    "gaussian mean": (Normal(1.0, 2.0), families.GaussianMean(), 9),
    "ising": (sources.Ising(7, 0.8), families.Ising(), 12),
    "empirical": (Normal(1.0, 2.0), families.Empirical(2), 9),
    "empirical symbols": (Zipf(7, 1.0), families.Empirical(), 15),
    "kernel density": (Normal(1.0, 2.0), families.KernelDensity(bandwidth=0.5), 9),
    "kernel density of blobs": (
        sources.Mixture((0.5, 0.5), ((0.0, 4.0), (3.0, -1.0)), (1.0, 0.5)),
        families.KernelDensity(2, rule="scott"),
        12,
    ),
    "mixture line": (
        sources.Mixture((0.5, 0.3, 0.2), (-4.0, 0.0, 5.0), (1.0, 0.5, 2.0)),
        families.GaussianMixture(3, iterations=4),
        20,
    ),
    "mixture plane": (Normal(1.0, 2.0), families.GaussianMixture(2, 2, "diagonal", "k-means++", iterations=3), 9),
    "mixture floor": (Normal(), families.GaussianMixture(2, 3, "spherical", iterations=3, floor=0.01), 70),
    "markov": (CHAIN, families.Markov(), 60),
    "ngram of a hidden chain": (
        sources.HiddenMarkov(
            ((0.9, 0.1), (0.2, 0.8)), ((0.5, 0.4, 0.1), (0.1, 0.1, 0.8)), document_length=10, rare_share=0.4
        ),
        NGram(2),
        300,
    ),
    "markov smoothed": (sources.RandomMarkov(4, 0.5, stay=0.2, document_length=5), families.Markov(0.5), 60),
    "multivariate": (Normal(1.0, 2.0), families.MultivariateGaussian(3), 9),
    "multivariate points": (Normal(1.0, 2.0), families.MultivariateGaussian(3, draws="points"), 9),
    "multivariate singular": (Normal(), families.MultivariateGaussian(5, variance="unbiased"), 4),
    "multivariate diagonal": (
        sources.Mixture((1.0,), ((1.0, 0.0),), (((2.0, 0.5), (0.5, 1.0)),)),
        families.MultivariateGaussian(2, "diagonal"),
        9,
    ),
    "multivariate diagonal points": (Normal(), families.MultivariateGaussian(2, "diagonal", draws="points"), 9),
    "regression": (
        sources.LinearModel((1.0, -0.5), covariance=((2.0, 0.5), (0.5, 1.0))),
        families.LinearRegression(),
        9,
    ),
    "regression fixed": (sources.LinearModel(dimension=3), families.LinearRegression(0.1, "fixed"), 9),
    "regression short": (sources.LinearModel(dimension=6), families.LinearRegression(draws="points"), 4),
    "logistic": (sources.LinearModel(dimension=2, noise=0.3), families.LogisticRegression(0.01), 15),
}
REGIME_CARDS: dict[str, Regime] = {
    "replace": Replace(),
    "accumulate": Accumulate(),
    "accumulate-subsample": AccumulateSubsample(),
    "fresh-fraction": FreshFraction(0.3),
    "fresh-fraction 0": FreshFraction(0.0),
    "fresh-fraction 1": FreshFraction(1.0),
    "fixed-real": FixedReal(),
    "window": Window(2),
    "fresh-fraction trend": FreshFraction(Trend(0.8, 0.2, "logistic")),
    "fresh-fraction biased": FreshFraction(0.3, bias=0.5),
    "fixed-real share": FixedReal(share=0.4),
    "fixed-real weight": FixedReal(weight=0.3),
    "weighted": Weighted(0.6, 0.5),
    "islands": Islands(2, own=0.5, shared=0.3),
}
STRETCHED = {"fresh-fraction trend"}  # what depends on the number of generations
SEED = 2**63 + 12345


def test_every_family_and_regime_has_a_card() -> None:
    """A family without kernels of its own, and with an extra of its own, keeps its contracts in a file of its own."""
    assert {type(family) for _, family, _ in FAMILY_CARDS.values()} == {one for one in FAMILIES if one.own_kernels}
    assert {type(regime) for regime in REGIME_CARDS.values()} == set(REGIMES)


def card(family: str, regime: str, generations: int = 4) -> Scenario:
    source, fitted, size = FAMILY_CARDS[family]
    return Scenario(source, fitted, REGIME_CARDS[regime], sample_size=size, generations=generations)


def allowed(*parts: Any, **fields: Any) -> Scenario | None:
    """The card, or None where the family says that it cannot execute the regime."""
    try:
        return Scenario(*parts, **fields)
    except CardError as error:
        assert re.search("cannot execute the recipe column|a weighted fit needs", str(error)), error
        return None


def possible(family: str, regime: str) -> bool:
    """Whether the family executes the regime, or refuses the card."""
    source, fitted, size = FAMILY_CARDS[family]
    return allowed(source, fitted, REGIME_CARDS[regime], sample_size=size, generations=4) is not None


# Families with a loop over generations of their own meet every regime here; those that the engine of points runs share
# one loop, and meet each of its branches: sums or points, a part of the pool, tilted data, labs.
OF_THE_ENGINE = ("replace", "accumulate-subsample", "fresh-fraction biased", "weighted", "islands")
WITH_A_LOOP = ("gaussian", "categorical", "ngram")
PAIRS = [
    (family, regime)
    for family in FAMILY_CARDS
    for regime in (REGIME_CARDS if family.startswith(WITH_A_LOOP) else OF_THE_ENGINE)
    if possible(family, regime)
]
every = pytest.mark.parametrize(("family", "regime"), PAIRS)


@pytest.mark.parametrize("family", FAMILY_CARDS)
def test_a_family_refuses_the_columns_that_it_does_not_name(family: str) -> None:
    source, fitted, size = FAMILY_CARDS[family]
    for regime in REGIME_CARDS.values():
        if not used_columns(regime.rows(np.full(4, size, dtype=np.int64))) <= fitted.columns:
            with pytest.raises(CardError, match="cannot execute the recipe column"):
                Scenario(source, fitted, regime, sample_size=size, generations=4)


@every
def test_the_bits_do_not_depend_on_how_the_work_is_cut(family: str, regime: str) -> None:
    scenario = card(family, regime)
    whole = run(scenario, seed=SEED, replicates=7, jobs=1)
    assert run(scenario, seed=SEED, replicates=7, jobs=2) == whole
    assert run(scenario, seed=SEED, replicates=7, jobs=7) == whole
    parts = [run(scenario, seed=SEED, replicates=numbers, jobs=1) for numbers in (range(3), range(3, 7))]
    for metric, values in whole.metrics.items():
        joined = np.concatenate([part.metrics[metric] for part in parts])
        assert joined.tobytes() == values.tobytes(), metric
    alone = run(scenario, seed=SEED, replicates=[5], jobs=1)
    backwards = run(scenario, seed=SEED, replicates=[6, 5, 2], jobs=1)
    for metric, values in whole.metrics.items():
        assert alone.metrics[metric].tobytes() == values[5:6].tobytes(), metric
        assert backwards.metrics[metric].tobytes() == values[[6, 5, 2]].tobytes(), metric
    assert alone.absorbed[0] == whole.absorbed[5]


@every
def test_any_block_size_gives_the_same_bits(family: str, regime: str) -> None:
    scenario = card(family, regime)
    numbers = np.arange(7, dtype=np.uint64)
    simulation = scenario.family.prepare(scenario.source, scenario.schedule(), SEED)
    whole = run(scenario, seed=SEED, replicates=7).metrics
    for size in (1, 2, 5):
        blocks = [simulation.run_block(numbers[start : start + size]) for start in range(0, 7, size)]
        for metric, values in whole.items():
            joined = np.concatenate([block.metrics[metric] for block in blocks])
            assert joined.tobytes() == values.tobytes(), (size, metric)


@every
def test_a_record_repeats_itself_from_its_file(family: str, regime: str, tmp_path: Path) -> None:
    first = run(card(family, regime), seed=SEED, replicates=3)
    loaded = Record.load(first.save(tmp_path / "record.npz"))
    assert loaded == first
    assert run(loaded.scenario, seed=loaded.seed, replicates=loaded.replicates) == first
    assert Scenario.from_toml(loaded.scenario.to_toml()) == first.scenario


@every
def test_the_shape_of_a_record(family: str, regime: str) -> None:
    scenario = card(family, regime)
    record = run(scenario, seed=SEED, replicates=3)
    assert tuple(record.metrics) == scenario.metrics
    for name, values in record.metrics.items():
        assert values.shape == (3, 5) and values.dtype == np.float64, name
        assert values.flags.c_contiguous, name
        assert not np.isnan(values).any(), name
        if not family.startswith("ngram"):
            assert len(set(values[:, 0])) == 1, f"{name} of the source differs between replicates"
    assert record.absorbed.shape == (3,) and record.absorbed.dtype == np.int64
    assert run(scenario, seed=SEED + 1, replicates=3) != record


@pytest.mark.parametrize("family", FAMILY_CARDS)
def test_the_first_real_sample_is_the_same_under_every_regime(family: str) -> None:
    """Generation 1 has seen nothing else. Regimes that take single points draw them, so points are drawn for all."""
    source, fitted, size = FAMILY_CARDS[family]
    if hasattr(fitted, "draws"):
        fitted = replace(fitted, draws="points")
    first = None
    for name, regime in REGIME_CARDS.items():
        scenario = allowed(source, fitted, regime, sample_size=size, generations=2)
        if scenario is None or "labs" in used_columns(scenario.schedule()):
            continue  # refused, or the mean over labs, each with a first sample of its own
        record = run(scenario, seed=SEED, replicates=3)
        first = first or record
        for metric, values in record.metrics.items():  # the engine of points sums in another order than a kernel
            np.testing.assert_allclose(
                values[:, 1], first.metrics[metric][:, 1], 1e-12, 1e-12, err_msg=f"{name} {metric}"
            )


@pytest.mark.parametrize("family", FAMILY_CARDS)
def test_fresh_fraction_0_is_replace(family: str) -> None:
    replace = run(card(family, "replace"), seed=SEED, replicates=3)
    nothing_fresh = run(card(family, "fresh-fraction 0"), seed=SEED, replicates=3)
    assert all(values.tobytes() == nothing_fresh.metrics[name].tobytes() for name, values in replace.metrics.items())


@pytest.mark.parametrize("family", FAMILY_CARDS)
def test_more_generations_begin_like_fewer(family: str) -> None:
    for regime in REGIME_CARDS:
        if regime in STRETCHED or not possible(family, regime):
            continue
        few, more = (run(card(family, regime, t), seed=SEED, replicates=2) for t in (2, 4))
        for name, values in few.metrics.items():
            assert values.tobytes() == np.ascontiguousarray(more.metrics[name][:, :3]).tobytes(), (regime, name)


def kernels() -> dict[str, Any]:
    """Every compiled function of every module of kernels."""
    found = {}
    for module in pkgutil.iter_modules(lightcollapse.kernels.__path__):
        loaded = importlib.import_module(f"lightcollapse.kernels.{module.name}")
        for name, value in vars(loaded).items():
            if hasattr(value, "signatures") and value.py_func.__module__ == loaded.__name__:
                found[f"{module.name}.{name}"] = value
    return found


SIGNATURES = """
import json, sys
sys.path.insert(0, sys.argv[1])
import test_contracts as contracts
for family, regime in contracts.PAIRS:
    contracts.run(contracts.card(family, regime), seed=1, replicates=2, jobs=1)
print(json.dumps({name: len(kernel.signatures) for name, kernel in contracts.kernels().items()}))
"""


def test_every_kernel_has_one_signature_after_every_family_and_regime(tmp_path: Path) -> None:
    """In a process and a cache of its own: what comes from a cache brings only the signatures that Python calls."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNATURES, str(Path(__file__).parent)],
        env=os.environ | {"LIGHTCOLLAPSE_CACHE_DIR": str(tmp_path), "NUMBA_OPT": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    counts = json.loads(done.stdout)
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        assert counts == {}
        return
    assert len(counts) > 20
    assert {name: count for name, count in counts.items() if count > 1} == {}


NO_JIT = """
import sys
sys.path.insert(0, sys.argv[1])
import test_contracts as contracts
from lightcollapse.loop import run
from pathlib import Path
for family, regime in contracts.PAIRS:
    record = run(contracts.small(family, regime), seed=contracts.SEED, replicates=2, jobs=1)
    record.save(Path(sys.argv[2]) / f"{family}-{regime}.npz")
"""


def small(family: str, regime: str) -> Scenario:
    """A card tiny enough for kernels that are not compiled."""
    source, fitted, _ = FAMILY_CARDS[family]
    size = 120 if isinstance(fitted, NGram) else 25
    return Scenario(source, fitted, REGIME_CARDS[regime], sample_size=size, generations=3)


INTEGERS = {
    "alive",
    "components",
    "distinct",
    "support",
    "vocabulary",
    "rare_vocabulary",
    "distinct_1",
    "distinct_2",
    "distinct_3",
    "distinct_4",
}


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_compiled_and_plain_kernels_agree(tmp_path: Path) -> None:
    """Integers exactly, floats to 1e-12: the compiled library contracts products and sums."""
    subprocess.run(
        [sys.executable, "-c", NO_JIT, str(Path(__file__).parent), str(tmp_path)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        check=True,
    )
    for family, regime in PAIRS:
        plain = Record.load(tmp_path / f"{family}-{regime}.npz")
        compiled = run(small(family, regime), seed=SEED, replicates=2)
        assert np.array_equal(plain.absorbed, compiled.absorbed)
        assert plain.excerpts == compiled.excerpts
        for name, values in compiled.metrics.items():
            if name in INTEGERS:
                assert np.array_equal(plain.metrics[name], values), (family, regime, name)
            else:
                np.testing.assert_allclose(plain.metrics[name], values, rtol=1e-12, atol=1e-12)


# --- Seeds, replicates, jobs ---------------------------------------------------------------------------------------


TINY = Scenario(Normal(), Gaussian(), sample_size=5, generations=2)


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**63, 2**64 - 1, np.uint64(2**64 - 1), np.int32(7)])
def test_any_seed_of_64_bits_is_taken(seed: int) -> None:
    record = run(TINY, seed=seed, replicates=2)
    assert record.seed == int(seed) and type(record.seed) is int
    if seed:
        assert record != run(TINY, seed=0, replicates=2)


@pytest.mark.parametrize("seed", [2**64, -1, 1.5, True, "7", np.float64(3.0)])
def test_other_seeds_are_refused(seed: Any) -> None:
    with pytest.raises(CardError, match="seed"):
        run(TINY, seed=seed, replicates=2)


def test_seeds_that_differ_in_either_word_differ() -> None:
    records = [run(TINY, seed=seed, replicates=1) for seed in (1, 2, 2**32, 2**33, 2**32 + 1)]
    assert len({record.metrics["mean"].tobytes() for record in records}) == len(records)


def test_a_seed_that_is_not_given_is_drawn_and_kept() -> None:
    first, second = run(TINY, replicates=2), run(TINY, replicates=2)
    assert first.seed != second.seed
    assert run(TINY, seed=first.seed, replicates=2) == first


@pytest.mark.parametrize("replicates", [0, -3, [], [-1], [2**32], 2.5, "all", True, range(0)])
def test_other_replicates_are_refused(replicates: Any) -> None:
    with pytest.raises(CardError, match="replicate"):
        run(TINY, seed=1, replicates=replicates)


@pytest.mark.parametrize("jobs", [0, -1])
def test_other_jobs_are_refused(jobs: int) -> None:
    with pytest.raises(CardError, match="jobs"):
        run(TINY, seed=1, replicates=1, jobs=jobs)


def test_progress_counts_every_replicate() -> None:
    seen: list[tuple[int, int]] = []
    run(TINY, seed=1, replicates=150, jobs=2, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 150) and seen[-1] == (150, 150)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


# --- Collapse is a result ------------------------------------------------------------------------------------------


def first_generation(values: np.ndarray, value: float) -> np.ndarray:
    reached = values == value
    return np.where(reached.any(axis=1), reached.argmax(axis=1), -1)


@pytest.mark.parametrize("regime", REGIME_CARDS)
@pytest.mark.parametrize("draws", ["auto", "points"])
def test_a_gaussian_of_one_point_has_no_variance_left(regime: str, draws: str) -> None:
    family = Gaussian(draws=draws)  # type: ignore[arg-type]
    record = run(Scenario(Normal(), family, REGIME_CARDS[regime], sample_size=1, generations=6), seed=1, replicates=50)
    assert not any(np.isnan(values).any() for values in record.metrics.values())
    assert np.all(record.metrics["variance"][:, 1] == 0.0)
    assert np.all(record.metrics["log_variance"][:, 1] == -np.inf)
    assert np.all(record.metrics["kl_source_model"][:, 1] == np.inf)
    assert np.all(record.metrics["kl_model_source"][:, 1] == np.inf)
    assert np.all(record.absorbed == 1)


def test_the_log_variance_goes_on_where_the_variance_is_too_small_for_a_float() -> None:
    card = Scenario(Normal(2.0, 3.0), Gaussian(), sample_size=2, generations=2000)
    record = run(card, seed=1, replicates=20)
    assert np.all(record.metrics["variance"][:, -1] == 0.0)
    assert np.all(np.isfinite(record.metrics["log_variance"]))
    assert not any(np.isnan(values).any() for values in record.metrics.values())
    assert np.all(np.diff(record.metrics["mean"][:, -100:]) == 0.0)
    assert np.all(record.absorbed == -1)


def test_the_log_variance_does_not_depend_on_where_it_becomes_too_small_for_a_float() -> None:
    logs = []
    for std in (1e120, 1.0, 1e-140):  # the first stays a float, the second leaves floats on the way, the third early
        card = Scenario(Normal(0.0, std), Gaussian(), sample_size=2, generations=350)
        record = run(card, seed=1, replicates=300)
        logs.append(record.metrics["log_variance"] - 2.0 * math.log(std))
    assert logs[0].min() > -1200.0 and np.any(logs[1] < -710.0) and np.any(logs[1][:, -1] > -690.0)
    np.testing.assert_allclose(logs[1], logs[0], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(logs[2], logs[0], rtol=1e-11, atol=1e-11)


def test_what_one_part_knows_is_joined_from_all() -> None:
    later = {"log": lambda known: np.log(known["value"])}
    whole = Measured({"value": np.full((2, 1), 2.0)}, later)
    known = Measured({"value": np.zeros((1, 1)), "log": np.full((1, 1), -800.0)}, later)
    for parts in ([whole, known], [known, whole]):
        joined = Measured.joined(parts)
        assert list(joined) == ["value", "log"] and sorted(joined["log"].ravel())[0] == -800.0
        assert sorted(joined["log"].ravel())[1:] == [math.log(2.0)] * 2


@pytest.mark.parametrize("draws", ["statistics", "points"])
def test_a_categorical_law_is_absorbed_when_one_symbol_is_left(draws: str) -> None:
    family = Categorical(draws=draws)  # type: ignore[arg-type]
    record = run(Scenario(Uniform(4), family, sample_size=5, generations=60), seed=1, replicates=200)
    support = record.metrics["support"]
    assert np.array_equal(record.absorbed, first_generation(support, 1.0))
    assert np.all(record.absorbed > 0)
    for chain, absorbed in enumerate(record.absorbed):
        assert np.all(support[chain, absorbed:] == 1.0)
        for name in ("heterozygosity", "entropy"):
            assert np.all(record.metrics[name][chain, absorbed:] == 0.0)
        assert np.all(record.metrics["kl_source_model"][chain, absorbed:] == np.inf)
        np.testing.assert_allclose(record.metrics["kl_model_source"][chain, absorbed:], np.log(4.0))
    assert not any(np.isnan(values).any() for values in record.metrics.values())


@pytest.mark.parametrize("regime", REGIME_CARDS)
@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_a_source_of_one_symbol_has_nothing_to_lose(regime: str, smoothing: float) -> None:
    card = allowed(Uniform(1), Categorical(smoothing), REGIME_CARDS[regime], sample_size=3, generations=4)
    if card is None:
        return
    record = run(card, seed=1, replicates=3)
    assert np.all(record.absorbed == 0)
    ones = {"support", "rare_retention", "calibration", "sharpness"}
    for name, values in record.metrics.items():
        assert np.all(values == (1.0 if name in ones else 0.0)), name


@pytest.mark.parametrize("regime", REGIME_CARDS)
def test_symbols_of_no_mass_never_appear(regime: str) -> None:
    for draws in ("statistics", "points"):
        family = Categorical(draws=draws)  # type: ignore[arg-type]
        source = Probabilities((0.0, 0.5, 0.0, 0.5, 0.0))
        scenario = Scenario(source, family, REGIME_CARDS[regime], sample_size=6, generations=8)
        record = run(scenario, seed=1, replicates=40)
        assert record.metrics["support"].max() == 2.0
        assert not any(np.isnan(values).any() for values in record.metrics.values())
        assert np.isfinite(record.metrics["kl_model_source"]).all()
