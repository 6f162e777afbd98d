"""Zipf tails, p_i = i^(-b) / zeta(b) for i = 1, 2, ..: what samples miss, what cut tails cost, how vocabularies grow.

The missing mass is the real mass of the symbols that a sample lacks: the test error of a learner by heart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions import branching
from lightcollapse.predictions._checks import Float, from_source, require, sizes_of
from lightcollapse.special import betainc, betaln, gamma, zeta

_HEAD = 20_000  # symbols summed one by one; the rest by Euler and Maclaurin's formula


def _check(exponent: float) -> None:
    require(exponent > 1, "exponent must exceed 1", exponent)


def _samples(sample_sizes: ArrayLike) -> Float:
    n = np.asarray(sample_sizes, dtype=np.float64)
    require(bool(np.all(n >= 0)), "sample sizes must not be negative", sample_sizes)
    return n


def _head(exponent: float, last: int = _HEAD) -> Float:
    return np.asarray(np.arange(1.0, last + 1.0) ** -exponent / zeta(exponent))


def tail_mass(exponent: float, rank: ArrayLike) -> Float:
    """Mass of the symbols beyond a rank: zeta(b, k + 1) / zeta(b). Exact.

    Derivation: theory/zipf.md. Source: Hurwitz's zeta function.
    """
    _check(exponent)
    k = np.asarray(rank, dtype=np.float64)
    require(bool(np.all(k >= 0)), "rank must not be negative", rank)
    return np.asarray(zeta(exponent, k + 1.0) / zeta(exponent))


def tail_mass_power(exponent: float, rank: float) -> float:
    """The same as a power of the rank, (k + 1/2)^(1 - b) / ((b - 1) zeta(b)). Approximation, within 4e-5 from rank 50.

    Derivation: theory/zipf.md. Source: derived.
    """
    _check(exponent)
    require(rank >= 0, "rank must not be negative", rank)
    return float((rank + 0.5) ** (1.0 - exponent) / ((exponent - 1.0) * zeta(exponent)))


def missing_mass(exponent: float, sample_sizes: ArrayLike) -> Float:
    """Expected mass that a sample misses, sum of p (1 - p)^n, in the shape of `sample_sizes`. Exact.

    The first 20,000 symbols are summed, the rest is an incomplete beta function with Euler and Maclaurin's correction.

    Derivation: theory/zipf.md. Source: Good 1953; Hutter 2021 (2102.04074) for the setting.
    """
    _check(exponent)
    n = _samples(sample_sizes)
    p = _head(exponent)
    values = [float(p @ _miss(p, size)) + _missing_tail(exponent, size, 1.0) for size in n.ravel()]
    return np.array(values).reshape(n.shape)


def _miss(p: Float, n: float) -> Float:
    """(1 - p)^n."""
    return np.asarray(np.exp(n * np.log1p(-p)))


def _missing_tail(exponent: float, n: float, share: float) -> float:
    """Sum over i beyond the head of p (1 - share p)^n."""
    p = _HEAD**-exponent / float(zeta(exponent))
    c, q = 1.0 - 1.0 / exponent, share * p
    # the integral over i from the head's last symbol, which substitution of share p turns into a beta function
    whole = np.exp(betaln(c, n + 1.0)) * betainc(c, n + 1.0, q) * share ** (1.0 / exponent - 1.0)
    value = p * float(np.exp(n * np.log1p(-q)))
    slope = -exponent * p / _HEAD * float(np.exp((n - 1.0) * np.log1p(-q))) * (1.0 - (n + 1.0) * q)
    integral = float(whole) * float(zeta(exponent)) ** (-1.0 / exponent) / exponent
    return float(integral - value / 2.0 - slope / 12.0)


def missing_mass_power(exponent: float, sample_sizes: ArrayLike) -> Float:
    """Expected missing mass of a large sample: Gamma(1 - 1/b) / (b zeta(b)^(1/b)) n^(1/b - 1). Approximation.

    In the shape of `sample_sizes`. Within 4e-4 from n = 1000 for exponents between 1.2 and 2.

    Derivation: theory/zipf.md. Source: exponent by Hutter 2021 (2102.04074) and Dohmatob et al. 2024 (2402.07043);
    constant derived.
    """
    _check(exponent)
    n = _samples(sample_sizes)
    require(bool(np.all(n > 0)), "sample sizes must be positive", sample_sizes)
    c = 1.0 - 1.0 / exponent
    return np.asarray(gamma(c) / (exponent * zeta(exponent) ** (1.0 / exponent)) * n**-c)


def distinct_mean(exponent: float, sample_sizes: ArrayLike) -> Float:
    """Expected number of different symbols in a sample, sum of 1 - (1 - p)^n, in the shape of `sample_sizes`. Exact.

    Derivation: theory/zipf.md. Source: Heaps's law; derived.
    """
    _check(exponent)
    n = _samples(sample_sizes)
    p = _head(exponent)
    values = [float(-np.expm1(size * np.log1p(-p)).sum()) + _distinct_tail(exponent, size) for size in n.ravel()]
    return np.array(values).reshape(n.shape)


def _distinct_tail(exponent: float, n: float) -> float:
    """Sum over i beyond the head of 1 - (1 - p)^n."""
    if n == 0:
        return 0.0
    p = _HEAD**-exponent / float(zeta(exponent))
    c, value = 1.0 - 1.0 / exponent, float(-np.expm1(n * np.log1p(-p)))
    whole = n * np.exp(betaln(c, n)) * betainc(c, n, p) * float(zeta(exponent)) ** (-1.0 / exponent)
    slope = -exponent * p / _HEAD * n * float(np.exp((n - 1.0) * np.log1p(-p)))
    return float(whole - _HEAD * value - value / 2.0 - slope / 12.0)


def heaps(exponent: float, sample_sizes: ArrayLike, *, total: float | None = None, corrected: bool = True) -> Float:
    """Expected number of different symbols in a large sample: Gamma(1 - 1/b) (n / zeta(b))^(1/b) - 1/2. Approximation.

    In the shape of `sample_sizes`; the effective sample size of model t may stand for n. `total` replaces zeta(b)
    where the law is cut at a rank (the sum of i^-b up to it). Without `corrected` the 1/2 is left out, and the error
    is a hundred times larger.

    Derivation: theory/zipf.md. Source: exponent: Heaps's law; constant and correction derived.
    """
    _check(exponent)
    norm = float(zeta(exponent)) if total is None else float(total)
    found = gamma(1.0 - 1.0 / exponent) * (_samples(sample_sizes) / norm) ** (1.0 / exponent)
    return np.asarray(found - (0.5 if corrected else 0.0))


def missing_mass_generations(exponent: float, sample_sizes: ArrayLike) -> Float:
    """Expected real mass that model t lacks under replacement: float64 (generations + 1,). Approximation.

    That of one real sample of the effective size n s_(t-1), which grows like (t/2)^(1 - 1/b), not linearly.

    Derivation: theory/zipf.md. Source: derived; exponent in n: Dohmatob et al. 2024 (2402.07043).
    """
    effective = branching.effective_sample_size(sizes_of(sample_sizes))
    return from_source(0.0, missing_mass(exponent, effective[1:]))


def cut_error(exponent: float, rank: int, samples: ArrayLike) -> Float:
    """Expected mass that a sample of a law cut at `rank` misses of the whole law: float64, the shape of `samples`.

    Exact: the tail beyond the rank for ever, and what the sample misses of the rest.

    Derivation: theory/zipf.md. Source: setting of Dohmatob et al. 2024 (2402.07043); derived.
    """
    return mixed_error(exponent, rank, 0.0, samples)


def mixed_error(exponent: float, rank: int, fraction: float, samples: ArrayLike) -> Float:
    """Expected missing mass of a sample with `fraction` of real points, the rest from the law cut at `rank`. Exact.

    float64, the shape of `samples`. It waits at the tail's mass until n is about rank^b / fraction, then falls.

    Derivation: theory/zipf.md. Source: setting of Dohmatob et al. 2024 (2402.07043); derived.
    """
    _check(exponent)
    require(1 <= rank <= _HEAD, f"rank must lie between 1 and {_HEAD}", rank)
    require(0 <= fraction <= 1, "fraction must lie in [0, 1]", fraction)
    n = _samples(samples)
    p = _head(exponent)
    drawn = fraction * p
    drawn[:rank] += (1.0 - fraction) * p[:rank] / p[:rank].sum()
    if fraction == 0:
        drawn[:rank] = np.minimum(drawn[:rank], 1.0)
    return np.array([_mixed(p, drawn, exponent, fraction, float(size)) for size in n.ravel()]).reshape(n.shape)


def _mixed(p: Float, drawn: Float, exponent: float, fraction: float, n: float) -> float:
    missed = np.where(drawn < 1.0, _miss(np.where(drawn < 1.0, drawn, 0.0), n), float(n == 0))
    rest = _missing_tail(exponent, n, fraction) if fraction > 0 else float(tail_mass(exponent, _HEAD))
    return float(p @ missed) + rest


def mixed_error_power(exponent: float, rank: float, fraction: float, samples: ArrayLike) -> Float:
    """The lesser of the tail's mass beyond the rank and of what the real points alone would miss. Approximation.

    float64, the shape of `samples`. Good at both ends, up to a quarter too small where they meet.

    Derivation: theory/zipf.md. Source: derived.
    """
    require(0 < fraction <= 1, "fraction must lie in (0, 1]", fraction)
    real = fraction * _samples(samples)
    return np.minimum(tail_mass_power(exponent, rank), missing_mass_power(exponent, real))


def crossover(exponent: float, rank: float, fraction: float) -> float:
    """Sample size from which the real points among synthetic ones tell: rank^b / fraction. Order of magnitude.

    Derivation: theory/zipf.md. Source: derived.
    """
    _check(exponent)
    require(rank > 0 and 0 < fraction <= 1, "rank must be positive and fraction lie in (0, 1]", (rank, fraction))
    return float(rank**exponent / fraction)
