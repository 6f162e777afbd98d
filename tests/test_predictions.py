"""The closed forms against slow twins written from the definition, against each other, and outside their range."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, chi2

from lightcollapse.predictions import (
    branching,
    gaussian,
    gaussian_law,
    gaussian_mixed,
    gaussian_pool,
    pairs,
    smoothing,
    weighted,
    wright_fisher,
    wright_fisher_mixed,
)
from lightcollapse.schedule import ALL, REAL, blank

LAW = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
SIZES = st.lists(st.integers(2, 30), min_size=1, max_size=6)
FAR = 6.0  # standard errors: a false alarm in 5e8 checks, were means normal


def far_from(simulated, exact):
    """Standard errors between the mean of simulated values and the exact one."""
    return abs(simulated.mean() - exact) / (simulated.std() / np.sqrt(len(simulated)))


# -- pairs -------------------------------------------------------------------------------------------------------------


def lineages(rows, runs, rng, measure):
    """What `measure` says of the masses of plain and tilted real ancestors, every point followed: (runs, T + 1)."""
    out = np.full((runs, len(rows) + 1), np.nan)
    for run in range(runs):
        count = 0
        tilted = np.zeros(int(rows["fresh"].sum()), dtype=bool)  # of real points, in order of arrival
        batches, labels, mass = {}, np.zeros(0), np.zeros(0)
        for t, row in enumerate(rows, start=1):
            if t > 1:
                batches[t - 1] = rng.choice(labels, int(row["sample"]), p=mass / mass.sum())
            fresh = count + np.arange(row["fresh"])
            tilted[fresh] = row["bias"] != 0.0
            count += int(row["fresh"])
            if t == 1:
                batches[0] = fresh
            kept = len(batches[0]) if row["anchor"] == ALL else int(row["anchor"])
            real = np.concatenate([fresh, rng.permutation(batches[0])[:kept]]) if kept and t > 1 else fresh
            pool = np.concatenate([np.zeros(0), *(batches[g] for g in range(int(row["oldest"]), t))])
            taken = rng.permutation(pool)[: len(pool) if row["take"] == ALL else int(row["take"])]
            labels = np.concatenate([real, taken])
            mass = np.full(len(labels), 1.0 / len(labels))
            if not np.isnan(row["weight"]):
                mass[: len(real)] = row["weight"] / len(real)
                mass[len(real) :] = (1.0 - row["weight"]) / len(taken)
            ancestors = np.bincount(labels.astype(int), weights=mass, minlength=len(tilted))
            out[run, t] = measure(ancestors[~tilted], ancestors[tilted])
    return out


def diversity_of(plain, tilted, tilt):
    """Expected diversity of two draws from the given masses of distinct real points."""
    a, b = plain.sum(), tilted.sum()
    distinct = tilt.within * (b * b - np.sum(tilted**2)) + 2 * a * b * tilt.between
    return a * a - np.sum(plain**2) + distinct


def schedule(sizes, **columns):
    rows = blank(np.asarray(sizes, dtype=np.int64))
    rows["sample"][1:] = rows["size"][1:]
    rows["oldest"][1:] = np.arange(1, len(rows))
    rows["take"][1:] = ALL
    for name, value in columns.items():
        rows[name][1:] = value
    return rows


ODD_SCHEDULES = {
    "window": schedule([5, 4, 6, 3, 5, 4], oldest=[0, 0, 1, 2, 3]),
    "weights": schedule([6, 5, 4, 7], fresh=[2, 3, 1], weight=[0.3, 0.8, 0.5]),
    "part of the first sample, beside a pool that holds it": schedule([6, 5, 4, 5], anchor=3, oldest=REAL, take=4),
    "part of a window": schedule([6, 5, 4, 5, 3], oldest=[0, 1, 1, 2], take=[5, 4, 3, 6]),
    "weighted anchor": schedule([5, 4, 4, 4], anchor=ALL, weight=0.25),
    "everything": schedule([6, 5, 4, 5], fresh=[1, 2, 0], anchor=[2, ALL, 3], oldest=[0, 1, 0], take=[4, ALL, 7]),
}


TILTED = {
    "tilted fresh data": schedule([6, 5, 4, 5], fresh=[2, 0, 3], sample=[3, 4, 2], bias=[1.0, 0.0, 1.0]),
    "tilted, weighted, anchored, pooled": schedule(
        [6, 5, 4, 5], fresh=[1, 2, 1], anchor=[2, ALL, 3], oldest=[0, 1, 0], take=[4, ALL, 7], weight=[0.3, 0.6, 0.2],
        bias=-2.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [*ODD_SCHEDULES, *TILTED])
def test_pairs_follow_lineages(name):
    rows, tilt = (ODD_SCHEDULES | TILTED)[name], pairs.Tilt(0.7, 1.6) if name in TILTED else pairs.NO_TILT
    simulated = lineages(rows, 4000, np.random.default_rng(1), lambda *masses: diversity_of(*masses, tilt))
    exact = pairs.pair_diversity(rows, tilt)
    moving = simulated[:, 1:].std(axis=0) > 1e-12
    assert np.allclose(simulated[0, 1:][~moving], exact[1:][~moving])
    worst = max(far_from(simulated[:, t], exact[t]) for t in 1 + np.flatnonzero(moving))
    assert worst < FAR


def naive_pairs(rows):
    """The recursion of single points: the matrix of expected differences of all points, without batches. No subsets."""
    n = int(rows["fresh"][0])
    matrix, batch = np.ones((n, n)) - np.eye(n), np.zeros(n, dtype=int)
    out, mass = [1.0], np.full(n, 1.0 / n)
    for t, row in enumerate(rows, start=1):
        if t > 1:
            new = int(row["sample"])
            drawn = matrix @ mass
            within = mass @ matrix @ mass
            corner = within * (np.ones((new, new)) - np.eye(new))
            matrix = np.block([[matrix, np.tile(drawn[:, None], (1, new))], [np.tile(drawn, (new, 1)), corner]])
            batch = np.concatenate([batch, np.full(new, t - 1)])
            chosen = (batch >= row["oldest"]) & (batch < t)
            mass = chosen / chosen.sum()
        out.append(float(mass @ matrix @ mass))
    return np.array(out)


@given(sizes=SIZES, window=st.integers(1, 4))
def test_batches_are_points_taken_together(sizes, window):
    rows = schedule(sizes)
    rows["oldest"][1:] = np.maximum(np.arange(2, len(rows) + 1) - window, 0)
    assert np.allclose(pairs.pair_diversity(rows), naive_pairs(rows), rtol=1e-12)


@given(sizes=SIZES)
def test_closed_forms_are_the_engine(sizes):
    assert np.allclose(pairs.pair_diversity(schedule(sizes)), pairs.replace(sizes), rtol=1e-12)
    assert np.allclose(pairs.pair_diversity(schedule(sizes, oldest=REAL)), pairs.accumulate(sizes), rtol=1e-12)


@given(n=st.integers(2, 20), share=st.integers(0, 20), t=st.integers(2, 7))
def test_closed_forms_with_real_data_are_the_engine(n, share, t):
    m = min(share, n)
    equal = [n] * t
    fresh = schedule(equal, fresh=m, sample=n - m)
    assert np.allclose(pairs.pair_diversity(fresh), pairs.fresh_fraction(n, m, t), rtol=1e-12)
    fixed = schedule(equal, anchor=ALL)
    assert np.allclose(pairs.pair_diversity(fixed), pairs.fixed_real(n, n, t), rtol=1e-12)
    subsample = schedule(equal, oldest=REAL, take=n)
    assert np.allclose(pairs.pair_diversity(subsample), pairs.accumulate_subsample(n, t), rtol=1e-12)


def test_random_split_and_limits():
    split = pairs.fresh_random_split(20, 0.3, 400)
    assert np.isclose(split[1], 0.95) and np.isclose(split[400], split[399])
    assert np.isclose(pairs.replace(7 * np.arange(1, 100_000) ** 2)[-1], pairs.replace_limit(7, "quadratic"), rtol=1e-5)
    geometric = pairs.replace(8 * 2 ** np.arange(40))
    assert np.isclose(geometric[-1], pairs.replace_limit(8, "geometric", 2.0), rtol=1e-10)
    assert np.allclose(pairs.replace_linear(9, 4, 30), pairs.replace(9 + 4 * np.arange(30)), rtol=1e-12)


def test_bad_schedules_are_refused():
    with pytest.raises(ValueError, match="must not exceed the pool"):
        pairs.pair_diversity(schedule([3, 3], take=4))
    with pytest.raises(ValueError, match="at least one point"):
        pairs.pair_diversity(schedule([3, 3], sample=0))
    with pytest.raises(ValueError, match="must not exceed the 3 points"):
        pairs.pair_diversity(schedule([3, 3], anchor=4))
    with pytest.raises(ValueError, match="several labs"):
        pairs.pair_diversity(schedule([3, 3], labs=2))
    with pytest.raises(ValueError, match="tilted alike in every generation"):
        pairs.pair_diversity(schedule([3, 3, 3], fresh=1, bias=[1.0, 2.0]))


def test_a_tilt_of_nothing_changes_nothing():
    rows = schedule([6, 5, 4, 7], fresh=[2, 3, 1], bias=0.5)
    plain = schedule([6, 5, 4, 7], fresh=[2, 3, 1])
    assert np.allclose(pairs.pair_diversity(rows), pairs.pair_diversity(plain), rtol=1e-14)
    assert np.array_equal(pairs.tilted_share(plain), np.zeros(5))
    only = schedule([6, 5, 4, 7], fresh=[5, 4, 7], sample=0, bias=0.5)
    assert np.allclose(pairs.tilted_share(only), [0, 0, 1, 1, 1])


@pytest.mark.parametrize("name", TILTED)
def test_the_share_of_tilted_descent_is_the_mass_of_tilted_ancestors(name):
    simulated = lineages(TILTED[name], 4000, np.random.default_rng(4), lambda plain, tilted: tilted.sum())
    exact = pairs.tilted_share(TILTED[name])
    moving = simulated[:, 1:].std(axis=0) > 1e-12
    assert np.allclose(simulated[0, 1:][~moving], exact[1:][~moving]) and moving.any()
    assert max(far_from(simulated[:, t], exact[t]) for t in 1 + np.flatnonzero(moving)) < FAR


# -- Gaussian ----------------------------------------------------------------------------------------------------------


@given(sizes=SIZES)
def test_maximum_likelihood_conserves(sizes):
    total = gaussian.variance_moment(sizes) + gaussian.mean_variance(sizes)
    assert np.allclose(total, 1.0) and np.allclose(gaussian.variance_moment(sizes), pairs.replace(sizes))
    assert np.allclose(gaussian_pool.accumulate_variance_moment(sizes), pairs.accumulate(sizes))
    with_mean = gaussian_pool.accumulate_variance_moment(sizes) + gaussian_pool.accumulate_mean_variance(sizes)
    assert np.allclose(with_mean, 1.0)


@pytest.mark.parametrize("kind", ["ml", "unbiased"])
@pytest.mark.parametrize("n", [2, 5, 61, 10_001])
def test_one_generation_is_a_chi_square(n, kind):
    points = np.linspace(0.01, 3.0, 40)
    law = gaussian_law.variance_cdf([n], points, variance=kind)
    assert np.allclose(law, chi2.cdf(points * (n if kind == "ml" else n - 1), n - 1), atol=1e-12)


def test_two_generations_by_quadrature():
    nodes, weights = np.polynomial.legendre.leggauss(160)
    y, w = (nodes + 1) * 40, weights * 40 * chi2.pdf((nodes + 1) * 40, 6)
    product = float(np.sum(w * chi2.cdf(0.4 * 7 * 12 / y, 11)))
    assert np.isclose(gaussian_law.variance_cdf([7, 12], [0.4])[0], product, rtol=1e-10)


@given(n=st.integers(2, 500), t=st.integers(1, 300), p=st.floats(1e-6, 1 - 1e-6))
def test_quantiles_invert_the_law(n, t, p):
    found = gaussian_law.variance_quantile([n] * t, [p])
    assert np.isclose(gaussian_law.variance_cdf([n] * t, found)[0], p, rtol=1e-6, atol=1e-12)


def test_law_at_the_edges():
    assert gaussian_law.variance_cdf([5, 5], [0.0, 1e300]).tolist() == [0.0, 1.0]
    assert gaussian_law.variance_quantiles([9, 9], [0.5]).shape == (3, 1)
    for function in (gaussian_law.markov_bound, gaussian_law.chernoff_bound):
        assert function([20] * 50, 0.3) >= 1 - gaussian_law.variance_cdf([20] * 50, [0.09])[0]


def test_moments_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="must exceed 3"):
        gaussian.kl_source_model_mean([3, 10])
    with pytest.raises(ValueError, match="must exceed 5"):
        gaussian.kl_source_model_variance([5])
    with pytest.raises(ValueError, match="at least 2"):
        gaussian.std_mean([1])
    with pytest.raises(ValueError, match='"ml" or "unbiased"'):
        gaussian.std_mean([5], variance="mle")


def test_long_chains_stay_finite():
    sizes = [10] * 5000
    for values in (
        gaussian.w2_squared_mean(sizes),
        gaussian.w2_squared_variance(sizes),
        gaussian.kl_model_source_variance(sizes),
        gaussian.mean_fourth_moment(sizes),
    ):
        assert np.all(np.isfinite(values)) and np.all(values >= 0)


@pytest.mark.parametrize("kind", ["ml", "unbiased"])
def test_no_fresh_data_is_replacement(kind):
    moments = gaussian_mixed.fresh_moments([9, 4, 12], 0, variance=kind)
    sizes = [9, 4, 12]
    assert np.allclose(moments.variance, gaussian.variance_moment(sizes, variance=kind))
    assert np.allclose(moments.variance_square, gaussian.variance_moment(sizes, 2.0, variance=kind))
    assert np.allclose(moments.mean_fourth, gaussian.mean_fourth_moment(sizes, variance=kind))


def test_only_fresh_data_never_drifts():
    moments = gaussian_mixed.fresh_moments([9] * 5, 9, variance="unbiased")
    assert np.allclose(moments.variance, 1.0) and np.allclose(moments.mean_square[1:], 1 / 9)


@pytest.mark.parametrize("kind", ["ml", "unbiased"])
def test_fixed_real_moments_against_points(kind):
    rng, runs, first, less = np.random.default_rng(6), 100_000, 7, int(kind == "unbiased")
    real = rng.standard_normal((runs, first))
    mean, spread = real.mean(axis=1), real.var(axis=1, ddof=less)
    for k in (4, 9, 3):
        written = mean[:, None] + np.sqrt(spread)[:, None] * rng.standard_normal((runs, k))
        training = np.concatenate([real, written], axis=1)
        mean, spread = training.mean(axis=1), training.var(axis=1, ddof=less)
    moments = gaussian_mixed.fixed_real_moments(first, [4, 9, 3], variance=kind)
    simulated = (spread, mean**2, spread**2, mean**2 * spread, mean**4)
    assert all(far_from(values, exact[-1]) < FAR for values, exact in zip(simulated, moments, strict=True))


def test_weighted_moments_against_points():
    rng, runs, weight = np.random.default_rng(16), 100_000, 0.7
    mean, spread = np.zeros(runs), np.ones(runs)
    for m, k in ((9, 0), (4, 9), (2, 7)):
        real = rng.standard_normal((runs, m))
        written = mean[:, None] + np.sqrt(spread)[:, None] * rng.standard_normal((runs, k))
        mass = np.concatenate([np.full(m, weight / m), np.full(k, (1 - weight) / k)]) if k else np.full(m, 1 / m)
        training = np.concatenate([real, written], axis=1)
        mean = training @ mass
        spread = (training - mean[:, None]) ** 2 @ mass
    moments = gaussian_mixed.fresh_moments([9, 13, 9], [9, 4, 2], weight=weight)
    simulated = (spread, mean**2, spread**2, mean**2 * spread, mean**4)
    assert all(far_from(values, exact[-1]) < FAR for values, exact in zip(simulated, moments, strict=True))


def test_weighted_moments_of_one_real_sample_against_points():
    rng, runs, weight = np.random.default_rng(17), 100_000, 0.3
    real = rng.standard_normal((runs, 6))
    mean, spread = real.mean(axis=1), real.var(axis=1)
    for k in (4, 9):
        written = mean[:, None] + np.sqrt(spread)[:, None] * rng.standard_normal((runs, k))
        mass = np.concatenate([np.full(6, weight / 6), np.full(k, (1 - weight) / k)])
        training = np.concatenate([real, written], axis=1)
        mean = training @ mass
        spread = (training - mean[:, None]) ** 2 @ mass
    moments = gaussian_mixed.fixed_real_moments(6, [4, 9], weight=weight)
    simulated = (spread, mean**2, spread**2, mean**2 * spread, mean**4)
    assert all(far_from(values, exact[-1]) < FAR for values, exact in zip(simulated, moments, strict=True))


@pytest.mark.parametrize("kind", ["ml", "unbiased"])
def test_moments_about_moved_fresh_points(kind):
    rng, runs, offset = np.random.default_rng(18), 100_000, -1.3
    mean, spread = np.zeros(runs), np.ones(runs)
    for t, (m, k) in enumerate(((8, 0), (3, 5), (2, 7))):
        real = (0.0 if t else offset) + rng.standard_normal((runs, m))
        written = mean[:, None] + np.sqrt(spread)[:, None] * rng.standard_normal((runs, k))
        training = np.concatenate([real, written], axis=1)
        mean, spread = training.mean(axis=1), training.var(axis=1, ddof=int(kind == "unbiased"))
    moments = gaussian_mixed.fresh_moments([8, 8, 9], [8, 3, 2], variance=kind, offset=offset)
    simulated = (spread, mean**2, spread**2, mean**2 * spread, mean**4)
    assert all(far_from(values, exact[-1]) < FAR for values, exact in zip(simulated, moments, strict=True))
    with pytest.raises(ValueError, match="all real"):
        gaussian_mixed.fresh_moments([8, 8], 2, offset=1.0, first_real=False)


def test_accumulated_factors_by_quadrature():
    a, b, c = 20 / 35, 1 / 35, 20 / 35**2  # 20 points so far, 15 more
    x, w = np.polynomial.hermite_e.hermegauss(80)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    y, v = (nodes + 1) * 60, weights * 60 * chi2.pdf((nodes + 1) * 60, 14)
    factor = a + b * y[None, :] + c * x[:, None] ** 2
    mass = w[:, None] * v[None, :] / w.sum()
    std = gaussian_pool.accumulate_std_mean([20, 15])
    log = gaussian_pool.accumulate_log_variance_mean([20, 15])
    inverse = gaussian_pool.accumulate_inverse_moments([20, 15])[0]
    assert np.isclose(std[2] / std[1], np.sum(mass * np.sqrt(factor)), rtol=1e-11)
    assert np.isclose(log[2] - log[1], np.sum(mass * np.log(factor)), rtol=1e-10)
    assert np.isclose(inverse[2] / inverse[1], np.sum(mass / factor), rtol=1e-11)


# -- categorical laws --------------------------------------------------------------------------------------------------


def dense_chain(p, sizes):
    """Law of one symbol's count in each training set, by matrices from SciPy."""
    law = binom.pmf(np.arange(sizes[0] + 1), sizes[0], p)
    yield sizes[0], law
    for before, after in itertools.pairwise(sizes):
        law = law @ binom.pmf(np.arange(after + 1), after, np.arange(before + 1)[:, None] / before)
        yield after, law


