"""Sharper or narrower sampling at infinite sample size: temperature, the k likeliest symbols, the likeliest mass.

Model 1 is fitted to real data; from then on the model writes from its law to the power 1 / temperature, cut to its k
likeliest symbols, then to the smallest set of the likeliest that holds the mass top_p.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, from_source, law_of, require
from lightcollapse.predictions.wright_fisher import Functional, binomial_rows, chain_sizes, grouped
from lightcollapse.special import gammainc, gammaincinv, logsumexp

LARGEST_SAMPLE = 1000  # points of a tempered chain, whose transitions differ by symbol
LARGEST_WORK = 4e9  # multiplications

_SLACK = 1e-12  # sums of masses are compared within rounding


def decode(probabilities: ArrayLike, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Float:
    """The law from which a model with these probabilities writes: float64 (symbols,). Exact.

    top_k = 0 keeps all symbols, top_p = 1 all mass; ties go to the earlier symbol.

    Derivation: theory/decoding.md. Source: Holtzman et al. 2020 (1904.09751) for top_p.
    """
    p = law_of(probabilities)
    require(temperature > 0, "temperature must exceed 0", temperature)
    require(top_k >= 0, "top_k must be at least 0", top_k)
    require(0 < top_p <= 1, "top_p must lie in (0, 1]", top_p)
    p = _power(p, 1.0 / temperature)
    order = np.argsort(-p, kind="stable")
    ranked = p[order]
    if top_k:
        ranked[top_k:] = 0.0
    before = np.cumsum(ranked) - ranked
    ranked[before >= top_p * ranked.sum() * (1.0 - _SLACK)] = 0.0
    kept = np.zeros_like(p)
    kept[order] = ranked / ranked.sum()
    return kept


def _power(p: Float, exponent: float) -> Float:
    """p^exponent, normalised; symbols without mass keep none."""
    if exponent == 1.0:
        return p.copy()
    logs = np.full(p.shape, -np.inf)
    np.log(p, out=logs, where=p > 0)
    logs[p > 0] *= exponent
    return np.asarray(np.exp(logs - logsumexp(logs)))


def decoded_law(
    probabilities: ArrayLike,
    generations: int,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    fraction: float = 0.0,
    first_real: bool = True,
) -> Float:
    """The model's law when every sample is infinite: float64 (generations + 1, symbols). Exact.

    p_(t+1) = fraction times the source + (1 - fraction) decode(p_t). With `first_real` (the loop) model 1 is the
    source; otherwise it already learns from decoded data.

    Derivation: theory/decoding.md. Source: Marchi et al. 2024 (2404.02325) for temperature and fresh data; derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    p = law_of(probabilities)
    require(0 <= fraction <= 1, "fraction must lie in [0, 1]", fraction)
    laws = [p]
    for generation in range(1, generations + 1):
        if generation == 1 and first_real:
            laws.append(p)
            continue
        written = decode(laws[-1], temperature=temperature, top_k=top_k, top_p=top_p)
        laws.append(fraction * p + (1.0 - fraction) * written)
    return np.array(laws)


