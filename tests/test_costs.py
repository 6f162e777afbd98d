"""What runs cost that can be counted instead of timed: random numbers drawn, arrays made by kernels, bytes.

Blocks of the generator are counted exactly, in a process that compiles nothing. Arrays made inside kernels and bytes at
the peak may differ a little between versions of Python, NumPy and numba: a quarter more than kept is a regression.
LIGHTCOLLAPSE_REWRITE_COSTS=1 pytest -n0 tests/test_costs.py writes the numbers anew; the commit that does says why.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from test_contracts import CORPUS, FAMILY_CARDS, REGIME_CARDS, possible, small

import lightcollapse as lc
from lightcollapse.loop import run
from lightcollapse.scenario import Scenario

FILE = Path(__file__).parent / "costs.json"
REWRITE = os.environ.get("LIGHTCOLLAPSE_REWRITE_COSTS") == "1"
COMPILED = os.environ.get("NUMBA_DISABLE_JIT") != "1"
SEED = 7
MORE = 1.25  # times the number kept
BYTES = 2**18  # that Python itself may need more or less
ARRAYS = 20

_BLOBS = lc.sources.Mixture((0.5, 0.3, 0.2), (-4.0, 0.0, 5.0), (1.0, 0.5, 2.0))
_NORMAL = lc.sources.Normal()
# Large enough that arrays are most of what is held: card and replicates.
LARGE: dict[str, tuple[Scenario, int]] = {
    "gaussian sums": (Scenario(_NORMAL, lc.families.Gaussian(), sample_size=10**6, generations=50), 4000),
    "gaussian points": (
        Scenario(_NORMAL, lc.families.Gaussian(draws="points"), sample_size=10**4, generations=10),
        64,
    ),
    "gaussian pool": (
        Scenario(_NORMAL, lc.families.Gaussian(), lc.regimes.AccumulateSubsample(), sample_size=1000, generations=20),
        64,
    ),
    "gaussian accumulate": (
        Scenario(_NORMAL, lc.families.Gaussian(), lc.regimes.Accumulate(), sample_size=1000, generations=500),
        400,
    ),
    "multivariate sums": (
        Scenario(_NORMAL, lc.families.MultivariateGaussian(10), sample_size=10**6, generations=20),
        200,
    ),
    "multivariate points": (
        Scenario(_NORMAL, lc.families.MultivariateGaussian(10, draws="points"), sample_size=10**4, generations=3),
        8,
    ),
    "mixture": (
        Scenario(_BLOBS, lc.families.GaussianMixture(3, iterations=5), sample_size=20_000, generations=3),
        8,
    ),
    "categorical": (
        Scenario(lc.sources.Zipf(100_000, 1.0), lc.families.Categorical(), sample_size=10**6, generations=5),
        2,
    ),
    "kernel density": (
        Scenario(_NORMAL, lc.families.KernelDensity(bandwidth=0.5), sample_size=2_000, generations=3),
        16,
    ),
    "regression": (
        Scenario(lc.sources.LinearModel(dimension=5), lc.families.LinearRegression(), sample_size=1000, generations=5),
        1000,
    ),
    "ngram": (
        Scenario(
            lc.sources.RandomMarkov(30, 0.5, document_length=100),
            lc.families.NGram(4),
            sample_size=80_000,
            generations=2,
        ),
        1,
    ),
}


def kept(name: str) -> Any:
    numbers: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return numbers[name]


def rewrite(name: str, value: Any) -> None:
    numbers = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    text = json.dumps(numbers | {name: value}, indent=1, sort_keys=True)
    FILE.write_text(text + "\n", encoding="utf-8")


_COUNT = """
import importlib, json, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import lightcollapse.kernels
from lightcollapse.kernels import normals, rng
from lightcollapse.kernels.vectors import MANY

calls = [0]
def counting(plain, blocks):
    def counted(*counter_and_key):
        calls[0] += blocks
        return plain(*counter_and_key)
    return counted

counters = {
    "philox": counting(rng.philox, 1),
    "_words_of": counting(normals._words_of, MANY),
    "normals_and_pairs": counting(normals.normals_and_pairs, MANY),
}
for found in pkgutil.iter_modules(lightcollapse.kernels.__path__):
    module = importlib.import_module(f"lightcollapse.kernels.{found.name}")
    for name in counters.keys() & vars(module).keys():
        setattr(module, name, counters[name])

import numpy as np
from lightcollapse.loop import run
from test_costs import SEED, small_cards