@given(sizes=SIZES)
def test_chain_against_matrices(sizes):
    entropy, lost = 0.0, np.zeros(len(LAW))
    for i, p in enumerate(LAW):
        *_, (n, law) = dense_chain(p, sizes)
        entropy += law @ wright_fisher.entropy_term(np.arange(n + 1) / n)
        lost[i] = law[0]
    assert np.isclose(wright_fisher.entropy_mean(LAW, sizes)[-1], entropy, rtol=1e-9)
    assert np.allclose(wright_fisher.loss_probability(LAW, sizes)[-1], lost, rtol=1e-9)
    assert np.isclose(wright_fisher.support_mean(LAW, sizes)[-1], np.sum(1 - lost), rtol=1e-9)


def test_forward_and_backward_chains_agree():
    equal = [25] * 6
    backward = wright_fisher.expected_sum(LAW, equal, wright_fisher.entropy_term)
    forward = wright_fisher.expected_sum_by_symbol(LAW, equal, wright_fisher_mixed.entropy_terms)
    assert np.allclose(backward, forward, rtol=1e-12)


def test_band_is_the_whole_matrix():
    dense = wright_fisher.binomial_rows(1200, np.arange(1201) / 1200)
    assert np.abs(wright_fisher.transition(1200, 1200).toarray() - dense).max() < 1e-14


