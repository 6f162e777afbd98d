"""Linear and logistic regression: kernels against slow twins, both ways to draw, and fits without a best answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from budget import Court
from exact import same_law
from scipy import integrate, optimize, stats
from scipy.special import expit

from lightcollapse.curation import CURATIONS, Verifier
from lightcollapse.errors import CardError
from lightcollapse.families import LinearRegression, LogisticRegression
from lightcollapse.families.linear_regression import LinearEstimator, LinearWeights
from lightcollapse.families.logistic_regression import Coefficients, LogisticEstimator
from lightcollapse.kernels.draws import REAL, Draws
from lightcollapse.loop import run
from lightcollapse.predictions import regression
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
from lightcollapse.sources import LinearModel, Normal

pytestmark = pytest.mark.slow_without_jit
Float = np.ndarray[Any, np.dtype[np.float64]]

WEIGHTS = (1.0, -0.5, 0.25)
COVARIANCE = ((2.0, 0.6, -0.3), (0.6, 1.0, 0.2), (-0.3, 0.2, 0.5))
SLANTED = LinearModel(WEIGHTS, noise=0.7, covariance=COVARIANCE)


def lanes(count: int, generation: int = 3) -> Draws:
    numbers = np.arange(count, dtype=np.uint64)
    return Draws(numbers, np.zeros(count, dtype=np.uint64), 5, generation, 1)


def linear(source: LinearModel = SLANTED, **fields: Any) -> LinearEstimator:
    return LinearRegression(**fields).estimator(source)


def logistic(source: LinearModel = SLANTED, **fields: Any) -> LogisticEstimator:
    return LogisticRegression(**fields).estimator(source)


# --- Slow twins ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 4, 30])
@pytest.mark.parametrize("ridge", [0.0, 0.2])
def test_a_fit_is_the_shortest_of_least_squares(count: int, ridge: float) -> None:
    one, draws = linear(ridge=ridge), lanes(6)
    points = one.real(count, draws)
    weights = np.random.default_rng(count).uniform(0.5, 2.0, (6, count))
    weights[0] = 1.0
    if count > 3:
        weights[1, ::2] = 0.0
    fitted = one.fit(points, weights, None, draws).weights
    for lane in range(6):
        root = np.sqrt(weights[lane])
        inputs, labels = points[lane, :, :3] * root[:, None], points[lane, :, 3] * root
        if ridge:
            system = inputs.T @ inputs + ridge * weights[lane].sum() * np.eye(3)
            expected = np.linalg.solve(system, inputs.T @ labels)
        else:
            expected = np.linalg.lstsq(inputs, labels, rcond=None)[0]
        np.testing.assert_allclose(fitted[lane], expected, rtol=1e-7, atol=1e-8)


def test_points_follow_the_model() -> None:
    model = LinearWeights(np.random.default_rng(0).normal(size=(2, 3)))
    points = linear().write(model, 40_000, lanes(2))
    for lane in range(2):
        inputs, labels = points[lane, :, :3], points[lane, :, 3]
        np.testing.assert_allclose(np.cov(inputs.T), COVARIANCE, atol=0.06)
        rest = labels - inputs @ model.weights[lane]
        assert stats.kstest(rest / SLANTED.noise, "norm").pvalue > 1e-10
        np.testing.assert_allclose(inputs.T @ rest / len(rest), 0.0, atol=0.05)


@pytest.mark.parametrize("count", [2, 3, 20])
def test_sums_are_made_of_one_design(count: int) -> None:
    """Without noise the labels' products are those of the inputs times the weights, whatever was drawn."""
    source = LinearModel(WEIGHTS, noise=0.0, covariance=COVARIANCE)
    one, model = linear(source), LinearWeights(np.random.default_rng(1).normal(size=(4, 3)))
    sums = one.write_statistics(model, count, lanes(4))
    np.testing.assert_allclose(sums.moment, np.einsum("lij,lj->li", sums.gram, model.weights), rtol=1e-10)
    ranks = [np.linalg.matrix_rank(gram, hermitian=True) for gram in sums.gram]
    assert ranks == [min(count, 3)] * 4


def test_a_fixed_design_is_that_of_the_first_sample() -> None:
    one = linear(design="fixed")
    first = one.real(9, lanes(3, 1).at(1, REAL))
    later = one.write(LinearWeights(np.ones((3, 3))), 5, lanes(3, 7))
    assert np.array_equal(first[:, :5, :3], later[:, :, :3])
    assert not np.any(first[:, :5, 3] == later[:, :, 3])
    sums = [one.write_statistics(LinearWeights(np.ones((3, 3))), 9, lanes(3, t)) for t in (2, 5)]
    assert np.array_equal(sums[0].gram, sums[1].gram) and not np.array_equal(sums[0].moment, sums[1].moment)


