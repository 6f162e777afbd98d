"""Rows about one-parameter exponential families: a theorem for all whose variance is a quadratic of the mean, and the
laws of some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from lightcollapse.predictions import exponential_family as one
from lightcollapse.predictions import wright_fisher, wright_fisher_mixed
from lightcollapse.scenario import Scenario
from lightcollapse.special import entr, rel_entr
from lightcollapse.theorems.row import Float, Kind, Law, Theorem, Values, one_lab, one_late

# (a, b, c) of the variance function a + b m + c m^2, by family.
_VARIANCE: dict[str, Callable[[Any], tuple[float, float, float]]] = {
    "bernoulli": lambda source: (0.0, 1.0, -1.0),
    "poisson": lambda source: (0.0, 1.0, 0.0),
    "geometric": lambda source: (0.0, 1.0, 1.0),
    "exponential": lambda source: (0.0, 0.0, 1.0),
    "gamma": lambda source: (0.0, 0.0, 1.0 / source.shape),
    "gaussian-mean": lambda source: (source.std**2, 0.0, 0.0),
}
_CARD = Callable[[Scenario], Float]


def _law(scenario: Scenario) -> Any:
    family: Any = scenario.family
    return family.law(scenario.source)


def _mean(scenario: Scenario) -> float:
    """Mean of the source."""
    return float(_law(scenario).expectation(scenario.source))


def _of_source(scenario: Scenario) -> float:
    """Variance of the source."""
    return float(_law(scenario).variance(np.array([_mean(scenario)]))[0])


def _variance(scenario: Scenario) -> tuple[float, float, float]:
    """(a, b, c) of V(m) = a + b m + c m^2."""
    return _VARIANCE[scenario.family.kind](scenario.source)


def _curvature(scenario: Scenario) -> float:
    return _variance(scenario)[2]


def _level(scenario: Scenario) -> bool:
    """One lab, no tilted data: the mean has nowhere to drift."""
    return one_lab(scenario) and not np.any(scenario.schedule()["bias"] != 0.0)


def _pooled(scenario: Scenario) -> bool:
    return _level(scenario) and bool(np.all(np.isnan(scenario.schedule()["weight"])))


def _values(function: _CARD) -> Values:
    return lambda scenario, seed: function(scenario)


def _constant(scenario: Scenario) -> Float:
    return np.full(scenario.generations + 1, _mean(scenario))


def _shrinking(scenario: Scenario) -> Float:
    """What a mean would do that loses the factor 1 - 1/n a generation, as variances do."""
    factors = np.cumprod(1.0 - 1.0 / scenario.sample_sizes())
    return _mean(scenario) * np.concatenate([[1.0], factors])


def _mean_variance(scenario: Scenario) -> Float:
    """Var(m_t) in any regime."""
    return _of_source(scenario) * one.mean_variance(scenario.schedule(), _curvature(scenario))


def _expected_variance(scenario: Scenario) -> Float:
    """E V(m_t) = V(m_0) + c Var(m_t), as the expected mean stays."""
    return _of_source(scenario) + _curvature(scenario) * _mean_variance(scenario)


def _central_moments(scenario: Scenario) -> Float:
    """E (m_t - m_0)^k for k = 0 .. 4, float64 (generations + 1, 5). Replacement and accumulation only.

    The mean of n points has the cumulants k_2 = V / n and k_(r+1) = k_2 d k_r / dm, which are polynomials of m. Where
    the new points are a share of the pool, the mean moves by that share. Raises ValueError for other regimes.
    """
    if scenario.regime.kind not in ("replace", "accumulate"):
        raise ValueError(f"no fourth moment is known under {scenario.regime.kind}")
    variance = Polynomial(_variance(scenario))(Polynomial([_mean(scenario), 1.0]))
    x = Polynomial([0.0, 1.0])
    moments, pool = [np.eye(5)[0]], 0.0
    for n in scenario.sample_sizes().astype(np.float64):
        pool = pool + n if scenario.regime.kind == "accumulate" else n
        second = variance / n
        third = second * second.deriv()
        second, third, fourth = (
            cumulant * (n / pool) ** order for order, cumulant in ((2, second), (3, third), (4, second * third.deriv()))
        )
        raw = [
            Polynomial([1.0]),
            x,
            x**2 + second,
            x**3 + 3 * x * second + third,
            x**4 + 6 * x**2 * second + 4 * x * third + fourth + 3 * second**2,
        ]
        moments.append(np.array([_padded(power) @ moments[-1] for power in raw]))
    return np.array(moments)


def _padded(polynomial: Polynomial) -> Float:
    coefficients = np.zeros(5)
    coefficients[: len(polynomial.coef)] = polynomial.coef[:5]
    return coefficients


def _or_unknown(function: _CARD) -> Values:
    """Infinite where the bound does not exist for this card."""

    def values(scenario: Scenario, seed: int) -> Float:
        try:
            return function(scenario)
        except ValueError:
            return np.full(scenario.generations + 1, np.inf)

    return values


def _variance_of_variance(scenario: Scenario) -> Float:
    moments = _central_moments(scenario)
    _, b, c = _variance(scenario)
    slope = b + 2.0 * c * _mean(scenario)
    seconds = slope**2 * moments[:, 2] + 2.0 * slope * c * moments[:, 3] + c * c * moments[:, 4]
    return np.asarray(seconds - (c * moments[:, 2]) ** 2)


def _bounds_of(scenario: Scenario, seed: int) -> tuple[float, float]:
    return 0.0, 0.25


def _alive_bounds(scenario: Scenario, seed: int) -> tuple[float, float]:
    return 0.0, 1.0


def _row(
    family: str,
    name: str,
    metric: str,
    regimes: tuple[str, ...],
    statement: str,
    function: _CARD,
    *,
    ids: tuple[str, ...] = (),
    note: str = "one-parameter.md",
    kind: Kind = "exact mean",
    near_miss: _CARD | None = None,
    source: str = "derived for this package",
    condition: Callable[[Scenario], bool] = _level,
    **evidence: Any,
) -> Theorem:
    values = _values(function)
    return Theorem(
        name=f"{family}-{name}",
        ids=ids,
        family=family,
        regimes=regimes,
        metric=metric,
        kind=kind,
        statement=statement,
        note=note,
        source=source,
        values=values,
        near_miss=one_late(values) if near_miss is None else _values(near_miss),
        condition=condition,
        **evidence,
    )


def _of_all() -> Iterator[Theorem]:
    """What holds of every family whose variance is a quadratic of the mean, in every regime of one lab."""
    for family in _VARIANCE:
        yield _row(
            family,
            "mean",
            "mean",
            (),
            "the expected mean is the source's; V(m) = a + b m + c m^2 says how it spreads",
            _constant,
            ids=("U2.exp.acc.exact",) if family == "exponential" else (),
            near_miss=_shrinking,
            variance=_values(_mean_variance),
            source="Morris 1982 for the families; derived",
        )
    for family, words in {
        "bernoulli": "loses the factor 1 - 1/n a generation",
        "poisson": "stays, though every chain ends at 0",
        "geometric": "grows by 1 + 1/n a generation, though every chain ends at 0",
        "exponential": "grows by 1 + 1/n a generation, though every chain tends to 0",
        "gamma": "grows by 1 + 1/(n k) a generation at shape k, though every chain tends to 0",
    }.items():
        evidence = {"bounds": _bounds_of} if family == "bernoulli" else {"variance": _or_unknown(_variance_of_variance)}
        yield _row(
            family,
            "variance",
            "variance",
            (),
            f"E V(m_t) = V(m_0) + c Var(m_t): under replacement it {words}",
            _expected_variance,
            near_miss=_shrinking if family == "poisson" else None,
            source="Morris 1982 for the families; derived",
            **evidence,
        )


# --- Normal mean, Poisson, Bernoulli -------------------------------------------------------------------------------


def _wandering(scenario: Scenario) -> Float:
    return 0.5 * _mean_variance(scenario) / _of_source(scenario)


def _wandering_variance(scenario: Scenario) -> Float:
    moments = _central_moments(scenario) / _of_source(scenario) ** np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    return np.asarray(0.25 * (moments[:, 4] - moments[:, 2] ** 2))


def _poisson_kl(scenario: Scenario) -> Float:
    accumulate = scenario.regime.kind == "accumulate"
    return one.poisson_kl_model_source_mean(_mean(scenario), scenario.sample_sizes(), accumulate=accumulate)


def _poisson_kl_spread(scenario: Scenario) -> Float:
    """KL <= (m - m_0)^2 / m_0, as log x <= x - 1: its second moment is at most that of the bound."""
    return np.asarray(_central_moments(scenario)[:, 4] / _mean(scenario) ** 2)


def _outcomes(scenario: Scenario) -> Float:
    return np.array([1.0 - _mean(scenario), _mean(scenario)])


def _bernoulli_sum(scenario: Scenario, functional: Callable[[Float, Float], Float]) -> Float:
    sizes, rows = scenario.sample_sizes(), scenario.schedule()
    if scenario.regime.kind == "replace":
        return wright_fisher.expected_sum_by_symbol(_outcomes(scenario), sizes, functional)
    if scenario.regime.kind == "accumulate":
        return wright_fisher_mixed.accumulate_expected_sum(_outcomes(scenario), sizes, functional)
    return wright_fisher_mixed.fresh_expected_sum(_outcomes(scenario), sizes, rows["fresh"], functional)


def _bernoulli_entropy(scenario: Scenario) -> Float:
    return _bernoulli_sum(scenario, lambda share, p: entr(share))


def _bernoulli_kl(scenario: Scenario) -> Float:
    return _bernoulli_sum(scenario, rel_entr)


def _entropy_bounds(scenario: Scenario, seed: int) -> tuple[float, float]:
    return 0.0, float(np.log(2.0))


def _kl_bounds(scenario: Scenario, seed: int) -> tuple[float, float]:
    return 0.0, -float(np.log(_outcomes(scenario).min()))


_COUNTED = ("replace", "accumulate", "fresh-fraction")


def _of_counts() -> Iterator[Theorem]:
    yield _row(
        "gaussian-mean",
        "kl-model-source",
        "kl_model_source",
        (),
        "E KL(M_t || P0) = Var(m_t) / (2 V): n times it is t/2 under replacement and tends to pi^2/12 accumulating",
        _wandering,
        variance=_or_unknown(_wandering_variance),
        source="Dey and Donoho 2024 (2410.22812); exact here",
    )
    yield _row(
        "poisson",
        "alive",
        "alive",
        ("replace",),
        "a chain lives as long as a branching process of Poisson children: P falls like 2 n L_0 / t",
        lambda scenario: one.poisson_alive_probability(_mean(scenario), scenario.sample_sizes()),
        note="exponential-poisson.md",
        bounds=_alive_bounds,
        source="Suresh et al. 2024 (2412.17646) for the question; Galton-Watson",
    )
    yield _row(
        "poisson",
        "kl-model-source",
        "kl_model_source",
        ("replace", "accumulate"),
        "by an integral of the rate's Laplace transform",
        _poisson_kl,
        note="exponential-poisson.md",
        variance=_or_unknown(_poisson_kl_spread),
    )
    yield _row(
        "bernoulli",
        "alive",
        "alive",
        ("replace",),
        "both outcomes are still possible: Wright's chain of one count",
        lambda scenario: one.bernoulli_undecided_probability(_mean(scenario), scenario.sample_sizes()),
        note="exponential-poisson.md",
        bounds=_alive_bounds,
        source="Wright 1931",
    )
    yield _row(
        "bernoulli",
        "entropy",
        "entropy",
        _COUNTED,
        "by the chain of one count",
        _bernoulli_entropy,
        note="wright-fisher.md",
        condition=_pooled,
        bounds=_entropy_bounds,
    )
    yield _row(
        "bernoulli",
        "kl-model-source",
        "kl_model_source",
        _COUNTED,
        "KL(M_t || P0) is the expected loss of entropy",
        _bernoulli_kl,
        note="wright-fisher.md",
        condition=_pooled,
        bounds=_kl_bounds,
    )


# --- Exponential ---------------------------------------------------------------------------------------------------


def _scale_law(share: Callable[[Float, float], Float], late: int = 0) -> Law:
    """The law of a metric of the scale, where `share` takes the metric back to the scale in units of the source's."""

    def law(scenario: Scenario, generation: int, values: Float) -> Float:
        sizes = scenario.sample_sizes()[: max(1, generation - late)]
        return one.exponential_scale_cdf(sizes, share(values, _mean(scenario)))

    return law