def test_dropped_heights_are_never_lost():
    p = [3e-4, 1e-3, 0.01, 0.98]
    small = wright_fisher.loss_probability(p, [700] * 4)
    for i, chance in enumerate(p):
        for t, (_, law) in enumerate(dense_chain(chance, [700] * 4), start=1):
            assert np.isclose(small[t, i], law[0], rtol=1e-8, atol=1e-15)
    assert wright_fisher.support_mean([1e-6, 1 - 1e-6], [10**7] * 3).shape == (4,)


@pytest.mark.parametrize("sizes", [[10, 1000, 10], [100, 400, 1600, 100], [40, 20, 10], [10, 20, 40] + [30] * 210])
def test_loss_is_exact_whichever_way_sizes_go(sizes):
    law = [0.3, 0.7]
    full = wright_fisher.expected_sum_by_symbol(law, sizes, lambda share, p: (share == 0.0) * (p < 0.5))
    assert np.allclose(wright_fisher.loss_probability(law, sizes)[:, 0], full, rtol=1e-9, atol=1e-13)


def test_limits_of_the_exact_chain_are_said():
    with pytest.raises(ValueError, match="at most 200000 points"):
        wright_fisher.entropy_mean(LAW, [300_000])
    with pytest.raises(ValueError, match="at most 200000 points"):
        wright_fisher.support_mean(LAW, [10**6] * 5000)
    with pytest.raises(ValueError, match="sum to 1"):
        wright_fisher.entropy_mean([0.5, 0.4], [10])
    with pytest.raises(ValueError, match="too large"):
        wright_fisher_mixed.accumulate_expected_sum(LAW, [3000] * 100, wright_fisher_mixed.entropy_terms)
    with pytest.raises(ValueError, match="too large"):
        wright_fisher_mixed.fixed_real_expected_sum(LAW, 3000, [3000], wright_fisher_mixed.entropy_terms)
    with pytest.raises(ValueError, match="too large"):
        wright_fisher_mixed.fixed_share_expected_sum(LAW, 3000, [1], [3000], wright_fisher_mixed.entropy_terms)
    with pytest.raises(ValueError, match="too large"):
        wright_fisher_mixed.weighted_expected_sum(LAW, 9, [900], [900], 0.5, wright_fisher_mixed.entropy_terms)
    with pytest.raises(ValueError, match="at least 1"):
        wright_fisher_mixed.weighted_expected_sum(LAW, 9, [0], [9], 0.5, wright_fisher_mixed.entropy_terms)


