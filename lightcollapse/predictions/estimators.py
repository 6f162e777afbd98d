"""Measuring a law from a sample of it: entropy, heterozygosity, missing mass, numbers of symbols.

`counts` are whole numbers, (..., symbols); results have the leading shape. Entropies are in nats. `..._mean` is the
exact expectation over samples of n points: measuring model t with N points reads like one more generation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, law_of, require
from lightcollapse.predictions.wright_fisher import binomial_rows
from lightcollapse.special import betaln, digamma, polygamma, xlogy

_CELLS = 2_000_000  # of a table of binomial probabilities held at a time
_STEP = 0.1  # of trapezoidal rules in a logarithm


def _counts(counts: ArrayLike, least: int = 1) -> tuple[Float, Float]:
    """Counts as float64 (..., symbols), and their sums."""
    c = np.asarray(counts, dtype=np.float64)
    require(
        c.ndim >= 1 and bool(np.all((c >= 0) & (c == np.floor(c)) & np.isfinite(c))),
        "counts must be whole numbers from 0 up",
        counts,
    )
    n = c.sum(axis=-1)
    require(bool(np.all(n >= least)), f"counts must sum to at least {least}", n)
    return c, n


def _ones(c: Float, n: Float) -> tuple[Float, Float]:
    """How many symbols were seen once, and the estimated mean mass of one of them (A)."""
    once, twice = (c == 1).sum(axis=-1).astype(np.float64), (c == 2).sum(axis=-1)
    rest = np.where(twice > 0, 2.0 * twice, 2.0)
    scale = np.where(twice > 0, (n - 1.0) * once, (n - 1.0) * np.maximum(once - 1.0, 0.0)) + rest
    return once, np.asarray(rest / scale)


# -- entropy -----------------------------------------------------------------------------------------------------------


def plug_in(counts: ArrayLike) -> Float:
    """Entropy of the frequencies themselves. Too low by about (symbols - 1)/(2 n).

    Derivation: theory/estimators.md. Source: Shannon 1948.
    """
    c, n = _counts(counts)
    return np.asarray(np.log(n) - xlogy(c, c).sum(axis=-1) / n)


def miller_madow(counts: ArrayLike) -> Float:
    """The plug-in plus (symbols seen - 1)/(2 n).

    Derivation: theory/estimators.md. Source: Miller 1955.
    """
    c, n = _counts(counts)
    return np.asarray(plug_in(c) + ((c > 0).sum(axis=-1) - 1.0) / (2.0 * n))


def jackknife(counts: ArrayLike) -> Float:
    """n times the plug-in less n - 1 times its mean with one point left out.

    Derivation: theory/estimators.md. Source: Zahl 1977.
    """
    c, n = _counts(counts, 2)
    ahead = xlogy(c - 1.0, np.maximum(c - 1.0, 1.0)) - xlogy(c, c)  # what one point less does to c log c
    return np.asarray(xlogy(n, n) - xlogy(n - 1.0, n - 1.0) + (c * ahead).sum(axis=-1) / n)


def grassberger(counts: ArrayLike) -> Float:
    """log n - the sum of c G(c) / n, G(c) = psi(c) + (-1)^c (psi((c + 1)/2) - psi(c/2)) / 2.

    Derivation: theory/estimators.md. Source: Grassberger 2003 (physics/0307138).
    """
    c, n = _counts(counts)
    return np.asarray(np.log(n) - _grassberger_terms(c).sum(axis=-1) / n)


def _grassberger_terms(c: Float) -> Float:
    """c G(c), 0 at 0."""
    safe = np.maximum(c, 1.0)
    sign = np.where(safe % 2 == 0, 1.0, -1.0)
    return np.asarray(c * (digamma(safe) + 0.5 * sign * (digamma((safe + 1.0) / 2.0) - digamma(safe / 2.0))))


def coverage(counts: ArrayLike) -> Float:
    """Estimated mass of the symbols seen: 1 - (f1/n)(1 - A), f1 symbols seen once and f2 twice.

    A = 2 f2 / ((n - 1) f1 + 2 f2), or 2 / ((n - 1)(f1 - 1) + 2) where f2 = 0.

    Derivation: theory/estimators.md. Source: Chao and Jost 2012, after Good 1953.
    """
    c, n = _counts(counts)
    once, again = _ones(c, n)
    return np.asarray(1.0 - once / n * (1.0 - again))


def chao_shen(counts: ArrayLike) -> Float:
    """Frequencies shrunk by Good's coverage 1 - f1/n, each term divided by the chance that its symbol is seen.

    Where every symbol is seen once, f1 = n - 1 stands in.

    Derivation: theory/estimators.md. Source: Chao and Shen 2003.
    """
    c, n = _counts(counts)
    once = (c == 1).sum(axis=-1)
    held = 1.0 - np.where(once == n, n - 1.0, once) / n
    p = held[..., None] * c / n[..., None]
    seen = -np.expm1(n[..., None] * np.log1p(-np.minimum(p, 1.0 - 1e-16)))
    terms = np.divide(-xlogy(p, p), seen, out=np.zeros_like(p), where=p > 0)
    return np.asarray(terms.sum(axis=-1))


def chao_wang_jost(counts: ArrayLike) -> Float:
    """Entropy from the slope of the curve of new symbols: what the sample shows exactly, the rest by f1 and f2.

    The sum of (c/n)(psi(n) - psi(c)), and (f1/n) times the integral over x of x^(n-1) z / (1 - z x) with z = 1 - A, A
    as for `coverage`.

    Derivation: theory/estimators.md. Source: Chao, Wang and Jost 2013.
    """
    c, n = _counts(counts)
    once, again = _ones(c, n)
    shown = (c / n[..., None] * (digamma(n[..., None]) - digamma(np.maximum(c, 1.0)))).sum(axis=-1)
    return np.asarray(shown + np.where(once > 0, once / n * _hidden(1.0 - again, n), 0.0))


def _hidden(z: Float, n: Float) -> Float:
    """z times the integral over x in (0, 1) of x^(n-1)/(1 - z x): the sum of z^(j+1)/(n + j), by x = exp(-e^y/n)."""
    v = np.exp(np.arange(-45.0, np.log(60.0), _STEP))
    share = -np.expm1(-v / n[..., None])  # 1 - x
    weight = v * np.exp(-v) / (1.0 - z[..., None] + z[..., None] * share)
    return np.asarray(z / n * _STEP * weight.sum(axis=-1))


def shrinkage(counts: ArrayLike) -> Float:
    """Entropy of frequencies pulled to the uniform law on all entries of `counts`, by the weight with least risk.

    The weight is (1 - sum of f^2) / ((n - 1) sum of (1/V - f)^2), at most 1.

    Derivation: theory/estimators.md. Source: Hausser and Strimmer 2009 (0811.3579).
    """
    c, n = _counts(counts, 2)
    f, uniform = c / n[..., None], 1.0 / c.shape[-1]
    far = (n - 1.0) * ((uniform - f) ** 2).sum(axis=-1)
    noise = 1.0 - (f * f).sum(axis=-1)
    weight = np.clip(np.divide(noise, far, out=np.ones_like(far), where=far > 0), 0.0, 1.0)[..., None]
    p = weight * uniform + (1.0 - weight) * f
    return np.asarray(-xlogy(p, p).sum(axis=-1))


def nsb(counts: ArrayLike, *, strongest: float = np.inf) -> Float:
    """Posterior mean of the entropy on all entries of `counts`, the prior nearly flat in it. By quadrature.

    A mixture of symmetric Dirichlet priors of strength b, weighted by the slope in b of their mean entropy. Programs
    that stop at a `strongest` b read a little low: 1e-5 of the entropy at e^9 for 14 points.

    Derivation: theory/estimators.md. Source: Nemenman, Shafee and Bialek 2002 (physics/0108025).
    """
    c, n = _counts(counts)
    require(c.shape[-1] >= 2, "counts must have at least 2 entries", c.shape[-1])
    rows = c.reshape(-1, c.shape[-1])
    return np.array([_nsb(row, strongest) for row in rows]).reshape(n.shape)


def _nsb(c: Float, strongest: float) -> float:
    n, symbols = float(c.sum()), float(len(c))
    last = min(45.0 + 2.0 * float(np.log(n + 1.0)), float(np.log(strongest)))  # b beyond n^2 tells all counts alike
    nodes = np.linspace(-45.0, last, int(np.ceil((last + 45.0) / _STEP)) + 1)
    b = np.exp(nodes)
    log_weight = np.log(b) + np.log(_slope(b, symbols)) + betaln(symbols * b, n)
    mean = digamma(n + symbols * b + 1.0)
    for count, times in zip(*np.unique(c, return_counts=True), strict=True):
        if count > 0:
            log_weight -= times * betaln(b, count)  # and Gamma(count), which all strengths share
        mean -= times * (count + b) / (n + symbols * b) * digamma(count + b + 1.0)
    weight = np.exp(log_weight - log_weight.max())
    weight[-1] /= 2.0
    return float(weight @ mean / weight.sum())


def _slope(b: Float, symbols: float) -> Float:
    """Slope of the prior's mean entropy: V psi1(V b + 1) - psi1(b + 1), by its series where the two are close."""
    small = np.minimum(b, 1e3)
    near = symbols * polygamma(1, symbols * small + 1.0) - polygamma(1, small + 1.0)
    large = np.maximum(b, 1e3)
    far = (1 - 1 / symbols) / (2 * large**2) - (1 - symbols**-2.0) / (6 * large**3)
    return np.asarray(np.where(b < 1e3, near, far + (1 - symbols**-4.0) / (30 * large**5)))