def _exponential(function: Callable[..., Float], offset: Callable[[float], float] = lambda mean: 0.0) -> _CARD:
    return lambda scenario: offset(_mean(scenario)) + function(scenario.sample_sizes())


def _of_scales() -> Iterator[Theorem]:
    """Products of gamma variables."""
    scales: dict[str, tuple[_CARD, Callable[[Float, float], Float], str]] = {
        "mean": (_constant, lambda x, mean: x / mean, "a product of gamma variables"),
        "variance": (_expected_variance, lambda x, mean: np.sqrt(x) / mean, "its square"),
        "entropy": (
            _exponential(one.exponential_log_mean, lambda mean: 1.0 + float(np.log(mean))),
            lambda x, mean: np.exp(x - 1.0) / mean,
            "1 + log of it: every chain drifts to 0 at the rate log n - psi(n), about 1/(2n) a generation",
        ),
    }
    for metric, (function, share, words) in scales.items():
        yield _row(
            "exponential",
            f"replace-{metric}",
            metric,
            ("replace",),
            f"under replacement: {words}",
            function,
            ids=("U3.exp.replace.exact",) if metric == "entropy" else (),
            note="exponential-poisson.md",
            kind="exact law",
            law=_scale_law(share),
            near_law=_scale_law(share, late=1),
        )
    yield _row(
        "exponential",
        "replace-kl-model-source",
        "kl_model_source",
        ("replace",),
        "E KL(M_t || P0) = sum of log n - psi(n)",
        _exponential(one.exponential_kl_model_source_mean),
        ids=("U3.exp.KL",),
        note="exponential-poisson.md",
        variance=_values(_exponential(one.exponential_kl_model_source_variance)),
    )
    yield _row(
        "exponential",
        "replace-kl-source-model",
        "kl_source_model",
        ("replace",),
        "E KL(P0 || M_t) grows exponentially; it needs samples of at least 2",
        _exponential(one.exponential_kl_source_model_mean),
        note="exponential-poisson.md",
        variance=_or_unknown(_exponential(one.exponential_kl_source_model_variance)),
    )


