"""The Ising model against an enumeration of every configuration, and its chains against a slow twin."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from budget import Court
from exact import same_law, whole_numbers
from scipy import optimize

from lightcollapse import families, sources
from lightcollapse.families.ising import IsingLaw
from lightcollapse.kernels.draws import Draws
from lightcollapse.loop import run
from lightcollapse.scenario import Scenario

pytestmark = pytest.mark.slow_without_jit

LANES = 20_000
DRAWS = Draws(np.arange(LANES, dtype=np.uint64), np.zeros(LANES, dtype=np.uint64), 77, 2, 1)


def configurations(spins: int) -> np.ndarray:
    """Squared magnetisation of every configuration, float64 (2^spins,)."""
    every = np.array(list(itertools.product((-1.0, 1.0), repeat=spins)))
    return np.asarray(every.mean(axis=1) ** 2)


def slow_law(spins: int, coupling: float) -> tuple[np.ndarray, np.ndarray]:
    """Squared magnetisations and their probabilities, from every configuration."""
    squares = configurations(spins)
    mass = np.exp(0.5 * spins * coupling * squares)
    values, level = np.unique(squares.round(12), return_inverse=True)
    return values, np.bincount(level.ravel(), mass) / mass.sum()


@pytest.mark.parametrize("spins", [2, 5, 8])
@pytest.mark.parametrize("coupling", [-1.3, 0.0, 0.9, 3.0])
def test_levels_are_all_configurations(spins: int, coupling: float) -> None:
    source = sources.Ising(spins, coupling)
    values, law = slow_law(spins, coupling)
    np.testing.assert_allclose(source.levels()[0], values, atol=1e-11)
    assert math.fsum(np.exp(source.levels()[1])) == pytest.approx(2.0**spins, rel=1e-12)
    assert source.expectation() == pytest.approx(law @ values, rel=1e-10)
    assert source.variance() == pytest.approx(law @ (values - law @ values) ** 2, rel=1e-9)


@pytest.mark.parametrize("coupling", [-1.3, 0.0, 0.9, 3.0])
def test_metrics_by_enumeration(coupling: float) -> None:
    """Divergences and entropies are of whole configurations, not of their magnetisations alone."""
    spins, true = 6, 0.4
    squares = configurations(spins)
    logs = []
    for value in (coupling, true):
        weight = 0.5 * spins * value * squares
        logs.append(weight - np.log(np.exp(weight).sum()))
    law, real = np.exp(logs)
    source = sources.Ising(spins, true)
    measured = (
        families.Ising()
        .law(source)
        .measures(np.array([sources.Ising(spins, coupling).expectation()]), source.expectation())
    )
    claimed = {
        "coupling": coupling,
        "entropy": -law @ logs[0],
        "kl_model_source": law @ (logs[0] - logs[1]),
        "kl_source_model": real @ (logs[1] - logs[0]),
        "variance": law @ (squares - law @ squares) ** 2,
    }
    for name, value in claimed.items():
        np.testing.assert_allclose(measured[name][0], value, rtol=1e-9, atol=1e-11, err_msg=name)


def test_points_and_sums_follow_the_enumerated_law(record_property: object) -> None:
    court = Court(record_property)
    spins, coupling = 5, 0.7
    values, law = slow_law(spins, coupling)
    source = sources.Ising(spins, coupling)
    ising = families.Ising().law(source)
    mean = np.full(LANES, source.expectation())
    drawn = ising.points(mean, 3, DRAWS)[:, 1]
    cells = np.rint(drawn * 25).astype(np.int64)  # 1, 9, 25
    table = np.zeros(26)
    table[np.rint(values * 25).astype(np.int64)] = law
    court.hold("points", whole_numbers(cells, table))
    sums = np.rint(ising.sums(mean, 4, DRAWS) * 25).astype(np.int64)
    four = np.ones(1)
    for _ in range(4):
        four = np.convolve(four, table)
    court.hold("sums", whole_numbers(sums, four))
    other = np.zeros(26)
    other[np.rint(values * 25).astype(np.int64)] = slow_law(spins, 0.8 * coupling)[1]
    court.reject("points", [whole_numbers(cells, other)])


def test_chains_have_the_law_of_their_slow_twin(record_property: object) -> None:
    """The twin fits the coupling itself, by root finding over all configurations."""
    court = Court(record_property)
    spins, size, chains, last = 4, 5, 1500, 3
    values, law = slow_law(spins, 0.5)
    generator = np.random.default_rng(8)
    claimed = np.empty((chains, last + 1))
    for chain in range(chains):
        current = law
        for t in range(1, last + 1):
            mean = generator.choice(values, size, p=current).mean()
            claimed[chain, t] = coupling = fitted(spins, float(mean))
            end = values == (values.max() if coupling > 0 else values.min())
            current = slow_law(spins, coupling)[1] if math.isfinite(coupling) else end.astype(float)
    card = Scenario(sources.Ising(spins, 0.5), families.Ising(), sample_size=size, generations=last)
    couplings = run(card, seed=9, replicates=chains).metrics["coupling"]
    for t in range(1, last + 1):
        court.hold(f"coupling at {t}", same_law(couplings[:, t].round(6), claimed[:, t].round(6)))
    court.reject("coupling", [same_law(couplings[:, 1].round(6), claimed[:, last].round(6))])


def fitted(spins: int, mean: float) -> float:
    """The coupling of greatest likelihood."""
    values, _ = slow_law(spins, 0.0)
    if mean <= values[0] + 1e-12 or mean >= values[-1] - 1e-12:
        return -math.inf if mean <= values[0] + 1e-12 else math.inf

    def excess(coupling: float) -> float:
        known, law = slow_law(spins, coupling)
        return float(law @ known) - mean

    return float(optimize.brentq(excess, -60.0, 60.0, xtol=1e-12))


@pytest.mark.parametrize("spins", [6, 7])
def test_aligned_and_balanced_samples_end_a_chain(spins: int) -> None:
    """The coupling is then infinite, with the sign of the end, and nothing changes any more."""
    card = Scenario(sources.Ising(spins, 0.9), families.Ising(), sample_size=4, generations=60)
    metrics = (record := run(card, seed=3, replicates=300)).metrics
    ended = np.isinf(metrics["coupling"])
    assert np.array_equal(ended, metrics["alive"] == 0.0)
    assert {-np.inf, np.inf} == set(metrics["coupling"][ended])
    assert np.array_equal(record.absorbed == -1, ~ended.any(axis=1))
    assert np.all(np.diff(ended.astype(int), axis=1) >= 0)
    assert np.all(metrics["kl_source_model"][ended] == np.inf)
    assert np.all(np.isfinite(metrics["kl_model_source"]))
    aligned = metrics["coupling"] == np.inf
    np.testing.assert_allclose(metrics["entropy"][aligned], math.log(2.0), rtol=1e-9)
    assert not any(np.isnan(values).any() for values in metrics.values())


def test_rounding_does_not_keep_a_chain_alive() -> None:
    """A weighted mean of equal values may miss them by rounding; the chain has still one value left."""
    source = sources.Ising(7, 0.9)
    law = families.Ising().law(source)
    assert isinstance(law, IsingLaw)
    least = law.values[0]
    assert law.naturals(np.array([np.nextafter(least, 1.0), np.nextafter(1.0, 0.0)])).tolist() == [-np.inf, np.inf]
    assert law.naturals(np.array([least + 1e-9]))[0] > -np.inf


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_divides_the_coupling(temperature: float) -> None:
    law = families.Ising().law(sources.Ising(9, 0.8))
    mean = law.tempered(np.array([sources.Ising(9, 0.8).expectation()]), temperature)
    assert mean[0] == pytest.approx(sources.Ising(9, 0.8 / temperature).expectation(), rel=1e-9)


def test_log_density_is_of_the_squared_magnetisation() -> None:
    values, claimed = slow_law(6, 0.8)
    law = families.Ising().law(sources.Ising(6, 0.8))
    logs = law.log_density(np.array([claimed @ values]), values[None])
    np.testing.assert_allclose(np.exp(logs[0]), claimed, rtol=1e-9)
