"""The Gaussian in many dimensions: kernels against slow twins, both ways to draw, singular covariances as results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from budget import Court
from exact import same_law
from scipy import linalg, stats

from lightcollapse.curation import CURATIONS
from lightcollapse.errors import CardError
from lightcollapse.families import Gaussian, MultivariateGaussian
from lightcollapse.families.multivariate_gaussian import MultivariateEstimator, MultivariateModel, factors_of
from lightcollapse.kernels import covariances, multivariate
from lightcollapse.kernels.draws import Draws
from lightcollapse.loop import run
from lightcollapse.record import Record
from lightcollapse.regimes import (
    Accumulate,
    AccumulateSubsample,
    FixedReal,
    FreshFraction,
    Regime,
    Replace,
    Weighted,
    Window,
)
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Mixture, Normal, Source

pytestmark = pytest.mark.slow_without_jit
Float = np.ndarray[Any, np.dtype[np.float64]]

MEAN = (1.0, -2.0, 0.5)
COVARIANCE = ((2.0, 0.6, -0.3), (0.6, 1.0, 0.2), (-0.3, 0.2, 0.5))
SLANTED = Mixture((1.0,), (MEAN,), (COVARIANCE,))


def lanes(count: int, seed: int = 5, purpose: int = 1) -> Draws:
    numbers = np.arange(count, dtype=np.uint64)
    return Draws(numbers, np.zeros(count, dtype=np.uint64), seed, 3, purpose)


def estimator(
    dimension: int = 3, covariance: str = "full", draws: str = "auto", **fields: Any
) -> MultivariateEstimator:
    family = MultivariateGaussian(dimension, covariance, draws=draws, **fields)  # type: ignore[arg-type]
    return family.estimator(SLANTED if dimension == 3 else Normal())


def models(count: int, dimension: int = 3) -> MultivariateModel:
    generator = np.random.default_rng(8)
    factor = np.tril(generator.normal(size=(count, dimension, dimension))) / dimension
    factor[:, np.arange(dimension), np.arange(dimension)] = generator.uniform(0.2, 2.0, (count, dimension))
    log_det = 2.0 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return MultivariateModel(generator.normal(size=(count, dimension)), factor, log_det)


# --- Slow twins ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [1, 3, 70])
@pytest.mark.parametrize("count", [1, 7, 100])
def test_points_are_the_model_of_standard_normals(dimension: int, count: int) -> None:
    model, draws = models(4, dimension), lanes(4)
    one = estimator(dimension)
    identity = MultivariateModel(np.zeros((4, dimension)), np.tile(np.eye(dimension), (4, 1, 1)), np.zeros(4))
    standard = one.write(identity, count, draws)
    expected = model.mean[:, None] + np.einsum("lij,lcj->lci", model.factor, standard)
    np.testing.assert_allclose(one.write(model, count, draws), expected, rtol=1e-12, atol=1e-12)


def test_standard_points_are_normal_and_independent(record_property: object) -> None:
    points = estimator(4).write(MultivariateModel(np.zeros((1, 4)), np.eye(4)[None], np.zeros(1)), 40_000, lanes(1))[0]
    court = Court(record_property)
    for k in range(4):
        court.hold(f"coordinate {k} is normal", stats.kstest(points[:, k], "norm").pvalue)
    for shift in (0, 1, 2):
        left, right = points[: len(points) - shift, 0], points[shift:, 1 if shift == 0 else 0]
        court.hold(f"independence at {shift}", stats.kendalltau(left[:5000], right[:5000]).pvalue)
    court.reject("the normal law", [stats.kstest(points[:, 0] * 1.1, "norm").pvalue])


@pytest.mark.parametrize("dimension", [1, 3, 70])
@pytest.mark.parametrize("count", [1, 2, 100, 900])
def test_sums_of_drawn_points_are_those_of_the_points(dimension: int, count: int) -> None:
    model, draws = models(2, dimension), lanes(2)
    one = estimator(dimension, draws="points")
    sums = one.write_statistics(model, count, draws)
    points = one.write(model, count, draws)
    mean = points.mean(axis=1)
    np.testing.assert_allclose(sums.mean, mean, rtol=1e-10, atol=1e-10)
    scatter = np.einsum("lci,lcj->lij", points - mean[:, None], points - mean[:, None])
    np.testing.assert_allclose(sums.scatter, scatter, rtol=1e-9, atol=1e-8 * (1e-6 + np.abs(scatter).max()))
    rank = min(dimension, count - 1)
    assert sums.factor is not None and sums.log_det is not None
    assert np.all(np.diagonal(sums.factor, axis1=1, axis2=2)[:, :rank] > 0.0)
    assert np.all(sums.factor[:, :, rank:] == 0.0)
    if rank == dimension:
        np.testing.assert_allclose(sums.log_det, np.linalg.slogdet(scatter)[1], rtol=1e-8, atol=1e-8)
    else:
        assert np.all(sums.log_det == -np.inf)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
@pytest.mark.parametrize("variance", ["ml", "unbiased"])
def test_a_fit_is_the_weighted_mean_and_covariance(covariance: str, variance: str) -> None:
    generator = np.random.default_rng(3)
    points, weights = generator.normal(size=(5, 40, 3)), generator.uniform(size=(5, 40))
    weights[:, ::3] = 0.0
    weights[4] = 1.0
    model = estimator(3, covariance, variance=variance).fit(points, weights, None, lanes(5))
    for lane in range(5):
        total = weights[lane].sum()
        mean = weights[lane] @ points[lane] / total
        centred = points[lane] - mean
        expected = (centred * weights[lane, :, None]).T @ centred / (total - (variance == "unbiased"))
        np.testing.assert_allclose(model.mean[lane], mean, rtol=1e-12)
        if covariance == "full":
            np.testing.assert_allclose(model.factor[lane] @ model.factor[lane].T, expected, rtol=1e-11, atol=1e-13)
            np.testing.assert_allclose(model.log_det[lane], np.linalg.slogdet(expected)[1], rtol=1e-11)
        else:
            np.testing.assert_allclose(model.factor[lane] ** 2, np.diag(expected), rtol=1e-11)
            np.testing.assert_allclose(model.log_det[lane], np.log(np.diag(expected)).sum(), rtol=1e-11)


@pytest.mark.parametrize("rank", [1, 2, 5, 6])
def test_a_factor_of_a_semidefinite_matrix(rank: int) -> None:
    half = np.random.default_rng(rank).normal(size=(3, 6, rank))
    scatter = half @ half.transpose(0, 2, 1)
    factors, log_dets = factors_of(scatter, np.full(3, 6))
    np.testing.assert_allclose(factors @ factors.transpose(0, 2, 1), scatter, rtol=1e-9, atol=1e-9)
    assert np.all(np.triu(factors, 1) == 0.0)
    assert np.all((np.abs(factors).sum(axis=1) > 0.0).sum(axis=1) == rank)
    if rank == 6:
        np.testing.assert_allclose(factors, np.linalg.cholesky(scatter), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(log_dets, np.linalg.slogdet(scatter)[1], rtol=1e-10)
    else:
        assert np.all(log_dets == -np.inf)


def test_a_factor_of_nothing_is_nothing() -> None:
    factors, log_dets = factors_of(np.zeros((2, 4, 4)), np.full(2, 4))
    assert not factors.any() and np.all(log_dets == -np.inf)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_sums_merge_like_points(covariance: str) -> None:
    one = estimator(3, covariance)
    generator = np.random.default_rng(4)
    parts = [generator.normal(size=(2, count, 3)) + count for count in (5, 1, 9)]
    kind = type(one.real_statistics(3, lanes(2)))
    sums = [kind.of(p.shape[1], *one.summed(p, np.ones(p.shape[:2]))[1:]) for p in parts]
    whole = one.merge(one.merge(sums[0], sums[1]), sums[2])
    _, mean, scatter = one.summed(np.concatenate(parts, axis=1), np.ones((2, 15)))
    assert whole.count == 15
    np.testing.assert_allclose(whole.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(whole.scatter, scatter, rtol=1e-11)


def distances(mean: Float, covariance: Float, other: Float, spread: Float) -> dict[str, float]:
    """Metrics of N(mean, covariance) against N(other, spread) from their definitions."""
    shift, d = mean - other, len(mean)
    root = linalg.sqrtm(spread)
    ratio = np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(spread)[1]
    return {
        "total_variance": np.trace(covariance),
        "effective_rank": np.trace(covariance) ** 2 / np.trace(covariance @ covariance),
        "mean_squared": shift @ shift,
        "log_det": np.linalg.slogdet(covariance)[1],
        "w2_squared": shift @ shift
        + np.trace(covariance + spread)
        - 2.0 * np.trace(linalg.sqrtm(root @ covariance @ root)).real,
        "kl_model_source": 0.5
        * (np.trace(np.linalg.solve(spread, covariance)) + shift @ np.linalg.solve(spread, shift) - d - ratio),
        "kl_source_model": 0.5
        * (np.trace(np.linalg.solve(covariance, spread)) + shift @ np.linalg.solve(covariance, shift) - d + ratio),
    }


def test_metrics_of_a_full_covariance() -> None:
    model = models(6)
    measured = estimator().measure(model, lanes(6))
    assert set(measured) == set(MultivariateGaussian.metrics)
    for lane in range(6):
        expected = distances(
            model.mean[lane], model.factor[lane] @ model.factor[lane].T, np.array(MEAN), np.array(COVARIANCE)
        )
        for name, value in expected.items():
            np.testing.assert_allclose(measured[name][lane], value, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("source", [SLANTED, Normal(0.5, 2.0)])
def test_metrics_of_a_diagonal_covariance(source: Source) -> None:
    one = MultivariateGaussian(3, "diagonal").estimator(source)
    stds = np.random.default_rng(2).uniform(0.3, 2.0, (4, 3))
    model = MultivariateModel(models(4).mean, stds, 2.0 * np.log(stds).sum(axis=1))
    measured = one.measure(model, lanes(4))
    law = one.law(0.0)
    for lane in range(4):
        expected = distances(model.mean[lane], np.diag(stds[lane] ** 2), law.mean, law.factor @ law.factor.T)
        for name, value in expected.items():
            np.testing.assert_allclose(measured[name][lane], value, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_log_densities(covariance: str) -> None:
    one = estimator(3, covariance)
    model = models(3)
    if covariance == "diagonal":
        model = model._replace(factor=np.diagonal(model.factor, axis1=1, axis2=2).copy())
    points = np.random.default_rng(1).normal(size=(3, 6, 3))
    got, source = one.log_density(model, points), one.source_log_density(points)
    for lane in range(3):
        factor = model.factor[lane] if covariance == "full" else np.diag(model.factor[lane])
        law = stats.multivariate_normal(model.mean[lane], factor @ factor.T)
        np.testing.assert_allclose(got[lane], law.logpdf(points[lane]), rtol=1e-10)
        np.testing.assert_allclose(
            source[lane], stats.multivariate_normal(MEAN, COVARIANCE).logpdf(points[lane]), rtol=1e-10
        )


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_the_density_of_a_singular_law_is_infinite_on_its_flat(covariance: str) -> None:
    one = estimator(3, covariance)
    real = np.tile(np.random.default_rng(0).normal(size=(2, 2, 3)), (1, 1, 1))
    if covariance == "diagonal":
        real[:, :, 1] = 4.0
    model = one.fit(real, np.ones((2, 2)), None, lanes(2))
    wrote = one.write(model, 20, lanes(2))
    assert np.all(one.log_density(model, wrote) == np.inf)
    assert np.all(one.log_density(model, wrote + np.array([0.0, 1e-3, 0.0])) == -np.inf)


def test_temperature_scales_the_covariance() -> None:
    one, model = estimator(), models(3)
    warm = one.decode(model, 3, 1.7, 0, 1.0)
    np.testing.assert_allclose(
        warm.factor @ warm.factor.transpose(0, 2, 1), 1.7 * model.factor @ model.factor.transpose(0, 2, 1)
    )
    np.testing.assert_allclose(warm.log_det, model.log_det + 3 * np.log(1.7))
    np.testing.assert_allclose(one.decode(None, 2, 2.0, 0, 1.0).factor[1], np.sqrt(2.0) * one.law(0.0).factor)


# --- Laws ----------------------------------------------------------------------------------------------------------

REGIMES: tuple[Regime, ...] = (Replace(), Accumulate(), FreshFraction(0.5), FixedReal(), Weighted(0.6, 0.5), Window(2))


def equal_in_law(first: Record, second: Record, court: Court) -> None:
    for metric, values in first.metrics.items():
        for t in (1, 2, first.scenario.generations):
            court.hold(f"equality in law of {metric} at {t}", same_law(values[:, t], second.metrics[metric][:, t]))
    scaled = 1.5 * first.metrics["total_variance"][:, 1]
    court.reject("equality in law", [same_law(scaled, second.metrics["total_variance"][:, 1])])


@pytest.mark.parametrize("size", [3, 4, 12], ids=["singular", "one too many", "regular"])
@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.kind)
def test_statistics_and_points_are_equal_in_law(regime: Regime, size: int, record_property: object) -> None:
    families = [MultivariateGaussian(4, draws=draws) for draws in ("statistics", "points")]
    cards = [Scenario(Normal(1.0, 2.0), family, regime, sample_size=size, generations=4) for family in families]
    first, second = (run(card, seed=seed, replicates=2000, jobs=1) for seed, card in enumerate(cards, start=1))
    equal_in_law(first, second, Court(record_property))


@pytest.mark.parametrize("draws", ["statistics", "points"])
def test_a_diagonal_covariance_is_drawn_alike(draws: str, record_property: object) -> None:
    """Of a slanted source, and beside a part of a pool, which keeps the points themselves."""
    families = [MultivariateGaussian(3, "diagonal", draws=name) for name in (draws, "points")]  # type: ignore[arg-type]
    cards = [Scenario(SLANTED, family, Replace(), sample_size=6, generations=4) for family in families]
    first, second = (run(card, seed=seed, replicates=2000, jobs=1) for seed, card in enumerate(cards, start=1))
    equal_in_law(first, second, Court(record_property))


@pytest.mark.parametrize("variance", ["ml", "unbiased"])
@pytest.mark.parametrize("draws", ["statistics", "points"])
@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_in_one_dimension_it_is_the_gaussian(
    covariance: str, draws: str, variance: str, record_property: object
) -> None:
    families = (MultivariateGaussian(1, covariance, variance, draws), Gaussian(variance, draws))  # type: ignore[arg-type]
    first, second = (
        run(Scenario(Normal(-3.0, 2.5), family, sample_size=5, generations=5), seed=seed, replicates=4000, jobs=1)
        for seed, family in enumerate(families, start=1)
    )
    court = Court(record_property)
    names = {"total_variance": "variance", "log_det": "log_variance", "w2_squared": "w2_squared",
             "kl_model_source": "kl_model_source", "kl_source_model": "kl_source_model"}  # fmt: skip
    for mine, other in names.items():
        for t in (1, 5):
            court.hold(f"{mine} at {t}", same_law(first.metrics[mine][:, t], second.metrics[other][:, t]))
    court.reject("one dimension", [same_law(first.metrics["log_det"][:, 3], second.metrics["log_variance"][:, 5])])
    assert np.all(first.metrics["effective_rank"] == 1.0)


@pytest.mark.parametrize("regime", [*REGIMES, AccumulateSubsample()], ids=lambda regime: regime.kind)
def test_divergences_do_not_depend_on_the_coordinates(regime: Regime) -> None:
    """A full covariance is fitted alike in every system of coordinates: same draws, same divergences."""
    size: dict[str, Any] = {"sample_size": 9, "generations": 4}
    family = MultivariateGaussian(3, draws="points")
    slanted = run(Scenario(SLANTED, family, regime, **size), seed=1, replicates=20)
    standard = run(Scenario(Normal(), family, regime, **size), seed=1, replicates=20)
    for name in ("kl_model_source", "kl_source_model"):
        np.testing.assert_allclose(slanted.metrics[name], standard.metrics[name], rtol=1e-7, atol=1e-9)
    ratio = np.linalg.slogdet(np.array(COVARIANCE))[1]
    np.testing.assert_allclose(slanted.metrics["log_det"] - ratio, standard.metrics["log_det"], rtol=1e-7, atol=1e-9)


# --- Collapse is a result ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draws", ["statistics", "points"])
@pytest.mark.parametrize("size", [1, 2, 4, 5])
def test_with_too_few_points_the_covariance_is_singular(size: int, draws: str) -> None:
    family = MultivariateGaussian(5, draws=draws)  # type: ignore[arg-type]
    record = run(Scenario(Normal(1.0, 3.0), family, sample_size=size, generations=6), seed=1, replicates=30)
    metrics = record.metrics
    assert not any(np.isnan(values).any() for values in metrics.values())
    assert np.all(metrics["log_det"][:, 1:] == -np.inf)
    assert np.all(metrics["kl_source_model"][:, 1:] == np.inf)
    assert np.all(metrics["kl_model_source"][:, 1:] == np.inf)
    assert np.all(metrics["effective_rank"][:, 1:] <= size - 1 + 1e-12)
    assert np.isfinite(metrics["w2_squared"]).all()
    assert np.all(record.absorbed == (1 if size == 1 else -1))


@pytest.mark.parametrize("draws", ["statistics", "points"])
def test_the_log_determinant_goes_on_where_the_variance_is_too_small_for_a_float(draws: str) -> None:
    family = MultivariateGaussian(3, draws=draws)  # type: ignore[arg-type]
    record = run(Scenario(SLANTED, family, sample_size=4, generations=1500), seed=1, replicates=5)
    assert np.all(record.metrics["total_variance"][:, -1] == 0.0)
    assert np.all(np.isfinite(record.metrics["log_det"]))
    assert np.all(record.metrics["log_det"][:, -1] < -5000.0)
    assert not any(np.isnan(values).any() for values in record.metrics.values())


def test_points_in_a_plane_stay_in_it() -> None:
    """A pool of points that two generations wrote in one plane spans no more than the plane, whatever is rounded."""
    record = run(
        Scenario(SLANTED, MultivariateGaussian(3), Accumulate(), sample_size=3, generations=30), seed=2, replicates=100
    )
    assert np.all(record.metrics["log_det"][:, 1:] == -np.inf)


def test_a_long_chain_has_one_direction_left() -> None:
    record = run(Scenario(Normal(), MultivariateGaussian(6), sample_size=20, generations=300), seed=1, replicates=50)
    assert record.metrics["effective_rank"][:, 0] == pytest.approx(6.0)
    assert np.median(record.metrics["effective_rank"][:, -1]) < 1.05


# --- Cards ---------------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, list[str]]] = {
    "a mixture of two": (
        lambda: Scenario(
            Mixture((0.5, 0.5), ((0.0,), (1.0,)), (((1.0,),), ((1.0,),))), MultivariateGaussian(1), sample_size=5
        ),
        ["normal source, or a mixture of one component", "mixture"],
    ),
    "another dimension": (
        lambda: Scenario(SLANTED, MultivariateGaussian(2), sample_size=5),
        ["the family's dimension, 2", "got 3"],
    ),
    "a singular source": (
        lambda: Scenario(
            Mixture((1.0,), ((0.0, 0.0),), (((1.0, 1.0), (1.0, 1.0)),)), MultivariateGaussian(2), sample_size=5
        ),
        ["full rank", "leave out"],
    ),
    "no dimension": (lambda: MultivariateGaussian(0), ["dimension must be at least 1", "got 0"]),
    "unbiased of one point": (
        lambda: Scenario(Normal(), MultivariateGaussian(2, variance="unbiased"), sample_size=1),
        ["at least 2"],
    ),
    "unbiased and weighted": (
        lambda: Scenario(Normal(), MultivariateGaussian(2, variance="unbiased"), Weighted(0.5, 0.5), sample_size=9),
        ["weighted fit"],
    ),
    "sums of a part": (
        lambda: Scenario(
            Normal(), MultivariateGaussian(2, draws="statistics"), AccumulateSubsample(), sample_size=9, generations=3
        ),
        ["needs its points"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_cards_are_refused(name: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises(CardError) as caught:
        make()
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_every_curation_that_it_accepts_runs(covariance: str) -> None:
    family = MultivariateGaussian(2, covariance)  # type: ignore[arg-type]
    ran = 0
    for step in [example for curation in CURATIONS for example in curation.examples()]:
        try:
            card = Scenario(Normal(), family, Replace(), (step,), sample_size=12, generations=3)
        except CardError:
            continue
        record = run(card, seed=1, replicates=4)
        assert not any(np.isnan(values).any() for values in record.metrics.values()), step
        ran += 1
    assert ran >= 4


def test_blocks_of_sums_that_a_pool_keeps_fit_into_memory() -> None:
    size: dict[str, Any] = {"sample_size": 100, "generations": 200}
    last, pool = (
        card.family.prepare(card.source, card.schedule(), 1)
        for card in (
            Scenario(Normal(), MultivariateGaussian(50), regime, **size) for regime in (Replace(), Accumulate())
        )
    )
    assert last.block_size > 20 * pool.block_size
    assert pool.memory < 2**26 and last.memory < 2**26


@pytest.mark.parametrize("dimension", [1, 2, 3, 7, 14])
def test_sums_of_singular_values_are_lapacks(dimension: int) -> None:
    """Of any size and rank; a lane has the same bits alone, and beside lanes that need more rotations."""
    rng = np.random.default_rng(dimension)
    matrices = rng.normal(size=(70, dimension, dimension)) * 10.0 ** rng.uniform(-250, 100, size=(70, 1, 1))
    matrices[0], matrices[1, :, 0], matrices[2] = 0.0, 0.0, np.eye(dimension)
    matrices[3] = np.outer(np.arange(1.0, dimension + 1), np.ones(dimension))
    found = np.empty(70)
    multivariate.nuclear_norms(matrices, found)
    np.testing.assert_allclose(found, np.linalg.svd(matrices, compute_uv=False).sum(axis=1), rtol=1e-13)
    for lane in (0, 3, 33, 69):
        alone = np.empty(1)
        multivariate.nuclear_norms(matrices[lane : lane + 1], alone)
        assert alone[0] == found[lane]


def against_lapack(factors: Float, source: Float) -> tuple[Float, Float]:
    """Squared Wasserstein distance of laws of mean 0 as the kernel measures it, and by LAPACK."""
    lanes, d = factors.shape[:2]
    out = np.empty((6, lanes))
    log_dets = np.zeros(lanes)
    covariances.measure(
        np.zeros((lanes, d)), factors, log_dets, np.zeros(d), source, 0.0, *covariances.resolvents(), out
    )
    overlap = np.linalg.svd(source.T @ factors, compute_uv=False).sum(axis=1)
    return out[5], (factors**2).sum(axis=(1, 2)) + (source**2).sum() - 2.0 * overlap


@pytest.mark.parametrize("dimension", [1, 2, 5, 12, 31])
def test_the_wasserstein_distance_is_lapacks(dimension: int) -> None:
    """Whatever the spread of the eigenvalues, or it is said to be too wide."""
    rng = np.random.default_rng(dimension)
    for spread in (0.0, 1.0, 3.0, 6.0, 20.0):
        turns = np.linalg.qr(rng.normal(size=(20, dimension, dimension)))[0]
        roots = 10.0 ** (-0.5 * spread * rng.uniform(size=(20, 1, dimension)))
        factors = np.tril(np.linalg.qr((turns * roots).transpose(0, 2, 1))[1].transpose(0, 2, 1))
        for source in (2.0 * np.eye(dimension), np.diag(rng.uniform(0.5, 2.0, dimension)), factors[0]):
            got, expected = against_lapack(factors, np.ascontiguousarray(source))
            known = got >= 0.0
            scale = (factors**2).sum(axis=(1, 2)) + (source**2).sum()
            np.testing.assert_array_less(np.abs(got - expected)[known], 1e-12 * scale[known])
            if spread <= 3.0 and source is not factors[0]:
                assert known.all()


def test_factors_near_the_least_float_are_measured() -> None:
    """All of 1e-300: what is squared of them is nothing, their shape is not."""
    out = np.empty((6, 3))
    factors = np.tile(1e-300 * np.eye(4), (3, 1, 1))
    factors[1], factors[2, 3, 3] = 0.0, 0.0
    covariances.measure(
        np.zeros((3, 4)), factors, np.full(3, -np.inf), np.zeros(4), np.eye(4), 0.0, *covariances.resolvents(), out
    )
    np.testing.assert_allclose(out[1], [4.0, 0.0, 3.0], rtol=1e-12)
    assert np.all(out[4] == np.inf) and not np.isnan(out).any()


def test_a_root_is_a_sum_of_resolvents() -> None:
    tables, reaches = covariances.resolvents()
    for (shifts, weights), reach in zip(tables, reaches, strict=True):
        x = np.geomspace(1.0 / reach, 1.0, 200)
        np.testing.assert_allclose((weights * x[:, None] / (x[:, None] + shifts)).sum(axis=1), np.sqrt(x), rtol=1e-13)


def test_a_lane_is_drawn_alike_alone() -> None:
    """Bartlett's decomposition takes eight lanes at a time; few degrees of freedom, whose first trials often fail."""
    model, draws = models(19, 5), lanes(19)
    for count in (4, 6, 7, 400):
        whole = estimator(5).write_statistics(model, count, draws)
        for lane in (0, 7, 8, 18):
            one = MultivariateModel(*(part[lane : lane + 1].copy() for part in model))
            alone = Draws(draws.replicates[lane : lane + 1], draws.labs[:1], 5, 3, 1)
            sums = estimator(5).write_statistics(one, count, alone)
            for got, expected in ((sums.mean, whole.mean), (sums.factor, whole.factor), (sums.log_det, whole.log_det)):
                assert got is not None and expected is not None
                np.testing.assert_array_equal(got[0], expected[lane])
