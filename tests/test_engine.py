"""The engine of points against the fused kernels: the same cards, equal in law."""

from __future__ import annotations

import numpy as np
import pytest
from budget import Court
from exact import same_law

from lightcollapse.errors import CardError
from lightcollapse.families import Categorical, Family, Gaussian, KernelDensity
from lightcollapse.families import engine as engine_module
from lightcollapse.families.engine import Recursion, recursion
from lightcollapse.kernels.draws import Batch
from lightcollapse.loop import run
from lightcollapse.regimes import REGIMES, Accumulate, AccumulateSubsample, FreshFraction, Islands, Regime, Window
from lightcollapse.scenario import Scenario
from lightcollapse.schedule import REAL
from lightcollapse.sources import Normal, Source, Zipf

pytestmark = pytest.mark.slow_without_jit
PARTS: tuple[tuple[Source, Family], ...] = (
    (Normal(1.0, 2.0), Gaussian()),
    (Normal(), Gaussian("unbiased")),
    (Zipf(8, 1.0), Categorical()),
    (Zipf(8, 1.0), Categorical(0.5)),
)
FORMS = [form for regime in REGIMES for form in regime.examples()]
CHAINS = 4000


def engine(card: Scenario, seed: int = 3) -> Recursion:
    return recursion(card.family, card.source, card.schedule(), seed)


def blocks(simulation: Recursion, chains: int) -> dict[str, np.ndarray]:
    size = simulation.block_size
    parts = [
        simulation.run_block(np.arange(start, min(start + size, chains), dtype=np.uint64)).metrics
        for start in range(0, chains, size)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@pytest.mark.parametrize("regime", FORMS, ids=str)
@pytest.mark.parametrize(("source", "family"), PARTS, ids=[str(family) for _, family in PARTS])
def test_points_and_kernels_are_equal_in_law(
    source: Source, family: Family, regime: Regime, record_property: object
) -> None:
    try:
        card = Scenario(source, family, regime, sample_size=14, generations=4)
    except CardError:
        return
    simulation = card.family.prepare(card.source, card.schedule(), 8)
    if isinstance(simulation, Recursion):
        return  # there is no other path
    fused = run(card, seed=8, replicates=CHAINS)
    found = blocks(engine(card), CHAINS)
    court = Court(record_property)
    misses = []
    for metric, values in fused.metrics.items():
        for t in (1, 3, 4):
            pair = np.round(values[:, t], 9), np.round(found[metric][:, t], 9)
            court.hold(f"{metric} at {t}", same_law(*pair))
        misses.append(same_law(np.round(values[:, 1], 9), np.round(found[metric][:, 1], 9) * 1.5 + 0.4))
    court.reject("another law", misses)


def test_a_lane_does_not_depend_on_its_block() -> None:
    card = Scenario(Normal(), Gaussian(), Islands(3, own=0.4, shared=0.4), sample_size=9, generations=4)
    whole = engine(card).run_block(np.arange(10, dtype=np.uint64)).metrics
    for start, end in ((0, 1), (3, 7), (9, 10)):
        part = engine(card).run_block(np.arange(start, end, dtype=np.uint64)).metrics
        for name, values in part.items():
            assert values.tobytes() == np.ascontiguousarray(whole[name][start:end]).tobytes(), name


@pytest.mark.parametrize("regime", [AccumulateSubsample(), Window(5), Accumulate()], ids=str)
def test_how_a_pool_is_kept_does_not_change_what_is_taken_of_it(
    regime: Regime, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Scenario(Normal(), KernelDensity(bandwidth=0.5), regime, sample_size=tuple(range(6, 66, 3)), generations=20)
    simulation = engine(card)
    assert simulation.grows == (not isinstance(regime, Window))
    found = simulation.run_block(np.arange(3, dtype=np.uint64)).metrics
    monkeypatch.setattr(Recursion, "grows", False)
    for name, values in engine(card).run_block(np.arange(3, dtype=np.uint64)).metrics.items():
        assert values.tobytes() == found[name].tobytes(), name


def test_a_pool_that_grows_is_a_few_batches() -> None:
    batches = {REAL: Batch.whole(np.zeros((1, 5, 1)))}
    for number in range(1, 101):
        batches[number] = Batch.whole(np.full((1, 5, 1), float(number)))
        engine_module._pile(batches)
    assert batches[REAL].count == 5 and sum(batch.count for batch in batches.values()) == 505
    assert len(batches) == 1 + bin(100).count("1")
    order = np.concatenate([batches[number].points[0, :, 0] for number in sorted(batches)])
    assert np.array_equal(order, np.repeat(np.arange(101.0), 5))


def test_labs_start_from_samples_of_their_own() -> None:
    card = Scenario(Normal(), Gaussian(), Islands(4, own=1.0, shared=0.0), sample_size=9, generations=2)
    record = run(card, seed=1, replicates=50)
    assert np.all(record.metrics["between"][:, 1] > record.metrics["within"][:, 1])
    assert np.all(record.metrics["fst"][:, 1] > 0.0)


def test_islands_of_one_symbol_have_no_diversity_left() -> None:
    card = Scenario(Zipf(4, 1.0), Categorical(), Islands(2, own=0.0, shared=1.0), sample_size=2, generations=60)
    record = run(card, seed=1, replicates=50)
    gone = record.metrics["between"][:, -1] == 0.0
    assert gone.sum() > 10
    assert np.all(record.metrics["fst"][gone, -1] == 0.0) and np.all(record.metrics["within"][gone, -1] == 0.0)
    assert not any(np.isnan(values).any() for values in record.metrics.values())


def test_tilted_fresh_data_pull_the_model_their_way() -> None:
    shifted = Scenario(Normal(), Gaussian(), FreshFraction(0.5, bias=2.0), sample_size=400, generations=12)
    assert abs(run(shifted, seed=1, replicates=100).metrics["mean"][:, -1].mean() - 2.0) < 0.05
    sharper = Scenario(Zipf(20, 1.0), Categorical(), FreshFraction(1.0, bias=1.0), sample_size=4000, generations=2)
    law = Zipf(20, 2.0).probabilities()
    found = run(sharper, seed=1, replicates=50).metrics["heterozygosity"][:, -1].mean()
    assert abs(found - (1.0 - (law**2).sum())) < 0.01