def test_metrics_of_a_linear_fit() -> None:
    weights = np.random.default_rng(2).normal(size=(4, 3))
    measured = linear().measure(LinearWeights(weights), lanes(4))
    for lane in range(4):
        shift = weights[lane] - WEIGHTS
        assert measured["test_error"][lane] == pytest.approx(shift @ np.array(COVARIANCE) @ shift)
        assert measured["weight_norm"][lane] == pytest.approx(np.linalg.norm(weights[lane]))


def test_densities_of_points() -> None:
    one, model = linear(), LinearWeights(np.random.default_rng(2).normal(size=(2, 3)))
    points = one.real(5, lanes(2))
    inputs = stats.multivariate_normal(np.zeros(3), COVARIANCE)
    for lane in range(2):
        law = stats.norm(points[lane, :, :3] @ model.weights[lane], SLANTED.noise)
        expected = law.logpdf(points[lane, :, 3]) + inputs.logpdf(points[lane, :, :3])
        np.testing.assert_allclose(one.log_density(model, points)[lane], expected, rtol=1e-10)


@pytest.mark.parametrize("ridge", [0.0, 0.01, 1.0])
def test_a_logistic_fit_has_the_least_loss(ridge: float) -> None:
    one, draws = logistic(ridge=ridge), lanes(5)
    points = one.real(60, draws)
    weights = np.random.default_rng(4).uniform(0.0, 2.0, (5, 60))
    weights[:, ::4] = 0.0
    fitted = one.fit(points, weights, None, draws)
    assert np.all(fitted.converged == 1.0)
    for lane in range(5):
        inputs, labels, w = points[lane, :, :3], points[lane, :, 3], weights[lane] / weights[lane].sum()

        def loss(c: Float, inputs: Float = inputs, labels: Float = labels, w: Float = w) -> float:
            score = inputs @ c
            return float(w @ (np.logaddexp(0.0, score) - labels * score) + 0.5 * ridge * c @ c)

        best = optimize.minimize(loss, np.zeros(3), tol=1e-12)
        assert loss(fitted.weights[lane]) <= best.fun + 1e-12
        np.testing.assert_allclose(fitted.weights[lane], best.x, rtol=1e-3, atol=1e-3)


def expected(function: Callable[[float], float]) -> float:
    """E function(Z), Z standard normal."""
    found: float = integrate.quad(
        lambda z: stats.norm.pdf(z) * function(z), -9.0, 9.0, points=[0.0], limit=200, epsabs=1e-12
    )[0]
    return found


def measured_by_hand(weights: Float, source: LinearModel) -> dict[str, float]:
    """Metrics of logistic coefficients by integrals over x'w_0."""
    covariance, true = np.array(source.covariance), np.array(source.weights)
    unit = float(np.sqrt(true @ covariance @ true))
    along = float(weights @ covariance @ true) / unit
    length = float(np.sqrt(weights @ covariance @ weights))
    across = np.sqrt(length**2 - along**2)

    def chance(z: float) -> float:
        return float(expit(unit * z / source.noise)) if source.noise else float(z > 0.0)

    def missed(z: float) -> float:
        said = float(stats.norm.cdf(along * z / across))
        return chance(z) * (1.0 - said) + (1.0 - chance(z)) * said

    soft = expected(lambda z: float(np.logaddexp(0.0, length * z)))
    return {
        "label_error": expected(missed),
        "log_loss": soft - expected(lambda z: chance(z) * along * z),
        "agreement": 1.0 - float(np.arccos(along / length)) / np.pi,
        "weight_norm": float(np.linalg.norm(weights)),
    }


@pytest.mark.parametrize("noise", [0.0, 0.4, 1.0])
def test_metrics_of_a_logistic_fit(noise: float) -> None:
    source = LinearModel(WEIGHTS, noise=noise, covariance=COVARIANCE)
    weights = np.random.default_rng(6).normal(size=(5, 3)) * np.array([[1e-3], [0.3], [1.0], [5.0], [80.0]])
    measured = logistic(source).measure(Coefficients(weights, np.ones(5)), lanes(5))
    for lane in range(5):
        for name, value in measured_by_hand(weights[lane], source).items():
            assert measured[name][lane] == pytest.approx(value, rel=1e-6), name


def test_agreement_is_a_share_of_inputs() -> None:
    one, weights = logistic(), np.array([[0.2, 1.0, -0.4]])
    inputs = one.real(100_000, lanes(1))[0, :, :3]
    share = np.mean((inputs @ weights[0] > 0) == (inputs @ np.array(WEIGHTS) > 0))
    assert one.measure(Coefficients(weights, np.ones(1)), lanes(1))["agreement"][0] == pytest.approx(share, abs=0.01)


