"""Rows about the one-dimensional Gaussian, predicted for the standard normal source and scaled to the card's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lightcollapse.predictions import gaussian, gaussian_mixed, gaussian_pool
from lightcollapse.predictions._checks import Variance
from lightcollapse.predictions.gaussian_law import LogVarianceLaw
from lightcollapse.predictions.gaussian_mixed import Moments
from lightcollapse.predictions.pairs import Tilt, pair_diversity, tilted_share
from lightcollapse.scenario import Scenario
from lightcollapse.theorems.row import Float, Kind, Law, Theorem, Values, always, one_lab, one_late

Standard = Callable[[Scenario], Float]  # for the standard normal source

_LARGEST_SPREAD = 0.5  # Var(s^2) / E(s^2)^2 up to which the matched lognormal law holds its stated error with weights


def _scale(metric: str, scenario: Scenario) -> tuple[float, float]:
    """(offset, factor) that take a metric of the standard normal source to the card's."""
    source: Any = scenario.source
    return {
        "mean": (source.mean, source.std),
        "variance": (0.0, source.std**2),
        "std": (0.0, source.std),
        "log_variance": (2.0 * np.log(source.std), 1.0),
        "w2_squared": (0.0, source.std**2),
    }.get(metric, (0.0, 1.0))


def _scaled(metric: str, standard: Standard) -> Values:
    def values(scenario: Scenario, seed: int) -> Float:
        offset, factor = _scale(metric, scenario)
        return offset + factor * standard(scenario)

    return values


def _scaled_variance(metric: str, standard: Standard) -> Values:
    def values(scenario: Scenario, seed: int) -> Float:
        try:
            return _scale(metric, scenario)[1] ** 2 * standard(scenario)
        except ValueError:  # the mean exists at this size, a bound of the variance does not
            return np.full(scenario.generations + 1, np.inf)

    return values


def _row(
    name: str,
    ids: tuple[str, ...],
    regime: str,
    metric: str,
    statement: str,
    note: str,
    standard: Standard,
    *,
    kind: Kind = "exact mean",
    variance: Standard | None = None,
    condition: Callable[[Scenario], bool] = always,
    near_miss: Standard | None = None,
    source: str = "derived for this package",
    law: Law | None = None,
    near_law: Law | None = None,
    error: float | None = None,
) -> Theorem:
    values = _scaled(metric, standard)
    return Theorem(
        name=f"gaussian-{regime}-{name}",
        ids=ids,
        family="gaussian",
        regimes=(regime,),
        metric=metric,
        kind=kind,
        statement=statement,
        note=note,
        source=source,
        values=values,
        near_miss=one_late(values) if near_miss is None else _scaled(metric, near_miss),
        condition=condition,
        law=law,
        near_law=near_law,
        variance=None if variance is None else _scaled_variance(metric, variance),
        error=error,
    )


# What a card says, in the words of the predictions.


def _options(scenario: Scenario, wrong: bool = False) -> dict[str, Any]:
    """The variance estimator, or the other one."""
    ml = _ml(scenario) != wrong
    return {"variance": "ml" if ml else "unbiased"}


def _of_sizes(function: Callable[..., Float], *arguments: float) -> Standard:
    """A prediction that needs sample sizes and the variance estimator alone."""

    def standard(scenario: Scenario) -> Float:
        return function(scenario.sample_sizes(), *arguments, **_options(scenario))

    return standard


def _bias(scenario: Scenario) -> float:
    """How many standard deviations the mean of the fresh points lies off the source's."""
    biases = scenario.schedule()["bias"]
    return float(biases[np.abs(biases).argmax()])


def _weight(scenario: Scenario) -> float | None:
    """Weight of the real part in the fits, None where pooled."""
    weights = scenario.schedule()["weight"][1:]
    return None if len(weights) == 0 or np.isnan(weights[0]) else float(weights[0])


def _fresh(scenario: Scenario, wrong: bool = False) -> Moments:
    """Moments about the source's mean; nobody reads the last two, which stay about that of the fresh points."""
    rows, bias = scenario.schedule(), _bias(scenario)
    moments = gaussian_mixed.fresh_moments(
        rows["size"], rows["fresh"], weight=_weight(scenario), offset=-bias, **_options(scenario, wrong)
    )
    seen = moments.mean_square + 2.0 * bias * _drift(scenario) - bias**2
    return moments._replace(mean_square=seen)


