"""Mixtures of Gaussians refitted to their own samples: the total variance, and components that do not overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions import pairs
from lightcollapse.predictions._checks import Float, at_least, from_source, law_of, require, sizes_of
from lightcollapse.predictions.wright_fisher import chain_sizes, forward_laws, transition


def _same_length(p: Float, values: ArrayLike, name: str) -> Float:
    array = np.broadcast_to(np.asarray(values, dtype=np.float64), p.shape)
    require(bool(np.all(np.isfinite(array))), f"{name} must be finite", values)
    return array


def total_variance(shares: ArrayLike, means: ArrayLike, variances: ArrayLike) -> float:
    """Variance of a mixture: within its components and between them. One number for all components will do. Exact.

    Derivation: theory/mixture.md. Source: law of total variance.
    """
    w = law_of(shares)
    mean, spread = _same_length(w, means, "means"), _same_length(w, variances, "variances")
    require(bool(np.all(spread >= 0)), "variances must not be negative", variances)
    return float(w @ (spread + (mean - w @ mean) ** 2))


def total_variance_mean(
    shares: ArrayLike, means: ArrayLike, variances: ArrayLike, sample_sizes: ArrayLike, fresh: int = 0
) -> Float:
    """E of the total variance of the mixture fitted to training set t: float64 (generations + 1,). Exact.

    h_t times the source's, for any number of components, overlap and number of steps of expectation-maximisation;
    `fresh` real points in every training set need equal sizes. The same h_t as in `pairs` for the other regimes.

    Holds when every step refits all means, full covariances and shares: the fit keeps the sample's mean and covariance.

    Derivation: theory/mixture.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes)
    if fresh:
        require(bool(np.all(sizes == sizes[:1])), "fresh data need equal sample sizes", sample_sizes)
        diversity = pairs.fresh_fraction(int(sizes[0]), fresh, len(sizes))
    else:
        diversity = pairs.replace(sizes)
    return total_variance(shares, means, variances) * diversity


def separated_component(share: float, sample_sizes: ArrayLike) -> Float:
    """E[share times variance] of one component under replacement, in units of its variance: float64 (generations + 1,).

    Exact where components do not overlap: a component's points are a binomial count, and c points keep 1 - 1/c of its
    variance. Samples of at most 4000 points (ValueError).

    Derivation: theory/mixture.md. Source: derived.
    """
    require(0 <= share <= 1, "share must lie in [0, 1]", share)
    sizes = chain_sizes(sample_sizes)
    return from_source(share, [float(weighted @ np.arange(n + 1.0)) / n for n, weighted in _weighted(share, sizes)])


def _weighted(share: float, sizes: np.ndarray) -> list[tuple[int, Float]]:
    """(n_t, E[variance; count] for each count) at each generation: the chain, thinned by 1 - 1/c at every step."""
    result: list[tuple[int, Float]] = []
    steps: dict[tuple[int, int], Any] = {}
    for place, n in enumerate(sizes.tolist()):
        counts = np.arange(n + 1.0)
        kept = np.where(counts > 0, 1.0 - 1.0 / np.maximum(counts, 1.0), 0.0)
        if place == 0:
            *_, (_, law) = forward_laws(np.array([share]), sizes[:1], None)
            result.append((n, law[0] * kept))
        else:
            before, weighted = result[-1]
            if (before, n) not in steps:
                steps = {(before, n): transition(before, n).T}  # the last one alone: they are large
            result.append((n, np.asarray(steps[before, n] @ weighted) * kept))
    return result


def within_variance_mean(shares: ArrayLike, variances: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """E of the variance within components, for components that do not overlap: float64 (generations + 1,). Exact.

    What is left of `total_variance_mean` lies between them. At most 4000 points (ValueError).

    Derivation: theory/mixture.md. Source: derived.
    """
    at_least(0, variances=variances)
    w = law_of(shares)
    spread = _same_length(w, variances, "variances")
    parts = [s * separated_component(float(share), sample_sizes) for share, s in zip(w, spread, strict=True)]
    return np.asarray(np.sum(parts, axis=0))