def tempered_law(probabilities: ArrayLike, temperature: float, generations: int, *, first_real: bool = True) -> Float:
    """p_t in proportion to p^(temperature^-s), s = t - 1 rounds (t where the first sample is decoded too). Exact.

    float64 (generations + 1, symbols). Below temperature 1 the likeliest symbol takes all, above it all become equal.
    Holds at infinite sample size.

    Derivation: theory/decoding.md. Source: derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    p = law_of(probabilities)
    require(temperature > 0, "temperature must exceed 0", temperature)
    rounds = np.maximum(np.arange(generations + 1) - (1 if first_real else 0), 0)
    logs = np.full(p.shape, -np.inf)
    np.log(p, out=logs, where=p > 0)
    logs -= logs.max()
    exponents = np.exp(np.minimum(-np.log(temperature) * rounds, 700.0))
    scaled = np.where(p > 0, exponents[:, None] * np.where(p > 0, logs, 0.0), -np.inf)
    return np.asarray(np.exp(scaled - logsumexp(scaled, axis=1, keepdims=True)))


def tempered_expected_sum(
    probabilities: ArrayLike, sample_sizes: ArrayLike, temperature: float, functional: Functional
) -> Float:
    """E of the sum over symbols of f(p_t) where models write at a temperature, at finite n. Approximation.

    A chain of each symbol's count in which what the other symbols weigh is replaced by its expectation, scaled to the
    frequency that this symbol leaves them. Training set 1 is real. float64 (generations + 1,), f vectorised. Within
    0.5 % for 5 to 50 symbols, n from 50 to 100, temperatures from 0.8 to 1.1 and t up to 10; 8 % where one symbol is
    about to take all. Temperature 1 is exact. Cost: distinct probabilities x n^2 a generation. Holds while that
    stays below 4e9 in all, for n of at most 1000 (ValueError).

    Derivation: theory/decoding.md. Source: derived; a mean-field closure.
    """
    values, counts = grouped(probabilities)
    require(0 < temperature < np.inf, "temperature must exceed 0", temperature)
    sizes = chain_sizes(sample_sizes, LARGEST_SAMPLE).tolist()
    work = float(len(values)) * sum(float(n) ** 2 for n in sizes)
    require(work <= LARGEST_WORK, "the chain is too large: distinct probabilities x n^2 x generations", work)
    law, out = np.zeros((0, 0)), []
    share = np.zeros(0)
    for index, n in enumerate(sizes):
        if index == 0:
            law = binomial_rows(n, values)
        else:
            chances = _written(law, share, counts, 1.0 / temperature)
            law = np.array([row @ binomial_rows(n, chance) for row, chance in zip(law, chances, strict=True)])
        share = np.arange(n + 1.0) / n
        out.append(float(counts @ (law @ functional(share))))
    return from_source(float(counts @ functional(values)), out)


def _written(law: Float, share: Float, counts: Float, power: float) -> Float:
    """The chance of each symbol to be written, for each of its frequencies: float64 (values, states)."""
    weight = share**power
    own, mean = law @ weight, law @ share
    others = np.maximum(counts @ own - own, 0.0)
    left = np.divide(1.0 - share[None, :], 1.0 - mean[:, None], out=np.zeros_like(law), where=mean[:, None] < 1.0)
    rest = others[:, None] * left**power
    both = weight + rest
    return np.clip(
        np.divide(np.broadcast_to(weight, law.shape), both, out=np.zeros_like(law), where=both > 0.0), 0.0, 1.0
    )


def geometric_support(ratio: float, top_p: float, generations: int, *, first_real: bool = True) -> Float:
    """Symbols kept by top_p from the geometric law (1 - r) r^i, i = 0, 1, ..: float64 (generations + 1,). Exact.

    K' = ceil(log(1 - top_p (1 - r^K)) / log r) from K = infinity, which stays where the last step keeps all K.
    Holds at infinite sample size.

    Derivation: theory/decoding.md. Source: derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    require(0 < ratio < 1, "ratio must lie in (0, 1)", ratio)
    require(0 < top_p < 1, "top_p must lie in (0, 1)", top_p)
    kept, values = np.inf, [np.inf]
    for generation in range(1, generations + 1):
        if generation > 1 or not first_real:
            held = -np.expm1(kept * np.log(ratio)) if np.isfinite(kept) else 1.0
            real = np.log1p(-top_p * held * (1.0 - _SLACK)) / np.log(ratio)
            kept = max(float(np.ceil(real)), 1.0)
        values.append(kept)
    return np.array(values)


def decoding_scale(*, temperature: float = 1.0, top_p: float = 1.0) -> float:
    """Variance of what a Gaussian writes, in units of its own: temperature times that of its central mass top_p.

    The second factor is P(3/2, c^2/2) / P(1/2, c^2/2), P the regularised incomplete gamma function and c the cut that
    leaves top_p. For the scale of `gaussian.biased_variance_mean`, whose expected variance is exact, and its law too
    where only the temperature differs from 1.

    Derivation: theory/decoding.md. Source: Alemohammad et al. 2023 (2307.01850) for the scale; derived.
    """
    require(temperature > 0, "temperature must exceed 0", temperature)
    require(0 < top_p <= 1, "top_p must lie in (0, 1]", top_p)
    if top_p == 1.0:
        return float(temperature)
    half = gammaincinv(0.5, top_p)  # half the squared cut
    return float(temperature * gammainc(1.5, half) / top_p)
