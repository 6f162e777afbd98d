"""Points, and sums of points, of one-parameter exponential families: each lane has a mean of its own.

A kernel fills float64 (lanes, count) from block `first` on; a sum of n points is one point of the law of the sum.
"""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import inlined, kernel
from lightcollapse.kernels.rng import ONE, binomial, gamma, stirling_tail, uniforms

_LARGE = 10.0  # means from which rejection is faster than a search from 0
_HALF_LOG_2PI = 0.9189385332046728
_CLOSE = 1e-13  # of a mean that is solved for, relative to its distance from the nearer end
_STEPS = 200


@inlined
def _log_poisson(k, mean):
    """Log probability of the whole number k under a Poisson law of mean at least 10.

    k log(mean) - mean - log k! loses all digits of a large mean. What is left of it after Stirling's formula is a
    deviance, which does not.
    """
    whole = np.int64(k)
    excess = (k + 1.0 - mean) / mean
    deviance = mean * ((1.0 + excess) * math.log1p(excess) - excess)
    return 0.5 * math.log1p(excess) - deviance - _HALF_LOG_2PI - 0.5 * math.log(mean) - stirling_tail(whole)


@inlined
def _poisson_search(mean, c0, c1, c2, c3, k0, k1):
    """Poisson by sequential search from 0, for means below 10."""
    u, _ = uniforms(c0, c1, c2, c3, k0, k1)
    mass = math.exp(-mean)
    k = 0.0
    while u > mass and k < 1000.0:  # the end, where rounding left a bit of the uniform over
        u -= mass
        k += 1.0
        mass *= mean / k
    return k, c0 + ONE


@inlined
def _poisson_rejection(mean, c0, c1, c2, c3, k0, k1):
    """Poisson by transformed rejection, for means of at least 10. Source: Hörmann 1993 (PTRS)."""
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    scale = 1.1239 + 1.1328 / (b - 3.4)
    squeeze = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u, v = uniforms(c0, c1, c2, c3, k0, k1)
        c0 = c0 + ONE
        u -= 0.5
        distance = 0.5 - abs(u)
        k = np.floor((2.0 * a / distance + b) * u + mean + 0.43)
        if distance >= 0.07 and v <= squeeze:
            break
        if k < 0.0 or (distance < 0.013 and v > distance):
            continue
        if math.log(v * scale / (a / (distance * distance) + b)) <= _log_poisson(k, mean):
            break
    return k, c0


@kernel
def poisson(mean, c0, c1, c2, c3, k0, k1):
    """Poisson(mean >= 0) as float64; returns (value, next free block)."""
    if mean <= 0.0:
        return 0.0, c0
    if mean < _LARGE:
        return _poisson_search(mean, c0, c1, c2, c3, k0, k1)
    return _poisson_rejection(mean, c0, c1, c2, c3, k0, k1)


@kernel
def fill_poisson(means, out, first, generation, streams, replicates, k0, k1):
    """Fill out float64 (lanes, count) with Poisson numbers of each lane's mean, float64 (lanes,)."""
    lanes, count = out.shape
    for lane in range(lanes):
        block = np.uint64(first)
        for i in range(count):
            out[lane, i], block = poisson(means[lane], block, generation, replicates[lane], streams[lane], k0, k1)


@kernel
def fill_gamma(shape, scales, out, first, generation, streams, replicates, k0, k1):
    """Fill out float64 (lanes, count) with gamma numbers of one shape > 0 and each lane's scale, float64 (lanes,).

    A shape below 1 is one more, times a power of a uniform (Marsaglia and Tsang 2000).
    """
    lanes, count = out.shape
    small = shape < 1.0
    for lane in range(lanes):
        block = np.uint64(first)
        for i in range(count):
            value, block = gamma(
                shape + 1.0 if small else shape, block, generation, replicates[lane], streams[lane], k0, k1
            )
            if small:
                u, _ = uniforms(block, generation, replicates[lane], streams[lane], k0, k1)
                block = block + ONE
                value *= u ** (1.0 / shape)
            out[lane, i] = scales[lane] * value