# -- diversity and numbers of symbols ----------------------------------------------------------------------------------


def heterozygosity(counts: ArrayLike) -> Float:
    """1 - the sum of c (c - 1) / (n (n - 1)), unbiased for 1 - the sum of p^2 at every n >= 2. Exact.

    Derivation: theory/estimators.md. Source: Simpson 1949.
    """
    c, n = _counts(counts, 2)
    return np.asarray(1.0 - (c * (c - 1.0)).sum(axis=-1) / (n * (n - 1.0)))


def good_turing(counts: ArrayLike) -> Float:
    """Estimated mass of the symbols not seen: f1/n. Its mean is the missing mass of n - 1 points.

    Derivation: theory/estimators.md. Source: Good 1953.
    """
    c, n = _counts(counts)
    return np.asarray((c == 1).sum(axis=-1) / n)


def chao1(counts: ArrayLike) -> Float:
    """Least number of symbols there are: those seen + ((n - 1)/n) f1 (f1 - 1) / (2 (f2 + 1)). Lower bound, in the mean.

    Derivation: theory/estimators.md. Source: Chao 1984, in the form without bias where symbols are alike.
    """
    c, n = _counts(counts)
    once, twice = (c == 1).sum(axis=-1), (c == 2).sum(axis=-1)
    return np.asarray((c > 0).sum(axis=-1) + (n - 1.0) / n * once * (once - 1.0) / (2.0 * (twice + 1.0)))


