"""The chain of one symbol's count for large samples: as the chain with every count, and as closed forms at 100,000."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import binom

from lightcollapse.predictions import _large_chain, branching, pairs, smoothing, wright_fisher, wright_fisher_mixed

Float = NDArray[np.float64]
LARGE = 100_000
WORDS = np.arange(1.0, 201) ** -1.0
WORDS /= WORDS.sum()
FEW = np.array([0.05, 0.15, 0.3, 0.5])


def both(monkeypatch: pytest.MonkeyPatch, function: Any, *arguments: Any) -> tuple[Float, Float]:
    """With every count for a state, and with panels of nodes."""
    exact = function(*arguments)
    monkeypatch.setattr(wright_fisher, "LARGEST_CHAIN", 100)
    monkeypatch.setattr(wright_fisher, "FIRST_COUNTS", 100)
    return exact, function(*arguments)


@pytest.mark.parametrize("points", [30, 4000, LARGE])
def test_bands_are_binomial(points: int) -> None:
    for chance in (0.0, 1e-7, 1e-3, 0.3, 1.0 - 1e-4, 1.0):
        low, law = _large_chain.band(points, np.array([chance]))
        counts = np.arange(low, low + law.shape[1])
        assert np.allclose(law[0], binom.pmf(counts, points, chance), rtol=1e-9, atol=1e-17)


def test_panels_read_smooth_functions() -> None:
    grid = _large_chain.Grid.of(1000)
    values = np.random.default_rng(1).random(500)
    panel, weights = grid.read(np.concatenate([values, grid.nodes()[3, :2], [0.0, 1.0]]))
    read = np.sum(weights * np.exp(-grid.nodes()[panel]), axis=1)
    assert np.allclose(read[:500], np.exp(-values), rtol=1e-13)
    assert np.allclose(read[500:], np.exp(-np.array([*grid.nodes()[3, :2], 0.0, 1.0])), rtol=1e-13)


@pytest.mark.parametrize(
    ("function", "law"),
    [
        (wright_fisher.entropy_mean, WORDS),
        (wright_fisher.total_variation_mean, FEW),
        (wright_fisher.hellinger_squared_mean, WORDS),
        (wright_fisher.collapse_probability, FEW),
    ],
)
@pytest.mark.parametrize("sizes", [[1200] * 40, [800, 800, 1500, 1500, 1500, 900], [700]])
def test_panels_agree_with_every_count(
    function: Any, law: Float, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, panels = both(monkeypatch, function, law, sizes)
    assert np.allclose(exact, panels, rtol=1e-10, atol=1e-22)


@pytest.mark.parametrize("kind", ["seen", "entropy", "cross_entropy"])
def test_smoothed_panels_agree_with_every_count(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function = getattr(smoothing, f"smoothed_{kind}_mean")
    exact, panels = both(monkeypatch, function, WORDS, [1200] * 40, 0.5)
    assert np.allclose(exact, panels, rtol=1e-10)


def test_a_map_that_drives_chances_apart_is_followed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def sharper(share: Float) -> Float:
        return np.asarray(share**2 / (share**2 + (1.0 - share) ** 2))

    def entropy(sizes: list[int]) -> Float:
        return wright_fisher.expected_sum([0.45, 0.55], sizes, wright_fisher.entropy_term, chance=sharper)

    exact, panels = both(monkeypatch, entropy, [1500] * 12)
    assert np.allclose(exact, panels, rtol=1e-9)


def test_losses_after_many_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [1000] * 300
    exact, panels = both(monkeypatch, wright_fisher.loss_probability, WORDS, sizes)
    likely = exact > 1e-20
    assert np.allclose(exact[likely], panels[likely], rtol=1e-9)
    assert np.all(panels[~likely] < 2e-20)
    schedule = [1000] * 60 + [1100] * 60
    monkeypatch.undo()
    exact, panels = both(monkeypatch, wright_fisher.loss_probability, FEW / 10, schedule)
    assert np.allclose(exact[exact > 1e-20], panels[exact > 1e-20], rtol=1e-9)


def test_a_hundred_thousand_points_keep_the_identities_of_pairs() -> None:
    values, counts = wright_fisher.grouped(WORDS)
    sizes = np.full(60, LARGE)
    columns = wright_fisher.expected_each(values, sizes, lambda share: share * (1.0 - share))
    assert np.allclose(columns @ counts, wright_fisher.heterozygosity_mean(WORDS, sizes)[1:], rtol=1e-11)
    alone = wright_fisher.expected_each(values, sizes, lambda share: share)
    assert np.allclose(alone, values, rtol=1e-11)  # frequencies keep their mean
    schedule = [LARGE, LARGE, 50_000, 20_000]
    assert np.allclose(
        1.0 - wright_fisher.expected_sum(FEW, schedule, np.square),
        wright_fisher.heterozygosity_mean(FEW, schedule),
        rtol=1e-11,
    )


def test_a_hundred_thousand_points_smoothed_keep_theirs() -> None:
    square = smoothing.smoothed_expected_sum(FEW, [LARGE] * 20, 20.0, np.square)
    assert np.allclose(1.0 - square, smoothing.smoothed_heterozygosity_mean(FEW, [LARGE] * 20, 20.0), rtol=1e-11)


def test_entropy_of_a_hundred_thousand_points_is_what_small_chains_point_to() -> None:
    exact = wright_fisher.entropy_mean(WORDS, [LARGE] * 10_000)
    assert np.isclose(exact[-1], wright_fisher.entropy_extrapolated(WORDS, LARGE, 10_000), rtol=1e-4)
    first = wright_fisher.entropy_miller(WORDS, [LARGE])[1]
    assert np.isclose(exact[0] - exact[1], exact[0] - first, rtol=2e-2)
    assert np.isclose(exact[1], np.sum([_entropy_term(p) for p in WORDS]), rtol=1e-11)
    assert np.all(np.diff(exact) < 0)


def _entropy_term(chance: float) -> float:
    counts = np.arange(LARGE + 1)
    share = counts / LARGE
    return float(binom.pmf(counts, LARGE, chance) @ -xlogy(share, share))


def test_losses_of_a_hundred_thousand_points_are_those_of_branching() -> None:
    sizes = [LARGE] * 1000
    lost = wright_fisher.loss_probability([2e-5, 1e-3, 0.999 - 2e-5], sizes)
    branches = branching.loss_probability([2e-5, 1e-3], sizes)
    assert np.allclose(lost[1:, 0], branches[1:, 0], rtol=1e-4)
    assert np.allclose(lost[-1, :2], branches[-1], rtol=2e-2)
    assert lost[-1, 2] < 1e-20
    assert np.all(np.diff(lost, axis=0) > -1e-12)


def test_survivors_of_a_hundred_thousand_points_share_what_two_draws_share() -> None:
    """Every chain has E x^2 from pairs: 1 - h_t of the way from p^2 to p."""
    kept = pairs.replace([LARGE] * 400)[1:]
    squares = wright_fisher.expected_each(np.array([1e-4, 0.3]), np.full(400, LARGE), np.square)
    for column, p in zip(squares.T, (1e-4, 0.3), strict=True):
        assert np.allclose(column, p - kept * p * (1.0 - p), rtol=1e-11)


@pytest.mark.parametrize("fresh", [0, 1, 30, 500, 799, 800])
@pytest.mark.parametrize("term", ["entropy_terms", "half_distances", "presences"])
def test_panels_with_fresh_data_agree_with_every_count(fresh: int, term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tilted = [0.1, 0.15, 0.25, 0.5]
    arguments = (FEW, [900] + [800] * 30, fresh, getattr(wright_fisher_mixed, term))
    exact = wright_fisher_mixed.fresh_expected_sum(*arguments)
    biased = wright_fisher_mixed.fresh_expected_sum(*arguments, tilted=tilted)
    limit = wright_fisher_mixed.fresh_limit_sum(FEW, 800, fresh, arguments[3]) if fresh >= 30 else 0.0
    monkeypatch.setattr(wright_fisher_mixed, "LARGEST_CHAIN", 100)
    assert np.allclose(wright_fisher_mixed.fresh_expected_sum(*arguments), exact, rtol=1e-11)
    assert np.allclose(wright_fisher_mixed.fresh_expected_sum(*arguments, tilted=tilted), biased, rtol=1e-11)
    if fresh >= 30:
        assert np.isclose(wright_fisher_mixed.fresh_limit_sum(FEW, 800, fresh, arguments[3]), limit, rtol=1e-11)


@pytest.mark.parametrize("fresh", [5, 5000])
def test_a_hundred_thousand_points_with_fresh_data_keep_the_identities_of_pairs(fresh: int) -> None:
    def agree(share: Float, p: Float) -> Float:
        return np.asarray(share**2 + 0.0 * p)

    sums = wright_fisher_mixed.fresh_expected_sum(FEW, [LARGE] * 40, fresh, agree)
    assert np.allclose((1.0 - sums) / (1.0 - sums[0]), pairs.fresh_fraction(LARGE, fresh, 40), rtol=1e-11)


def test_the_limit_of_a_hundred_thousand_points_keeps_them_too() -> None:
    def agree(share: Float, p: Float) -> Float:
        return np.asarray(share**2 + 0.0 * p)

    limit = 1.0 - wright_fisher_mixed.fresh_limit_sum(FEW, LARGE, 1000, agree)
    assert np.isclose(limit, (1.0 - FEW @ FEW) * pairs.fresh_limit(LARGE, 1000), rtol=1e-10)


def test_too_many_points_or_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 200000 points"):
        wright_fisher.entropy_mean(FEW, [300_000])
    with pytest.raises(ValueError, match="distinct probabilities x sqrt"):
        wright_fisher.total_variation_mean(np.arange(1.0, 1001) / 500_500, [LARGE])
    with pytest.raises(ValueError, match="more fresh points"):
        wright_fisher_mixed.fresh_limit_sum(FEW, LARGE, 1, wright_fisher_mixed.presences)
    with pytest.raises(ValueError, match="equal after the first"):
        wright_fisher_mixed.fresh_expected_sum(FEW, [LARGE, LARGE, 5000], 5, wright_fisher_mixed.presences)
