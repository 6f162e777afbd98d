"""Real and synthetic points with weights of their own: diversity, risk and the best weight.

Each training set holds `real` new real points with total weight w and `written` points of the last model with 1 - w.
"""

from __future__ import annotations

import numpy as np

from lightcollapse.predictions._checks import Float, at_least, from_source, require


def _check(real: float, written: float) -> None:
    require(real >= 1 and written >= 1, "real and written must be at least 1", (real, written))


def weighted_diversity(weight: float, real: int, written: int, generations: int) -> Float:
    """h_t for weight w: h_(t+1) = w^2 (1 - 1/r) + 2 w (1 - w) + (1 - w)^2 (1 - 1/k) h_t from h_0 = 1. Exact.

    float64 (generations + 1,); the source stands for the model of the first round. Holds when 0 <= w <= 1.

    Derivation: theory/weighted.md. Source: setting of He, Xu and Cheng 2025 (2502.18049); derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    _check(real, written)
    require(0 <= weight <= 1, "weight must lie in [0, 1]", weight)
    values = [1.0]
    for _ in range(generations):
        mixed = weight**2 * (1.0 - 1.0 / real) + 2.0 * weight * (1.0 - weight)
        values.append(mixed + (1.0 - weight) ** 2 * (1.0 - 1.0 / written) * values[-1])
    return from_source(1.0, values[1:])


def weighted_limit(weight: float, real: int, written: int) -> float:
    """Limit of h_t for weight w. Exact.

    Derivation: theory/weighted.md. Source: derived.
    """
    _check(real, written)
    require(0 < weight <= 1, "weight must lie in (0, 1]", weight)
    kept = (1.0 - weight) ** 2 * (1.0 - 1.0 / written)
    return (weight**2 * (1.0 - 1.0 / real) + 2.0 * weight * (1.0 - weight)) / (1.0 - kept)


def stationary_risk(weight: float, real: float, written: float) -> float:
    """Stationary Var(mu) in units of the source's variance when the variance is known and w is the real weight. Exact.

    (w^2 / r + (1 - w)^2 / k) / (1 - (1 - w)^2).

    Derivation: theory/weighted.md. Source: He, Xu and Cheng 2025 (2502.18049); derived.
    """
    require(real > 0 and written > 0, "real and written must be positive", (real, written))
    require(0 < weight <= 1, "weight must lie in (0, 1]", weight)
    return (weight**2 / real + (1.0 - weight) ** 2 / written) / (1.0 - (1.0 - weight) ** 2)


def best_weight(real: float, written: float) -> float:
    """Weight of the real part with the least stationary risk: (sqrt(q^2 + 4 q) - q) / 2, q = real / written. Exact.

    Equal shares give 0.618, the golden ratio's inverse; the least risk is the weight over `real`.

    Derivation: theory/weighted.md. Source: He, Xu and Cheng 2025 (2502.18049).
    """
    at_least(0, real=real)
    require(np.isfinite(written) and written > 0, "written must be positive", written)
    q = real / written
    return float((np.sqrt(q * q + 4.0 * q) - q) / 2.0)


def best_diversity_weight(real: int, written: int) -> float:
    """Weight of the real part with the largest limit of h_t, at finite sample sizes. Exact.

    Derivation: theory/weighted.md. Source: derived.
    """
    _check(real, written)
    r, kept = 1.0 / real, 1.0 - 1.0 / written
    # 1 - h* = (w^2 r + (1 - w)^2 / k) / (1 - kept (1 - w)^2); its derivative in w is a quadratic.
    quadratic, linear, constant = r * kept, r * (1.0 - kept) + (1.0 - kept), -(1.0 - kept)
    root = np.sqrt(linear**2 - 4.0 * quadratic * constant)
    return float(-2.0 * constant / (linear + root))


def real_points_needed(loss: float, written: float) -> float:
    """Fresh real points a generation that keep the stationary risk at `loss` with the best weight. Exact.

    1 / (loss (1 + loss k)). Holds when 0 < loss < 1.

    Derivation: theory/weighted.md. Source: derived.
    """
    require(np.isfinite(written) and written > 0, "written must be positive", written)
    require(0 < loss < 1, "loss must lie in (0, 1)", loss)
    return 1.0 / (loss * (1.0 + loss * written))


def pooled_points_needed(loss: float, sample_size: float) -> float:
    """Fresh real points in each pooled training set that keep the limit of h_t at 1 - `loss`. Exact.

    Close to (1/loss - 1)/2 whatever the sample size. Holds when 1/n <= loss < 1; ValueError otherwise.

    Derivation: theory/fresh-data.md. Source: derived; "one migrant per generation" in population genetics.
    """
    n = float(sample_size)
    require(1.0 / n <= loss < 1, "loss must lie in [1/n, 1)", loss)
    return float((2 * n - 1 - np.sqrt(max((2 * n - 1) ** 2 - 4 * n * (1 / loss - 1), 0.0))) / 2.0)


def generations_of_grace(loss: float, sample_size: float) -> float:
    """Generations without real data until h_t has fallen by `loss`: log(1 - loss) / log(1 - 1/n). Exact.

    Derivation: theory/pairs.md. Source: derived.
    """
    require(0 < loss < 1, "loss must lie in (0, 1)", loss)
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    return 0.0 if sample_size == 1 else float(np.log1p(-loss) / np.log1p(-1.0 / sample_size))