def test_labels_are_right_where_they_are_the_likelier_ones() -> None:
    points = logistic().real(200, lanes(2))
    likelier = (points[:, :, :3] @ np.array(WEIGHTS) > 0) == (points[:, :, 3] == 1.0)
    assert np.array_equal(logistic().right(points, (0.0,)), likelier)
    assert 0.5 < likelier.mean() < 1.0
    sharp = logistic(LinearModel(WEIGHTS, noise=0.0))
    assert sharp.right(sharp.real(200, lanes(2)), (0.0,)).all()


def test_the_source_without_noise_is_never_surprised() -> None:
    measured = logistic(LinearModel(WEIGHTS, noise=0.0)).measure_source(lanes(2))
    assert {name: values[0] for name, values in measured.items()} == {
        "agreement": 1.0, "label_error": 0.0, "log_loss": 0.0, "weight_norm": np.inf, "converged": 1.0,
    }  # fmt: skip


# --- Laws ----------------------------------------------------------------------------------------------------------

REGIMES: tuple[Regime, ...] = (Replace(), Accumulate(), FreshFraction(0.5), FixedReal(), Weighted(0.6, 0.5), Window(2))


def both_ways(card: Any, court: Court) -> None:
    first, second = (run(card(draws), seed=seed, replicates=2000, jobs=1) for seed, draws in enumerate(
        ("auto", "points"), start=1))  # fmt: skip
    for metric, values in first.metrics.items():
        for t in (1, 2, first.scenario.generations):
            court.hold(f"equality in law of {metric} at {t}", same_law(values[:, t], second.metrics[metric][:, t]))
    scaled = 2.5 * first.metrics["test_error"][:, 1]
    court.reject("equality in law", [same_law(scaled, second.metrics["test_error"][:, 1])])


@pytest.mark.parametrize("design", ["fresh", "fixed"])
@pytest.mark.parametrize("size", [3, 4, 12], ids=["short", "just enough", "regular"])
@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.kind)
def test_statistics_and_points_are_equal_in_law(
    regime: Regime, size: int, design: Any, record_property: object
) -> None:
    source = LinearModel(dimension=4, noise=0.5)
    both_ways(
        lambda draws: Scenario(
            source, LinearRegression(design=design, draws=draws), regime, sample_size=size, generations=4
        ),
        Court(record_property),
    )


def mean_within(record: Record, expected: Float) -> None:
    values = record.metrics["test_error"]
    error = 7.0 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    assert np.all(np.abs(values.mean(axis=0) - expected)[1:] < error[1:])


def test_fresh_data_keep_the_error_bounded() -> None:
    """The mean of the mixing constant has no bound of its variance: tried by the sample's own."""
    card = Scenario(LinearModel(dimension=3), LinearRegression(), FreshFraction(0.25), sample_size=20, generations=8)
    record = run(card, seed=1, replicates=20_000)
    mean_within(record, regression.fresh_error(20, 5, 3, 8, 1.0))
    late = regression.fresh_error(20, 4, 3, 8, 1.0)
    with pytest.raises(AssertionError):
        mean_within(record, 1.05 * late)


@pytest.mark.parametrize(
    ("regime", "expected"), [(Replace(), 11.236), (Accumulate(), 0.18371)], ids=["replace", "pool"]
)
def test_the_fixed_design_of_gerstgrasser(regime: Regime, expected: float) -> None:
    """d = 10, n = 100, 100 generations: the exact errors, and the simulated ones beside them."""
    card = Scenario(
        LinearModel(dimension=10), LinearRegression(design="fixed"), regime, sample_size=100, generations=100
    )
    values = run(card, seed=1, replicates=400).metrics["test_error"][:, -1]
    function = {
        "replace": regression.fixed_design_replace_error, "accumulate": regression.fixed_design_accumulate_error
    }[regime.kind]  # fmt: skip
    exact = function(100, 10, 100, 1.0)
    assert exact.mean[-1] == pytest.approx(expected, rel=1e-4)
    assert abs(values.mean() - exact.mean[-1]) < 7.0 * np.sqrt(exact.variance[-1] / len(values))


# --- Collapse is a result ------------------------------------------------------------------------------------------


def test_separable_labels_have_no_best_fit_without_a_ridge() -> None:
    source = LinearModel(dimension=3, noise=0.0)
    card = Scenario(source, LogisticRegression(0.0), sample_size=40, generations=5)
    record = run(card, seed=1, replicates=30)
    assert not any(np.isnan(values).any() for values in record.metrics.values())
    assert np.all(record.metrics["converged"][:, 1] == 0.0)
    assert np.all(record.metrics["agreement"][:, 1] > 0.85)
    assert np.all(record.metrics["weight_norm"][:, 1] > 20.0)
    ridged = run(Scenario(source, LogisticRegression(0.01), sample_size=40, generations=5), seed=1, replicates=30)
    assert np.all(ridged.metrics["converged"] == 1.0)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.kind)