def _fixed(scenario: Scenario, wrong: bool = False) -> Moments:
    sizes = scenario.sample_sizes()
    return gaussian_mixed.fixed_real_moments(
        int(sizes[0]), sizes[1:], weight=_weight(scenario), **_options(scenario, wrong)
    )


def _of_moments(moments: Callable[..., Moments], read: Callable[[Moments], Float]) -> Standard:
    def standard(scenario: Scenario) -> Float:
        return read(moments(scenario))

    return standard


def _matched(moments: Callable[..., Moments], read: Callable[[Moments], Float]) -> Standard:
    """An approximation by the matched law, where the variance does not vary too much for it."""

    def standard(scenario: Scenario) -> Float:
        found = moments(scenario)
        varies = np.max(found.variance_square / found.variance**2 - 1.0)
        if varies > _LARGEST_SPREAD and (_weight(scenario) is not None or _bias(scenario) != 0.0):
            raise ValueError(
                f"the matched law needs a relative variance of at most {_LARGEST_SPREAD}, got {varies:.2f}"
            )
        return read(found)

    return standard


def _pairs(scenario: Scenario) -> Float:
    return pair_diversity(scenario.schedule(), Tilt(1.0, 1.0 + 0.5 * _bias(scenario) ** 2))


def _drift(scenario: Scenario) -> Float:
    """Expected mean: the share of what descends from tilted data, times the tilt."""
    bias = _bias(scenario)
    return bias * tilted_share(scenario.schedule()) if bias else _zero(scenario)


def _spread(scenario: Scenario) -> Float:
    """Variance of the mean: that of a draw from a model unknown, less that of a draw from a model known."""
    bias, drift = _bias(scenario), _drift(scenario)
    return 1.0 + drift * (bias - drift) - _pairs(scenario)


def _zero(scenario: Scenario) -> Float:
    return np.zeros(scenario.generations + 1)


def _drifted(scenario: Scenario) -> Float:
    """A mean that moved by one standard error of the first sample."""
    moved = np.full(scenario.generations + 1, scenario.sample_sizes()[0] ** -0.5)
    moved[0] = 0.0
    return moved + _drift(scenario)


def _ml(scenario: Scenario) -> bool:
    family: Any = scenario.family
    return bool(family.variance == "ml")


def _ml_lab(scenario: Scenario) -> bool:
    """Whether one model a generation is fitted by maximum likelihood."""
    return _ml(scenario) and one_lab(scenario)


def _varied(scenario: Scenario) -> bool:
    """Whether every sample has a variance: at least 2 points."""
    return bool(scenario.sample_sizes().min() >= 2)


def _whole(scenario: Scenario) -> bool:
    """Whether the first real sample is re-used as a whole, and every sample has a variance."""
    regime: Any = scenario.regime
    return regime.share is None and _varied(scenario)


def _migrants(scenario: Scenario) -> bool:
    """Whether every training set after the first has 2 fresh points or more, so that moments are tame."""
    fresh = scenario.schedule()["fresh"][1:]
    return bool(len(fresh) > 0 and fresh.min() >= 2) and _varied(scenario)


# The exact law under replacement.


_AS_GOOD_AS_EQUAL = 1e-10  # of the law's standard deviation


@functools.lru_cache(maxsize=256)
def _law_of(sizes: bytes, estimator: Variance) -> Callable[[Float], Float]:
    """The distribution function of the log variance. Three metrics of each generation ask it of the same points but for
    rounding: it answers once.
    """
    law = LogVarianceLaw(np.frombuffer(sizes, dtype=np.int64), estimator)
    last: list[tuple[Float, Float]] = []

    def below(logs: Float) -> Float:
        for points, answer in last:
            with np.errstate(invalid="ignore"):
                if points.shape == logs.shape and bool(np.all(np.abs(points - logs) <= _AS_GOOD_AS_EQUAL * law.std)):
                    return answer
        last[:] = [(logs, law.cdf(logs))]
        return last[0][1]

    return below


