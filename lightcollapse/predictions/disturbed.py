"""Noise, removal and narrower sampling at finite sample size: what they do to two draws, and to a variance squared.

Replacement; training set 1 is real and whole, and from then on what the model wrote is disturbed on its way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, Variance, chances_of, divisor, from_source, require, sizes_of
from lightcollapse.predictions._special import each_size
from lightcollapse.special import gammainc, gammaincinv

_SPREAD = (12.0, 40.0)  # standard deviations, and counts besides, from its mean at which a binomial count is left out


class Moments(NamedTuple):
    """E s_t^2 and E s_t^4 of a Gaussian's variance, float64 (generations + 1,), for a source of variance 1."""

    variance: Float
    variance_square: Float


def _counts(size: float, kept: float) -> tuple[Float, Float]:
    """Counts and their chances where each of `size` points is kept with chance `kept`."""
    from scipy.stats import binom  # slow to import

    mean, spread = size * kept, _SPREAD[0] * np.sqrt(size * kept * (1.0 - kept)) + _SPREAD[1]
    counts = np.arange(max(0.0, np.floor(mean - spread)), min(size, np.ceil(mean + spread)) + 1.0)
    return counts, binom.pmf(counts, size, kept)


def _factors(sizes: Float, removed: float) -> tuple[Float, Float]:
    """What a generation leaves of h, and of E s^4 by maximum likelihood: each float64 (generations,)."""
    require(0.0 <= removed <= 1.0, "removed must lie in [0, 1]", removed)

    def lost(different: Float) -> Float:
        rows = []
        for size in different:
            counts, chances = _counts(float(size), 1.0 - removed)
            held = np.maximum(counts, 1.0)
            rows.append([np.sum(chances * (counts > 0) / held), np.sum(chances * (counts > 0) / held**2)])
        return np.array(rows).reshape(-1, 2)

    first = np.array([[1.0 / sizes[0], 1.0 / sizes[0] ** 2]])
    factors, squares = 1.0 - np.concatenate([first, each_size(sizes[1:], lost)]).T
    return factors, squares


def thinned_diversity(sample_sizes: ArrayLike, removed: float) -> Float:
    """h_t where each synthetic point is removed with chance `removed`: float64 (generations + 1,). Exact.

    A training set left empty leaves the model as it is. Cost: a sum of about sqrt(n) terms a generation.

    Holds for frequencies, and Gaussians by maximum likelihood; `sample_sizes` (generations,), points before removal.

    Derivation: theory/disturbed.md. Source: derived.
    """
    return from_source(1.0, np.cumprod(_factors(sizes_of(sample_sizes), removed)[0]))


def thinned_variance(sample_sizes: ArrayLike, removed: float) -> Moments:
    """Moments of the variance of a Gaussian by maximum likelihood whose points are removed at random. Exact.

    Derivation: theory/disturbed.md. Source: derived.
    """
    first, second = _factors(sizes_of(sample_sizes), removed)
    return Moments(from_source(1.0, np.cumprod(first)), from_source(1.0, np.cumprod(second)))


def noisy_heterozygosity(sample_sizes: ArrayLike, rate: float, source: float, symbols: int) -> Float:
    """E H_t where each symbol written is replaced with chance `rate` by a uniform one: float64 (generations + 1,).

    `source` is the source's heterozygosity. Exact; as add-k smoothing, it pulls to the uniform law, 1 - 1/symbols.

    Derivation: theory/disturbed.md. Source: derived.
    """
    chances_of(source)
    require(symbols >= 1, "symbols must be at least 1", symbols)
    return _replaced(sample_sizes, rate, source, 1.0 - 1.0 / symbols)


def replaced_diversity(sample_sizes: ArrayLike, rate: float) -> Float:
    """h_t where each point written is replaced with chance `rate` by a real one: float64 (generations + 1,). Exact.

    The number of real points is binomial. Holds for frequencies, and Gaussians by maximum likelihood.

    Derivation: theory/disturbed.md. Source: derived.
    """
    return _replaced(sample_sizes, rate, 1.0, 1.0)


def _replaced(sample_sizes: ArrayLike, rate: float, source: float, pull: float) -> Float:
    """Diversity where two points of which one at least was put there have the diversity `pull`."""
    require(0.0 <= rate <= 1.0, "rate must lie in [0, 1]", rate)
    kept, values = (1.0 - rate) ** 2, [source]
    for generation, size in enumerate(sizes_of(sample_sizes), start=1):
        read = values[-1] if generation == 1 else kept * values[-1] + (1.0 - kept) * pull
        values.append((1.0 - 1.0 / size) * read)
    return np.array(values)


def jittered_variance(sample_sizes: ArrayLike, rate: float, *, variance: Variance = "ml") -> Moments:
    """Moments of the variance where normal noise of `rate` source stds is added to what is written. Exact.

    It tends to rate^2 (n - 1) (ml): noise is lost slowly, so a little of it holds up a large variance.

    Derivation: theory/disturbed.md. Source: derived; as a kernel density's bandwidth.
    """
    require(rate >= 0.0, "rate must be at least 0", rate)
    sizes = sizes_of(sample_sizes, 2)
    first = (sizes - 1.0) / divisor(sizes, variance)
    second = (sizes - 1.0) * (sizes + 1.0) / divisor(sizes, variance) ** 2
    mean, square, values = 1.0, 1.0, [(1.0, 1.0)]
    for generation, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True), start=1):
        added = 0.0 if generation == 1 else rate * rate
        mean, square = a * (mean + added), b * (square + 2.0 * added * mean + added * added)
        values.append((mean, square))
    return Moments(*np.array(values).T)


def cut_variance(
    sample_sizes: ArrayLike, *, temperature: float = 1.0, top_p: float = 1.0, variance: Variance = "ml"
) -> Moments:
    """Moments of the variance where a Gaussian writes at a temperature, its central mass top_p alone. Exact.

    Derivation: theory/disturbed.md. Source: derived.
    """
    require(temperature > 0, "temperature must exceed 0", temperature)
    require(0 < top_p <= 1, "top_p must lie in (0, 1]", top_p)
    sizes = sizes_of(sample_sizes, 2)
    half = gammaincinv(0.5, top_p) if top_p < 1.0 else np.inf  # half the squared cut
    second = temperature * float(gammainc(1.5, half)) / top_p
    fourth = 3.0 * temperature**2 * float(gammainc(2.5, half)) / top_p
    mean, square, values = 1.0, 1.0, [(1.0, 1.0)]
    for generation, (n, c) in enumerate(zip(sizes.tolist(), divisor(sizes, variance).tolist(), strict=True), start=1):
        m2, m4 = (1.0, 3.0) if generation == 1 else (second, fourth)
        mean *= (n - 1.0) / c * m2
        square *= ((n - 1.0) / c) ** 2 * (m2 * m2 + (m4 - m2 * m2 * (n - 3.0) / (n - 1.0)) / n)
        values.append((mean, square))
    return Moments(*np.array(values).T)