def rarefaction(counts: ArrayLike, points: int) -> Float:
    """Expected number of different symbols among `points` of the n: unbiased for a sample of that size. Exact.

    The sum of 1 - C(n - c, m) / C(n, m). Holds when points <= n; ValueError otherwise.

    Derivation: theory/estimators.md. Source: Hurlbert 1971.
    """
    c, n = _counts(counts)
    require(bool(np.all((points >= 0) & (points <= n))), "points must lie between 0 and the number counted", points)
    left = n[..., None] - c
    fits = left >= points
    logs = _log_choose(np.where(fits, left, points), points) - _log_choose(n[..., None], points)
    return np.asarray((-np.expm1(np.where(fits, np.minimum(logs, 0.0), -np.inf))).sum(axis=-1))


def _log_choose(n: Float, m: int) -> Float:
    return np.asarray(-betaln(n - m + 1.0, m + 1.0) - np.log(n + 1.0))


# -- what they read on average -----------------------------------------------------------------------------------------


def _expected(probabilities: ArrayLike, n: int, term: Callable[[Float], Float]) -> float:
    """E of the sum over symbols of term(count), a vector over counts 0..n; the counts are binomial."""
    require(n >= 1, "n must be at least 1", n)
    values, symbols = np.unique(law_of(probabilities), return_counts=True)
    later = np.asarray(term(np.arange(n + 1.0)), dtype=np.float64)
    block = max(1, _CELLS // (n + 1))
    parts = [binomial_rows(n, values[start : start + block]) @ later for start in range(0, len(values), block)]
    return float(symbols @ np.concatenate(parts))


def plug_in_mean(probabilities: ArrayLike, n: int) -> float:
    """Expected plug-in entropy of n points. Exact.

    Derivation: theory/estimators.md. Source: derived.
    """
    return float(np.log(n)) - _expected(probabilities, n, lambda c: xlogy(c, c)) / n


def miller_madow_mean(probabilities: ArrayLike, n: int) -> float:
    """Expected Miller-Madow entropy of n points. Exact.

    Derivation: theory/estimators.md. Source: derived.
    """
    return plug_in_mean(probabilities, n) + (distinct_mean(probabilities, n) - 1.0) / (2.0 * n)


def grassberger_mean(probabilities: ArrayLike, n: int) -> float:
    """Expected Grassberger entropy of n points. Exact.

    Derivation: theory/estimators.md. Source: derived.
    """
    return float(np.log(n)) - _expected(probabilities, n, _grassberger_terms) / n


def jackknife_mean(probabilities: ArrayLike, n: int) -> float:
    """Expected jackknife entropy of n points: n E_n - (n - 1) E_(n-1) of the plug-in. Exact.

    Derivation: theory/estimators.md. Source: derived.
    """
    require(n >= 2, "n must be at least 2", n)
    return n * plug_in_mean(probabilities, n) - (n - 1) * plug_in_mean(probabilities, n - 1)


def heterozygosity_mean(probabilities: ArrayLike) -> float:
    """Expected unbiased heterozygosity, 1 - the sum of p^2 at every n. Exact.

    Derivation: theory/estimators.md. Source: Simpson 1949.
    """
    p = law_of(probabilities)
    return float(1.0 - p @ p)


def good_turing_mean(probabilities: ArrayLike, n: int) -> float:
    """Expected f1/n: the sum of p (1 - p)^(n-1), the missing mass of n - 1 points. Exact.

    Derivation: theory/estimators.md. Source: Good 1953.
    """
    require(n >= 1, "n must be at least 1", n)
    p = law_of(probabilities)
    rare = p < 1.0
    return float(p[rare] @ np.exp((n - 1.0) * np.log1p(-p[rare]))) + float(np.sum(~rare) * (n == 1))


def distinct_mean(probabilities: ArrayLike, n: int) -> float:
    """Expected number of different symbols among n points, the mean of `rarefaction` too: sum of 1 - (1 - p)^n. Exact.

    Derivation: theory/estimators.md. Source: Hurlbert 1971.
    """
    require(n >= 0, "n must not be negative", n)
    p = law_of(probabilities)
    rare = p < 1.0
    return float(-np.expm1(n * np.log1p(-p[rare])).sum()) + float(np.sum(~rare) * (n > 0))
