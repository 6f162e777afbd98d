"""Absorbing states, shallow laws of text, and the Wasserstein distance in several dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from budget import Court
from numpy.typing import NDArray

from lightcollapse.evidence import bounded_mean_p_value
from lightcollapse.predictions import closed_loop, exponential_family, gaussian, shallow, wasserstein
from lightcollapse.predictions._checks import Variance

Float = NDArray[np.float64]
CHAINS = 20_000


# --- Absorbing states


def bernoulli_chain(p: float, n: int, fresh: int, generations: int) -> Float:
    """Shares of successes of each model, (chains, generations + 1)."""
    generator = np.random.default_rng(8)
    shares = np.full((CHAINS, generations + 1), p)
    shares[:, 1] = generator.binomial(n, p, CHAINS) / n
    for t in range(2, generations + 1):
        written = generator.binomial(n - fresh, shares[:, t - 1])
        shares[:, t] = (written + generator.binomial(fresh, p, CHAINS)) / n
    return shares


def test_models_of_some_variance_are_few() -> None:
    shares = bernoulli_chain(0.3, 10, 0, 200)
    for variance in (0.02, 0.1, 0.2):
        lively = (shares * (1.0 - shares) >= variance).sum(axis=1).mean()
        assert lively <= closed_loop.lively_generations_bound(0.3, 0.0, 1.0, 10, variance)


@pytest.mark.parametrize("fresh", [1, 3])
def test_real_points_keep_chains_from_being_absorbed(fresh: int) -> None:
    shares = bernoulli_chain(0.3, 10, fresh, 40)
    absorbed = np.isin(shares, (0.0, 1.0)).mean(axis=0)
    assert absorbed.max() <= closed_loop.absorbed_bound([0.3, 0.7], fresh)
    assert closed_loop.absorbed_bound([0.3, 0.7], 0) == 1.0


@pytest.mark.parametrize("pseudo", [0.0, 0.5, 4.0])
def test_a_prior_of_pseudo_points(pseudo: float, record_property: object) -> None:
    """Success shares with pseudo-counts, exact for c = -1."""
    court, p, n, generations = Court(record_property), 0.3, 6, 5
    generator = np.random.default_rng(9)
    means = np.full(CHAINS, p)
    expected = closed_loop.shrunk_mean_variance([n] * generations, pseudo, -1.0) * p * (1.0 - p)
    for t in range(1, generations + 1):
        means = (generator.binomial(n, means) + pseudo * p) / (n + pseudo)
        squares = np.asarray((means - p) ** 2, dtype=np.float64)
        court.hold(f"pseudo {pseudo}, generation {t}", bounded_mean_p_value(squares, float(expected[t]), 0.0, 0.49))
    wrong = closed_loop.shrunk_mean_variance([n] * generations, pseudo + 0.5, -1.0) * p * (1.0 - p)
    court.reject(f"pseudo {pseudo}", [bounded_mean_p_value(squares, float(wrong[-1]), 0.0, 0.49)])


def test_priors_have_limits() -> None:
    for curvature in (-1.0, 0.0, 1.0):
        settled = closed_loop.shrunk_mean_variance([10] * 5000, 1.0, curvature)[-1]
        assert closed_loop.shrunk_mean_variance_limit(10, 1.0, curvature) == pytest.approx(settled, rel=1e-12)
    assert np.isinf(closed_loop.shrunk_mean_variance_limit(10, 0.4, 1.0))
    free = exponential_family.replace_mean_variance([7, 9, 30], 0.5)
    np.testing.assert_allclose(closed_loop.shrunk_mean_variance([7, 9, 30], 0.0, 0.5), free, rtol=1e-13)


# --- Shallow laws


def hidden_block(symbols: int) -> Float:
    """Law of successive symbols of a hidden Markov source in its stationary state."""
    move = np.array([[0.9, 0.1], [0.2, 0.8]])
    show = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    block = np.zeros((3,) * symbols)
    for word in np.ndindex(block.shape):
        state = np.array([2.0 / 3.0, 1.0 / 3.0])
        for place, symbol in enumerate(word):
            state = (state if place == 0 else state @ move) * show[:, symbol]
        block[word] = state.sum()
    return block


def test_a_fit_to_long_text_is_near_the_shallow_law() -> None:
    """Frequencies of blocks in text that a bigram model writes, itself fitted to text of the source."""
    block = hidden_block(3)
    law = shallow.shallow_law(block, 2)
    following = law.sum(axis=2) / law.sum(axis=(1, 2))[:, None]
    generator = np.random.default_rng(10)
    symbol, text = 0, []
    for u in generator.random(200_000):
        symbol = int(np.searchsorted(np.cumsum(following[symbol]), u))
        text.append(min(symbol, 2))
    words = np.lib.stride_tricks.sliding_window_view(np.array(text), 3)
    counts = np.zeros(block.shape)
    np.add.at(counts, tuple(words.T), 1.0)
    shares = counts / counts.sum()
    assert np.abs(shares - law).max() < 0.01 < np.abs(shares - block).max()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_divergence_is_what_entropy_says_and_nothing_is_lost_twice(order: int) -> None:
    block = hidden_block(4)
    law = shallow.shallow_law(block, order)
    assert law.sum() == pytest.approx(1.0) and law.shape == block.shape
    direct = float(np.sum(block * np.log(block / law)))
    assert shallow.shallow_divergence(block, order) == pytest.approx(direct, abs=1e-13)
    np.testing.assert_allclose(shallow.shallow_law(law, order), law, rtol=1e-12)
    axes = tuple(range(order, 4))
    np.testing.assert_allclose(law.sum(axis=axes), block.sum(axis=axes), rtol=1e-12)


def test_what_is_no_block_law_is_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        shallow.symbol_entropies(np.full((2, 3), 1 / 6))
    with pytest.raises(ValueError, match="sum to 1"):
        shallow.symbol_entropies([0.5, 0.4])
    with pytest.raises(ValueError, match="first and the last"):
        shallow.symbol_entropies([[0.5, 0.5], [0.0, 0.0]])
    with pytest.raises(ValueError, match="order must lie"):
        shallow.shallow_law([0.5, 0.5], 2)


# --- The Wasserstein distance


@pytest.mark.parametrize("variance", ["ml", "unbiased"])
@pytest.mark.parametrize(("n", "d"), [(12, 2), (20, 4)])
def test_simulated_distances_lie_between_the_bounds(n: int, d: int, variance: Variance) -> None:
    generator = np.random.default_rng(11)
    chains, generations = 4000, 6
    mean, factor = np.zeros((chains, d)), np.broadcast_to(np.eye(d), (chains, d, d))
    low, high = wasserstein.w2_squared_bounds([n] * generations, d, variance=variance)
    near = wasserstein.w2_squared_mean([n] * generations, d, variance=variance)
    for t in range(1, generations + 1):
        points = mean[:, None, :] + generator.standard_normal((chains, n, d)) @ factor.transpose(0, 2, 1)
        mean = points.mean(axis=1)
        rest = points - mean[:, None, :]
        values, vectors = np.linalg.eigh(rest.transpose(0, 2, 1) @ rest / (n if variance == "ml" else n - 1))
        roots = np.sqrt(np.maximum(values, 0.0))
        factor = vectors * roots[:, None, :]
        distance = (mean**2).sum(axis=1) + ((roots - 1.0) ** 2).sum(axis=1)
        error = 6.0 * float(distance.std()) / np.sqrt(chains)
        assert low[t] - error < distance.mean() < high[t] + error
        assert abs(distance.mean() - near[t]) < 0.05 * near[t] + error


def test_one_dimension_has_no_gap_and_large_samples_no_error() -> None:
    sizes = [9, 12, 30]
    for variance in ("ml", "unbiased"):
        exact = gaussian.w2_squared_mean(sizes, variance=variance)
        bounds = wasserstein.w2_squared_bounds(sizes, 1, variance=variance)
        np.testing.assert_allclose(bounds, [exact, exact], rtol=1e-9)
    d, n = 3, 10**7  # first order: |mu|^2 has d/n, tr (E^2)/4 has d (d + 1)/(4n)
    first = (d + d * (d + 1) / 4.0) / n
    assert wasserstein.w2_squared_mean([n], d)[1] == pytest.approx(first, rel=1e-5)