counted = {}
for name, card in small_cards().items():
    calls[0] = 0
    with np.errstate(all="ignore"):  # whole numbers wrap around, as they do in compiled kernels
        run(card, seed=SEED, replicates=2, jobs=1)
    counted[name] = calls[0]
print(json.dumps(counted))
"""


def small_cards() -> dict[str, Scenario]:
    """Every family under replacement, and the Gaussian and the categorical law under every regime."""
    made = {name: small(name, "replace") for name in FAMILY_CARDS}
    for family in ("gaussian ml", "categorical"):
        for regime in REGIME_CARDS:
            if possible(family, regime):
                made[f"{family} + {regime}"] = small(family, regime)
    return made


@pytest.mark.skipif(not COMPILED, reason="the process that counts compiles nothing by itself")
def test_as_many_random_numbers_are_drawn_as_ever() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _COUNT, str(Path(__file__).parent)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)
    if REWRITE:
        rewrite("blocks of random numbers", found)
    assert found == kept("blocks of random numbers")


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
@pytest.mark.parametrize("name", LARGE)
def test_a_run_holds_no_more_than_ever(name: str) -> None:
    scenario, replicates = LARGE[name]
    run(scenario, seed=SEED, replicates=replicates, jobs=1)  # compiled, and what is cached is cached
    found = {"bytes": peak(scenario, replicates), "arrays": made_in_kernels(scenario, replicates)}
    if REWRITE:
        rewrite(name, found)
    before = kept(name)
    assert found["bytes"] <= MORE * before["bytes"] + BYTES
    assert found["arrays"] <= MORE * before["arrays"] + ARRAYS


def peak(scenario: Scenario, replicates: int) -> int:
    """Bytes that Python and NumPy hold at the most during a run."""
    gc.collect()
    tracemalloc.start()
    try:
        run(scenario, seed=SEED, replicates=replicates, jobs=1)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def made_in_kernels(scenario: Scenario, replicates: int) -> int:
    """Arrays that compiled kernels make during a run."""
    from numba.core.runtime import _nrt_python as runtime
    from numba.core.runtime import rtsys

    runtime.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats().alloc
        run(scenario, seed=SEED, replicates=replicates, jobs=1)
        return int(rtsys.get_allocation_stats().alloc - before)
    finally:
        runtime.memsys_disable_stats()


@pytest.mark.skipif(not COMPILED, reason="slow where nothing is compiled")
@pytest.mark.parametrize("family", [lc.families.Gaussian(), lc.families.MultivariateGaussian(2), lc.families.Poisson()])
def test_sums_take_no_more_memory_for_more_points(family: Any) -> None:
    source = lc.sources.Poisson(3.0) if isinstance(family, lc.families.Poisson) else _NORMAL
    few, many = (Scenario(source, family, sample_size=size, generations=5) for size in (1_000, 10**7))
    run(few, seed=SEED, replicates=50, jobs=1)
    assert peak(many, 50) < peak(few, 50) + BYTES


@pytest.mark.skipif(not COMPILED, reason="slow where nothing is compiled")
def test_points_are_not_kept_where_only_the_last_model_matters() -> None:
    """A point takes 8 bytes: 32 chains of 10 generations would hold 51 MB, and one generation of them 5 MB."""
    family = lc.families.Gaussian(draws="points")
    scenario = Scenario(_NORMAL, family, sample_size=20_000, generations=10)
    run(scenario, seed=SEED, replicates=2, jobs=1)
    assert peak(scenario, 32) < 2**20


@pytest.mark.skipif(not COMPILED, reason="slow where nothing is compiled")
def test_a_pool_that_grows_is_kept_as_sums() -> None:
    """1,000 generations of 10,000 points would be 80 MB a chain."""
    scenario = Scenario(_NORMAL, lc.families.Gaussian(), lc.regimes.Accumulate(), sample_size=10_000, generations=1_000)
    run(scenario, seed=SEED, replicates=2, jobs=1)
    assert peak(scenario, 16) < 2 * 8 * 16 * 1_001 * len(scenario.metrics) + 2**20


@pytest.mark.skipif(not COMPILED, reason="slow where nothing is compiled")
def test_measuring_text_keeps_less_than_a_hundred_bytes_a_symbol(tmp_path: Path) -> None:
    text = CORPUS.read_text(encoding="utf-8") * 40
    for name in ("human.txt", "written.txt"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    files = [str(tmp_path / name) for name in ("human.txt", "written.txt")]
    lc.measure(files, unit="chars", bootstrap=0)
    gc.collect()
    tracemalloc.start()
    lc.measure(files, unit="chars", bootstrap=0)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 100 * 2 * len(text) + 2**22
