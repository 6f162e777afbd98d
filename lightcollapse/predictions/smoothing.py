"""Categorical laws with add-k smoothing under replacement: every model gives every symbol some mass.

The model's probability of a symbol with count c is (c + k) / (n + k V) = (1 - e) c / n + e / V with
e = k V / (n + k V): neutral drift with mutation to the uniform law.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, at_least, chances_of, from_source, require, sizes_of
from lightcollapse.predictions.wright_fisher import (
    LARGEST_SAMPLE,
    BySymbol,
    Functional,
    chain_sizes,
    expected_each,
    expected_sum_by_symbol,
    grouped,
)
from lightcollapse.special import xlogy


def smoothing_weight(sample_sizes: ArrayLike, smoothing: float, symbols: int) -> Float:
    """e = k V / (n + k V), the uniform law's share in each model: float64 (generations,).

    Derivation: theory/smoothing.md. Source: Lidstone 1920.
    """
    at_least(1, symbols=symbols)
    require(smoothing >= 0, "smoothing must be at least 0", smoothing)
    return np.asarray(smoothing * symbols / (sizes_of(sample_sizes) + smoothing * symbols))


def smoothed_probability_mean(probabilities: ArrayLike, sample_sizes: ArrayLike, smoothing: float) -> Float:
    """E of each symbol's probability in model t: float64 (generations + 1, symbols). Exact.

    1/V + (p - 1/V) times the product of 1 - e_s: pulled to the uniform law.

    Derivation: theory/smoothing.md. Source: derived.
    """
    chances_of(probabilities)
    p = np.asarray(probabilities, dtype=np.float64)
    kept = from_source(1.0, np.cumprod(1.0 - smoothing_weight(sample_sizes, smoothing, len(p))))
    return 1.0 / len(p) + np.multiply.outer(kept, p - 1.0 / len(p))


def smoothed_heterozygosity_mean(probabilities: ArrayLike, sample_sizes: ArrayLike, smoothing: float) -> Float:
    """E[1 - sum q_t^2] of the smoothed model t: float64 (generations + 1,). Exact for any size.

    F' = (1 - e)^2 (1/n + (1 - 1/n) F) + (2 e - e^2) / V for F = E sum q^2; it may rise above the source's.

    Derivation: theory/smoothing.md. Source: derived; drift with mutation.
    """
    chances_of(probabilities)
    p = np.asarray(probabilities, dtype=np.float64)
    agree = float(np.sum(p * p))
    values = [agree]
    sizes = sizes_of(sample_sizes)
    for n, e in zip(sizes, smoothing_weight(sizes, smoothing, len(p)), strict=True):
        agree = (1.0 - e) ** 2 * (1.0 / n + (1.0 - 1.0 / n) * agree) + (2.0 * e - e * e) / len(p)
        values.append(float(agree))
    return 1.0 - np.array(values)


def smoothed_heterozygosity_limit(symbols: int, sample_size: int, smoothing: float) -> float:
    """Limit of E[1 - sum q_t^2] of the smoothed model. Exact.

    Derivation: theory/smoothing.md. Source: derived.
    """
    e = float(smoothing_weight(sample_size, smoothing, symbols)[0])
    require(e > 0, "smoothing must be positive", smoothing)
    kept = (1.0 - e) ** 2
    return 1.0 - (kept / sample_size + (2.0 * e - e * e) / symbols) / (1.0 - kept * (1.0 - 1.0 / sample_size))


def smoothed_expected_sum(
    probabilities: ArrayLike, sample_sizes: ArrayLike, smoothing: float, functional: Functional
) -> Float:
    """E of the sum over symbols of f(q_t) for the smoothed model t, f vectorised: float64 (generations + 1,). Exact.

    Holds for equal samples of at most 200,000 points (ValueError). Entry 0 is f summed over the source. Cost:
    `wright_fisher.expected_sum`.

    Derivation: theory/smoothing.md. Source: derived.
    """
    values, counts = grouped(probabilities)
    written, sizes = _written(probabilities, sample_sizes, smoothing), chain_sizes(sample_sizes, LARGEST_SAMPLE)
    means = expected_each(values, sizes, lambda share: functional(written(share)), written)
    return from_source(float(counts @ functional(values)), means @ counts)


def smoothed_expected_sum_by_symbol(
    probabilities: ArrayLike, sample_sizes: ArrayLike, smoothing: float, functional: BySymbol
) -> Float:
    """E of the sum over symbols of f(q_t, p_0), f vectorised over both: float64 (generations + 1,). Exact.

    Holds for equal samples of at most 200,000 points and limits of `wright_fisher.expected_sum_by_symbol` (ValueError).

    Derivation: theory/smoothing.md. Source: derived.
    """
    written = _written(probabilities, sample_sizes, smoothing)
    values, counts = grouped(probabilities)
    sums = expected_sum_by_symbol(
        probabilities, sample_sizes, lambda share, p: functional(written(share), p), chance=written
    )
    return from_source(float(counts @ functional(values, values)), sums[1:])


def _written(probabilities: ArrayLike, sample_sizes: ArrayLike, smoothing: float) -> Functional:
    """The chance with which a smoothed model writes a symbol, from its frequency in the training set."""
    sizes = chain_sizes(sample_sizes, LARGEST_SAMPLE)
    require(bool(np.all(sizes == sizes[:1])), "smoothed chains need equal sample sizes", sample_sizes)
    symbols = len(np.atleast_1d(np.asarray(probabilities)))
    e = float(smoothing_weight(sizes[:1], smoothing, symbols)[0]) if sizes.size else 0.0
    return lambda share: (1.0 - e) * share + e / symbols


def smoothed_entropy_mean(probabilities: ArrayLike, sample_sizes: ArrayLike, smoothing: float) -> Float:
    """E of the entropy of the smoothed model t, nats: float64 (generations + 1,). Exact.

    Limits: `smoothed_expected_sum`.

    Derivation: theory/smoothing.md. Source: derived.
    """
    return smoothed_expected_sum(probabilities, sample_sizes, smoothing, lambda q: -xlogy(q, q))


def smoothed_cross_entropy_mean(probabilities: ArrayLike, sample_sizes: ArrayLike, smoothing: float) -> Float:
    """E[-sum p_0 log q_t], nats: float64 (generations + 1,). Finite where smoothing is, infinite without. Exact.

    Limits: `smoothed_expected_sum`.

    Derivation: theory/smoothing.md. Source: derived.
    """
    values, counts = grouped(probabilities)
    values, weights = values[values > 0], (counts * values)[values > 0]
    written, sizes = _written(probabilities, sample_sizes, smoothing), chain_sizes(sample_sizes, LARGEST_SAMPLE)
    if smoothing > 0 or len(np.atleast_1d(probabilities)) == 1:
        means = expected_each(values, sizes, lambda share: -np.log(written(share)), written)
        return from_source(float(-weights @ np.log(values)), means @ weights)
    return from_source(float(-weights @ np.log(values)), np.full(len(sizes), np.inf))


def smoothed_seen_mean(probabilities: ArrayLike, sample_sizes: ArrayLike, smoothing: float) -> Float:
    """Expected number of distinct symbols in training set t: float64 (generations + 1,). Exact.

    The smoothed model itself gives mass to every symbol. Entry 0 is the source's support. Limits:
    `smoothed_expected_sum`.

    Derivation: theory/smoothing.md. Source: derived.
    """
    symbols = len(np.atleast_1d(np.asarray(probabilities)))
    sizes = sizes_of(sample_sizes)
    n = float(sizes[0]) if sizes.size else 1.0
    e = smoothing * symbols / (n + smoothing * symbols)
    floor = e / symbols

    def seen(q: Float) -> Float:
        return (q > floor * (1.0 + 1e-9) + 0.25 * (1.0 - e) / n).astype(np.float64)

    values = smoothed_expected_sum(probabilities, sample_sizes, smoothing, seen)
    values[0] = float(np.count_nonzero(np.asarray(probabilities)))
    return values
