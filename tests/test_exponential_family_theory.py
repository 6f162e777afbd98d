"""One-parameter families: the general theorem against pairs, exact laws against each other and a simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from budget import Court
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from test_density_theory import SCHEDULES, schedule

from lightcollapse.evidence import bounded_mean_p_value, law_p_value, mean_p_value
from lightcollapse.predictions import branching, gaussian, gaussian_law, pairs
from lightcollapse.predictions import exponential_family as family
from lightcollapse.schedule import REAL

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=8)
CURVATURES = st.floats(-1.0, 3.0).map(lambda c: round(c, 3))


@given(sizes=SIZES)
def test_curvature_of_bernoulli_is_pairs(sizes):
    assert np.allclose(family.replace_mean_variance(sizes, -1.0), 1 - pairs.replace(sizes), rtol=1e-12)
    assert np.allclose(family.accumulate_mean_variance(sizes, -1.0), 1 - pairs.accumulate(sizes), rtol=1e-10)


@pytest.mark.parametrize("rows", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_any_schedule(rows):
    lost = 1 - pairs.pair_diversity(rows)
    assert np.allclose(family.mean_variance(rows, -1.0), lost, rtol=1e-12, atol=1e-15)
    values = [family.mean_variance(rows, c) for c in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    for low, high in itertools.pairwise(values):
        assert np.all(high >= low - 1e-15), "more curvature, more variance"
    assert np.allclose([v[1] for v in values], 1 / rows["size"][0])


@given(sizes=SIZES, c=CURVATURES)
def test_closed_forms_are_the_general_recursion(sizes, c):
    replaced, pooled = schedule(sizes), schedule(sizes, oldest=REAL)
    assert np.allclose(family.replace_mean_variance(sizes, c), family.mean_variance(replaced, c), rtol=1e-10)
    assert np.allclose(family.accumulate_mean_variance(sizes, c), family.mean_variance(pooled, c), rtol=1e-10)


@given(n=st.integers(1, 40), share=st.floats(0, 1), c=CURVATURES, t=st.integers(1, 9))
def test_fresh_data(n, share, c, t):
    fresh = round(share * n)
    rows = schedule([n] * t, fresh=fresh, sample=n - fresh)
    values = family.fresh_mean_variance(n, fresh, t, c)
    assert np.allclose(values, family.mean_variance(rows, c), rtol=1e-10)
    limit = family.fresh_mean_variance_limit(n, fresh, c)
    if np.isfinite(limit):
        k = n - fresh
        assert np.isclose(limit * (1 - k * (k + c) / n**2), 1 / n, rtol=1e-9)
        assert np.all(values <= limit * (1 + 1e-12))


@given(n=st.integers(1, 100), c=CURVATURES)
def test_accumulation_reaches_its_limit(n, c):
    values = family.accumulate_mean_variance([n] * 5000, c)
    limit = family.accumulate_mean_variance_limit(n, c)
    assert np.isclose(values[-1], limit, rtol=2e-3) and values[-1] <= limit * (1 + 1e-12)
    assert np.isclose(family.accumulate_mean_variance_limit(1e9, c), np.pi**2 / 6e9, rtol=1e-6)


@pytest.mark.parametrize("c", [-1.0, 1.0])
def test_the_series_of_the_limit_meets_its_closed_form(c):
    values = [family.accumulate_mean_variance_limit(n, c) * n for n in (999.999, 1000.001)]
    assert np.isclose(*values, rtol=1e-8)


def test_large_samples_agree_to_first_order():
    sizes, t = [10**9] * 6, 6
    for c in (-1.0, 0.0, 0.5, 1.0):
        assert np.isclose(family.replace_mean_variance(sizes, c)[-1], t / 1e9, rtol=1e-7)
        first = family.first_order_accumulate(sizes)[-1]
        assert np.isclose(family.accumulate_mean_variance(sizes, c)[-1], first, rtol=1e-7)
    half = family.kl_first_order(family.first_order_replace(sizes))[-1]
    assert np.isclose(family.exponential_kl_model_source_mean(sizes)[-1], half, rtol=1e-7)
    assert np.isclose(family.poisson_kl_model_source_mean(1.0, sizes)[-1], half, rtol=1e-7)
    half = family.kl_first_order(family.first_order_accumulate(sizes))[-1]
    assert np.isclose(family.exponential_accumulate_kl_model_source_mean(sizes)[-1], half, rtol=1e-7)
    assert np.isclose(family.exponential_accumulate_kl_source_model_mean(sizes)[-1], half, rtol=1e-6)


def test_constants_of_accumulation():
    assert np.isclose(family.first_order_accumulate([7] * 10**6)[-1] * 7, np.pi**2 / 6, rtol=1e-5)
    assert np.isclose(family.first_order_accumulate_subsample(7, 10**6)[-1] * 7, np.pi**2 / 2 - 2, rtol=1e-5)
    assert np.isclose(1 - pairs.accumulate_subsample_limit(10**5), (np.pi**2 / 2 - 2) / 1e5, rtol=1e-3)


@given(sizes=SIZES)
def test_an_exponential_scale_is_an_unbiased_variance(sizes):
    twin, options = [2 * n + 1 for n in sizes], {"variance": "unbiased"}
    for found, known in (
        (family.exponential_log_mean(sizes), gaussian.log_variance_cumulant(twin, 1, **options)),
        (family.exponential_log_variance(sizes), gaussian.log_variance_cumulant(twin, 2, **options)),
        (family.exponential_moment(sizes, 0.5), gaussian.variance_moment(twin, 0.5, **options)),
        (family.exponential_moment(sizes, 2.0) - 1, family.replace_mean_variance(sizes, 1.0)),
    ):
        assert np.allclose(found, known, rtol=1e-9, atol=1e-13)
    found = family.exponential_scale_cdf(sizes, [0.3, 1.1])
    assert np.allclose(found, gaussian_law.variance_cdf(twin, [0.3, 1.1], **options), rtol=1e-9)


@given(sizes=st.lists(st.integers(3, 40), min_size=1, max_size=6))
def test_divergences_of_exponential_laws(sizes):
    forward, reverse = (f(sizes) for f in (family.exponential_kl_model_source_mean,
                                           family.exponential_kl_source_model_mean))  # fmt: skip
    assert np.all(np.diff(forward) > 0) and np.all(reverse >= forward - 1e-15)
    inverse = family.exponential_moment(sizes, -1.0)
    assert np.allclose(reverse, inverse - 1 + family.exponential_log_mean(sizes), atol=1e-12)
    spread = family.exponential_kl_source_model_variance(sizes)
    assert np.all(spread >= 0) and np.all(family.exponential_kl_model_source_variance(sizes) >= 0)
    assert np.allclose(family.exponential_w2_squared_mean(family.replace_mean_variance(sizes, 1.0))[1], 2 / sizes[0])


@pytest.mark.parametrize("sizes", [(4, 3), (9, 2), (2, 30), (5, 5)])
def test_accumulated_exponential_by_plain_integration(sizes):
    first, added = sizes
    total = first + added

    def mean_of(function):
        from scipy.stats import gamma

        return quad(lambda g: function((first + g) / total) * gamma.pdf(g, added), 0, np.inf, epsabs=1e-13)[0]

    step = np.diff(family.exponential_accumulate_log_mean(sizes))[1]
    assert np.isclose(step, mean_of(np.log), rtol=1e-8)
    grown = (
        family.exponential_accumulate_kl_source_model_mean(sizes)[2] - family.exponential_accumulate_log_mean(sizes)[2]
    )
    assert np.isclose(grown + 1, first / (first - 1) * mean_of(lambda f: 1 / f), rtol=1e-9)


def test_many_generations_of_one_pool():
    values = family.exponential_accumulate_log_mean([10] * 3000)
    assert len(values) == 3001 and np.all(np.diff(values) < 0)
    assert np.isclose(values[-1], values[-1000], rtol=1e-2)


@given(rate=st.floats(0.01, 5), sizes=SIZES)
def test_poisson_survival_is_the_branching_process(rate, sizes):
    lost = branching.loss_probability([rate], sizes)[:, 0]
    assert np.allclose(family.poisson_alive_probability(rate, sizes)[1:], 1 - lost[1:], rtol=1e-9, atol=1e-15)


@given(rate=st.floats(0.1, 3), n=st.integers(1, 30), t=st.integers(1, 5))
def test_poisson_paths_of_equal_and_changing_sizes(rate, n, t):
    equal = family.poisson_kl_model_source_mean(rate, [n] * t)
    changing = family.poisson_kl_model_source_mean(rate, [n] * t + [n + 1])
    assert np.allclose(equal, changing[:-1], rtol=1e-9)
    alive = family.poisson_alive_probability(rate, [n] * t + [n + 1])
    assert np.allclose(family.poisson_alive_probability(rate, [n] * t), alive[:-1], rtol=1e-12)
    pooled = family.poisson_kl_model_source_mean(rate, [n] * t, accumulate=True)
    assert np.isclose(pooled[1], equal[1], rtol=1e-9) and np.all(np.diff(pooled) > 0)


def test_poisson_first_fit_by_summation():
    from scipy.stats import poisson

    rate, n = 0.8, 7
    sums = np.arange(200)
    gain = np.where(sums > 0, sums / n * np.log(np.maximum(sums, 1) / n / rate), 0.0) - sums / n + rate
    exact = float(poisson.pmf(sums, n * rate) @ gain)
    assert np.isclose(family.poisson_kl_model_source_mean(rate, [n])[1], exact, rtol=1e-11)


def test_published_survival():
    """Suresh et al. 2024: ten observations of rate 1; a hundred of chance 0.01."""
    alive = family.poisson_alive_probability(1.0, [10] * 500)
    assert np.allclose(alive[[10, 50, 100, 500]], [0.82139, 0.31871, 0.17752, 0.03899], atol=6e-6)
    assert np.isclose(family.poisson_alive_probability(1.0, [10] * 10**5)[-1], 2e-4, rtol=1e-3)
    some = family.bernoulli_alive_probability(0.01, [100] * 50)
    assert np.allclose(some[[1, 11, 50]], [0.63397, 0.14953, 0.04112], atol=6e-6)


@given(p=st.floats(0.01, 0.99), sizes=SIZES)
def test_bernoulli(p, sizes):
    alive, undecided = (f(p, sizes) for f in (family.bernoulli_alive_probability,
                                              family.bernoulli_undecided_probability))  # fmt: skip
    assert np.isclose(alive[1], 1 - (1 - p) ** sizes[0]) and alive[0] == undecided[0] == 1.0
    assert np.all(undecided <= alive + 1e-12)
    other = family.bernoulli_alive_probability(1 - p, sizes)
    assert np.allclose(alive + other - 1, undecided, atol=1e-10)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: family.replace_mean_variance([5], -1.5), "curvature"),
        (lambda: family.accumulate_mean_variance_limit(0.5, 1.0), "sample_size"),
        (lambda: family.fresh_mean_variance(5, 6, 3, 0.0), "fresh"),
        (lambda: family.fresh_mean_variance_limit(5, -1, 0.0), "fresh"),
        (lambda: family.exponential_moment([2], -2.0), "must exceed 2"),
        (lambda: family.exponential_kl_source_model_mean([3, 1]), "must exceed 1"),
        (lambda: family.exponential_kl_source_model_variance([2]), "must exceed 2"),
        (lambda: family.exponential_accumulate_kl_source_model_mean([1, 5]), "first sample"),
        (lambda: family.poisson_alive_probability(0.0, [5]), "rate"),
        (lambda: family.poisson_kl_model_source_mean(-1.0, [5]), "rate"),
        (lambda: family.bernoulli_alive_probability(1.0, [5]), "probability"),
        (lambda: family.kl_first_order([0.1], 0), "parameters"),
    ],
)
def test_out_of_range(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()


def test_against_a_simulation(record_property):
    rng, runs, sizes = np.random.default_rng(5), 20_000, [9, 12, 10]
    scale, total, pooled, counts = np.ones(runs), 0, np.ones(runs), np.full(runs, 0.4)
    for n in sizes:
        scale = scale * rng.gamma(n, size=runs) / n
        pooled = (total * pooled + pooled * rng.gamma(n, size=runs)) / (total + n)
        counts = rng.poisson(n * counts) / n
        total += n
    court = Court(record_property)
    court.hold("scale", law_p_value(lambda x: family.exponential_scale_cdf(sizes, x), scale))
    court.reject("scale", [law_p_value(lambda x: family.exponential_scale_cdf([9, 9, 9], x), scale)])
    for name, values, exact, spread in (
        ("forward", scale - 1 - np.log(scale), family.exponential_kl_model_source_mean(sizes),
         family.exponential_kl_model_source_variance(sizes)),
        ("reverse", 1 / scale - 1 + np.log(scale), family.exponential_kl_source_model_mean(sizes),
         family.exponential_kl_source_model_variance(sizes)),
    ):  # fmt: skip
        court.hold(name, mean_p_value(values, exact[-1], spread[-1]))
        court.reject(name, [mean_p_value(values, exact[-2], spread[-1])])
    alive = family.poisson_alive_probability(0.4, sizes)
    court.hold("alive", bounded_mean_p_value((counts > 0).astype(float), alive[-1], 0.0, 1.0))
    settled = np.log(pooled)
    variance = family.exponential_log_variance(sizes[:1])[-1] + 2 * family.first_order_accumulate(sizes)[-1]
    court.hold("pooled", mean_p_value(settled, family.exponential_accumulate_log_mean(sizes)[-1], variance))
    court.reject("pooled", [mean_p_value(settled, family.exponential_log_mean(sizes)[-1], variance)])
    court.reject("alive", [bounded_mean_p_value((counts > 0).astype(float), alive[-2], 0.0, 1.0)])