def test_heterozygosity_variance_against_the_pair_of_counts():
    """Two symbols: heterozygosity is a function of one count, so its law is known."""
    sizes = [6, 9, 5]
    *_, (n, law) = dense_chain(0.3, sizes)
    share = np.arange(n + 1) / n
    het = 2 * share * (1 - share)
    exact = law @ het**2 - (law @ het) ** 2
    assert np.isclose(wright_fisher.heterozygosity_variance([0.3, 0.7], sizes)[-1], exact, rtol=1e-10)


def categorical(rng, runs, steps):
    """Counts of a categorical chain: each step is (points of the pool kept, fresh, written), float64 (runs, K)."""
    counts = np.zeros((runs, len(LAW)))
    for kept, fresh, written in steps:
        total = counts.sum(axis=1, keepdims=True)
        model = counts / np.where(total > 0, total, 1)
        model[total[:, 0] == 0] = LAW
        new = rng.multinomial(written, model) if written else 0
        counts = (counts if kept else 0) + new + (rng.multinomial(fresh, LAW, runs) if fresh else 0)
    return counts / counts.sum(axis=1, keepdims=True)


def entropies(model):
    return -np.sum(np.where(model > 0, model * np.log(np.where(model > 0, model, 1)), 0), axis=1)


def test_mixed_chains_against_simulation():
    rng, runs = np.random.default_rng(7), 60_000
    fresh = categorical(rng, runs, [(False, 12, 0), (False, 3, 9), (False, 3, 5)])
    exact = wright_fisher_mixed.fresh_expected_sum(LAW, [12, 12, 8], 3, wright_fisher_mixed.entropy_terms)
    assert far_from(entropies(fresh), exact[-1]) < FAR
    pool = categorical(rng, runs, [(False, 6, 0), (True, 0, 5), (True, 0, 9)])
    exact = wright_fisher_mixed.accumulate_expected_sum(LAW, [6, 5, 9], wright_fisher_mixed.half_distances)
    assert far_from(0.5 * np.abs(pool - LAW).sum(axis=1), exact[-1]) < FAR
    support = wright_fisher_mixed.accumulate_support_mean(LAW, 6, 2)
    assert far_from((pool > 0).sum(axis=1), support[-1]) < FAR


