"""One-parameter exponential families: samplers against exact laws, formulas against SciPy, chains against twins."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from budget import Court
from exact import same_law, whole_numbers
from msgspec.structs import replace
from scipy import integrate, optimize, stats
from scipy.special import gammainc, pdtr

from lightcollapse import families, sources
from lightcollapse.curation import Decoding, Verifier
from lightcollapse.errors import CardError
from lightcollapse.evidence import law_p_value
from lightcollapse.families.exponential_family import ExponentialFamily, Law
from lightcollapse.families.numbers import BernoulliLaw, ExponentialLaw, GammaLaw, GeometricLaw, NormalLaw, PoissonLaw
from lightcollapse.kernels import exponential_family as kernels
from lightcollapse.kernels.draws import Draws
from lightcollapse.loop import run
from lightcollapse.regimes import Accumulate, AccumulateSubsample, FreshFraction, Islands, Regime, Replace, Weighted
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Normal, Source

pytestmark = pytest.mark.slow_without_jit

LANES = 20_000
DRAWS = Draws(np.arange(LANES, dtype=np.uint64), np.zeros(LANES, dtype=np.uint64), 31, 4, 1)
CARDS: dict[str, tuple[Source, ExponentialFamily]] = {
    "bernoulli": (sources.Bernoulli(0.3), families.Bernoulli()),
    "poisson": (sources.Poisson(2.5), families.Poisson()),
    "geometric": (sources.Geometric(2.0), families.Geometric()),
    "exponential": (sources.Exponential(3.0), families.Exponential()),
    "gamma": (sources.Gamma(0.4, 3.0), families.Gamma()),
    "gaussian-mean": (Normal(1.0, 2.0), families.GaussianMean()),
    "ising": (sources.Ising(6, 0.6), families.Ising()),
}
every = pytest.mark.parametrize("name", CARDS)


def with_draws(family: ExponentialFamily, draws: str) -> Any:
    return replace(family, draws=draws)


# --- Samplers against their exact laws -----------------------------------------------------------------------------


def smoothed(values: np.ndarray, cumulative: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Uniform numbers where whole `values` follow the law: each is spread over its own step of the law."""
    spread = np.random.default_rng(1).random(len(values))
    below, above = cumulative(values - 1.0), cumulative(values)
    return np.asarray(below + spread * (above - below))


