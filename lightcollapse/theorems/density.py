"""Rows about laws that hold points: the empirical law and kernel densities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lightcollapse.families.density import RealLaw
from lightcollapse.predictions import density, wright_fisher
from lightcollapse.predictions.pairs import pair_diversity
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Normal, SymbolSource
from lightcollapse.theorems.row import Float, Theorem, Values, one_lab, one_late

_CARD = Callable[[Scenario], Float]


def _level(scenario: Scenario) -> bool:
    return one_lab(scenario) and not np.any(scenario.schedule()["bias"] != 0.0)


def _fixed(scenario: Scenario) -> bool:
    """Whether the bandwidth is given."""
    family: Any = scenario.family
    return family.bandwidth is not None and _level(scenario)


def _ruled(scenario: Scenario) -> bool:
    family: Any = scenario.family
    return family.bandwidth is None


def _values(function: _CARD) -> Values:
    return lambda scenario, seed: function(scenario)


def _or_unknown(function: _CARD) -> Values:
    def values(scenario: Scenario, seed: int) -> Float:
        try:
            return function(scenario)
        except ValueError:
            return np.full(scenario.generations + 1, np.inf)

    return values


def _dimension(scenario: Scenario) -> int:
    family: Any = scenario.family
    return int(family.dimension)


def _total(scenario: Scenario) -> float:
    """Variance of the source, summed over coordinates."""
    return RealLaw(scenario.source, _dimension(scenario)).moments[1]


# --- Means ---------------------------------------------------------------------------------------------------------


def _kept(scenario: Scenario) -> Float:
    return _total(scenario) * pair_diversity(scenario.schedule())


def _lost(scenario: Scenario) -> Float:
    return _total(scenario) * (1.0 - pair_diversity(scenario.schedule()))


def _spread(scenario: Scenario) -> tuple[Float, Float]:
    """Squared shift and total variance at a given bandwidth: linear in the source's variance and in h^2."""
    family: Any = scenario.family
    schedule, blur = scenario.schedule(), _dimension(scenario) * family.bandwidth**2
    plain, blurred = density.kernel_spread(schedule, 0.0), density.kernel_spread(schedule, 1.0)
    shift, variance = (
        _total(scenario) * without + blur * (with_it - without) for without, with_it in zip(plain, blurred, strict=True)
    )
    return shift, variance


def _rule_ratios(scenario: Scenario) -> Float:
    """Bandwidth in standard deviations of the training points, by the family's rule, float64 (generations,).

    Points of one generation are those of the rule under replacement alone.
    """
    family: Any = scenario.family
    d = _dimension(scenario)
    factor = 1.0 if family.rule == "scott" else (4.0 / (d + 2.0)) ** (1.0 / (d + 4.0))
    return np.asarray(factor * scenario.sample_sizes() ** (-1.0 / (d + 4.0)))


def _relative(scenario: Scenario) -> Float:
    ratios = _rule_ratios(scenario)
    return _total(scenario) * density.relative_kernel_variance(scenario.sample_sizes(), ratios, unbiased=False)


def _distinct(scenario: Scenario) -> Float:
    """Of a source without atoms every point of the first sample is a symbol of its own."""
    sizes = scenario.sample_sizes()
    first = int(sizes[0])
    left = wright_fisher.support_mean(np.full(first, 1.0 / first), sizes[1:]) if first > 1 else np.ones(len(sizes))
    return np.concatenate([[np.inf], left])


def _support(scenario: Scenario) -> Float:
    source: Any = scenario.source
    return wright_fisher.support_mean(source.probabilities(), scenario.sample_sizes())


def _distinct_bounds(scenario: Scenario, seed: int) -> tuple[float, float]:
    source: Any = scenario.source
    symbols = isinstance(source, SymbolSource)
    return 1.0, float(len(source.probabilities()) if symbols else scenario.sample_sizes()[0])


def _of_symbols(scenario: Scenario) -> bool:
    return isinstance(scenario.source, SymbolSource)


def _without_atoms(scenario: Scenario) -> bool:
    return scenario.source.kind in ("normal", "mixture", "exponential")


# --- Second moments: one dimension, replacement, a normal source ---------------------------------------------------


class _Squares(NamedTuple):
    """Variances of the squared shift and of the model's variance, float64 (generations + 1,)."""

    shift: Float
    variance: Float


# Products that are followed: of the shift d of a sample's mean and of its central moments m2, m3, m4.
_ONE, _DD, _M2, _DDDD, _DDM2, _DM3, _M2M2, _M4 = np.eye(8)


