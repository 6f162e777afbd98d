"""What fresh human data keeps of a vocabulary: diversity, types, entropy, with pooled and with weighted training.

Classes of types: `p` (classes,) probabilities in the source, `times` (classes,) how many types have each. n tokens are
written a generation. Pooled: m fresh tokens and n - m written ones. Weighted: m fresh tokens with total weight w beside
n written ones. Generation 0 is n human tokens, so that what is kept is 1 there; infinity is the limit.
"""

from __future__ import annotations

import numpy as np

from lightcollapse.predictions import weighted
from lightcollapse.predictions._checks import Float, require
from lightcollapse.special import psi

_STEPS = 2000  # generations followed one by one, beyond which a sum is closed by its integral


def pooled_diversity(size: float, fresh: float, generations: float) -> float:
    """h after training sets 2 .. T + 1 with m fresh of n tokens, in units of that of n human tokens. Exact.

    Derivation: theory/fresh-data.md. Source: Wright 1931; derived.
    """
    n, m = float(size), float(fresh)
    require(0 <= m <= n, "fresh must lie in [0, sample_size]", fresh)
    k = n - m
    limit = (m * m + 2.0 * m * k - m) / (m * m + 2.0 * m * k + k) if m > 0 else 0.0
    first = 1.0 - 1.0 / n
    rate = k * (k - 1.0) / n**2
    left = rate**generations if np.isfinite(generations) else 0.0
    return float((limit + (first - limit) * left) / first)


def weighted_diversity(size: float, fresh: float, weight: float, generations: float) -> float:
    """The same where m fresh tokens weigh w and n written ones the rest. Exact.

    Derivation: theory/weighted.md. Source: setting of He, Xu and Cheng 2025 (2502.18049); derived.
    """
    n, m = float(size), float(fresh)
    require(0 <= weight <= 1, "weight must lie in [0, 1]", weight)
    first = 1.0 - 1.0 / n
    if m <= 0:
        return pooled_diversity(size, 0.0, generations)
    kept = (1.0 - weight) ** 2 * first
    limit = (weight**2 * (1.0 - 1.0 / m) + 2.0 * weight * (1.0 - weight)) / (1.0 - kept) if kept < 1 else first
    left = kept**generations if np.isfinite(generations) else 0.0
    return float((limit + (first - limit) * left) / first)


def effective_size(size: float, fresh: float, generations: float, weight: float | None = None) -> float:
    """Size of the one human sample whose types are still there: of each copy, the chance to have descendants.

    Pooled (`weight` None): n s_T + m (s_0 + .. + s_(T-1)) with s_0 = 1, s_(j+1) = 1 - exp(-(1 - m/n) s_j). Weighted, in
    what a generation writes: n s_T + m times the sum over j < T of 1 - exp(-(n w/m) s_j), s with 1 - w. Approximation:
    Poisson counts; a type that is a fair share of the text is never lost and asks no exactness.

    Derivation: theory/forecast.md. Source: Harris 1963; derived.
    """
    n, m = float(size), float(fresh)
    share = m / n if weight is None else float(weight)
    require(0 <= share <= 1 and m >= 0, "fresh and weight must lie in [0, sample_size] and [0, 1]", (fresh, weight))
    steps = int(min(generations, _STEPS)) if np.isfinite(generations) else _STEPS
    alive, total, each = 1.0, 0.0, n * share / m if m > 0 and weight is not None else 0.0
    for _ in range(steps):
        total += alive if weight is None else -float(np.expm1(-each * alive))
        alive = -float(np.expm1(-(1.0 - share) * alive))
        if share > 0 and alive < 1e-16 * total:
            break
    if generations > steps and alive > 0:
        rest = _tail(alive, share, generations - steps)
        total += rest if weight is None else each * rest
        alive = 0.0 if not np.isfinite(generations) else alive / (1.0 + 0.5 * alive * (generations - steps))
    return n * alive + m * total


def _tail(alive: float, share: float, steps: float) -> float:
    """The sum of s over the generations to come, s' = -a s - s^2/2 (1 - a)^2 followed as an integral."""
    half = 0.5 * (1.0 - share) ** 2
    if share <= 0:
        return float(np.log1p(half * alive * steps) / half) if np.isfinite(steps) else np.inf
    left = -np.expm1(-share * steps) if np.isfinite(steps) else 1.0
    return float(np.log1p(half * alive / share * left) / half) if half > 0 else alive / share


def support_kept(p: Float, times: Float, size: float, effective: float) -> float:
    """Types in a human sample of the effective size, over those in one of n tokens. Approximation.

    Derivation: theory/forecast.md. Source: derived.
    """
    whole = float(times @ -np.expm1(-size * p))
    return float(times @ -np.expm1(-min(effective, 1e300) * p)) / whole


def dirichlet_entropy(p: Float, times: Float, diversity: float, size: float) -> float:
    """Entropy of a law around the source whose diversity is h: Dirichlet(theta p), theta = h/(1 - h). Approximation.

    `diversity` is in units of that of n human tokens. Exact for gene frequencies at balance of drift and migration in
    the limit of large n; a text of n tokens lacks types that a Dirichlet law has in traces.

    Derivation: theory/forecast.md. Source: Wright 1931; derived.
    """
    h = min(diversity, 1.0) * (1.0 - 1.0 / size)
    theta = h / max(1.0 - h, 1e-300)
    if theta <= 0:
        return 0.0
    return float(psi(theta + 1.0) - times @ (p * psi(theta * p + 1.0)))


def best_weight(size: float, fresh: float) -> float:
    """Weight of m fresh tokens beside n written ones with the largest limit of diversity. Exact.

    Derivation: theory/weighted.md. Source: derived.
    """
    return weighted.best_diversity_weight(max(fresh, 1.0), size)  # type: ignore[arg-type]
