"""Divergence of two laws from a sample of each: without bias at a level, and never infinite.

`counts` are whole numbers, (symbols,), of the same symbols in both samples. Nats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, law_of, require
from lightcollapse.special import digamma


def truncated_surprise(counts: ArrayLike, n: int, level: int) -> Float:
    """Without bias for the sum of (1 - p)^v/v over v = 1 .. level of each symbol, from its count among n points. Exact.

    It tends to -log p as the level grows. Float64, the shape of counts. Holds when level <= n.

    Derivation: theory/divergence.md. Source: Zhang and Grabchak 2014, the terms; the level, derived.
    """
    c = np.asarray(counts, dtype=np.float64)
    require(1 <= level <= n, "level must lie between 1 and the number of points", level)
    require(bool(np.all((c >= 0) & (c <= n) & (c == np.floor(c)))), "counts must lie between 0 and n", counts)
    total, chance = np.zeros_like(c), np.ones_like(c)
    for v in range(1, level + 1):
        chance = chance * np.maximum(n - c - (v - 1.0), 0.0) / (n - v + 1.0)
        total += chance / v
    return np.asarray(total)


def divergence_estimate(counts: ArrayLike, others: ArrayLike, level: int) -> float:
    """Estimate of KL(P || Q) from counts of n points of P and m of Q: sum of (c/n) (s_m(d) - s_(n-1)(c - 1)). Exact.

    s is `truncated_surprise` at the level, for a count among so many points: its own point is left out. The mean is
    `divergence_mean`, 0 for samples of one law. Holds when level <= n - 1 and level <= m.

    Derivation: theory/divergence.md. Source: Zhang and Grabchak 2014, with one level for both.
    """
    c, d = np.asarray(counts, dtype=np.float64), np.asarray(others, dtype=np.float64)
    require(c.ndim == 1 and c.shape == d.shape, "counts must be of the same symbols", (c.shape, d.shape))
    n, m = int(c.sum()), int(d.sum())
    require(1 <= level <= min(n - 1, m), "level must be at least 1, and below n and at most m", level)
    seen = c > 0
    own = truncated_surprise(c[seen] - 1.0, n - 1, level)
    return float(c[seen] @ (truncated_surprise(d[seen], m, level) - own)) / n


def divergence_mean(p: ArrayLike, q: ArrayLike, level: int) -> float:
    """Mean of `divergence_estimate` at every sample size. Exact.

    The sum over v = 1 .. level of E_P[(1 - q)^v - (1 - p)^v]/v. It tends to KL(P || Q); what Q lacks costs the
    harmonic number of the level, about log(level) + 0.58.

    Derivation: theory/divergence.md. Source: Zhang and Grabchak 2014, the series.
    """
    one, other = law_of(p), law_of(q)
    require(one.shape == other.shape, "the laws must be of the same symbols", (one.shape, other.shape))
    require(level >= 1, "level must be at least 1", level)
    return float(one @ (_series(other, level) - _series(one, level)))


def _series(p: Float, level: int) -> Float:
    """The sum of (1 - p)^v/v over v = 1 .. level."""
    v = np.arange(1.0, level + 1.0)
    with np.errstate(divide="ignore"):
        logs = np.log1p(-p)
    whole = float(digamma(level + 1.0) - digamma(1.0))
    inside = np.array([np.sum(np.exp(v * log) / v) if np.isfinite(log) else 0.0 for log in logs.ravel()])
    return np.where(p == 0.0, whole, inside.reshape(p.shape))


def divergence_floor(p: ArrayLike, n: int, m: int) -> float:
    """How far two samples of one law lie apart by their frequencies: (symbols - 1)(1/n + 1/m)/2. Approximation.

    The floor of an estimate of KL that does not correct its bias, to first order in 1/n and 1/m. Holds when every
    symbol is frequent; the plug-in is infinite where m leaves one unseen.

    Derivation: theory/divergence.md. Source: derived.
    """
    law = law_of(p)
    require(n >= 1 and m >= 1, "sample sizes must be at least 1", (n, m))
    return (float(np.count_nonzero(law)) - 1.0) * (1.0 / n + 1.0 / m) / 2.0
