"""Laws that hold points: their kernels against NumPy and SciPy, their chains against slow twins."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from budget import Court
from exact import counts, same_law
from scipy import integrate, stats
from scipy.special import logsumexp

from lightcollapse import families, sources
from lightcollapse.curation import Noise, Preference, Verifier
from lightcollapse.errors import CardError
from lightcollapse.families import Empirical, KernelDensity
from lightcollapse.families.density import KernelEstimator, KernelModel, RealLaw, distinct
from lightcollapse.kernels import density as kernels
from lightcollapse.kernels.draws import Draws
from lightcollapse.loop import run
from lightcollapse.regimes import Accumulate, AccumulateSubsample, FreshFraction, Regime, Replace
from lightcollapse.scenario import Growth, Scenario
from lightcollapse.sources import Mixture, Normal, Source, Uniform, Zipf

pytestmark = pytest.mark.slow_without_jit

BLOBS = Mixture((0.5, 0.3, 0.2), ((0.0, 4.0), (3.0, -1.0), (-5.0, 0.0)), (1.0, (0.5, 2.0), ((1.0, 0.4), (0.4, 0.8))))
GENERATOR = np.random.default_rng(12)


# --- Kernels -------------------------------------------------------------------------------------------------------


def slow_log_density(points: np.ndarray, weights: np.ndarray, bandwidth: float, at: np.ndarray) -> np.ndarray:
    """Of places (places, d), from one lane's points (held, d)."""
    d = points.shape[1]
    squares = ((at[:, None, :] - points[None]) ** 2).sum(axis=2) / bandwidth**2
    logs = -0.5 * squares - d * math.log(bandwidth * math.sqrt(2.0 * math.pi))
    return np.asarray(logsumexp(logs, axis=1, b=weights / weights.sum()))


@pytest.mark.parametrize("dimension", [1, 3])
@pytest.mark.parametrize("held", [1, 2, 63, 64, 65, 300])
@pytest.mark.parametrize("shared", [True, False])
def test_log_densities(dimension: int, held: int, shared: bool) -> None:
    lanes, places = 3, 17
    points = 3.0 * GENERATOR.standard_normal((lanes, held, dimension))
    weights = GENERATOR.random((lanes, held)) * (GENERATOR.random((lanes, held)) < 0.7)
    weights[:, 0] = 1.0
    bandwidths = np.array([0.03, 0.5, 4.0])
    at = 3.0 * GENERATOR.standard_normal((1 if shared else lanes, places, dimension))
    at[0, 0] = 60.0  # a density far below the least float
    out = np.empty((lanes, places))
    kernels.log_densities(points, weights, bandwidths, at, out)
    for lane in range(lanes):
        slow = slow_log_density(points[lane], weights[lane], bandwidths[lane], at[0 if shared else lane])
        np.testing.assert_allclose(out[lane], slow, rtol=1e-11, atol=1e-11)


def test_more_points_are_thinned_evenly() -> None:
    held = 5000
    points = GENERATOR.standard_normal((1, held, 1))
    weights = np.ones((1, held))
    weights[0, ::5] = 0.0
    at, out = np.linspace(-3, 3, 9)[None, :, None], np.empty((1, 9))
    kernels.log_densities(points, weights, np.array([0.3]), at, out)
    alive = points[0, weights[0] > 0]
    taken = alive[np.arange(2048) * len(alive) // 2048]
    slow = slow_log_density(taken, np.ones(2048), 0.3, at[0])
    np.testing.assert_allclose(out[0], slow, rtol=1e-11)
    every = slow_log_density(alive, np.ones(len(alive)), 0.3, at[0])
    np.testing.assert_allclose(out[0, 2:-2], every[2:-2], atol=0.15)


def test_a_bandwidth_of_0_is_infinite_density_on_points() -> None:
    points, out = np.array([[[1.0], [1.0]]]), np.empty((1, 2))
    kernels.log_densities(points, np.ones((1, 2)), np.zeros(1), np.array([[[1.0], [1.5]]]), out)
    assert out.tolist() == [[np.inf, -np.inf]]


def test_spread_is_mean_and_variance() -> None:
    points = 2.0 + GENERATOR.standard_normal((4, 30, 2))
    weights = GENERATOR.random((4, 30))
    means, variances = np.empty((4, 2)), np.empty(4)
    kernels.spread(points, weights, means, variances)
    for lane in range(4):
        np.testing.assert_allclose(means[lane], np.average(points[lane], axis=0, weights=weights[lane]), rtol=1e-12)
        claimed = sum(np.cov(points[lane, :, k], aweights=weights[lane], ddof=0) for k in range(2))
        np.testing.assert_allclose(variances[lane], claimed, rtol=1e-12)


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_equal_points_have_no_variance_but_for_nothing(weight: float) -> None:
    means, variances = np.empty((1, 1)), np.empty(1)
    kernels.spread(np.full((1, 7, 1), 0.1), np.full((1, 7), weight), means, variances)
    assert variances[0] == 0.0 and means[0, 0] == 0.1


def test_points_are_drawn_by_their_weights(record_property: object) -> None:
    court = Court(record_property)
    points = np.arange(5.0)[None, :, None]
    weights = np.array([[0.0, 1.0, 3.0, 0.0, 4.0]])
    out = np.empty((1, 40_000, 1))
    draws = Draws(np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.uint64), 3)
    kernels.resample(points, weights, draws.uniforms(40_000), out)
    found = np.bincount(out.ravel().astype(np.int64), minlength=5)
    assert found[0] == found[3] == 0
    court.hold("weights", counts(found[[1, 2, 4]], np.array([1.0, 3.0, 4.0]) / 8.0))
    court.reject("weights", [counts(found[[1, 2, 4]], np.array([1.0, 2.7, 4.3]) / 8.0)])