def poisson_cumulative(mean: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda k: np.where(k < 0, 0.0, pdtr(np.maximum(k, 0.0), mean))


@pytest.mark.parametrize("mean", [1e-3, 0.7, 5.0, 9.999, 10.0, 17.3, 300.0, 1e6, 1e9, 1e12])
def test_poisson_numbers_follow_their_law(mean: float, record_property: object) -> None:
    court = Court(record_property)
    out = np.empty((LANES, 1))
    kernels.fill_poisson(np.full(LANES, mean), out, 0, *DRAWS.arguments)
    values = out[:, 0]
    assert np.all(values == np.floor(values)) and values.min() >= 0.0
    court.hold(f"Poisson({mean:g})", law_p_value(lambda u: u, smoothed(values, poisson_cumulative(mean))))
    if mean < 1000.0:
        cells = stats.poisson.pmf(np.arange(int(mean + 20.0 * math.sqrt(mean) + 20.0)), mean)
        court.hold(f"Poisson({mean:g}), cell by cell", whole_numbers(values.astype(np.int64), cells))
    if mean >= 0.7:
        wrong = poisson_cumulative(mean + 0.2 * math.sqrt(mean))
        court.reject(f"Poisson({mean:g})", [law_p_value(lambda u: u, smoothed(values, wrong))])


@pytest.mark.parametrize("mean", [0.4, 30.0])
def test_a_lane_of_poisson_numbers_is_one_stream(mean: float, record_property: object) -> None:
    """Many of one lane, as a training set draws them: they follow the law together, and more begin like fewer."""
    one = Draws(np.array([3], dtype=np.uint64), np.array([0], dtype=np.uint64), 7)
    few, many = np.empty((1, 10)), np.empty((1, LANES))
    for out in (few, many):
        kernels.fill_poisson(np.array([mean]), out, 0, *one.arguments)
    assert np.array_equal(few, many[:, :10])
    cells = stats.poisson.pmf(np.arange(int(mean + 20.0 * math.sqrt(mean) + 20.0)), mean)
    Court(record_property).hold(f"a lane of Poisson({mean:g})", whole_numbers(many[0].astype(np.int64), cells))


def test_a_poisson_mean_of_0_gives_0() -> None:
    out = np.empty((LANES, 1))
    kernels.fill_poisson(np.zeros(LANES), out, 0, *DRAWS.arguments)
    assert not out.any()


@pytest.mark.parametrize("shape", [0.05, 0.5, 1.0, 3.0, 1e4])
def test_gamma_numbers_follow_their_law(shape: float, record_property: object) -> None:
    court = Court(record_property)
    out = np.empty((LANES, 1))
    kernels.fill_gamma(shape, np.full(LANES, 2.0), out, 0, *DRAWS.arguments)
    court.hold(f"gamma {shape:g}", law_p_value(lambda x: gammainc(shape, 0.5 * x), out[:, 0]))
    wrong = shape + 0.2 * math.sqrt(shape)
    court.reject(f"gamma {shape:g}", [law_p_value(lambda x: gammainc(wrong, 0.5 * x), out[:, 0])])


@pytest.mark.parametrize(("trials", "probability"), [(5, 0.3), (200, 0.02), (200, 0.9)])
def test_binomial_numbers_follow_their_law(trials: int, probability: float, record_property: object) -> None:
    court = Court(record_property)
    out = np.empty((LANES, 1))
    kernels.fill_binomial(trials, np.full(LANES, probability), out, 0, *DRAWS.arguments)
    values, cells = out[:, 0].astype(np.int64), np.arange(trials + 1)
    court.hold("binomial", whole_numbers(values, stats.binom.pmf(cells, trials, probability)))
    court.reject("binomial", [whole_numbers(values, stats.binom.pmf(cells, trials, 0.8 * probability))])


def test_sums_of_a_finite_law_follow_their_law(record_property: object) -> None:
    """Against the law that convolution gives; values are whole so that sums are cells."""
    court = Court(record_property)
    values, law = np.array([0.0, 1.0, 4.0]), np.array([0.5, 0.2, 0.3])
    out = np.empty(LANES)
    kernels.fill_sums(6, values, np.tile(law, (LANES, 1)), out, 0, *DRAWS.arguments)
    one = np.zeros(5)
    one[values.astype(np.int64)] = law
    cells = np.ones(1)
    for _ in range(6):
        cells = np.convolve(cells, one)
    court.hold("sums of a finite law", whole_numbers(out.astype(np.int64), cells))
    court.reject("sums of a finite law", [whole_numbers(out.astype(np.int64) // 2 * 2, cells)])


def test_sums_of_a_law_of_one_value_are_exact() -> None:
    out = np.empty(LANES)
    kernels.fill_sums(7, np.array([0.0, 0.25, 1.0]), np.tile([0.0, 1.0, 0.0], (LANES, 1)), out, 0, *DRAWS.arguments)
    assert np.all(out == 1.75)


LAWS: dict[str, tuple[Law, float, Any, Any]] = {  # law, mean, SciPy's law of a point, of the sum of 5 points
    "bernoulli": (BernoulliLaw(), 0.3, stats.bernoulli(0.3), stats.binom(5, 0.3)),
    "poisson": (PoissonLaw(), 2.5, stats.poisson(2.5), stats.poisson(12.5)),
    "geometric": (GeometricLaw(), 2.0, stats.geom(1 / 3, loc=-1), stats.nbinom(5, 1 / 3)),
    "exponential": (ExponentialLaw(), 3.0, stats.expon(scale=3.0), stats.gamma(5, scale=3.0)),
    "gamma": (GammaLaw(0.4), 3.0, stats.gamma(0.4, scale=7.5), stats.gamma(2.0, scale=7.5)),
    "gaussian-mean": (NormalLaw(2.0), 1.0, stats.norm(1.0, 2.0), stats.norm(5.0, 2.0 * math.sqrt(5.0))),
}
each = pytest.mark.parametrize("name", LAWS)


@each
def test_points_and_sums_follow_their_laws(name: str, record_property: object) -> None:
    court = Court(record_property)
    law, mean, one, five = LAWS[name]
    means = np.full(LANES, mean)
    drawn = {"point": (law.points(means, 3, DRAWS)[:, 2], one), "sum": (law.sums(means, 5, DRAWS), five)}
    for what, (values, claimed) in drawn.items():
        assert values.shape == (LANES,)
        shifted = values + 0.2 * claimed.std()
        if hasattr(claimed.dist, "pmf"):
            court.hold(f"{name}, {what}", law_p_value(lambda u: u, smoothed(values, claimed.cdf)))
            shifted = values + 1.0
            court.reject(f"{name}, {what}", [law_p_value(lambda u: u, smoothed(shifted, claimed.cdf))])
        else:
            court.hold(f"{name}, {what}", law_p_value(claimed.cdf, values))
            court.reject(f"{name}, {what}", [law_p_value(claimed.cdf, shifted)])


# --- Formulas against SciPy ----------------------------------------------------------------------------------------


@each
def test_variance_density_entropy_and_divergence(name: str) -> None:
    law, mean, one, _ = LAWS[name]
    means = np.array([mean])
    np.testing.assert_allclose(law.variance(means), one.var(), rtol=1e-12)
    values = one.ppf(np.linspace(0.05, 0.95, 7))[None]
    logs = one.logpmf(values) if hasattr(one.dist, "pmf") else one.logpdf(values)
    np.testing.assert_allclose(law.log_density(means, values), logs, rtol=1e-10, atol=1e-12)
    if "entropy" in law.further(means):
        np.testing.assert_allclose(law.further(means)["entropy"], one.entropy(), rtol=1e-9)
    other = np.array([0.8 * mean])
    claimed = expected(one, lambda x: float((law.log_density(means, x) - law.log_density(other, x))[0, 0]))
    np.testing.assert_allclose(law.divergence(means, other), claimed, rtol=1e-6)
    assert law.divergence(means, means)[0] == 0.0


def expected(one: Any, function: Callable[[np.ndarray], float]) -> float:
    """Expectation under SciPy's law, as a sum or an integral."""
    if hasattr(one.dist, "pmf"):
        return sum(float(one.pmf(k)) * function(np.array([[k]])) for k in range(120) if one.pmf(k) > 0.0)
    low, high = one.ppf(1e-14), one.ppf(1.0 - 1e-14)
    return float(integrate.quad(lambda x: one.pdf(x) * function(np.array([[x]])), low, high, epsabs=1e-12)[0])


@pytest.mark.parametrize("name", ["bernoulli", "geometric", "exponential"])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_is_a_power_of_the_density(name: str, temperature: float) -> None:
    law, mean, one, _ = LAWS[name]
    means = np.array([mean])

    def power(x: np.ndarray) -> float:
        return math.exp(float(law.log_density(means, x)[0, 0]) / temperature)

    if hasattr(one.dist, "pmf"):
        points = np.arange(2.0 if name == "bernoulli" else 400.0)
        mass = np.array([power(np.array([[x]])) for x in points])
        claimed = float(mass @ points / mass.sum())
    else:
        total, first = (
            integrate.quad(lambda x, i=i: x**i * power(np.array([[x]])), 0.0, 300.0, limit=200)[0] for i in (0, 1)
        )
        claimed = first / total
    np.testing.assert_allclose(law.tempered(means, temperature), claimed, rtol=1e-6)


@each
def test_the_edge_of_the_means_is_a_result(name: str) -> None:
    """No NaN, and infinities where they are honest, from a law of one value."""
    law, mean, _, _ = LAWS[name]
    if name == "gaussian-mean":
        return
    measured = law.measures(np.zeros(1), mean)
    assert measured["variance"] == 0.0 and measured["alive"] == 0.0
    assert measured["kl_source_model"] == np.inf
    assert measured["kl_model_source"] == pytest.approx(
        -law.log_density(np.array([mean]), np.zeros((1, 1)))[0, 0] if name not in ("exponential", "gamma") else np.inf
    )
    assert law.log_density(np.zeros(1), np.array([[1.0]])) == -np.inf
    for draws in (law.points(np.zeros(LANES), 2, DRAWS), law.sums(np.zeros(LANES), 4, DRAWS)):
        assert not draws.any()


# --- Chains against slow twins -------------------------------------------------------------------------------------


def slow(name: str, mean: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Points by NumPy, float64 (chains, count)."""
    shape, wide = (len(mean), count), mean[:, None]
    if name == "bernoulli":
        return (generator.random(shape) < wide).astype(float)
    if name == "poisson":
        return generator.poisson(wide, shape).astype(float)
    if name == "geometric":
        return generator.geometric(1.0 / (1.0 + wide), shape) - 1.0
    if name == "exponential":
        return wide * generator.standard_exponential(shape)
    if name == "gamma":
        return wide / 0.4 * generator.standard_gamma(0.4, shape)
    return wide + 2.0 * generator.standard_normal(shape)


CHAINS, SIZE, LAST = 4000, 7, 4


def twin(name: str, regime: Regime, mean: float) -> np.ndarray:
    """Means of every generation by the plainest of programs, float64 (CHAINS, LAST + 1)."""
    generator = np.random.default_rng(23)
    real = np.full(CHAINS, mean)
    out, pool = [real], slow(name, real, SIZE, generator)
    out.append(pool.mean(axis=1))
    for _ in range(2, LAST + 1):
        if isinstance(regime, Weighted):
            fresh, wrote = slow(name, real, SIZE, generator), slow(name, out[-1], SIZE, generator)
            out.append(regime.weight * fresh.mean(axis=1) + (1.0 - regime.weight) * wrote.mean(axis=1))
            continue
        fresh_points = 3 if isinstance(regime, FreshFraction) else 0
        parts = [slow(name, real, fresh_points, generator), slow(name, out[-1], SIZE - fresh_points, generator)]
        if isinstance(regime, Accumulate | AccumulateSubsample):
            parts = [pool, slow(name, out[-1], SIZE, generator)]
        pool = np.concatenate(parts, axis=1)
        taken = pool
        if isinstance(regime, AccumulateSubsample):
            taken = generator.permuted(pool, axis=1)[:, :SIZE]
        out.append(taken.mean(axis=1))
    return np.stack(out, axis=1)


TWINS = [Replace(), Accumulate(), AccumulateSubsample(), FreshFraction(3 / 7), Weighted(0.4)]


@each
@pytest.mark.parametrize("regime", TWINS, ids=lambda regime: regime.kind)
def test_chains_have_the_law_of_their_slow_twin(name: str, regime: Regime, record_property: object) -> None:
    court = Court(record_property)
    source, family = CARDS[name]
    claimed = twin(name, regime, LAWS[name][1])
    for draws in ("points", "statistics"):
        if draws == "statistics" and isinstance(regime, AccumulateSubsample):
            continue
        card = Scenario(source, with_draws(family, draws), regime, sample_size=SIZE, generations=LAST)
        means = run(card, seed=5, replicates=CHAINS, jobs=1).metrics["mean"]
        for t in (1, 2, LAST):
            court.hold(f"{name}, {regime.kind}, {draws}, {t}", same_law(rounded(means[:, t]), rounded(claimed[:, t])))
        if isinstance(regime, Replace):
            court.reject(name, [same_law(rounded(means[:, 1]), rounded(claimed[:, LAST]))])


def rounded(values: np.ndarray) -> np.ndarray:
    """Equal means that were added up in another order are equal."""
    return np.round(values, 9)


@every
def test_points_and_sums_are_equal_in_law(name: str, record_property: object) -> None:
    court = Court(record_property)
    source, family = CARDS[name]
    pair = [
        run(Scenario(source, with_draws(family, draws), sample_size=9, generations=5), seed=seed, replicates=4000)
        for seed, draws in enumerate(("statistics", "points"))
    ]
    for metric in ("mean", "variance"):
        for t in (1, 3, 5):
            court.hold(f"{name}, {metric}, {t}", same_law(*(rounded(record.metrics[metric][:, t]) for record in pair)))


# --- Absorption, refusals, tilts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bernoulli", "poisson", "geometric", "ising"])
@pytest.mark.parametrize("draws", ["statistics", "points"])
def test_a_chain_of_one_value_is_absorbed(name: str, draws: str) -> None:
    source, family = CARDS[name]
    card = Scenario(source, with_draws(family, draws), sample_size=3, generations=80)
    record = run(card, seed=3, replicates=200)
    dead = record.metrics["variance"] == 0.0
    assert np.array_equal(record.absorbed, np.where(dead.any(axis=1), dead.argmax(axis=1), -1))
    assert np.count_nonzero(record.absorbed > 0) > 150
    assert np.array_equal(record.metrics["alive"] == 0.0, dead)
    for mean, absorbed in zip(record.metrics["mean"], record.absorbed, strict=True):
        assert absorbed == -1 or len(set(mean[absorbed:].round(12))) == 1
    assert not any(np.isnan(values).any() for values in record.metrics.values())


@every
def test_samples_of_one_point_and_of_millions(name: str) -> None:
    source, family = CARDS[name]
    for size in (1, 5_000_000):
        record = run(Scenario(source, family, sample_size=size, generations=6), seed=3, replicates=50)
        assert not any(np.isnan(values).any() for values in record.metrics.values())
    np.testing.assert_allclose(record.metrics["mean"], record.metrics["mean"][:, :1] * np.ones(7), rtol=0.02)


@every
def test_a_lane_with_nothing_left_keeps_its_model(name: str) -> None:
    source, family = CARDS[name]
    nothing = (2.0, 2.0) if name == "gaussian-mean" else (0.123, 0.123)
    if name == "bernoulli":
        return  # an answer there is 0 or 1
    step = Verifier(1.0, 1.0, right=nothing)
    record = run(Scenario(source, family, Replace(), (step,), sample_size=5, generations=4), seed=3, replicates=40)
    assert np.all(np.diff(record.metrics["mean"][:, 1:]) == 0.0)


@pytest.mark.parametrize("name", ["bernoulli", "geometric", "exponential", "ising"])
def test_cold_writing_narrows(name: str) -> None:
    source, family = CARDS[name]
    cold, warm = (
        run(Scenario(source, family, Replace(), (Decoding(t),), sample_size=400, generations=4), seed=3, replicates=40)
        for t in (0.6, 1.0)
    )
    assert cold.metrics["entropy"][:, -1].mean() < warm.metrics["entropy"][:, -1].mean() - 0.1


@every
def test_a_family_takes_sources_of_its_own_kind_alone(name: str) -> None:
    for other, (source, _) in CARDS.items():
        if other == name:
            continue
        with pytest.raises(CardError, match=f"family {name} needs a source of kind"):
            Scenario(source, CARDS[name][1], sample_size=5)


@every
def test_sums_cannot_be_taken_from(name: str) -> None:
    source, family = CARDS[name]
    with pytest.raises(CardError, match="needs its points"):
        Scenario(source, with_draws(family, "statistics"), AccumulateSubsample(), sample_size=5)


@every
@pytest.mark.parametrize("bias", [-0.4, 0.3])
def test_a_tilt_moves_the_mean_by_standard_deviations(name: str, bias: float) -> None:
    source, family = CARDS[name]
    law: Any = family.law(source)
    mean, deviation = law.expectation(source), math.sqrt(law.variance(np.array([law.expectation(source)]))[0])
    assert law.expectation(source.tilted(bias)) == pytest.approx(mean + bias * deviation)
    card = Scenario(source, family, FreshFraction(1.0, bias=bias), sample_size=300, generations=3)
    seen = run(card, seed=3, replicates=60).metrics["mean"][:, 3]
    assert seen.mean() == pytest.approx(mean + bias * deviation, abs=7.0 * deviation / math.sqrt(300 * 60))


@pytest.mark.parametrize(
    ("source", "bias"),
    [
        (sources.Bernoulli(0.3), 2.0),
        (sources.Poisson(2.0), -1.5),
        (sources.Geometric(2.0), -0.9),
        (sources.Exponential(3.0), -1.0),
        (sources.Ising(6, 0.5), 9.0),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_a_tilt_beyond_the_support_is_refused(source: Source, bias: float) -> None:
    with pytest.raises(CardError, match="must"):
        source.tilted(bias)


@pytest.mark.parametrize(
    "build",
    [
        lambda: sources.Bernoulli(0.0),
        lambda: sources.Bernoulli(1.0),
        lambda: sources.Poisson(0.0),
        lambda: sources.Poisson(math.inf),
        lambda: sources.Geometric(-1.0),
        lambda: sources.Exponential(math.nan),
        lambda: sources.Gamma(0.0),
        lambda: sources.Gamma(2.0, -1.0),
        lambda: sources.Ising(1, 0.5),
        lambda: sources.Ising(500, 0.5),
        lambda: sources.Ising(20, 1e9),
    ],
)
def test_values_that_break_a_rule(build: Callable[[], Source]) -> None:
    with pytest.raises(CardError, match="got"):
        build()


def test_labs_of_poisson_numbers_drift_apart() -> None:
    """Isolated labs: the whole keeps E V(m) + Var(m), here the source's mean and what the means have spread."""
    card = Scenario(
        sources.Poisson(4.0), families.Poisson(), Islands(4, own=1.0, shared=0.0), sample_size=20, generations=6
    )
    metrics = run(card, seed=3, replicates=3000).metrics
    spread = metrics["between"] - metrics["within"]
    np.testing.assert_allclose(metrics["within"][:, 6].mean(), 4.0, rtol=0.02)
    np.testing.assert_allclose(spread[:, 6].mean(), 4.0 * 6 / 20, rtol=0.1)


# --- The mean equation of finite laws ------------------------------------------------------------------------------


def test_means_are_solved_for() -> None:
    """Against root finding by SciPy, from the middle of the range to its very ends."""
    values, logs = sources.Ising(40).levels()
    ends = [2e-9, 1e-5, 0.01]
    means = np.array([*ends, 0.03, 0.2, 0.5, 0.9, 0.999, 1.0 - 1e-9])
    out = np.empty(len(means))
    kernels.solve_naturals(means, values, logs, out)

    def mean_of(natural: float) -> float:
        mass = np.exp(logs + natural * values - (logs + natural * values).max())
        return float(mass @ values / mass.sum())

    for mean, natural in zip(means, out, strict=True):
        root = optimize.brentq(lambda x, mean=mean: mean_of(x) - mean, -1e5, 1e5, xtol=1e-13, rtol=1e-14)
        assert natural == pytest.approx(root, rel=1e-6)
        assert mean_of(natural) == pytest.approx(mean, rel=1e-9)


def test_means_at_the_ends_have_infinite_parameters() -> None:
    values, logs = sources.Ising(5).levels()
    out = np.empty(4)
    kernels.solve_naturals(np.array([values[0], values[-1], 0.0, 2.0]), values, logs, out)
    assert out.tolist() == [-np.inf, np.inf, -np.inf, np.inf]
    laws = np.empty((2, len(values)))
    kernels.tilted(out[:2].copy(), values, logs, laws)
    assert np.exp(laws).tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
