"""Budgets: how many points keep the loss of diversity within bounds, and how bias feeds back through a growing pool.

Sizes come out as real numbers: round them up. `weighted` holds the budgets of everlasting loops: pooled_points_needed,
real_points_needed, generations_of_grace.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, from_source, require
from lightcollapse.special import zeta

_FACTORS = 10_000  # of a product that are multiplied one by one
_TERMS = 20  # of a series in x^2 < 0.1


def _check(loss: float, generations: float) -> None:
    require(0 < loss < 1, "loss must lie in (0, 1)", loss)
    require(generations >= 1, "generations must be at least 1", generations)


def _root(excess: Callable[[float], float], low: float, high: float) -> float:
    """Where a function changes its sign."""
    from scipy.optimize import brentq

    return float(brentq(excess, low, high, xtol=1e-13, rtol=1e-14))


def sample_size_needed(loss: float, generations: float) -> float:
    """Sample size at which h_T is 1 - `loss` under replacement: 1 / (1 - (1 - loss)^(1/T)). Exact.

    About T / loss for a small loss, so T^2 / loss points in all.

    Derivation: theory/budget.md. Source: derived.
    """
    _check(loss, generations)
    return float(-1.0 / np.expm1(np.log1p(-loss) / generations))


def pool_size_needed(loss: float, generations: float = np.inf) -> float:
    """Batch size at which h_T is 1 - `loss` when every model is fitted to all points so far, T = infinity included.

    The n with the product over j <= T of 1 - 1/(n j^2) = 1 - loss: at most pi^2/(6 loss), whatever T. Exact but for the
    search, which is relative 1e-12.

    Derivation: theory/budget.md. Source: derived.
    """
    _check(loss, generations)

    def excess(log_size: float) -> float:
        return _log_accumulate(float(np.exp(log_size)), generations) - float(np.log1p(-loss))

    low, high = 1e-9, float(np.log(np.pi**2 / 6.0 / loss)) + 1.0
    if excess(low) >= 0:
        return 1.0
    return float(np.exp(_root(excess, low, high)))


def _log_accumulate(size: float, generations: float) -> float:
    """Log of the product over j <= T of 1 - x^2/j^2, x = 1/sqrt(size): sin(pi x)/(pi x) without those beyond T."""
    x2 = 1.0 / size
    if generations <= _FACTORS:
        return float(np.log1p(-x2 / np.arange(1.0, np.floor(generations) + 1.0) ** 2).sum())
    k = np.arange(1, _TERMS)
    series = -float((zeta(2 * k) * x2**k / k).sum())  # in which nothing cancels
    whole = series if x2 < 0.1 else float(np.log(np.sinc(np.sqrt(x2))))
    if np.isinf(generations):
        return whole
    return whole + x2 * float(zeta(2.0, generations + 1.0)) + x2 * x2 / 2.0 * float(zeta(4.0, generations + 1.0))


def fresh_points_needed(loss: float, sample_size: float, generations: float = np.inf) -> float:
    """Fresh real points in each pooled training set of n at which h_T is 1 - `loss`, from 0 up. Exact but for rounding.

    Holds when loss >= 1/n, which is what one generation costs; ValueError otherwise.

    Derivation: theory/budget.md. Source: derived.
    """
    _check(loss, generations)
    n = float(sample_size)
    require(n * loss >= 1.0 - 1e-12, "loss must be at least 1/n", loss)

    def excess(fresh: float) -> float:
        return loss - _fresh_loss(n, fresh, generations)

    if excess(0.0) >= 0:
        return 0.0
    if excess(n - 1.0) <= 0:  # two points never share a parent then; more real data do not help
        return n - 1.0
    return _root(excess, 0.0, n - 1.0)


def _fresh_loss(n: float, fresh: float, generations: float) -> float:
    """1 - h_T with `fresh` of n points real, written as a geometric series of positive terms."""
    kept = (n - fresh) * (n - fresh - 1.0) / (n * n)  # chance that two points have two parents in the last model
    whole = -float(np.expm1(generations * np.log(kept))) if kept > 0 else 1.0 - kept**generations
    return whole / (n * (1.0 - kept))


def pooled_drift(real: int, written: int, generations: int) -> Float:
    """Var of the mean of model t when a growing pool gains `real` and `written` points a generation, variance known.

    In units of the source's variance; training set 1 is real + written real points. float64 (generations + 1,). Exact.

    Derivation: theory/budget.md. Source: derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    require(real >= 0 and written >= 0 and real + written >= 1, "real + written must be at least 1", (real, written))
    n, drift, values = float(real + written), 0.0, [0.0]
    for t in range(1, generations + 1):
        size = t * n
        drift = 1.0 / n if t == 1 else ((size - real) / size) ** 2 * drift + n / size**2
        values.append(drift)
    return from_source(0.0, values[1:])


