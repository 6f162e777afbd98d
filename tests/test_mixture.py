"""The Gaussian mixture: EM, seeds, draws and distances against slow twins; lost components; what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import mixture_oracles as slow
import numpy as np
import pytest
from budget import Court
from exact import binomial

from lightcollapse.curation import Preference, Quadratic
from lightcollapse.errors import CardError
from lightcollapse.evidence import law_p_value
from lightcollapse.families import GaussianMixture
from lightcollapse.families.gaussian_mixture import MixtureEstimator, MixtureModel, law_of
from lightcollapse.kernels import draws as purposes
from lightcollapse.kernels import rng
from lightcollapse.kernels.draws import Draws
from lightcollapse.loop import run
from lightcollapse.predictions.mixture_bounds import fourth_moment, total_square_bound
from lightcollapse.regimes import Accumulate, FreshFraction
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Mixture, Normal, Uniform

pytestmark = pytest.mark.slow_without_jit
Float = Any

LINE = Mixture((0.5, 0.3, 0.2), (-4.0, 0.0, 5.0), (1.0, 0.5, 2.0))
PLANE = Mixture((0.6, 0.4), ((0.0, 0.0), (3.0, 1.0)), (((1.0, 0.5), (0.5, 2.0)), (0.5, 1.0)))
SPACE = Mixture(
    (0.3, 0.7), ((0.0, 1.0, 2.0), (4.0, 0.0, -1.0)), (1.0, ((2.0, 0.3, 0.0), (0.3, 1.0, 0.2), (0, 0.2, 1.0)))
)
SHAPES = ("full", "diagonal", "spherical")


def drawing(lanes: int, purpose: int = purposes.REAL, seed: int = 77) -> Draws:
    return Draws(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, dtype=np.uint64), seed, 1, purpose)


def estimator(source: Any, components: int, **fields: Any) -> MixtureEstimator:
    dimension = source.dimension if isinstance(source, Mixture) else fields.pop("dimension", 1)
    family = GaussianMixture(components, dimension, **fields)
    family.check(source, Scenario(source, family, sample_size=9, generations=1).schedule())
    found = family.estimator(source)
    assert isinstance(found, MixtureEstimator)
    return found


def start(source: Mixture, components: int, seed: int) -> slow.Law:
    """A start with so many components, unlike the source."""
    generator = np.random.default_rng(seed)
    d = source.dimension
    spread = np.sqrt(np.diagonal(source.covariance()))
    return (
        np.full(components, 1.0 / components),
        generator.normal(0.0, spread, (components, d)),
        np.tile(np.diag(spread**2), (components, 1, 1)),
    )


def tiled(law: slow.Law, lanes: int) -> MixtureModel:
    weights, means, covariances = (np.tile(part, (lanes, *(1,) * part.ndim)) for part in law)
    return MixtureModel(weights, means, covariances, np.zeros(lanes), np.zeros(lanes))


def total_variance(law: slow.Law) -> float:
    share, mean, covariance = law
    gap = mean - share @ mean
    return float(share @ (np.trace(covariance, axis1=1, axis2=2) + (gap**2).sum(axis=1)))


# --- EM --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("floor", [0.0, 0.01])
@pytest.mark.parametrize(("source", "components"), [(LINE, 2), (LINE, 5), (PLANE, 3), (SPACE, 2)], ids=str)
def test_em_is_that_of_the_slow_twin(source: Mixture, components: int, floor: float, shape: Any) -> None:
    made = estimator(source, components, covariance=shape, floor=floor, tolerance=0.0, iterations=12)
    points = made.real(150, drawing(2))
    weights = np.random.default_rng(3).choice([0.0, 1.0, 0.3], points.shape[:2])
    for held in (np.ones(points.shape[:2]), (weights > 0.0).astype(np.float64), weights):
        law = start(source, components, 5)
        model = made.fit(points, held, tiled(law, 2), drawing(2))
        for lane in range(2):
            wanted, score, steps = slow.fit(points[lane], held[lane], law, shape, floor, 0.0, 12)
            for got, twin in zip(model[:3], wanted, strict=True):
                np.testing.assert_allclose(got[lane], twin, rtol=1e-10, atol=1e-10)
            assert model.log_likelihood[lane] == pytest.approx(score, abs=1e-10)
            assert model.steps[lane] == steps


def test_em_stops_when_a_step_gains_less_than_the_tolerance() -> None:
    law = start(LINE, 3, 5)
    points = estimator(LINE, 3).real(400, drawing(1))
    weights = np.ones(points.shape[:2])
    for tolerance in (1e-2, 1e-4):
        model = estimator(LINE, 3, tolerance=tolerance, iterations=500).fit(points, weights, tiled(law, 1), drawing(1))
        _, score, steps = slow.fit(points[0], weights[0], law, "full", 0.0, tolerance, 500)
        assert model.steps[0] == steps < 500
        assert model.log_likelihood[0] == pytest.approx(score, abs=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("source", "components"), [(LINE, 3), (PLANE, 2), (PLANE, 4), (SPACE, 3)], ids=str)
def test_em_is_that_of_scikit_learn(source: Mixture, components: int, shape: str) -> None:
    mixture = pytest.importorskip("sklearn.mixture", reason="scikit-learn is in the extra `bench`")
    law = start(source, components, 8)
    floor = 1e-6
    made = estimator(source, components, covariance=shape, floor=floor, tolerance=0.0, iterations=40)
    points = made.real(500, drawing(1))
    start_law = (law[0], law[1], np.array([slow.shaped(matrix, shape, 0.0) for matrix in law[2]]))
    precisions = {
        "full": np.linalg.inv(start_law[2]),
        "diagonal": 1.0 / np.diagonal(start_law[2], axis1=1, axis2=2),
        "spherical": 1.0 / start_law[2][:, 0, 0],
    }[shape]
    other = mixture.GaussianMixture(
        components,
        covariance_type={"diagonal": "diag"}.get(shape, shape),
        weights_init=law[0],
        means_init=law[1],
        precisions_init=precisions,
        reg_covar=floor,
        tol=0.0,
        max_iter=40,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # with no tolerance it never converges
        other.fit(points[0])
    model = made.fit(points, np.ones((1, 500)), tiled(start_law, 1), drawing(1))
    assert model.log_likelihood[0] == pytest.approx(other.score(points[0]), abs=1e-6)
    np.testing.assert_allclose(model.means[0], other.means_, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [3, 7, 40])
@pytest.mark.parametrize("source", [LINE, PLANE, SPACE], ids=str)
def test_a_fit_keeps_mean_and_total_variance_of_its_points_whatever_is_lost(
    source: Mixture, count: int, shape: Any
) -> None:
    made = estimator(source, 4, covariance=shape, initialise="k-means++", iterations=6)
    points = made.real(count, drawing(60))
    weights = np.random.default_rng(1).choice([1.0, 1.0, 0.5], points.shape[:2])
    model = made.fit(points, weights, None, drawing(60, purposes.FIT))
    variance, place = made.pairs(model)
    for lane in range(60):
        mean, covariance = slow.moments(points[lane], weights[lane])
        assert variance[lane] == pytest.approx(np.trace(covariance), rel=1e-9)
        np.testing.assert_allclose(place[lane], mean, rtol=1e-9, atol=1e-9)
    if count == 3:
        assert (model.weights == 0.0).any(axis=1).all()
    np.testing.assert_allclose(model.weights.sum(axis=1), 1.0, rtol=1e-12)


def test_a_point_of_weight_2_is_two_points_and_one_of_weight_0_is_none() -> None:
    made = estimator(PLANE, 2)
    points = made.real(30, drawing(1))
    law = tiled(start(PLANE, 2, 1), 1)
    weights = np.ones((1, 30))
    weights[0, :10], weights[0, 10:15] = 2.0, 0.0
    far = points.copy()
    far[0, 10:15] = 1e6
    doubled = np.concatenate([points[:, :10], points[:, :10], points[:, 15:]], axis=1)
    plain = made.fit(doubled, np.ones((1, 35)), law, drawing(1))
    for chosen in (points, far):
        model = made.fit(chosen, weights, law, drawing(1))
        for got, wanted in zip(model, plain, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


def test_a_lane_without_weight_does_not_stop_the_others() -> None:
    made = estimator(PLANE, 2)
    points = made.real(30, drawing(2))
    weights = np.ones((2, 30))
    weights[0] = 0.0
    for previous in (None, tiled(start(PLANE, 2, 1), 2)):
        model = made.fit(points, weights, previous, drawing(2, purposes.FIT))
        alone = made.fit(points[1:], weights[1:], previous and tiled(start(PLANE, 2, 1), 1), _second())
        assert all(got[1:].tobytes() == wanted.tobytes() for got, wanted in zip(model, alone, strict=True))
        assert not any(np.isnan(part).any() for part in model)


def _second() -> Draws:
    return Draws(np.array([1], dtype=np.uint64), np.zeros(1, dtype=np.uint64), 77, 1, purposes.FIT)


@pytest.mark.parametrize(("source", "count"), [(LINE, 40), (PLANE, 25), (SPACE, 3)], ids=str)
def test_seeds_are_those_of_the_slow_twin(source: Mixture, count: int) -> None:
    made = estimator(source, 4, initialise="k-means++")
    draws = drawing(3, purposes.FIT)
    points = made.real(count, drawing(3))
    weights = np.random.default_rng(3).choice([0.0, 1.0, 2.0], (3, count), p=[0.2, 0.6, 0.2])
    weights[:, 0] = 1.0
    law = made._start(points, weights, None, draws)
    generation, streams, replicates, k0, k1 = draws.arguments
    for lane in range(3):
        uniforms = [
            rng.uniforms(np.uint64(k), generation, replicates[lane], streams[lane], k0, k1)[0] for k in range(4)
        ]
        wanted, _ = slow.seeds(points[lane], weights[lane], 4, uniforms)
        for got, twin in zip(law, wanted, strict=True):
            np.testing.assert_allclose(got[lane], twin, rtol=1e-9, atol=1e-12)


def test_a_warm_start_is_the_sources_own_law_where_it_has_as_many_components() -> None:
    for shape in SHAPES:
        made = estimator(PLANE, 2, covariance=shape)
        law = made._start(np.zeros((2, 3, 2)), np.ones((2, 3)), None, drawing(2))
        for got, wanted in zip(law[:2], PLANE.arrays()[:2], strict=True):
            assert np.array_equal(got[1], wanted)
        for got, wanted in zip(law[2][1], PLANE.arrays()[2], strict=True):
            np.testing.assert_allclose(got, slow.shaped(wanted, shape, 0.0))


# --- Lost components are results ----------------------------------------------------------------------------------


def test_a_lost_component_is_recorded_and_stays_lost() -> None:
    source = Mixture((0.9, 0.1), ((-20.0,), (20.0,)), (1.0, 1.0))
    record = run(Scenario(source, GaussianMixture(2), sample_size=20, generations=30), seed=3, replicates=100)
    m = record.metrics
    lost = m["components"] == 1.0
    assert 20 < lost[:, -1].sum() < 100
    assert np.all(np.diff(m["components"], axis=1) <= 0.0)
    assert np.all(m["smallest_weight"][lost] == 1.0) and np.all(m["weight_entropy"][lost] == 0.0)
    assert np.all((m["weight_1"] == 0.0) | (m["weight_2"] == 0.0) == lost)
    assert np.all(m["coverage"][lost] <= 0.5)
    counts = 20.0 * m["weight_2"][:, 1:]  # so far apart, every point belongs to one component
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)


@pytest.mark.parametrize("initialise", ["warm", "k-means++"])
@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_whole_collapse_has_no_nan(count: int, dimension: int, initialise: Any) -> None:
    family = GaussianMixture(3, dimension, initialise=initialise)
    for regime in (Accumulate(), FreshFraction(0.0)):
        card = Scenario(Normal(1.0, 2.0), family, regime, sample_size=count, generations=40)
        record = run(card, seed=1, replicates=20)
        assert not any(np.isnan(values).any() for values in record.metrics.values())
    if count == 1:
        assert np.all(record.absorbed == 1)
        m = {name: values[:, 1:] for name, values in record.metrics.items()}
        assert np.all(m["total_variance"] == 0.0) and np.all(m["coverage"] == 0.0)
        for name in ("kl_model_source", "kl_source_model", "l2_squared", "log_likelihood"):
            assert np.all(m[name] == np.inf), name
        assert np.isfinite(m["w2_sliced"]).all()


def test_a_floor_keeps_a_component_of_one_point() -> None:
    card = Scenario(Normal(), GaussianMixture(2, floor=0.25), sample_size=2, generations=5)
    m = run(card, seed=1, replicates=20).metrics
    assert np.all(m["components"][:, 1] == 2.0) and np.all(m["total_variance"] >= 0.25)
    without = run(Scenario(Normal(), GaussianMixture(2), sample_size=2, generations=5), seed=1, replicates=20)
    assert np.all(without.metrics["components"][:, 1] == 1.0)


# --- Draws and densities ------------------------------------------------------------------------------------------


def test_a_mixture_writes_its_own_law(record_property: object) -> None:
    court = Court(record_property)
    misses = []
    for source in (LINE, PLANE, SPACE):
        made = estimator(source, 2)
        law = tuple(part[0] for part in law_of(source, source.dimension))
        points = made.write(tiled(law, 1), 40_000, drawing(1, purposes.SYNTHETIC))[0]
        for way in [*np.eye(source.dimension).tolist(), [1.0, -2.0, 0.5][: source.dimension]]:
            direction = np.array(way)
            flat = (
                law[0],
                law[1] @ direction[:, None],
                np.einsum("i,kij,j->k", direction, law[2], direction)[:, None, None],
            )
            values = points @ direction

            def cdf(x: Float, flat: Any = flat) -> Float:
                return np.array([slow.below(value, flat) for value in x])

            court.hold(f"{source} along {way}", law_p_value(cdf, values))
            misses.append(law_p_value(cdf, 1.05 * values))
        near = (points - law[1][0])[:, 0] < (points - law[1][1])[:, 0] * 0  # left of the first mean
        court.hold(f"{source} left", binomial(int(near.sum()), len(points), _left(law)))
    court.reject("a law too wide", misses)


def _left(law: Any) -> float:
    return slow.below(float(law[1][0, 0]), (law[0], law[1][:, :1], law[2][:, :1, :1]))


def test_points_of_a_lane_do_not_depend_on_the_sample_of_another_size() -> None:
    made = estimator(PLANE, 2)
    few, many = made.real(10, drawing(1)), made.real(33, drawing(1))
    assert few.tobytes() == np.ascontiguousarray(many[:, :10]).tobytes()


@pytest.mark.parametrize("source", [LINE, PLANE, SPACE], ids=str)
def test_log_densities_are_those_of_the_slow_twin(source: Mixture) -> None:
    made = estimator(source, 2)
    points = 3.0 * made.real(70, drawing(2))
    law = source.arrays()
    wanted = np.array([np.logaddexp.reduce(slow.log_density(lane, law), axis=1) for lane in points])
    np.testing.assert_allclose(made.source_log_density(points), wanted, rtol=1e-11)
    np.testing.assert_allclose(made.log_density(tiled(law, 2), points), wanted, rtol=1e-11)


def test_a_law_without_density_is_infinite_at_its_mean() -> None:
    made = estimator(PLANE, 1)
    model = made.fit(np.ones((1, 4, 2)), np.ones((1, 4)), None, drawing(1))
    points = np.array([[[1.0, 1.0], [1.0, 1.5]]])
    assert made.log_density(model, points).tolist() == [[np.inf, -np.inf]]
    assert np.all(made.write(model, 5, drawing(1)) == 1.0)


def test_jitter_moves_by_the_sources_own_deviations() -> None:
    made = estimator(PLANE, 1)
    points = made.real(5, drawing(1))
    moved = made.jitter(points, np.ones((1, 5, 2)), 0.5) - points
    np.testing.assert_allclose(moved[0], np.tile(0.5 * np.sqrt(np.diagonal(PLANE.covariance())), (5, 1)))


# --- Distances ----------------------------------------------------------------------------------------------------


MODELS: list[slow.Law] = [
    LINE.arrays(),
    (np.array([1.0]), np.array([[0.5]]), np.array([[[4.0]]])),
    (np.array([0.2, 0.8]), np.array([[-3.0], [1.0]]), np.array([[[0.25]], [[9.0]]])),
    (np.array([0.5, 0.3, 0.2]), np.array([[-4.2], [0.1], [5.5]]), np.array([[[0.9]], [[0.6]], [[1.5]]])),
]


@pytest.mark.parametrize("law", MODELS, ids=range(len(MODELS)))
@pytest.mark.parametrize("source", [LINE, Normal(0.5, 2.0)], ids=["mixture", "normal"])
def test_distances_on_the_line_are_integrals(source: Any, law: slow.Law) -> None:
    made = estimator(source, len(law[0]))
    own: slow.Law = tuple(part[0] for part in law_of(source, 1))
    got = {name: values[0] for name, values in made.measure(tiled(law, 1), drawing(1)).items()}
    assert got["kl_model_source"] == pytest.approx(slow.divergence(law, own), rel=2e-3, abs=1e-6)
    assert got["kl_source_model"] == pytest.approx(slow.divergence(own, law), rel=2e-3, abs=1e-6)
    assert got["l2_squared"] == pytest.approx(slow.square_difference(law, own), rel=1e-9, abs=1e-12)
    levels = (np.arange(64) + 0.5) / 64
    gaps = [slow.quantile(level, law) - slow.quantile(level, own) for level in levels]
    assert got["w2_sliced"] == pytest.approx(np.mean(np.square(gaps)), rel=1e-8, abs=1e-15)
    assert got["total_variance"] == pytest.approx(total_variance(law), rel=1e-12)
    modes = [slow.density(mean[0], law) >= 0.1 * slow.density(mean[0], own) for mean in own[1]]
    assert got["coverage"] == pytest.approx(np.mean(modes))


def test_distances_of_two_normal_laws_in_the_plane_are_exact() -> None:
    source = Mixture((1.0,), ((1.0, 2.0),), (((2.0, 0.5), (0.5, 1.0)),))
    mean, covariance = np.array([0.5, 2.5]), np.array([[1.0, -0.2], [-0.2, 0.5]])
    law = np.ones(1), mean[None], covariance[None]
    got = estimator(source, 1).measure(tiled(law, 1), drawing(1))
    _, (m0,), (c0,) = source.arrays()

    def divergence(m: Float, c: Float, m_other: Float, c_other: Float) -> float:
        inverse, gap = np.linalg.inv(c_other), m_other - m
        logs = np.linalg.slogdet(c_other)[1] - np.linalg.slogdet(c)[1]
        return float(0.5 * (np.trace(inverse @ c) + gap @ inverse @ gap - 2.0 + logs))

    assert got["kl_model_source"][0] == pytest.approx(divergence(mean, covariance, m0, c0), rel=1e-9)
    assert got["kl_source_model"][0] == pytest.approx(divergence(m0, c0, mean, covariance), rel=1e-9)


@pytest.mark.parametrize(("source", "dimension"), [(PLANE, 2), (SPACE, 3), (Normal(1.0, 3.0), 4)], ids=str)
def test_the_source_is_at_no_distance_from_itself(source: Any, dimension: int) -> None:
    made = estimator(source, 2, **({} if isinstance(source, Mixture) else {"dimension": dimension}))
    got = {name: values[0] for name, values in made.measure_source(drawing(1)).items()}
    for name in ("kl_model_source", "kl_source_model", "w2_sliced", "edge_case_failure"):
        assert got[name] == pytest.approx(0.0, abs=1e-12), name
    assert got["l2_squared"] == pytest.approx(0.0, abs=1e-15) and got["coverage"] == 1.0
    # In the plane, the mean log density against a large sample.
    sample = made.source_log_density(made.real(200_000, drawing(1)))
    assert got["log_likelihood"] == pytest.approx(sample.mean(), abs=6 * sample.std() / np.sqrt(200_000) + 0.02)


def test_edge_cases_are_the_rarest_twentieth() -> None:
    """A model that stops short of the tails misses them; where they begin is known for a normal law."""
    made = estimator(Normal(), 1)
    shares = []
    for std in (0.5, 0.7, 0.9, 0.999):
        model = tiled((np.ones(1), np.zeros((1, 1)), np.full((1, 1, 1), std**2)), 1)
        shares.append(float(made.measure(model, drawing(1))["edge_case_failure"][0]))
    assert shares == sorted(shares, reverse=True) and shares[0] == 1.0 and shares[-1] == 0.0
    # std 0.7: a tenth of the density is left at z where -z^2/2 (1/0.49 - 1) - ln 0.7 = -ln 10
    z = np.sqrt((np.log(10.0) - np.log(0.7)) * 2.0 / (1.0 / 0.49 - 1.0))
    from scipy.special import ndtr

    assert shares[1] == pytest.approx(2.0 * ndtr(-z) / 0.05, abs=0.01)


# --- Cards --------------------------------------------------------------------------------------------------------


def test_a_mixture_is_written_in_every_lenient_way() -> None:
    full = Mixture((0.5, 0.5), ((-1.0,), (1.0,)), (((1.0,),), ((2.0,),)))
    assert Mixture((0.5, 0.5), (-1.0, 1.0), (1.0, 2.0)) == full
    assert Mixture((0.5, 0.5), np.array([-1.0, 1.0]), np.array([[[1.0]], [[2.0]]])) == full  # type: ignore[arg-type]
    assert Mixture((0.5, 0.5), (-1, 1), ((1,), (2,))) == full
    plane = Mixture((1.0,), ((0.0, 1.0),), (((2.0, 0.0), (0.0, 3.0)),))
    assert Mixture((1.0,), ((0, 1),), ((2.0, 3.0),)) == plane
    assert plane.dimension == 2 and hash(plane) == hash(Mixture((1.0,), ((0, 1),), ((2.0, 3.0),)))
    card = Scenario(PLANE, GaussianMixture(2, 2), sample_size=5, generations=2)
    assert Scenario.from_toml(card.to_toml()) == card and Scenario.from_json(card.to_json()) == card


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (((0.5, 0.6), (0.0, 1.0), (1.0, 1.0)), ["weights must sum to 1", "1.1"]),
        (((1.5, -0.5), (0.0, 1.0), (1.0, 1.0)), ["weight", "-0.5"]),
        (((1.0,), (0.0, 1.0), (1.0,)), ["means must hold one a component", "2"]),
        (((1.0,), (0.0,), (1.0, 1.0)), ["covariances must hold one a component", "2"]),
        (((1.0,), (0.0,), (-1.0,)), ["positive semidefinite", "-1.0"]),
        (((1.0,), ((0.0, 0.0),), (((1.0, 2.0), (2.0, 1.0)),)), ["positive semidefinite", "eigenvalue -1"]),
        (((1.0,), ((0.0, 0.0),), (((1.0, 0.5), (0.4, 1.0)),)), ["symmetric 2 x 2", "0.4"]),
        (((1.0,), ((0.0, 0.0),), ((1.0, 2.0, 3.0),)), ["2 variances", "3.0"]),
        (((0.5, 0.5), ((0.0,), (0.0, 1.0)), (1.0, 1.0)), ["points of one dimension"]),
        (((1.0,), (float("nan"),), (1.0,)), ["finite", "nan"]),
        (((1.0,), ("a",), (1.0,)), ["means", "a"]),
        (((), (), ()), ["at least one component"]),
    ],
)
def test_a_bad_mixture_is_refused(fields: Any, words: list[str]) -> None:
    with pytest.raises(CardError) as error:
        Mixture(*fields)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(
    ("source", "family", "words"),
    [
        (Uniform(3), {"components": 2}, ["normal source or a mixture", "uniform"]),
        (PLANE, {"components": 2}, ["dimension 1", "got 2"]),
        (Mixture((1.0,), ((0, 0),), ((1.0, 0.0),)), {"components": 2, "dimension": 2}, ["positive definite", "0.0"]),
        (Normal(), {"components": 0}, ["components must be at least 1", "0"]),
        (Normal(), {"components": 2, "dimension": 0}, ["dimension must be at least 1", "0"]),
        (Normal(), {"components": 2, "iterations": 0}, ["iterations must be at least 1", "0"]),
        (Normal(), {"components": 2, "floor": -1.0}, ["floor must be at least 0", "-1.0"]),
        (Normal(), {"components": 2, "tolerance": float("nan")}, ["tolerance must be at least 0", "nan"]),
        (Normal(), {"components": 2, "covariance": "diag"}, ["diag", "did you mean 'diagonal'"]),
    ],
)
def test_a_bad_card_is_refused(source: Any, family: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(CardError) as error:
        Scenario(source, GaussianMixture(**family), sample_size=5, generations=2)
    assert all(word in str(error.value) for word in words), error.value


def test_a_score_of_one_number_needs_one_dimension() -> None:
    step = Preference(3, Quadratic(0.0, 1.0))
    Scenario(Normal(), GaussianMixture(2), curation=(step,), sample_size=5, generations=2)
    with pytest.raises(CardError, match="one number a point"):
        Scenario(Normal(), GaussianMixture(2, 2), curation=(step,), sample_size=5, generations=2)


def test_a_tilt_moves_the_means_by_deviations_of_the_whole() -> None:
    moved = PLANE.tilted(0.5)
    assert moved.weights == PLANE.weights and moved.covariances == PLANE.covariances
    shift = np.array(moved.means) - np.array(PLANE.means)
    np.testing.assert_allclose(shift, np.tile(0.5 * np.sqrt(np.diagonal(PLANE.covariance())), (2, 1)))
    np.testing.assert_allclose(moved.covariance(), PLANE.covariance())


# --- The bound of the mean square ---------------------------------------------------------------------------------


def test_the_fourth_moment_is_that_of_a_sample() -> None:
    points = estimator(SPACE, 1).real(400_000, drawing(1))[0]
    centre = np.array([1.0, 0.0, -1.0])
    powers = ((points - centre) ** 2).sum(axis=1) ** 2
    assert fourth_moment(*SPACE.arrays(), centre) == pytest.approx(powers.mean(), abs=6 * powers.std() / 632)


@pytest.mark.parametrize("regime", [Accumulate(), FreshFraction(0.25), FreshFraction(0.0)], ids=str)
def test_the_bound_of_the_mean_square_holds(regime: Any) -> None:
    card = Scenario(LINE, GaussianMixture(2), regime, sample_size=10, generations=6)
    values = run(card, seed=4, replicates=4000).metrics["total_variance"]
    shares, means, covariances = LINE.arrays()
    centre = shares @ means
    bound = total_square_bound(
        card.schedule(), total_variance(LINE.arrays()), fourth_moment(shares, means, covariances, centre)
    )
    square = (values**2).mean(axis=0)
    assert np.all(square[1:] <= bound[1:]) and square[1] >= 0.7 * bound[1]
    assert np.all(np.diff(bound) >= 0.0)