def _law(to_log: Callable[[Float], Float], wrong_estimator: bool = False) -> Law:
    """P(metric <= value) from the law of the log variance; the wrong estimator divides by the other number."""

    def law(scenario: Scenario, generation: int, values: Float) -> Float:
        source: Any = scenario.source
        estimator = _options(scenario, wrong_estimator)["variance"]
        with np.errstate(divide="ignore"):
            logs = to_log(np.asarray(values, dtype=np.float64)) - 2.0 * np.log(source.std)
        return _law_of(scenario.sample_sizes()[:generation].tobytes(), estimator)(logs)

    return law


def _wrong_estimator(function: Callable[..., Float], *arguments: float) -> Standard:
    def standard(scenario: Scenario) -> Float:
        return function(scenario.sample_sizes(), *arguments, **_options(scenario, wrong=True))

    return standard


def _twice_log(values: Float) -> Float:
    return np.asarray(2.0 * np.log(values))


def _log(values: Float) -> Float:
    return np.asarray(np.log(values))


def _same(values: Float) -> Float:
    return values


_TO_LOG: dict[str, Callable[[Float], Float]] = {"variance": _log, "std": _twice_log, "log_variance": _same}


def _law_row(name: str, ids: tuple[str, ...], metric: str, statement: str, function: Any, *arguments: float) -> Theorem:
    to_log = _TO_LOG[metric]
    return _row(
        name,
        ids,
        "replace",
        metric,
        statement,
        "gaussian-law.md",
        _of_sizes(function, *arguments),
        kind="exact law",
        condition=_varied,
        near_miss=_wrong_estimator(function, *arguments),
        law=_law(to_log),
        near_law=_law(to_log, wrong_estimator=True),
        source="derived; the mean: Shumailov et al. 2023 (2305.17493), Suresh et al. 2024 (2412.17646)",
    )


# Under accumulation.


def _accumulate_variance_of_variance(scenario: Scenario) -> Float:
    first = _of_sizes(gaussian_pool.accumulate_variance_moment, 1)(scenario)
    second = _of_sizes(gaussian_pool.accumulate_variance_moment, 2)(scenario)
    return np.maximum(second - first**2, 0.0)


def _accumulate_variance_of_std(scenario: Scenario) -> Float:
    square = _of_sizes(gaussian_pool.accumulate_variance_moment, 1)(scenario)
    return np.maximum(square - _of_sizes(gaussian_pool.accumulate_std_mean)(scenario) ** 2, 0.0)


# The sums that fresh data and a fixed real sample have in common.


def _mixed_rows(
    regime: str,
    moments: Callable[..., Moments],
    note: str,
    ids: tuple[str, ...],
    condition: Callable[[Scenario], bool],
    tame: Callable[[Scenario], bool],
) -> list[Theorem]:
    """Exact means under `condition`, approximations under `tame`."""
    return [
        _row(
            "mean",
            ids,
            regime,
            "mean",
            "the expected mean is the source's, but for the share that descends from tilted data",
            note,
            _drift,
            variance=lambda scenario: moments(scenario).mean_square - _drift(scenario) ** 2,
            near_miss=_drifted,
            condition=condition,
        ),
        _row(
            "variance",
            ids,
            regime,
            "variance",
            "the expected variance is h_t, which falls where two points descend from one real point",
            note,
            _of_moments(moments, lambda m: m.variance),
            variance=_of_moments(moments, lambda m: np.maximum(m.variance_square - m.variance**2, 0.0)),
            condition=condition,
            near_miss=lambda scenario: moments(scenario, True).variance,
        ),
        _row(
            "std",
            (*ids, "G10.fresh.std.lognormal"),
            regime,
            "std",
            "the expected std is that of the lognormal law with the exact two moments of the variance",
            note,
            _matched(moments, gaussian_mixed.matched_std_mean),
            kind="approximation",
            condition=tame,
            error=0.01,
        ),
        _row(
            "log-variance",
            (*ids, "G10.fresh.log.lognormal"),
            regime,
            "log_variance",
            "the expected log variance is that of the lognormal law with the exact two moments of the variance",
            note,
            _matched(moments, gaussian_mixed.matched_log_variance_mean),
            kind="approximation",
            condition=tame,
        ),
        _row(
            "w2",
            ids,
            regime,
            "w2_squared",
            "exact moments of mean and variance, the std from the matched lognormal law",
            note,
            _matched(moments, gaussian_mixed.matched_w2_squared_mean),
            kind="approximation",
            condition=tame,
        ),
        _row(
            "kl-model-source",
            ids,
            regime,
            "kl_model_source",
            "exact moments of mean and variance, the log variance from the matched lognormal law",
            note,
            _matched(moments, gaussian_mixed.matched_kl_model_source_mean),
            kind="approximation",
            condition=tame,
        ),
    ]


