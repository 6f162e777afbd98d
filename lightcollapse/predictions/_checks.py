"""Conditions that several closed forms share."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]
Variance = Literal["ml", "unbiased"]


def require(condition: bool, rule: str, value: object) -> None:
    """Raise ValueError naming the rule and the value that broke it."""
    if not condition:
        raise ValueError(f"{rule}, got {value}")


def sizes_of(sample_sizes: ArrayLike, minimum: int = 1) -> Float:
    """The sample sizes n_1..n_T as float64 (generations,)."""
    sizes = np.atleast_1d(np.asarray(sample_sizes, dtype=np.float64))
    require(sizes.ndim == 1, "sample_sizes must have one dimension", sizes.ndim)
    if sizes.size:
        require(bool(np.all(sizes >= minimum)), f"sample_sizes must be at least {minimum}", sizes.min())
        require(bool(np.all(sizes == np.floor(sizes))), "sample_sizes must be whole numbers", sample_sizes)
    return sizes


def divisor(sizes: Float, variance: str) -> Float:
    """What the sum of squares is divided by: n for "ml", n - 1 for "unbiased"."""
    require(variance in ("ml", "unbiased"), 'variance must be "ml" or "unbiased"', repr(variance))
    return sizes if variance == "ml" else sizes - 1.0


def from_source(value: float, later: ArrayLike) -> Float:
    """Put the source's own value in front: float64 (generations + 1,)."""
    return np.concatenate([[value], np.asarray(later, dtype=np.float64)])


def law_of(probabilities: ArrayLike) -> Float:
    """Probabilities as float64 (symbols,). Raises ValueError where they are negative or do not sum to 1."""
    p = np.atleast_1d(np.asarray(probabilities, dtype=np.float64))
    require(p.ndim == 1 and bool(np.all(p >= 0)), "probabilities must be a list of numbers from 0 up", p.shape)
    require(abs(float(p.sum()) - 1.0) < 1e-8, "probabilities must sum to 1", float(p.sum()))
    return p


def chances_of(probabilities: ArrayLike) -> Float:
    """Chances as float64 of their own shape; they need not sum to 1. Raises ValueError outside [0, 1]."""
    p = np.asarray(probabilities, dtype=np.float64)
    require(bool(np.all((p >= 0) & (p <= 1))), "probabilities must lie in [0, 1]", probabilities)
    return p


def at_least(least: float, **values: ArrayLike) -> None:
    """Raise ValueError naming the first of `values` that is not finite, or somewhere below `least`."""
    for name, value in values.items():
        given = np.asarray(value, dtype=np.float64)
        require(bool(np.all(np.isfinite(given) & (given >= least))), f"{name} must be at least {least:g}", value)


def finite(**values: ArrayLike) -> None:
    """Raise ValueError naming the first of `values` that is infinite or no number."""
    for name, value in values.items():
        require(bool(np.all(np.isfinite(np.asarray(value, dtype=np.float64)))), f"{name} must be finite", value)
