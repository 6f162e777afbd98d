"""Chains of symbols: diversity after a context, one real sample beside synthetic ones, bounds of collapse.

Each context (the symbols before) has a law of its own. Without feedback of contexts on one another these are separate
categorical laws; a chain trained on its own path feeds back, and then the forms are approximations.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions import pairs
from lightcollapse.predictions._checks import Float, at_least, chances_of, law_of, require, sizes_of
from lightcollapse.predictions.wright_fisher import binomial_rows


def _contexts(shares: ArrayLike, diversities: ArrayLike) -> tuple[Float, Float]:
    w = np.atleast_1d(np.asarray(shares, dtype=np.float64))
    require(bool(np.all(w >= 0)) and abs(float(w.sum()) - 1.0) < 1e-6, "shares must sum to 1", float(w.sum()))
    het = np.asarray(diversities, dtype=np.float64)
    require(het.shape == w.shape, "diversities must hold one number a context", het.shape)
    return w, het


def context_diversity(shares: ArrayLike, diversities: ArrayLike, sizes: ArrayLike, generations: int) -> Float:
    """E of the heterozygosity after a context, averaged over contexts, when context c always has n_c points. Exact.

    The sum of share_c H_c (1 - 1/n_c)^t: float64 (generations + 1,).

    Derivation: theory/markov.md. Source: derived.
    """
    chances_of(diversities)
    require(generations >= 0, "generations must not be negative", generations)
    w, het = _contexts(shares, diversities)
    n = np.asarray(sizes, dtype=np.float64)
    require(n.shape == w.shape and bool(np.all(n >= 1)), "sizes must hold one number from 1 up a context", sizes)
    return np.asarray((1.0 - 1.0 / n) ** np.arange(generations + 1.0)[:, None] @ (w * het))


def inverse_count_mean(sample_size: int, shares: ArrayLike) -> Float:
    """E[1/N; N >= 1] of a binomial N: float64, one for each share. Exact.

    Derivation: theory/markov.md. Source: derived.
    """
    chances_of(shares)
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    return np.asarray(binomial_rows(sample_size, shares)[:, 1:] @ (1.0 / np.arange(1.0, sample_size + 1.0)))


def context_diversity_random(shares: ArrayLike, diversities: ArrayLike, sample_size: int, generations: int) -> Float:
    """The same when each of `sample_size` points falls into context c with chance share_c anew. Exact.

    A context without points keeps its law, so that it keeps 1 - E[1/N; N >= 1] a generation: float64
    (generations + 1,).

    Derivation: theory/markov.md. Source: derived.
    """
    chances_of(diversities)
    require(generations >= 0, "generations must not be negative", generations)
    w, het = _contexts(shares, diversities)
    kept = 1.0 - inverse_count_mean(sample_size, w)
    return np.asarray(kept ** np.arange(generations + 1.0)[:, None] @ (w * het))


def context_diversity_drifting(shares: ArrayLike, diversities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """The same when the counts of a context drift like those of a neutral allele. Exact for documents of two symbols.

    Of n_t points N_t fall into context c, binomial with chance N_{t-1}/n_{t-1}, at first with chance share_c. Training
    set t keeps 1 - 1/N_t of the context's heterozygosity, all where N_t = 0: float64 (generations + 1,). An
    approximation for longer documents, whose contexts follow one another.

    Derivation: theory/markov.md. Source: derived.
    """
    chances_of(diversities)
    w, het = _contexts(shares, diversities)
    sizes = sizes_of(sample_sizes).astype(np.int64)
    out = [float(w @ het)]
    kept, steps, before = np.empty((0, 0)), np.empty((0, 0)), 0  # mean of what is kept, by the context's last count
    for n in sizes.tolist():
        if before == 0:
            kept = binomial_rows(n, w)
        else:
            if steps.shape != (before + 1, n + 1):
                steps = binomial_rows(n, np.arange(before + 1.0) / before)
            kept = kept @ steps
        counts, before = np.arange(n + 1.0), n
        kept = kept * np.where(counts > 0.0, 1.0 - 1.0 / np.maximum(counts, 1.0), 1.0)
        out.append(float(kept.sum(axis=1) @ (w * het)))
    return np.array(out)


def stationary_law(transition: ArrayLike) -> Float:
    """Long-run shares of the states of a Markov chain with one closed class: float64 (states,). Exact.

    Derivation: theory/markov.md. Source: textbook.
    """
    P = np.asarray(transition, dtype=np.float64)
    square = P.ndim == 2 and P.shape[0] == P.shape[1]
    require(square and bool(np.all(P >= 0)) and bool(np.allclose(P.sum(axis=1), 1.0, atol=1e-8)),
            "transition must be square with rows that sum to 1", P.shape)  # fmt: skip
    equations = np.vstack([P.T - np.eye(len(P)), np.ones(len(P))])
    found = np.linalg.lstsq(equations, np.append(np.zeros(len(P)), 1.0), rcond=None)[0]
    law = np.clip(found, 0.0, None)
    return np.asarray(law / law.sum())


def path_diversity(transition: ArrayLike, sample_size: int, generations: int) -> Float:
    """E of the mean heterozygosity of a chain's rows, refitted to its own path of so many steps. Approximation.

    `context_diversity_random` with the chain's own stationary shares: float64 (generations + 1,). 10 % too large for
    3 states, 60 steps and 10 generations, as rare contexts become rarer.

    Derivation: theory/markov.md. Source: derived.
    """
    P = np.asarray(transition, dtype=np.float64)
    return context_diversity_random(stationary_law(P), 1.0 - (P * P).sum(axis=1), sample_size, generations)


def partial_drift(heterozygosity: float, real: int, written: int, generations: int) -> Float:
    """E of the squared distance between model t and the frequencies r of one real sample that every training set holds.

    D' = (1 - a)^2 (H/k + (1 - 1/k) D) with k synthetic points, a = N/(N + k) and H = 1 - the sum of r^2, from D_0 = 0,
    the real frequencies themselves: float64 (generations + 1,). Exact.

    Derivation: theory/markov.md. Source: setting of Seddik et al. 2024 (2404.05090); derived.
    """
    require(generations >= 0, "generations must not be negative", generations)
    require(0 <= heterozygosity <= 1, "heterozygosity must lie in [0, 1]", heterozygosity)
    kept, source = _partial(heterozygosity, real, written)
    values = [0.0]
    for _ in range(generations):
        values.append(kept * values[-1] + source)
    return np.array(values)


def partial_drift_limit(heterozygosity: float, real: int, written: int) -> float:
    """Where `partial_drift` settles. Exact.

    Derivation: theory/markov.md. Source: derived.
    """
    require(0 <= heterozygosity <= 1, "heterozygosity must lie in [0, 1]", heterozygosity)
    kept, source = _partial(heterozygosity, real, written)
    return source / (1.0 - kept)


def _partial(heterozygosity: float, real: int, written: int) -> tuple[float, float]:
    require(real >= 1 and written >= 1, "real and written must be at least 1", (real, written))
    read = (written / (real + written)) ** 2
    return read * (1.0 - 1.0 / written), read * heterozygosity / written


def total_distance_bound(squared: ArrayLike, symbols: int) -> Float:
    """Upper bound of E of the sum of |q - r| over V symbols: sqrt(V E |q - r|^2), in the shape of `squared`.

    Derivation: theory/markov.md. Source: Cauchy and Schwarz, Jensen.
    """
    at_least(0, squared=squared)
    require(symbols >= 1, "symbols must be at least 1", symbols)
    return np.sqrt(symbols * np.asarray(squared, dtype=np.float64))


class Bounds(NamedTuple):
    """float64 (generations + 1,) each."""

    lower: Float
    upper: Float


def collapse_bounds(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Bounds:
    """Bounds of the chance that model t holds one symbol only, under replacement, for any size.

    With H_t the heterozygosity: 1 - E H_t / (2 (n - 1)/n^2) <= P <= 1 - E H_t / (1 - 1/min(V, n)). The exact chance
    is `wright_fisher.collapse_probability`. Entry 0 is the source's own.

    Derivation: theory/markov.md. Source: derived; Seddik et al. 2024 (2404.05090) for total collapse.
    """
    p = law_of(probabilities)
    symbols = int(np.count_nonzero(p))
    mean = float(1.0 - p @ p) * pairs.replace(sample_sizes)
    n = np.atleast_1d(np.asarray(sample_sizes, dtype=np.float64))
    least = 2.0 * (n - 1.0) / n**2
    most = 1.0 - 1.0 / np.minimum(symbols, n)
    certain = (n == 1) | (symbols == 1)  # one point, or one symbol to start with
    lower = np.where(certain, 1.0, np.clip(1.0 - mean[1:] / np.where(certain, 1.0, least), 0.0, 1.0))
    upper = np.where(certain, 1.0, np.clip(1.0 - mean[1:] / np.where(certain, 1.0, most), 0.0, 1.0))
    start = [float(symbols == 1)]
    return Bounds(np.concatenate([start, lower]), np.concatenate([start, upper]))