class _Law(NamedTuple):
    """Moments of a model about its mean as sums of products of its sample's: variance v, v^2, fourth moment, d^2 v."""

    v: Float
    vv: Float
    fourth: Float
    ddv: Float

    @classmethod
    def of(cls, share: float, blur: float) -> _Law:
        """The sample plus a normal number of variance share m2 + blur."""
        kept = 1.0 + share
        return cls(
            kept * _M2 + blur * _ONE,
            kept**2 * _M2M2 + 2.0 * kept * blur * _M2 + blur**2 * _ONE,
            _M4 + 3.0 * share * (2.0 + share) * _M2M2 + 6.0 * kept * blur * _M2 + 3.0 * blur**2 * _ONE,
            kept * _DDM2 + blur * _DD,
        )

    def sampled(self, n: float) -> Float:
        """Expected products of a sample of n, float64 (8, 8): rows over the products of the sample before."""
        v, vv, q, ddv = self
        e4 = (q + 3.0 * (n - 1.0) * vv) / n**3  # e: the sample's mean less the model's
        ee = (q + (n - 1.0) * vv) / n**2  # e^2 times the mean square about the model's mean
        return np.array(
            [
                _ONE,
                _DD + v / n,
                (1.0 - 1.0 / n) * v,
                _DDDD + 6.0 * ddv / n + 4.0 * _DM3 / n**2 + e4,
                (1.0 - 1.0 / n) * ddv + 2.0 * (n - 1.0) / n**2 * _DM3 + ee - e4,
                (n - 1.0) * (n - 2.0) / n**2 * _DM3 + q / n - 3.0 * ee + 2.0 * e4,
                (n - 1.0) / n**3 * ((n - 1.0) * q + (n * n - 2.0 * n + 3.0) * vv),
                (n - 1.0) / n**3 * ((n * n - 3.0 * n + 3.0) * q + 3.0 * (2.0 * n - 3.0) * vv),
            ]
        )


def _squares(scenario: Scenario) -> _Squares:
    """Expected products of a sample's moments follow from those of the sample before, linearly: a sample of n from a
    law of variance v has E m2 = (1 - 1/n) v, and so on (Cramer 1946). Raises ValueError elsewhere.
    """
    if not (isinstance(scenario.source, Normal) and _dimension(scenario) == 1 and scenario.regime.kind == "replace"):
        raise ValueError("second moments are known of one dimension, under replacement, from a normal source")
    family: Any = scenario.family
    width: float | None = getattr(family, "bandwidth", 0.0)
    sizes = scenario.sample_sizes().astype(np.float64)
    shares = _rule_ratios(scenario) ** 2 if width is None else np.zeros(len(sizes))
    std = scenario.source.std
    state = _ONE + std**2 * _M2 + std**4 * (_M2M2 + 3.0 * _M4)
    law, moments = _Law.of(0.0, 0.0), [np.array([0.0, 0.0, std**2, std**4])]
    for n, share in zip(sizes, shares, strict=True):
        state = law.sampled(n) @ state
        law = _Law.of(share, 0.0 if width is None else width**2)
        moments.append(np.array([_DD, _DDDD, law.v, law.vv]) @ state)
    shift, shifts, variance, variances = np.array(moments).T
    return _Squares(np.maximum(shifts - shift**2, 0.0), np.maximum(variances - variance**2, 0.0))


_SHIFT_SPREAD = _or_unknown(lambda scenario: _squares(scenario).shift)
_VARIANCE_SPREAD = _or_unknown(lambda scenario: _squares(scenario).variance)


def _row(family: str, name: str, metric: str, statement: str, function: _CARD, **others: Any) -> Theorem:
    values = _values(function)
    near_miss = _values(others.pop("near_miss")) if "near_miss" in others else one_late(values)
    known: dict[str, Any] = {
        "ids": (),
        "regimes": (),
        "kind": "exact mean",
        "note": "kernel-density.md" if family == "kernel-density" else "pairs.md",
        "source": "derived for this package",
        "condition": _level,
    }
    return Theorem(
        name=f"{family}-{name}",
        family=family,
        metric=metric,
        statement=statement,
        values=values,
        near_miss=near_miss,
        **(known | others),
    )


DENSITY: tuple[Theorem, ...] = (
    _row(
        "empirical",
        "variance",
        "total_variance",
        "the expected variance is h_t times the source's, as for every model that keeps mean and covariance",
        _kept,
        variance=_VARIANCE_SPREAD,
    ),
    _row(
        "empirical",
        "shift",
        "mean_squared",
        "what the variance has lost, the mean has wandered: 1 - h_t of the source's variance",
        _lost,
        variance=_SHIFT_SPREAD,
    ),
    _row(
        "empirical",
        "distinct",
        "distinct",
        "points of the first sample with descendants: neutral drift of as many symbols",
        _distinct,
        ids=("C15.distinct",),
        regimes=("replace",),
        note="wright-fisher.md",
        source="Kingman 1982 for the coalescent; derived",
        condition=_without_atoms,
        bounds=_distinct_bounds,
    ),
    _row(
        "empirical",
        "support",
        "distinct",
        "symbols that are left: the categorical family",
        _support,
        regimes=("replace",),
        note="wright-fisher.md",
        condition=_of_symbols,
        bounds=_distinct_bounds,
    ),
    _row(
        "kernel-density",
        "variance",
        "total_variance",
        "every fit adds h^2 and loses 1/n: under replacement the variance tends to n h^2",
        lambda scenario: _spread(scenario)[1],
        ids=("K1.kde.replace", "K2.kde.accumulate"),
        condition=_fixed,
        near_miss=lambda scenario: _kept(scenario),
        variance=_VARIANCE_SPREAD,
    ),
    _row(
        "kernel-density",
        "shift",
        "mean_squared",
        "the mean wanders by 1/n of the model's variance a generation",
        lambda scenario: _spread(scenario)[0],
        condition=_fixed,
        variance=_SHIFT_SPREAD,
    ),
    _row(
        "kernel-density",
        "rule-variance",
        "total_variance",
        "rules of thumb make the variance grow without bound: by (1 - 1/n)(1 + r^2) a generation",
        _relative,
        regimes=("replace",),
        condition=_ruled,
        near_miss=lambda scenario: _kept(scenario),
        variance=_VARIANCE_SPREAD,
        source="rules: Scott 1992, Silverman 1986; growth: derived",
    ),
)