# --- Every smooth family, to first order ---------------------------------------------------------------------------


def _first_order(scenario: Scenario) -> Float:
    sizes, kind = scenario.sample_sizes(), scenario.regime.kind
    if kind == "replace":
        return one.kl_first_order(one.first_order_replace(sizes))
    if kind == "accumulate":
        return one.kl_first_order(one.first_order_accumulate(sizes))
    return one.kl_first_order(one.first_order_accumulate_subsample(int(sizes[0]), len(sizes)))


def _equal_where_subsampled(scenario: Scenario) -> bool:
    sizes = scenario.sample_sizes()
    return _level(scenario) and (scenario.regime.kind != "accumulate-subsample" or bool(np.all(sizes == sizes[0])))


def _ising_bounds(scenario: Scenario, seed: int) -> tuple[float, float]:
    source: Any = scenario.source
    values, _ = source.levels()
    return float(values[0]), float(values[-1])


def _of_first_order() -> Iterator[Theorem]:
    for family in ("geometric", "ising"):
        yield _row(
            family,
            "kl-first-order",
            "kl_model_source",
            ("replace", "accumulate", "accumulate-subsample"),
            "E KL(M_t || P0) is about half the sum of 1/n, as in every smooth family of one parameter",
            _first_order,
            ids=("U1.universality", "U5.acc.KL.univ"),
            kind="approximation",
            condition=_equal_where_subsampled,
            error=0.1,
            source="Wilks 1938 (classical asymptotics); Dey and Donoho 2024 (2410.22812)",
        )
    yield _row(
        "ising",
        "mean",
        "mean",
        (),
        "the expected squared magnetisation is the source's, whatever becomes of the coupling",
        _constant,
        near_miss=_shrinking,
        bounds=_ising_bounds,
    )


EXPONENTIAL_FAMILY: tuple[Theorem, ...] = (
    *_of_all(),
    *_of_counts(),
    *_of_scales(),
    *_of_first_order(),
)
