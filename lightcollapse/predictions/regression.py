"""Linear regression refitted on labels of its own: replaced, accumulated and mixed, least squares and ridge.

Inputs are normal with mean 0 and covariance C, d of them; labels are w'x plus independent noise of variance sigma^2.
Model 0 is the truth w_0, and model t is fitted on training set t, labelled by model t - 1 with new noise. The error
of a model w is its excess test error E (x'w - x'w_0)^2 = |w - w_0|^2 in the norm of C; it starts from 0.

`sample_sizes` is (generations,), n_1..n_T; `noise` (the variance sigma^2) one number or float64 (generations,).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, at_least, from_source, require, sizes_of


class Traces(NamedTuple):
    """tr (S/n + lambda)^-1 / d and tr (S/n + lambda)^-2 / d of normal inputs, d and n large."""

    first: float
    second: float


def _whole(dimension: int) -> float:
    require(dimension >= 1 and dimension == int(dimension), "dimension must be a whole number from 1 up", dimension)
    return float(dimension)


def _above(sizes: Float, least: float, rule: str) -> None:
    if sizes.size:
        require(float(sizes.min()) > least, rule, sizes.min())


def _noises(noise: ArrayLike, count: int) -> Float:
    given = np.asarray(noise, dtype=np.float64)
    require(bool(np.all(given >= 0)), "noise is a variance and must not be negative", noise)
    require(given.ndim == 0 or given.shape == (count,), "noise must be one number or one a generation", given.shape)
    return np.broadcast_to(given, (count,))


def _linear(factors: Float, plus: Float) -> Float:
    """x_0 = 0, x_t = factor_t x_(t-1) + plus_t: float64 (generations + 1,)."""
    values = [0.0]
    for times, more in zip(factors.tolist(), plus.tolist(), strict=True):
        values.append(times * values[-1] + more)
    return np.array(values)


# -- more points than dimensions: least squares ------------------------------------------------------------------------


def replace_error(sample_sizes: ArrayLike, dimension: int, noise: ArrayLike = 1.0) -> Float:
    """E error of least squares under replacement, new inputs each generation: sum of sigma^2 d / (n - d - 1). Exact.

    float64 (generations + 1,). Any C. Holds when every n > d + 1; ValueError otherwise.

    Derivation: theory/regression.md. Source: Dohmatob et al. 2024 (2402.07712).
    """
    sizes, d = sizes_of(sample_sizes), _whole(dimension)
    _above(sizes, d + 1.0, "every sample size must exceed dimension + 1")
    return from_source(0.0, np.cumsum(_noises(noise, len(sizes)) * d / (sizes - d - 1.0)))


def _inverse_fourth(n: Float, d: float) -> Float:
    """E[(tr S^-1)^2 + 2 tr S^-2] of a Wishart matrix of n degrees of freedom."""
    left = n - d
    small = 1.0 / (left * (left - 1.0) * (left - 3.0))
    large = (left - 2.0) * small
    return np.asarray(d * d * large + 2.0 * d * small + 2.0 * (d * (large + small) + d * d * small))


def replace_error_variance(sample_sizes: ArrayLike, dimension: int, noise: ArrayLike = 1.0) -> Float:
    """Var of the error of least squares under replacement, new inputs each generation. Exact.

    float64 (generations + 1,). Holds when every n > d + 3; ValueError otherwise.

    Derivation: theory/regression.md. Source: moments of inverse Wishart matrices (von Rosen 1988); derived.
    """
    sizes, d = sizes_of(sample_sizes), _whole(dimension)
    _above(sizes, d + 3.0, "every sample size must exceed dimension + 3")
    sigma = _noises(noise, len(sizes))
    steps = sigma * d / (sizes - d - 1.0)
    own = sigma**2 * _inverse_fourth(sizes, d) - steps**2
    before = np.cumsum(steps) - steps
    return from_source(0.0, np.cumsum(own + 4.0 * before * steps / d))


def accumulate_error(sample_sizes: ArrayLike, dimension: int, noise: ArrayLike = 1.0) -> Float:
    """E error where every model is fitted on all points so far: sum of sigma^2 d n_j / (N_j (N_j - d - 1)). Exact.

    float64 (generations + 1,), N_j = n_1 + .. + n_j. New inputs each generation, any C. Below (pi^2/6) sigma^2 d /
    (n - d - 1), by up to 25 %. Holds when n_1 > d + 1; ValueError otherwise.

    Derivation: theory/regression.md. Source: Gerstgrasser et al. 2024 (2404.01413) for a bound; derived.
    """
    sizes, d = sizes_of(sample_sizes), _whole(dimension)
    _above(sizes[:1], d + 1.0, "the first sample must exceed dimension + 1 points")
    total = np.cumsum(sizes)
    return from_source(0.0, np.cumsum(_noises(noise, len(sizes)) * d * (sizes / total) / (total - d - 1.0)))


class FixedDesign(NamedTuple):
    """E and Var of the error, float64 (generations + 1,)."""

    mean: Float
    variance: Float


def fixed_design_replace_error(sample_size: int, dimension: int, generations: int, noise: float = 1.0) -> FixedDesign:
    """E and Var of the error under replacement where the same inputs are labelled again and again. Exact.

    The mean is t sigma^2 d / (n - d - 1), as with new inputs; the variance is t^2 times that of t = 1. Holds when n >
    d + 1 (the variance is infinite up to n = d + 3); ValueError otherwise.

    Derivation: theory/regression.md. Source: Gerstgrasser et al. 2024 (2404.01413); derived.
    """
    at_least(0, generations=generations)
    return _fixed_design(sample_size, dimension, noise, np.arange(1.0, generations + 1.0))


def fixed_design_accumulate_error(
    sample_size: int, dimension: int, generations: int, noise: float = 1.0
) -> FixedDesign:
    """E and Var of the error where the same inputs get new labels, and all labels so far are fitted. Exact.

    The mean is (1 + 1/4 + .. + 1/t^2) sigma^2 d / (n - d - 1), which stays below pi^2/6 of it. Holds when n > d + 1
    (the variance is infinite up to n = d + 3); ValueError otherwise.

    Derivation: theory/regression.md. Source: Gerstgrasser et al. 2024 (2404.01413); derived.
    """
    at_least(0, generations=generations)
    return _fixed_design(sample_size, dimension, noise, np.cumsum(np.arange(1.0, generations + 1.0) ** -2.0))


def _fixed_design(sample_size: int, dimension: int, noise: float, growth: Float) -> FixedDesign:
    sizes, d = sizes_of(sample_size), _whole(dimension)
    _above(sizes, d + 1.0, "sample_size must exceed dimension + 1")
    sigma = float(_noises(noise, 1)[0])
    n = float(sizes[0])
    unit = sigma * d / (n - d - 1.0)
    spread = sigma**2 * float(_inverse_fourth(sizes, d)[0]) - unit**2 if n > d + 3 else np.inf
    return FixedDesign(from_source(0.0, growth * unit), from_source(0.0, growth**2 * spread))


def mixing_constant(sample_size: int, written: int, dimension: int) -> float:
    """rho: share of the last model's squared error that a pooled least-squares fit with `written` of n points keeps.

    rho = k / (n (n - 1)(n + 2)) (n (k + 1) - 2 + (n - k)(n d - 2) / (n - d - 1)); for large n it is p^2 + p (1 - p) f /
    (1 - f) with p = k/n, f = d/n, which exceeds 1 for f > (1 + p) / (1 + 2p). Exact, any C. Holds when n > d + 1 and 0
    <= k <= n; ValueError otherwise.

    Derivation: theory/regression.md. Source: derived; Dohmatob et al. 2024 (2410.04840) for large n.
    """
    n, d, k = float(sizes_of(sample_size, 2)[0]), _whole(dimension), float(written)
    require(n > d + 1, "sample_size must exceed dimension + 1", sample_size)
    require(0 <= k <= n, "written must lie between 0 and sample_size", written)
    inner = n * (k + 1.0) - 2.0 + (n - k) * (n * d - 2.0) / (n - d - 1.0)
    return (k / n) * (inner / (n - 1.0)) / (n + 2.0)


def fresh_error(sample_size: int, fresh: int, dimension: int, generations: int, noise: float = 1.0) -> Float:
    """E error of pooled least squares with `fresh` new real points a generation: e' = rho e + sigma^2 d / (n - d - 1).

    float64 (generations + 1,). Exact, any C. Training set 1 is real. Holds when n > d + 1; ValueError otherwise.

    Derivation: theory/regression.md. Source: derived.
    """
    n = float(sizes_of(sample_size, 2)[0])
    require(0 <= fresh <= n, "fresh must lie between 0 and sample_size", fresh)
    rho = mixing_constant(sample_size, int(n - fresh), dimension)
    unit = float(_noises(noise, 1)[0]) * dimension / (n - dimension - 1.0)
    return _linear(np.full(generations, rho), np.full(generations, unit))


def fresh_error_limit(sample_size: int, fresh: int, dimension: int, noise: float = 1.0) -> float:
    """Limit sigma^2 d / ((n - d - 1)(1 - rho)) of `fresh_error`; infinite without fresh points, or for rho >= 1. Exact.

    With d above about 2n/3 a few fresh points do harm: rho exceeds 1, and the error grows geometrically.

    Derivation: theory/regression.md. Source: derived.
    """
    n = float(sizes_of(sample_size, 2)[0])
    require(0 <= fresh <= n, "fresh must lie between 0 and sample_size", fresh)
    rho = mixing_constant(sample_size, int(n - fresh), dimension)
    unit = float(_noises(noise, 1)[0]) * dimension / (n - dimension - 1.0)
    if fresh == 0 or rho >= 1.0:
        return np.inf if unit > 0 else 0.0
    return unit / (1.0 - rho)


def strong_collapse_error(sample_size: int, written: int, dimension: int, shift: float, noise: float = 1.0) -> float:
    """E error of one pooled fit whose `written` synthetic points follow a model with error `shift`.

    rho shift + sigma^2 d / (n - d - 1): it does not vanish as n grows unless the synthetic share does. Exact, any C.
    Holds when n > d + 1; ValueError otherwise.

    Derivation: theory/regression.md. Source: Dohmatob et al. 2024 (2410.04840) for large n; derived.
    """
    require(shift >= 0, "shift is a squared distance and must not be negative", shift)
    rho = mixing_constant(sample_size, written, dimension)
    return rho * shift + float(_noises(noise, 1)[0]) * dimension / (sample_size - dimension - 1.0)


# -- fewer points than dimensions: the smallest solution ---------------------------------------------------------------


def _interpolating(sizes: Float, dimension: int) -> tuple[Float, Float]:
    """n/d, and E tr (X X')^-1 = n / (d - n - 1)."""
    d = _whole(dimension)
    if sizes.size:
        require(float(sizes.max()) < d - 1.0, "every sample size must be below dimension - 1", sizes.max())
    return sizes / d, sizes / (d - sizes - 1.0)


def minimum_norm_error(sample_sizes: ArrayLike, dimension: int, noise: ArrayLike = 1.0, norm: float = 1.0) -> Float:
    """E |w_t - w_0|^2 of the least-norm solution under replacement, n < d - 1, C = 1, |w_0|^2 = `norm`. Exact.

    e' = q e + (1 - q) |w_0|^2 + sigma^2 n / (d - n - 1), q = n/d: it approaches |w_0|^2 geometrically even without
    noise. float64 (generations + 1,). New inputs each generation. Holds when every n < d - 1; ValueError otherwise.

    Derivation: theory/regression.md. Source: Dohmatob et al. 2024 (2402.07712); derived.
    """
    require(norm >= 0, "norm must not be negative", norm)
    sizes = sizes_of(sample_sizes)
    share, unit = _interpolating(sizes, dimension)
    return _linear(share, (1.0 - share) * norm + _noises(noise, len(sizes)) * unit)


class LabelMixing(NamedTuple):
    """Error without labels' noise for ever lost, what one generation's noise adds, and the share of an error kept."""

    lost: float
    unit: float
    kept: float


def _label_mixing(sample_size: int, dimension: int, noise: float, norm: float, fixed: bool) -> LabelMixing:
    require(norm >= 0, "norm must not be negative", norm)
    n, d = float(sizes_of(sample_size)[0]), _whole(dimension)
    sigma = float(_noises(noise, 1)[0])
    if n > d + 1:
        return LabelMixing(0.0, sigma * d / (n - d - 1.0), 1.0)
    require(n < d - 1, "sample_size must differ from dimension by more than 1", sample_size)
    return LabelMixing((1.0 - n / d) * norm, sigma * n / (d - n - 1.0), 1.0 if fixed else n / d)


def label_mixing_error(
    weight: float,
    sample_size: int,
    dimension: int,
    generations: int,
    noise: float = 1.0,
    *,
    norm: float = 1.0,
    fixed_design: bool = False,
) -> Float:
    """E error where each input carries a real label with weight w and the last model's with 1 - w. Exact.

    float64 (generations + 1,); least squares for n > d + 1 (any C), the least-norm solution for n < d - 1 (C = 1,
    |w_0|^2 = `norm`). Inputs are new each generation, or the same for ever with `fixed_design`. Both labels get new
    noise each generation. ValueError for n from d - 1 to d + 1.

    Derivation: theory/regression.md. Source: Garg et al. 2025 (2509.22341) for the question; derived.
    """
    require(0 <= weight <= 1, "weight must lie in [0, 1]", weight)
    parts = _label_mixing(sample_size, dimension, noise, norm, fixed_design)
    u = 1.0 - weight
    noisy = (weight * weight + u * u) * parts.unit
    if fixed_design:
        return from_source(0.0, parts.lost + _linear(np.full(generations, u * u), np.full(generations, noisy))[1:])
    return _linear(np.full(generations, u * u * parts.kept), np.full(generations, parts.lost + noisy))


def label_mixing_limit(
    weight: float,
    sample_size: int,
    dimension: int,
    noise: float = 1.0,
    *,
    norm: float = 1.0,
    fixed_design: bool = False,
) -> float:
    """Limit of `label_mixing_error`; infinite at w = 0 unless the least norm bounds it. Exact.

    Derivation: theory/regression.md. Source: Garg et al. 2025 (2509.22341) for the question; derived.
    """
    require(0 <= weight <= 1, "weight must lie in [0, 1]", weight)
    parts = _label_mixing(sample_size, dimension, noise, norm, fixed_design)
    u = 1.0 - weight
    noisy = (weight * weight + u * u) * parts.unit
    below = 1.0 - u * u * parts.kept
    if below == 0.0:
        return np.inf if noisy > 0 else parts.lost
    return parts.lost + noisy / below if fixed_design else (parts.lost + noisy) / below


def best_label_weight(
    sample_size: int, dimension: int, noise: float = 1.0, *, norm: float = 1.0, fixed_design: bool = False
) -> float:
    """Weight of the real labels with the least limit. Exact.

    The inverse golden ratio 0.618.. for n > d + 1 and for a fixed design; for the least-norm solution on new inputs it
    depends on n/d and on |w_0|^2 / sigma^2. Holds when sigma > 0 or the least norm loses something.

    Derivation: theory/regression.md. Source: Garg et al. 2025 (2509.22341) for the golden ratio; derived.
    """
    lost, unit, kept = _label_mixing(sample_size, dimension, noise, norm, fixed_design)
    require(unit > 0, "noise must exceed 0 for a best weight to exist", noise)
    if fixed_design:
        lost = 0.0
    # With u = 1 - w: kept V u^2 - (2 V + kept (lost + V)) u + V = 0, the smaller root.
    linear = 2.0 * unit + kept * (lost + unit)
    return float(1.0 - 2.0 * unit / (linear + np.sqrt(linear**2 - 4.0 * kept * unit**2)))


# -- ridge -------------------------------------------------------------------------------------------------------------


def resolvent_traces(ratio: float, penalty: float) -> Traces:
    """Traces of (S/n + lambda)^-1 and its square over d, f = d/n, from the Marchenko-Pastur law. Limit, d and n large.

    f lambda m^2 + (1 - f + lambda) m - 1 = 0. Holds when lambda > 0, f > 0.

    Derivation: theory/regression.md. Source: Marchenko and Pastur 1967.
    """
    require(ratio > 0 and penalty > 0, "ratio and penalty must exceed 0", (ratio, penalty))
    linear = 1.0 - ratio + penalty
    root = float(np.hypot(linear, 2.0 * np.sqrt(ratio * penalty)))
    first = 2.0 / (linear + root) if linear > 0 else (root - linear) / (2.0 * ratio * penalty)
    return Traces(first, (first + ratio * first * first) / root)


def ridge_after_least_squares_error(
    sample_size: int,
    earlier_size: int,
    dimension: int,
    earlier: int,
    penalty: float,
    noise: float = 1.0,
    *,
    norm: float = 1.0,
) -> float:
    """E |w - w_0|^2 of ridge on n points after `earlier` generations of least squares on `earlier_size` each, C = 1.

    Minimises squared error / n + lambda |w|^2. Approximation: deterministic equivalent, within 0.5 % at d >= 50. Holds
    when earlier_size > d + 1 and lambda > 0; ValueError otherwise.

    Derivation: theory/regression.md. Source: Dohmatob et al. 2024 (2402.07712) for the set-up; derived.
    """
    n, d = float(sizes_of(sample_size)[0]), _whole(dimension)
    first, second = resolvent_traces(d / n, penalty)
    drift = float(replace_error([earlier_size] * earlier, dimension, noise)[-1])
    shrunk = penalty * penalty * second
    kept = 1.0 - 2.0 * penalty * first + shrunk
    noisy = float(_noises(noise, 1)[0]) * (d / n) * (first - penalty * second)
    return norm * shrunk + noisy + drift * kept


def ridge_replace_error(
    sample_sizes: ArrayLike, dimension: int, penalty: float, noise: ArrayLike = 1.0, *, norm: float = 1.0
) -> Float:
    """E |w_t - w_0|^2 of ridge in every generation, under replacement with new inputs, C = 1.

    float64 (generations + 1,). Every generation shrinks the model, which tends to 0 and its error to |w_0|^2 plus what
    noise leaves. Approximation: deterministic equivalent, d and n large. Holds when lambda > 0; ValueError otherwise.

    Derivation: theory/regression.md. Source: derived.
    """
    sizes, d = sizes_of(sample_sizes), _whole(dimension)
    require(norm >= 0, "norm must not be negative", norm)
    along, square, values = norm, norm, [0.0]  # E w'w_0 and E |w|^2
    for n, sigma in zip(sizes.tolist(), _noises(noise, len(sizes)).tolist(), strict=True):
        first, second = resolvent_traces(d / n, penalty)
        along *= 1.0 - penalty * first
        square *= 1.0 - 2.0 * penalty * first + penalty * penalty * second
        square += sigma * (d / n) * (first - penalty * second)
        values.append(square - 2.0 * along + norm)
    return np.array(values)