def pooled_drift_exponent(fraction: float) -> float:
    """Power of t at which `pooled_drift` falls: min(2 fraction, 1); at one half times log t. Limit.

    More than half fresh data make the pool forget synthetic error as fast as real data alone would.

    Derivation: theory/budget.md. Source: derived.
    """
    require(0 <= fraction <= 1, "fraction must lie in [0, 1]", fraction)
    return min(2.0 * fraction, 1.0)


def feedback_factor(first: float, real: float, written: float, generations: int) -> Float:
    """Bias of a model on a pool it writes to, in units of its bias on real data: float64 (generations + 1,). Exact.

    1 + (k/m)(1 - the product over j <= t of 1 - m/N_j), N_j = N_0 + j (m + k) points after j rounds of m real and k
    synthetic points. Entry t: after t rounds. Without real points 1 + the sum of k/N_j, which grows like log t.

    Derivation: theory/budget.md. Source: Taori and Hashimoto 2023 (2209.03942) for the bound; closed form derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    require(first > 0 and real >= 0 and written >= 0, "first must be positive, real and written at least 0",
            (first, real, written))  # fmt: skip
    sizes = first + (real + written) * np.arange(1.0, generations + 1.0)
    if real == 0:
        return from_source(1.0, 1.0 + np.cumsum(written / sizes))
    return from_source(1.0, 1.0 - written / real * np.expm1(np.cumsum(np.log1p(-real / sizes))))


def feedback_limit(real: float, written: float) -> float:
    """Where `feedback_factor` ends: (m + k)/m, infinite without real points. Limit, neared like t^(-m/(m + k)).

    Derivation: theory/budget.md. Source: Taori and Hashimoto 2023 (2209.03942).
    """
    require(real >= 0 and written >= 0 and real + written > 0, "real + written must be positive", (real, written))
    return (real + written) / real if real > 0 else float("inf")


def stability_rate(written_per_real: float, mismatch: float = 0.0) -> float:
    """Factor by which a retrained model's error shrinks a generation: x/(1 - x), x = l (1 + mismatch). Upper bound.

    l synthetic points for each real one; `mismatch` is Lipschitz constant times statistical error over strong
    convexity. Holds when x < 1/2; ValueError otherwise. Sufficient, not necessary: see `gaussian_contraction`.

    Derivation: theory/budget.md. Source: Bertrand et al. 2023 (2310.00429), quoted.
    """
    require(written_per_real >= 0 and mismatch >= 0, "written_per_real and mismatch must not be negative",
            (written_per_real, mismatch))  # fmt: skip
    pull = written_per_real * (1.0 + mismatch)
    require(pull < 0.5, "written_per_real (1 + mismatch) must be below 1/2", pull)
    return pull / (1.0 - pull)


def gaussian_contraction(written_per_real: ArrayLike) -> Float:
    """The same factor for the mean of a Gaussian on infinite samples: l/(1 + l), below 1 for every l. Exact.

    Derivation: theory/budget.md. Source: derived.
    """
    ratio = np.asarray(written_per_real, dtype=np.float64)
    require(bool(np.all(ratio >= 0)), "written_per_real must not be negative", written_per_real)
    return np.asarray(ratio / (1.0 + ratio))