def test_a_point_or_two_are_enough_to_go_on(regime: Regime, size: int) -> None:
    source = LinearModel(dimension=5)
    for family in (LinearRegression(), LinearRegression(design="fixed"), LogisticRegression(0.0)):
        record = run(Scenario(source, family, regime, sample_size=size, generations=6), seed=1, replicates=20)
        assert not any(np.isnan(values).any() for values in record.metrics.values()), family


def test_without_noise_enough_points_lose_nothing() -> None:
    source = LinearModel(WEIGHTS, noise=0.0, covariance=COVARIANCE)
    record = run(Scenario(source, LinearRegression(), sample_size=10, generations=20), seed=1, replicates=20)
    assert record.metrics["test_error"].max() < 1e-18


def test_a_good_verifier_keeps_what_labels_know() -> None:
    """Feng et al. 2024 (arXiv:2406.07515): the labels of a model, tested, against those of the model alone."""
    source, family = LinearModel(dimension=8, noise=0.5), LogisticRegression(0.05)
    size: dict[str, Any] = {"sample_size": 200, "generations": 8}
    alone = run(Scenario(source, family, **size), seed=1, replicates=60)
    tested = run(Scenario(source, family, curation=(Verifier(0.9, 0.9),), **size), seed=1, replicates=60)
    gain = tested.metrics["agreement"][:, -1] - alone.metrics["agreement"][:, -1]
    assert gain.mean() > 10.0 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert np.all(tested.metrics["accuracy"] <= 1.0)


# --- Cards ---------------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, str]] = {
    "no weights": (lambda: LinearModel(), "weights or a dimension"),
    "too many weights": (lambda: LinearModel((1.0, 2.0), 3), "weights must be 3"),
    "noise": (lambda: LinearModel((1.0,), noise=-1.0), "noise must be at least 0, got -1"),
    "a singular covariance": (lambda: LinearModel((1.0, 2.0), covariance=((1.0, 1.0), (1.0, 1.0))), "full rank"),
    "no symmetric covariance": (lambda: LinearModel((1.0, 2.0), covariance=((1.0, 0.5), (0.1, 1.0))), "symmetric"),
    "another shape": (lambda: LinearModel((1.0, 2.0), covariance=(1.0, 2.0, 3.0)), "2 x 2"),
    "words": (lambda: LinearModel((1.0, 2.0), covariance=("a", "b")), "symmetric 2 x 2"),
    "a variance of 0": (lambda: LinearModel((1.0, 2.0), covariance=(1.0, 0.0)), "positive variances"),
    "a normal source": (lambda: Scenario(Normal(), LinearRegression(), sample_size=9), "got source normal"),
    "logistic of a normal source": (lambda: Scenario(Normal(), LogisticRegression(), sample_size=9), "linear model"),
    "labels of nothing": (
        lambda: Scenario(LinearModel((0.0, 0.0)), LogisticRegression(), sample_size=9), "not all 0"
    ),
    "ridge": (lambda: LinearRegression(-0.1), "ridge must be at least 0"),
    "logistic ridge": (lambda: LogisticRegression(float("nan")), "ridge must be at least 0"),
    "sums of a part": (
        lambda: Scenario(
            LinearModel((1.0,)), LinearRegression(draws="statistics"), AccumulateSubsample(), sample_size=9
        ),
        "needs its points",
    ),
    "sums of a part of a design": (
        lambda: Scenario(
            LinearModel((1.0,)), LinearRegression(0.0, "fixed", "statistics"), FreshFraction(0.5), sample_size=9
        ),
        "needs its points",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_other_cards_are_refused(name: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises(CardError) as caught:
        make()
    assert words in str(caught.value)


def test_variances_stand_for_a_diagonal_matrix() -> None:
    factor = LinearModel((1.0, 2.0), covariance=(4.0, 9.0)).inputs().factor
    assert np.array_equal(factor, np.diag([2.0, 3.0]))
    assert np.array_equal(LinearModel(dimension=4).inputs().weights, [0.5] * 4)
    assert LinearModel((1.0, 2.0)).dimension == 2


@pytest.mark.parametrize("family", [LinearRegression(), LogisticRegression()], ids=lambda family: family.kind)
def test_every_curation_that_it_accepts_runs(family: Any) -> None:
    ran = 0
    for step in [example for curation in CURATIONS for example in curation.examples()]:
        try:
            card = Scenario(SLANTED, family, Replace(), (step,), sample_size=12, generations=3)
        except CardError:
            continue
        record = run(card, seed=1, replicates=4)
        assert not any(np.isnan(values).any() for values in record.metrics.values()), step
        ran += 1
    assert ran >= 3