def test_fixed_real_chain_against_simulation():
    rng, runs = np.random.default_rng(12), 60_000
    real = rng.multinomial(10, LAW, runs)
    model = real / 10
    for k in (4, 7):
        model = (real + rng.multinomial(k, model)) / (10 + k)
    exact = wright_fisher_mixed.fixed_real_expected_sum(LAW, 10, [4, 7], wright_fisher_mixed.entropy_terms)
    assert far_from(entropies(model), exact[-1]) < FAR


def square(share, p):
    return share * share + 0 * p


@given(first=st.integers(1, 9), written=st.lists(st.integers(1, 7), min_size=1, max_size=3), weight=st.floats(0, 1))
def test_weighted_chains_have_the_heterozygosity_of_pairs(first, written, weight):
    """Second moments by the chain of one count and by two lineages."""
    whole = 1.0 - LAW @ LAW
    sizes = [first, *written]
    fixed = schedule(sizes, anchor=ALL, weight=weight)
    chain = wright_fisher_mixed.fixed_real_expected_sum(LAW, first, written, square, weight=weight)
    assert np.allclose(1 - chain, whole * pairs.pair_diversity(fixed), rtol=1e-9, atol=1e-12)
    fresh = [1 + k // 2 for k in written]
    rows = schedule(sizes, fresh=fresh, weight=weight)
    chain = wright_fisher_mixed.weighted_expected_sum(LAW, first, fresh, written, weight, square)
    assert np.allclose(1 - chain, whole * pairs.pair_diversity(rows), rtol=1e-9, atol=1e-12)
    kept = [min(first, k) for k in written]
    rows = schedule(sizes, anchor=kept)
    chain = wright_fisher_mixed.fixed_share_expected_sum(LAW, first, kept, written, square)
    assert np.allclose(1 - chain, whole * pairs.pair_diversity(rows), rtol=1e-9, atol=1e-12)
    tilted = LAW**2 / (LAW**2).sum()
    rows = schedule(sizes, fresh=fresh, bias=1.0)
    chain = wright_fisher_mixed.fresh_expected_sum(LAW, [first, *np.add(fresh, written)], [0, *fresh], square,
                                                   tilted=tilted)  # fmt: skip
    tilt = pairs.Tilt((1 - tilted @ tilted) / whole, (1 - LAW @ tilted) / whole)
    assert np.allclose(1 - chain, whole * pairs.pair_diversity(rows, tilt), rtol=1e-9, atol=1e-12)


def test_chains_with_weights_and_parts_against_counts():
    rng, runs = np.random.default_rng(19), 60_000
    real = rng.multinomial(8, LAW, runs)
    weighted_model = part = real / 8
    for k in (5, 6):
        fresh = rng.multinomial(3, LAW, runs)
        weighted_model = 0.6 * fresh / 3 + 0.4 * rng.multinomial(k, weighted_model) / k
        part = (subsample(real, 4, rng) + rng.multinomial(k, part)) / (4 + k)
    for functional in (wright_fisher_mixed.entropy_terms, wright_fisher_mixed.presences):
        exact = wright_fisher_mixed.weighted_expected_sum(LAW, 8, [3, 3], [5, 6], 0.6, functional)
        assert far_from(functional(weighted_model, LAW).sum(axis=1), exact[-1]) < FAR
        exact = wright_fisher_mixed.fixed_share_expected_sum(LAW, 8, [4, 4], [5, 6], functional)
        assert far_from(functional(part, LAW).sum(axis=1), exact[-1]) < FAR


def subsample(counts, points, rng):
    """`points` of each row's points, without replacement, one symbol after another."""
    left, rest, out = np.full(len(counts), points), counts.sum(axis=1), np.zeros_like(counts)
    for symbol in range(counts.shape[1]):
        rest = rest - counts[:, symbol]
        out[:, symbol] = rng.hypergeometric(counts[:, symbol], rest, left)
        left = left - out[:, symbol]
    return out


def test_smoothing_of_nothing_is_drift():
    sizes = [15] * 4
    assert np.allclose(smoothing.smoothed_entropy_mean(LAW, sizes, 0.0), wright_fisher.entropy_mean(LAW, sizes))
    plain = wright_fisher.heterozygosity_mean(LAW, sizes)
    assert np.allclose(smoothing.smoothed_heterozygosity_mean(LAW, sizes, 0.0), plain)
    square = smoothing.smoothed_expected_sum(LAW, sizes, 0.7, lambda q: q * q)
    assert np.allclose(1 - square, smoothing.smoothed_heterozygosity_mean(LAW, sizes, 0.7), rtol=1e-10)


# -- branching and weights ---------------------------------------------------------------------------------------------


def test_survival_lies_in_its_sandwich():
    alive, t = branching.survival(200), np.arange(201)
    assert np.all(alive >= 1 / (1 + 0.581977 * t) - 1e-12) and np.all(alive <= 2 / (t + 2) + 1e-12)
    assert np.allclose(branching.survival_between([40] * 5), branching.survival(4))


@given(count=st.integers(0, 12), t=st.integers(1, 8))
def test_branching_loses_no_less_than_the_chain(count, t):
    exact = wright_fisher.loss_from_count(count, [60] * (t + 1))[1:]
    assert np.all(branching.loss_from_count(count, t) >= exact - 1e-12)


def test_effective_sample_size_with_fresh_data_settles():
    effective = branching.effective_sample_size([100] * 400, 0.05)
    assert np.isclose(effective[-1], branching.stationary_sample_size(100, 5), rtol=1e-6)


def test_best_weights_are_best():
    grid = np.linspace(0.01, 1.0, 991)
    risks = [weighted.stationary_risk(w, 30, 80) for w in grid]
    assert abs(grid[int(np.argmin(risks))] - weighted.best_weight(30, 80)) < 2e-3
    limits = [weighted.weighted_limit(w, 6, 15) for w in grid]
    assert abs(grid[int(np.argmax(limits))] - weighted.best_diversity_weight(6, 15)) < 2e-3
    assert np.isclose(weighted.weighted_diversity(0.2, 6, 15, 300)[-1], weighted.weighted_limit(0.2, 6, 15))


def test_importing_predictions_is_cheap():
    code = (
        "import sys, pkgutil, importlib, lightcollapse.predictions as p\n"
        "[importlib.import_module(f'lightcollapse.predictions.{m.name}') for m in pkgutil.iter_modules(p.__path__)]\n"
        "print([m for m in ('scipy.stats', 'numba', 'matplotlib', 'lightcollapse.families') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
