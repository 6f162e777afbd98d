"""Rows about linear regression on labels of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lightcollapse.predictions import regression
from lightcollapse.scenario import Scenario
from lightcollapse.theorems.row import Float, Kind, Theorem, bounded, one_lab, one_late

Standard = Callable[[Scenario], Float]

_NOTE = "regression.md"
_LARGE = 20  # dimensions from which a deterministic equivalent is tried


def _row(
    regime: str,
    name: str,
    ids: tuple[str, ...],
    statement: str,
    condition: Callable[[Scenario], bool],
    values: Standard,
    variance: Standard | None,
    *,
    kind: Kind = "exact mean",
    source: str = "derived for this package",
    error: float | None = None,
) -> Theorem:
    def right(scenario: Scenario, seed: int) -> Float:
        return values(scenario)

    return Theorem(
        name=f"regression-{regime}-{name}",
        ids=ids,
        family="linear-regression",
        regimes=(regime,),
        metric="test_error",
        kind=kind,
        statement=statement,
        note=_NOTE,
        source=source,
        values=right,
        near_miss=one_late(right),
        condition=lambda scenario: one_lab(scenario) and condition(scenario),
        variance=bounded(variance),
        error=error,
    )


# What a card says, in the words of the predictions.


def _family(scenario: Scenario) -> Any:
    return scenario.family


def _source(scenario: Scenario) -> Any:
    return scenario.source


def _noise(scenario: Scenario) -> float:
    return float(_source(scenario).noise ** 2)


def _dimension(scenario: Scenario) -> int:
    return int(_source(scenario).dimension)


def _norm(scenario: Scenario) -> float:
    return float(np.sum(_source(scenario).inputs().weights ** 2))


def _least_squares(scenario: Scenario) -> bool:
    return bool(_family(scenario).ridge == 0.0)


def _fresh_design(scenario: Scenario) -> bool:
    return _least_squares(scenario) and _family(scenario).design == "fresh"


def _equal(scenario: Scenario) -> bool:
    return len(set(scenario.sample_sizes().tolist())) == 1


def _fixed_design(scenario: Scenario) -> bool:
    return _least_squares(scenario) and _family(scenario).design == "fixed" and _equal(scenario)


def _isotropic(scenario: Scenario) -> bool:
    """Whether the inputs have the identity for their covariance."""
    factor = _source(scenario).inputs().factor
    return bool(np.array_equal(factor, np.eye(len(factor))))


def _constant(scenario: Scenario) -> bool:
    """Whether every training set from the second on has as many points, and as many fresh ones."""
    return _fresh_design(scenario) and _equal(scenario) and len(set(scenario.schedule()["fresh"][1:].tolist())) <= 1


# The predictions of a card.


def _of_sizes(function: Callable[..., Float]) -> Standard:
    return lambda scenario: function(scenario.sample_sizes(), _dimension(scenario), _noise(scenario))


def _of_fixed_design(function: Callable[..., regression.FixedDesign], part: str) -> Standard:
    def standard(scenario: Scenario) -> Float:
        size = int(scenario.sample_sizes()[0])
        return np.asarray(getattr(function(size, _dimension(scenario), scenario.generations, _noise(scenario)), part))

    return standard


def _accumulate_bound(scenario: Scenario) -> Float:
    """Given the inputs, the error is the squared length of a normal vector whose covariance has a trace of at most
    sum_j tr S_j^-1, S_j the products of all N_j inputs so far. So its second moment is at most 3 (sum_j r_j)^2, where
    r_j^2 is that of one fit to N_j points.
    """
    arguments = (np.cumsum(scenario.sample_sizes()).astype(np.float64), _dimension(scenario), _noise(scenario))
    steps, spread = np.diff(regression.replace_error(*arguments)), _single(arguments)
    return np.concatenate([[0.0], 3.0 * np.cumsum(np.sqrt(spread + steps**2)) ** 2])


def _single(arguments: tuple[Float, int, float]) -> Float:
    """Variance of the error of one fit to each of so many points."""
    sizes, dimension, noise = arguments
    return np.array([regression.replace_error_variance([size], dimension, noise)[1] for size in sizes])


def _fresh(scenario: Scenario) -> Float:
    fresh = scenario.schedule()["fresh"][1:]
    size = int(scenario.sample_sizes()[0])
    return regression.fresh_error(
        size, int(fresh[0]) if len(fresh) else size, _dimension(scenario), scenario.generations, _noise(scenario)
    )


def _fresh_variance(scenario: Scenario) -> Float:
    """Known where all data are fresh: that of one fit."""
    if not np.array_equal(scenario.schedule()["fresh"], scenario.sample_sizes()):
        raise ValueError("some data are synthetic")
    sizes = scenario.sample_sizes().astype(np.float64)
    return np.concatenate([[0.0], _single((sizes, _dimension(scenario), _noise(scenario)))])


def _minimum_norm(scenario: Scenario) -> Float:
    return regression.minimum_norm_error(
        scenario.sample_sizes(), _dimension(scenario), _noise(scenario), _norm(scenario)
    )


def _minimum_norm_bound(scenario: Scenario) -> Float:
    """In the norm of fourth moments |w_t| is at most B_t = r B_(t-1) + e: a projection to n of d directions keeps r^4 =
    n (n + 2) / (d (d + 2)) of a fourth moment, and e^4 is that of the noise's part. Then |w_t - w_0|^2 - |w_0|^2 has at
    most the second moment (B_t^2 + 2 |w_0| B_t)^2.
    """
    d, noise, length = float(_dimension(scenario)), _noise(scenario), float(np.sqrt(_norm(scenario)))
    values, largest = [0.0], length
    for n in scenario.sample_sizes().tolist():
        turned = (np.array([d]), int(n), noise)  # the inputs' products, n by n, have d degrees of freedom
        square = float(_single(turned)[0] + regression.replace_error(*turned)[1] ** 2)
        largest = (n * (n + 2.0) / (d * (d + 2.0))) ** 0.25 * largest + square**0.25
        values.append((largest**2 + 2.0 * length * largest) ** 2)
    return np.array(values)


def _ridge(scenario: Scenario) -> Float:
    return regression.ridge_replace_error(
        scenario.sample_sizes(), _dimension(scenario), _family(scenario).ridge, _noise(scenario), norm=_norm(scenario)
    )


REGRESSION: tuple[Theorem, ...] = (
    _row(
        "replace",
        "least-squares",
        ("L1.ols.replace",),
        "every generation adds sigma^2 d / (n - d - 1) to the test error: it grows without bound",
        _fresh_design,
        _of_sizes(regression.replace_error),
        _of_sizes(regression.replace_error_variance),
        source="Dohmatob et al. 2024 (2402.07712)",
    ),
    _row(
        "replace",
        "fixed-design",
        (),
        "the same inputs labelled again and again: t sigma^2 d / (n - d - 1), as with new ones",
        _fixed_design,
        _of_fixed_design(regression.fixed_design_replace_error, "mean"),
        _of_fixed_design(regression.fixed_design_replace_error, "variance"),
        source="Gerstgrasser et al. 2024 (2404.01413); derived",
    ),
    _row(
        "replace",
        "minimum-norm",
        ("L6.minnorm",),
        "with fewer points than dimensions the model fades, even without noise: its error tends to |w_0|^2",
        lambda scenario: _fresh_design(scenario) and _isotropic(scenario),
        _minimum_norm,
        _minimum_norm_bound,
        source="Dohmatob et al. 2024 (2402.07712); derived",
    ),
    _row(
        "replace",
        "ridge",
        (),
        "a ridge shrinks every model, which tends to 0",
        lambda scenario: (
            not _least_squares(scenario)
            and _family(scenario).design == "fresh"
            and _isotropic(scenario)
            and _dimension(scenario) >= _LARGE
        ),
        _ridge,
        None,
        kind="approximation",
        error=0.05,
    ),
    _row(
        "accumulate",
        "least-squares",
        ("L2.ols.accumulate",),
        "on all data so far the test error stays bounded, below (pi^2/6) sigma^2 d / (n - d - 1)",
        _fresh_design,
        _of_sizes(regression.accumulate_error),
        _accumulate_bound,
        source="Gerstgrasser et al. 2024 (2404.01413) for a bound; derived",
    ),
    _row(
        "accumulate",
        "fixed-design",
        (),
        "the same inputs with ever new labels: (1 + 1/4 + .. + 1/t^2) sigma^2 d / (n - d - 1)",
        _fixed_design,
        _of_fixed_design(regression.fixed_design_accumulate_error, "mean"),
        _of_fixed_design(regression.fixed_design_accumulate_error, "variance"),
        source="Gerstgrasser et al. 2024 (2404.01413); derived",
    ),
    _row(
        "fresh-fraction",
        "least-squares",
        ("L4.ols.fresh", "L3.rho"),
        "a share rho of the last model's error is kept, and a fit's own error is added: fresh data keep it bounded",
        _constant,
        _fresh,
        _fresh_variance,
    ),
)