@kernel
def fill_binomial(trials, probabilities, out, first, generation, streams, replicates, k0, k1):
    """Fill out float64 (lanes, count) with binomial numbers of one number of trials, int64, and each lane's
    probability, float64 (lanes,).
    """
    lanes, count = out.shape
    for lane in range(lanes):
        block = np.uint64(first)
        for i in range(count):
            k, block = binomial(trials, probabilities[lane], block, generation, replicates[lane], streams[lane], k0, k1)
            out[lane, i] = k


@kernel
def fill_sums(count, values, laws, out, first, generation, streams, replicates, k0, k1):
    """Fill out float64 (lanes,) with the sum of `count` int64 draws from a finite law: of values, float64 (levels,),
    with each lane's probabilities, float64 (lanes, levels). One binomial number a level.
    """
    levels = len(values)
    for lane in range(len(out)):
        block = np.uint64(first)
        left, mass, total = count, 1.0, 0.0
        for level in range(levels - 1):
            if left == 0:
                break
            share = laws[lane, level] / mass if mass > 0.0 else 1.0
            k, block = binomial(left, share, block, generation, replicates[lane], streams[lane], k0, k1)
            total += k * values[level]
            left -= k
            mass -= laws[lane, level]
        out[lane] = total + left * values[levels - 1]


@inlined
def _mean_and_variance(natural, values, logs, law):
    """Mean and variance of the law proportional to exp(logs + natural values), for a finite natural parameter; law
    float64 (levels,) is overwritten.
    """
    levels = len(values)
    top = -math.inf
    for level in range(levels):
        law[level] = logs[level] + natural * values[level]
        top = max(top, law[level])
    total, mean = 0.0, 0.0
    for level in range(levels):
        law[level] = math.exp(law[level] - top)
        total += law[level]
        mean += law[level] * values[level]
    mean /= total
    variance = 0.0
    for level in range(levels):
        variance += law[level] * (values[level] - mean) ** 2
    return mean, variance / total


@kernel
def tilted(naturals, values, logs, out):
    """Fill out float64 (lanes, levels) with the log probabilities of laws proportional to exp(logs + natural values),
    one natural parameter a lane. An infinite one leaves the level at that end. values and logs: float64 (levels,).
    """
    levels = len(values)
    for lane in range(len(naturals)):
        natural = naturals[lane]
        end = -1 if not math.isinf(natural) else levels - 1 if natural > 0.0 else 0
        if end >= 0:
            for level in range(levels):
                out[lane, level] = 0.0 if level == end else -math.inf
            continue
        top, total = -math.inf, 0.0
        for level in range(levels):
            out[lane, level] = logs[level] + natural * values[level]
            top = max(top, out[lane, level])
        for level in range(levels):
            total += math.exp(out[lane, level] - top)
        for level in range(levels):
            out[lane, level] -= top + math.log(total)


@kernel
def solve_naturals(means, values, logs, out):
    """Fill out float64 (lanes,) with the natural parameter of each mean, float64 (lanes,): minus or plus infinity at
    the ends of the values, which increase. Newton's steps, halved intervals where they leave them.
    """
    law = np.empty(len(values))
    least, most = values[0], values[len(values) - 1]
    for lane in range(len(means)):
        wanted = means[lane]
        if wanted <= least or wanted >= most:
            out[lane] = -math.inf if wanted <= least else math.inf
            continue
        low, high = -1.0 / (most - least), 1.0 / (most - least)
        while _mean_and_variance(low, values, logs, law)[0] > wanted:
            low *= 2.0
        while _mean_and_variance(high, values, logs, law)[0] < wanted:
            high *= 2.0
        natural = 0.5 * (low + high)
        for _ in range(_STEPS):
            mean, variance = _mean_and_variance(natural, values, logs, law)
            if abs(mean - wanted) <= _CLOSE * min(wanted - least, most - wanted):
                break
            if mean < wanted:
                low = natural
            else:
                high = natural
            step = natural + (wanted - mean) / variance if variance > 0.0 else low
            natural = step if low < step < high else 0.5 * (low + high)
            if natural <= low or natural >= high:
                break
        out[lane] = natural
