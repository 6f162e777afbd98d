"""Absorbing states of one-parameter families, and what keeps a chain from them: real points, or a prior.

The mean of a sufficient statistic is a martingale under replacement; if the statistic is bounded it must settle, and
it can settle only where the model has no variance left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, from_source, require, sizes_of


def lively_generations_bound(mean: float, low: float, high: float, sample_size: int, variance: float) -> float:
    """Upper bound of the expected number of models of variance at least `variance`, under replacement, for ever.

    n (high - mean)(mean - low) / variance for a statistic in [low, high] whose mean is `mean` at the source. The source
    counts as one of them.

    Derivation: theory/closed-loop.md. Source: Jangjoo, Marsili and Roudi 2025 (2506.20623) for the martingale and the
    absorbing states; the bound: derived.
    """
    require(low <= mean <= high, "mean must lie between low and high", mean)
    require(variance > 0, "variance must be positive", variance)
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    return float(sample_size * (high - mean) * (mean - low) / variance)


def absorbed_bound(end_probability: ArrayLike, fresh: int) -> Float:
    """Upper bound of P(model t is in an absorbing state), with `fresh` real points in every training set.

    The sum over ends of p^m, p the source's chance of a point at that end of the statistic's range, an array of one or
    two: all real points would have to lie there. Holds for every generation, and in the long run; m = 0 gives 1.

    Derivation: theory/closed-loop.md. Source: Jangjoo, Marsili and Roudi 2025 (2506.20623) for one real point being
    enough; the bound: derived.
    """
    p = np.atleast_1d(np.asarray(end_probability, dtype=np.float64))
    require(bool(np.all((p >= 0) & (p <= 1))) and float(p.sum()) <= 1.0 + 1e-12,
            "end_probability must hold chances that sum to at most 1", end_probability)  # fmt: skip
    require(fresh >= 0, "fresh must not be negative", fresh)
    return np.asarray(min(1.0, float((p**fresh).sum())))


def shrunk_mean_variance(sample_sizes: ArrayLike, pseudo: float, curvature: float) -> Float:
    """E (m_t - m_0)^2 / V(m_0) where every fit adds `pseudo` points of the source's mean. Exact.

    float64 (generations + 1,). The fit is the mode under a conjugate prior centred at the source, or a mean with
    pseudo-counts. Holds where V(m) = a + b m + c m^2, c = `curvature` >= -1, under replacement.

    Derivation: theory/closed-loop.md. Source: Jangjoo, Marsili and Roudi 2025 (2506.20623) for priors against
    absorption; derived.
    """
    require(pseudo >= 0, "pseudo must not be negative", pseudo)
    require(curvature >= -1, "curvature must be at least -1, Bernoulli's", curvature)
    value, values = 0.0, []
    for n in sizes_of(sample_sizes).tolist():
        value = (n / (n + pseudo)) ** 2 * ((1.0 + curvature / n) * value + 1.0 / n)
        values.append(value)
    return from_source(0.0, values)


def shrunk_mean_variance_limit(sample_size: float, pseudo: float, curvature: float) -> float:
    """Where `shrunk_mean_variance` settles: n / ((n + a)^2 - n^2 - c n), infinite where it does not. Exact.

    Derivation: theory/closed-loop.md. Source: derived.
    """
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    require(pseudo >= 0, "pseudo must not be negative", pseudo)
    require(curvature >= -1, "curvature must be at least -1, Bernoulli's", curvature)
    below = pseudo * (2.0 * sample_size + pseudo) - curvature * sample_size
    return float(sample_size / below) if below > 0 else float(np.inf)
