"""The row about the Wasserstein distance in several dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightcollapse.predictions import wasserstein
from lightcollapse.scenario import Scenario
from lightcollapse.theorems.row import Float, Theorem, one_lab, one_late


def _isotropic(scenario: Scenario) -> bool:
    """Whether a full covariance is fitted to a source of equal and independent coordinates, on more points than
    dimensions.
    """
    family: Any = scenario.family
    if family.covariance != "full" or not one_lab(scenario):
        return False
    covariance = _covariance(scenario)
    even = bool(np.allclose(covariance, covariance[0, 0] * np.eye(len(covariance)), rtol=1e-12))
    return even and int(scenario.sample_sizes().min()) > len(covariance) > 1


def _covariance(scenario: Scenario) -> Float:
    family: Any = scenario.family
    factor = family.law(scenario.source).factor
    return np.asarray(factor @ factor.T)


def _distance(scenario: Scenario, seed: int) -> Float:
    family: Any = scenario.family
    covariance = _covariance(scenario)
    distances = wasserstein.w2_squared_mean(scenario.sample_sizes(), len(covariance), variance=family.variance)
    return np.asarray(covariance[0, 0] * distances)


WASSERSTEIN: tuple[Theorem, ...] = (
    Theorem(
        name="multivariate-replace-w2",
        ids=(),
        family="multivariate-gaussian",
        regimes=("replace",),
        metric="w2_squared",
        kind="approximation",
        statement="the squared Wasserstein distance lies d/(2 (d + 1)) of the way between two bounds of closed form",
        note="wasserstein.md",
        source="derived",
        values=_distance,
        near_miss=one_late(_distance),
        condition=_isotropic,
        error=0.05,
    ),
)