GAUSSIAN: tuple[Theorem, ...] = (
    _row(
        "mean",
        ("G6.meanvar",),
        "replace",
        "mean",
        "the mean is a martingale: its expectation stays the source's while its variance grows",
        "gaussian-replace.md",
        _zero,
        variance=_of_sizes(gaussian.mean_variance),
        near_miss=_drifted,
    ),
    _law_row(
        "variance",
        ("G1.var", "G5.cdf", "G4.median", "G9.sched.var"),
        "variance",
        "the variance is the source's times independent chi-square variates over their divisors",
        gaussian.variance_moment,
        1.0,
    ),
    _law_row(
        "std",
        ("G2.std",),
        "std",
        "the std is the root of a product of independent chi-square variates over their divisors",
        gaussian.std_mean,
    ),
    _law_row(
        "log-variance",
        ("G3.logmean", "G3.logvar", "G9.sched.log"),
        "log_variance",
        "the log variance is a sum of independent log chi-square variates: a walk with negative drift",
        gaussian.log_variance_cumulant,
        1,
    ),
    _row(
        "w2",
        ("G7.W2", "G9.sched.W2"),
        "replace",
        "w2_squared",
        "the squared Wasserstein distance is 2 s_0 (s_0 - E s_t) (ml), or grows without bound (unbiased)",
        "gaussian-distances.md",
        _of_sizes(gaussian.w2_squared_mean),
        variance=_of_sizes(gaussian.w2_squared_variance),
        condition=_varied,
        source="Shumailov et al. 2023 (2305.17493) to first order; exact: derived",
    ),
    _row(
        "kl-model-source",
        ("G8.KLmr",),
        "replace",
        "kl_model_source",
        "KL(M_t || P0) is the expected loss of entropy",
        "gaussian-distances.md",
        _of_sizes(gaussian.kl_model_source_mean),
        variance=_of_sizes(gaussian.kl_model_source_variance),
        condition=_varied,
    ),
    _row(
        "kl-source-model",
        ("G8.KLrm",),
        "replace",
        "kl_source_model",
        "KL(P0 || M_t) grows exponentially, and is finite only for samples of at least 4",
        "gaussian-distances.md",
        _of_sizes(gaussian.kl_source_model_mean),
        variance=_of_sizes(gaussian.kl_source_model_variance),
        condition=_varied,
    ),
    _row(
        "mean",
        ("G12.acc.meanvar",),
        "accumulate",
        "mean",
        "the expected mean is the source's, and its variance stays bounded",
        "accumulate.md",
        _zero,
        variance=_of_sizes(gaussian_pool.accumulate_mean_variance),
        near_miss=_drifted,
        condition=_varied,
    ),
    _row(
        "variance",
        ("G12.acc.var", "G12.acc.var.unb"),
        "accumulate",
        "variance",
        "the expected variance falls to a positive limit, sin(x)/x at x = pi/sqrt(n) for ml",
        "accumulate.md",
        _of_sizes(gaussian_pool.accumulate_variance_moment, 1),
        variance=_accumulate_variance_of_variance,
        condition=_varied,
        near_miss=_wrong_estimator(gaussian_pool.accumulate_variance_moment, 1),
        source="Kazdan et al. 2024 (2410.16713) for ml with equal samples; derived",
    ),
    _row(
        "std",
        ("G12.acc.std",),
        "accumulate",
        "std",
        "the expected std is a product of one quadrature a generation",
        "accumulate.md",
        _of_sizes(gaussian_pool.accumulate_std_mean),
        variance=_accumulate_variance_of_std,
        condition=_varied,
        near_miss=_wrong_estimator(gaussian_pool.accumulate_std_mean),
    ),
    _row(
        "log-variance",
        ("G12.acc.log",),
        "accumulate",
        "log_variance",
        "the expected log variance is a sum of one quadrature a generation",
        "accumulate.md",
        _of_sizes(gaussian_pool.accumulate_log_variance_mean),
        variance=_of_sizes(gaussian_pool.accumulate_log_variance_bound),
        condition=_varied,
    ),
    _row(
        "w2",
        ("G12.acc.W2",),
        "accumulate",
        "w2_squared",
        "the squared Wasserstein distance is 2 (1 - E s_t) for ml",
        "accumulate.md",
        _of_sizes(gaussian_pool.accumulate_w2_squared_mean),
        variance=_of_sizes(gaussian_pool.accumulate_w2_squared_bound),
        condition=_varied,
    ),
    _row(
        "kl-model-source",
        ("G12.acc.KL",),
        "accumulate",
        "kl_model_source",
        "KL(M_t || P0) is the expected loss of entropy",
        "accumulate.md",
        _of_sizes(gaussian_pool.accumulate_kl_model_source_mean),
        variance=_of_sizes(gaussian_pool.accumulate_kl_bound),
        condition=_varied,
    ),
    _row(
        "kl-source-model",
        (),
        "accumulate",
        "kl_source_model",
        "KL(P0 || M_t) stays bounded",
        "accumulate.md",
        _of_sizes(gaussian_pool.accumulate_kl_source_model_mean),
        variance=_of_sizes(partial(gaussian_pool.accumulate_kl_bound, reverse=True)),
        condition=_varied,
    ),
    _row(
        "mean",
        ("G13.accsub.meanvar",),
        "accumulate-subsample",
        "mean",
        "the expected mean is the source's, and its variance stays bounded: 1 - h_t for ml",
        "accumulate-subsample.md",
        _zero,
        variance=_of_sizes(gaussian_pool.accumulate_subsample_mean_variance),
        near_miss=_drifted,
        condition=_varied,
    ),
    _row(
        "variance",
        ("G13.accsub.var", "G13.accsub.var.unb", "G13.accsub.limit"),
        "accumulate-subsample",
        "variance",
        "the expected variance falls to a positive limit 1 - (pi^2/2 - 2)/n for ml, and grows slowly for unbiased",
        "accumulate-subsample.md",
        _of_sizes(gaussian_pool.accumulate_subsample_variance_mean),
        variance=_of_sizes(gaussian_pool.accumulate_subsample_variance_bound),
        condition=_varied,
        near_miss=_wrong_estimator(gaussian_pool.accumulate_subsample_variance_mean),
    ),
    *_mixed_rows("fresh-fraction", _fresh, "fresh-data.md", ("G10.fresh.var", "G10.fresh.mom"), _varied, _migrants),
    *_mixed_rows("fixed-real", _fixed, "fixed-real.md", ("F1.fixedreal.var",), _whole, _whole),
    *_mixed_rows("weighted", _fresh, "weighted.md", ("W1.weighted.var",), _varied, _migrants),
    Theorem(
        name="gaussian-pairs-mean",
        ids=("G6.meanvar",),
        family="gaussian",
        regimes=(),
        metric="mean",
        kind="exact mean",
        statement="the expected mean is the source's, and its variance 1 - h_t, where no fresh data is tilted",
        note="pairs.md",
        source="derived for this package",
        values=_scaled("mean", _drift),
        near_miss=_scaled("mean", _drifted),
        condition=_ml_lab,
        variance=_scaled_variance("mean", _spread),
    ),
    Theorem(
        name="gaussian-pairs-variance",
        ids=("P1.window.H", "W1.weighted.var"),
        family="gaussian",
        regimes=(),
        metric="variance",
        kind="exact mean",
        statement="one linear recursion gives the expected variance in every regime",
        note="pairs.md",
        source="Kingman 1982 for the coalescent; derived for this package",
        values=_scaled("variance", _pairs),
        near_miss=one_late(_scaled("variance", _pairs)),
        condition=_ml_lab,
        variance=lambda scenario, seed: np.full(scenario.generations + 1, np.inf),
    ),
)