def test_equal_weights_cut_the_unit_interval_evenly() -> None:
    uniforms = (np.arange(70.0)[None] + 0.5) / 70.0
    out = np.empty((1, 70, 1))
    for more in (0, 3):  # places filled up with weight 0 change nothing
        points, weights = np.arange(7.0 + more)[None, :, None], np.ones((1, 7 + more))
        weights[:, 7:] = 0.0
        kernels.resample(points, weights, uniforms, out)
        assert out.ravel().tolist() == np.floor(7.0 * uniforms.ravel()).tolist()


def test_distinct_counts_values_that_have_weight() -> None:
    values = GENERATOR.integers(0, 9, (6, 20)).astype(float)
    weights = (GENERATOR.random((6, 20)) < 0.3).astype(float)
    weights[0] = 0.0
    claimed = [len({v for v, w in zip(*lane, strict=True) if w > 0}) for lane in zip(values, weights, strict=True)]
    assert distinct(values, weights).tolist() == claimed


# --- Sources and bandwidths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "dimension", "mean", "variance"),
    [
        (Normal(1.0, 2.0), 3, [1.0, 1.0, 1.0], 12.0),
        (BLOBS, 2, None, None),
        (Uniform(5), 1, [2.0], 2.0),
        (sources.Poisson(2.5), 1, [2.5], 2.5),
        (sources.Exponential(3.0), 1, [3.0], 9.0),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_moments_of_sources(source: Source, dimension: int, mean: list[float] | None, variance: float | None) -> None:
    law = RealLaw(source, dimension)
    draws = Draws(np.arange(2, dtype=np.uint64), np.zeros(2, dtype=np.uint64), 4)
    points = law.craft.real(50_000, draws).reshape(-1, dimension)
    if mean is not None and variance is not None:
        np.testing.assert_allclose(law.moments[0], mean)
        assert law.moments[1] == pytest.approx(variance)
    scale = math.sqrt(law.moments[1] / len(points))
    np.testing.assert_allclose(points.mean(axis=0), law.moments[0], atol=7.0 * scale)
    assert points.var(axis=0).sum() == pytest.approx(law.moments[1], rel=0.05)


@pytest.mark.parametrize(("source", "dimension"), [(Normal(1.0, 2.0), 1), (Normal(1.0, 2.0), 2), (BLOBS, 2)])
def test_nodes_stand_for_the_source(source: Source, dimension: int) -> None:
    law = RealLaw(source, dimension)
    points, weights = law.nodes
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(weights @ points, law.moments[0], atol=1e-6)
    spread = (weights[:, None] * (points - law.moments[0]) ** 2).sum()
    assert spread == pytest.approx(law.moments[1], rel=1e-6)
    if isinstance(source, Normal):
        assert law.entropy == pytest.approx(dimension * stats.norm(1.0, 2.0).entropy(), rel=1e-6)


@pytest.mark.parametrize("rule", ["silverman", "scott"])
@pytest.mark.parametrize("dimension", [1, 3])
def test_rules_of_thumb(rule: Any, dimension: int) -> None:
    """SciPy's factors; the standard deviation is that of the points themselves, the root mean square of coordinates."""
    points = GENERATOR.standard_normal((2, 40, dimension))
    family = KernelDensity(dimension, rule=rule)
    model = family.estimator(Normal()).fit(points, np.ones((2, 40)), None, DRAWS)
    factor = stats.gaussian_kde(points[0].T, rule).factor
    np.testing.assert_allclose(model.bandwidth, factor * np.sqrt(points.var(axis=1).mean(axis=1)), rtol=1e-12)


DRAWS = Draws(np.arange(2, dtype=np.uint64), np.zeros(2, dtype=np.uint64), 1)


def test_the_metrics_of_one_dimension_are_integrals() -> None:
    points = GENERATOR.standard_normal((1, 25, 1))
    estimator: Any = KernelDensity(bandwidth=0.6).estimator(Normal(0.2, 1.3))
    model = estimator.fit(points, np.ones((1, 25)), None, DRAWS)
    measured = {name: float(values[0]) for name, values in estimator.measure(model, DRAWS).items()}
    real = stats.norm(0.2, 1.3)

    def log_model(x: float) -> float:
        return float(slow_log_density(points[0], np.ones(25), 0.6, np.array([[x]]))[0])

    loss = -integrate.quad(lambda x: real.pdf(x) * log_model(x), -10, 10, epsabs=1e-10, limit=200)[0]
    assert measured["negative_log_likelihood"] == pytest.approx(loss, abs=1e-6)
    assert measured["kl_source_model"] == pytest.approx(loss - real.entropy(), abs=1e-6)
    variance = integrate.quad(lambda x: (x - points.mean()) ** 2 * math.exp(log_model(x)), -10, 10)[0]
    assert measured["total_variance"] == pytest.approx(variance, rel=1e-6)
    assert measured["mean_squared"] == pytest.approx((points.mean() - 0.2) ** 2)


def test_points_that_coincide_leave_a_law_of_no_width() -> None:
    """The rule then gives bandwidth 0: an infinite divergence, and nothing that is no number."""
    card = Scenario(Normal(), KernelDensity(), sample_size=1, generations=4)
    record = run(card, seed=1, replicates=5)
    assert np.all(record.metrics["bandwidth"] == 0.0)
    assert np.all(record.metrics["total_variance"][:, 1:] == 0.0)
    assert np.all(record.metrics["kl_source_model"][:, 1:] == np.inf)
    assert np.all(record.absorbed == 1)
    assert not any(np.isnan(values).any() for values in record.metrics.values())


# --- Chains --------------------------------------------------------------------------------------------------------

CHAINS, SIZE, LAST = 1500, 9, 4


def twin(family: Any, regime: Regime) -> tuple[np.ndarray, np.ndarray]:
    """Total variance and distinct values by the plainest of programs, from a standard normal source."""
    generator = np.random.default_rng(4)
    out = np.empty((2, CHAINS, LAST + 1))
    for chain in range(CHAINS):
        everything = training = generator.standard_normal(SIZE)
        width = 0.0
        for t in range(1, LAST + 1):
            if t > 1:
                chosen = generator.choice(training, SIZE)
                wrote = chosen + width * generator.standard_normal(SIZE)
                fresh = generator.standard_normal(3 if isinstance(regime, FreshFraction) else 0)
                pool = np.concatenate([fresh, wrote[: SIZE - len(fresh)]])
                if isinstance(regime, Accumulate | AccumulateSubsample):
                    everything = pool = np.concatenate([everything, wrote])
                training = generator.permutation(pool)[:SIZE] if isinstance(regime, AccumulateSubsample) else pool
            if isinstance(family, KernelDensity):
                width = family.bandwidth or float(training.std() * (0.75 * len(training)) ** -0.2)
            out[:, chain, t] = training.var() + width**2, len(np.unique(training))
    return out[0], out[1]


@pytest.mark.parametrize("family", [Empirical(), KernelDensity(bandwidth=0.5), KernelDensity()], ids=str)
@pytest.mark.parametrize(
    "regime", [Replace(), Accumulate(), AccumulateSubsample(), FreshFraction(3 / 9)], ids=lambda regime: regime.kind
)
def test_chains_have_the_law_of_their_slow_twin(family: Any, regime: Regime, record_property: object) -> None:
    court = Court(record_property)
    variances, left = twin(family, regime)
    metrics = run(
        Scenario(Normal(), family, regime, sample_size=SIZE, generations=LAST), seed=6, replicates=CHAINS
    ).metrics
    for t in (1, 2, LAST):
        court.hold(f"variance at {t}", same_law(metrics["total_variance"][:, t], variances[:, t]))
        if isinstance(family, Empirical):
            court.hold(f"distinct at {t}", same_law(metrics["distinct"][:, t], left[:, t]))
    if isinstance(regime, Replace) and family != KernelDensity(bandwidth=0.5):
        court.reject("variance", [same_law(metrics["total_variance"][:, 1], variances[:, LAST])])


def test_the_empirical_law_of_symbols_is_the_categorical_family(record_property: object) -> None:
    court = Court(record_property)
    empirical, categorical = (
        run(Scenario(Zipf(9, 1.0), family, sample_size=20, generations=5), seed=seed, replicates=4000).metrics
        for seed, family in enumerate((Empirical(), families.Categorical()))
    )
    assert empirical["distinct"][0, 0] == 9.0
    for t in (1, 3, 5):
        court.hold(f"support at {t}", same_law(empirical["distinct"][:, t], categorical["support"][:, t]))


def test_points_only_vanish_under_replacement() -> None:
    card = Scenario(Normal(), Empirical(2), sample_size=5, generations=60)
    record = run(card, seed=1, replicates=100)
    left = record.metrics["distinct"]
    assert np.all(left[:, 0] == np.inf) and np.all(np.diff(left[:, 1:], axis=1) <= 0.0)
    assert np.all(left[:, -1] == 1.0) and np.all(record.absorbed > 0)
    assert np.all(record.metrics["total_variance"][left == 1.0] == 0.0)


@pytest.mark.parametrize("family", [Empirical(), KernelDensity(bandwidth=0.5)], ids=str)
@pytest.mark.parametrize("regime", [Replace(), Accumulate(), FreshFraction(0.5)], ids=lambda regime: regime.kind)
def test_a_lane_with_nothing_left_keeps_its_points(family: Any, regime: Regime) -> None:
    """Of samples that grow, where some lanes keep a model of fewer points than the others'."""
    step = Verifier(1.0, 1.0, right=(0.9, 1.0))
    card = Scenario(Normal(), family, regime, (step,), sample_size=Growth(4, "linear", 2.0), generations=6)
    record = run(card, seed=3, replicates=60)
    assert not any(np.isnan(values).any() for values in record.metrics.values())
    alone = run(card, seed=3, replicates=[17])
    for name, values in record.metrics.items():
        assert alone.metrics[name].tobytes() == values[17:18].tobytes(), name
    if isinstance(regime, Replace):
        still = np.diff(record.metrics["total_variance"][:, 1:], axis=1) == 0.0
        assert still.any() and not still.all()


@pytest.mark.parametrize(
    ("source", "family", "curation", "message"),
    [
        (Normal(), lambda: KernelDensity(bandwidth=0.0), (), "bandwidth must be positive"),
        (Normal(), lambda: KernelDensity(bandwidth=math.inf), (), "bandwidth must be positive"),
        (Normal(), lambda: KernelDensity(0), (), "dimension must be at least 1"),
        (Normal(), lambda: Empirical(0), (), "dimension must be at least 1"),
        (BLOBS, lambda: Empirical(3), (), "needs points of as many coordinates"),
        (Uniform(3), lambda: Empirical(2), (), "needs points of as many coordinates"),
        (Uniform(3), lambda: KernelDensity(), (), "needs a normal source or a mixture"),
        (Uniform(3), lambda: Empirical(), (Noise(0.1, "jitter"),), "needs real numbers"),
        (BLOBS, lambda: KernelDensity(2), (Verifier(1.0, 1.0, right=(0.0, 1.0)),), "needs right and wrong answers"),
        (BLOBS, lambda: Empirical(2), (Preference(2),), "needs one number a point"),
    ],
)
def test_cards_that_break_a_rule(
    source: Source, family: Callable[[], Any], curation: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(CardError, match=message):
        Scenario(source, family(), Replace(), curation, sample_size=5)


def test_curations_see_the_density() -> None:
    estimator = KernelDensity(2, 0.5).estimator(BLOBS)
    assert isinstance(estimator, KernelEstimator)
    points = estimator.real(12, DRAWS)
    model = estimator.fit(points, np.ones((2, 12)), None, DRAWS)
    assert isinstance(model, KernelModel)
    at = estimator.write(model, 5, DRAWS)
    for lane in range(2):
        slow = slow_log_density(points[lane], np.ones(12), 0.5, at[lane])
        np.testing.assert_allclose(estimator.log_density(model, at)[lane], slow, rtol=1e-11)
        laws = [stats.multivariate_normal(mean, cov) for mean, cov in zip(*BLOBS.arrays()[1:], strict=True)]
        real = np.log(sum(w * law.pdf(at[lane]) for w, law in zip(BLOBS.arrays()[0], laws, strict=True)))
        np.testing.assert_allclose(estimator.source_log_density(at)[lane], real, rtol=1e-9)
