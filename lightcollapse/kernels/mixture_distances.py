"""Distances of Gaussian mixtures from their source: densities at fixed points, quantiles of projections, overlaps."""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import borrowing, kernel, lent
from lightcollapse.kernels.mixture import BLOCK, LN2, factor, log2_of, prepare
from lightcollapse.kernels.normals import powers_of_two
from lightcollapse.kernels.vectors import MANY, as_numbers, as_words, fused, keep, larger, load_many, many, sum_of

LEVELS = 64  # quantiles of a projection, at (j + 1/2) / LEVELS
_CLOSE = 1e-7  # of the range in which quantiles are looked for: Newton's next step would be the square of it
_LEVEL = 1e-11  # how well a level is known
_MOST_STEPS = 60
_HALF_LOG2_E = 0.5 / LN2
_TENTH = math.log(10.0)
_0, _MANY, _BLOCK, _LEVELS = np.int64(0), np.int64(MANY), np.int64(BLOCK), np.int64(LEVELS)
_NO_SIGN = np.uint64(2**63 - 1)
_PEAK = 1.0 / math.sqrt(2.0 * math.pi)


@lent
def _tail(a, bell):
    """Chances of a standard normal above 32 numbers a >= 0, where bell is exp(-a^2 / 2); relative error below 6e-12."""
    s = 6.0 / (6.0 + a)
    series = fused(s, 0.017734067073112703, -0.12141067004363101)
    series = fused(s, series, 0.34124745741695206)
    series = fused(s, series, -0.5496131787586985)
    series = fused(s, series, 0.6289361579224647)
    series = fused(s, series, -0.47376709041140086)
    series = fused(s, series, 0.3136467913169457)
    series = fused(s, series, -0.09398477473225358)
    series = fused(s, series, 0.08293385312641532)
    series = fused(s, series, 0.03851099076141193)
    series = fused(s, series, 0.057408263431466974)
    series = fused(s, series, 0.0607150464464313)
    series = fused(s, series, 0.06466330964528906)
    series = fused(s, series, 0.0664893738408546)
    series = fused(s, series, 0.06649040296538325)
    return bell * s * series


@lent
def _law(alive, weights, means, stds, x):
    """Distribution function and density of a mixture at 32 numbers."""
    below, density = many(0.0), many(0.0)
    for k in range(alive):
        inverse = 1.0 / stds[k]
        t = (x - means[k]) * inverse
        a = as_numbers(as_words(t) & _NO_SIGN)
        bell = powers_of_two(-_HALF_LOG2_E * a * a)
        tail = weights[k] * _tail(a, bell)
        density = fused(bell, weights[k] * _PEAK * inverse, density)
        below = below + larger(many(0.0), t, tail, weights[k] - tail)
    return below, density


@borrowing
def _quantiles(alive, weights, means, stds, levels, normal, work, out):
    """Quantiles of a mixture on the line at levels (LEVELS,) into out; normal (LEVELS,) are the standard normal ones.

    Each lies between the least and the largest of the components' own, and between two points of an even grid.
    Newton's method from there; where it would leave what is left of the interval, that is halved.
    """
    if alive == 1:
        for j in range(LEVELS):
            out[j] = means[0] + stds[0] * normal[j]
        return
    first, last = np.inf, -np.inf
    for k in range(alive):
        first = min(first, means[k] + stds[k] * normal[0])
        last = max(last, means[k] + stds[k] * normal[LEVELS - 1])
    pace = (last - first) / (LEVELS - 1.0)
    for j in range(LEVELS):
        work[0, j] = first + pace * j
    for half in range(_0, _LEVELS, _MANY):
        keep(work, _LEVELS + half, _law(alive, weights, means, stds, load_many(work, half))[0], _MANY)
    at = 0
    for j in range(LEVELS):
        while at < LEVELS and work[1, at] < levels[j]:
            at += 1
        work[2, j] = first + pace * (at - 1)
    for half in range(_0, _LEVELS, _MANY):
        level, own = load_many(levels, half), load_many(normal, half)
        least, most = many(np.inf), many(-np.inf)
        for k in range(alive):
            value = means[k] + stds[k] * own
            least = larger(least, value, value, least)
            most = larger(value, most, value, most)
        grid = load_many(work, 2 * _LEVELS + half)
        low = larger(grid, least, grid, least)
        high = larger(most, grid + pace, grid + pace, most)
        x = 0.5 * (low + high)
        for _ in range(_MOST_STEPS):
            below, density = _law(alive, weights, means, stds, x)
            gap = below - level
            low = larger(gap, many(0.0), low, x)
            high = larger(gap, many(0.0), x, high)
            step = x - gap / density
            middle = 0.5 * (low + high)
            step = larger(step, low, larger(high, step, step, middle), middle)
            step = larger(as_numbers(as_words(gap) & _NO_SIGN), many(_LEVEL), step, x)
            moved = as_numbers(as_words(step - x) & _NO_SIGN)
            x = step
            if sum_of(larger(moved, many(_CLOSE * (last - first)), many(1.0), many(0.0))) == 0.0:
                break
        keep(out, half, x, _MANY)


@kernel
def projected(shares, means, covariances, lane, directions, levels, normal, work, out):
    """Quantiles of a lane's mixture along each direction (directions, d), into out (directions, LEVELS).

    `work` is float64 (3, LEVELS).
    """
    most, d = means.shape[1], means.shape[2]
    weights, centres, stds = np.empty(most), np.empty(most), np.empty(most)
    for way in range(len(directions)):
        alive = _0
        for k in range(most):
            if shares[lane, k] > 0.0:
                centre, variance = 0.0, 0.0
                for i in range(d):
                    centre += directions[way, i] * means[lane, k, i]
                    for j in range(d):
                        variance += directions[way, i] * covariances[lane, k, i, j] * directions[way, j]
                weights[alive] = shares[lane, k]
                centres[alive] = centre
                stds[alive] = math.sqrt(max(variance, 1e-300))
                alive += 1
        _quantiles(alive, weights, centres, stds, levels, normal, work, out[way])


@kernel
def _overlap(mean, covariance, other_mean, other_covariance, both, lower, gap):
    """Integral of the product of two normal densities; infinite where neither has a density."""
    d = len(mean)
    for i in range(d):
        gap[i] = mean[i] - other_mean[i]
        for j in range(d):
            both[i, j] = covariance[i, j] + other_covariance[i, j]
    if factor(both, lower):
        return np.inf
    square, root = 0.0, 1.0
    for i in range(d):
        for j in range(i):
            gap[i] -= lower[i, j] * gap[j]
        gap[i] /= lower[i, i]
        square += gap[i] * gap[i]
        root *= _PEAK / lower[i, i]
    return root * math.exp(-0.5 * square)


@kernel
def overlaps(shares, means, covariances, lane, other_shares, other_means, other_covariances, other):
    """Integral of the product of a lane's mixture and another one."""
    d = means.shape[2]
    both, lower, gap = np.empty((d, d)), np.empty((d, d)), np.empty(d)
    total = 0.0
    for k in range(shares.shape[1]):
        for m in range(other_shares.shape[1]):
            weight = shares[lane, k] * other_shares[other, m]
            if weight > 0.0:
                total += weight * _overlap(
                    means[lane, k],
                    covariances[lane, k],
                    other_means[other, m],
                    other_covariances[other, m],
                    both,
                    lower,
                    gap,
                )
    return total


@borrowing
def _forward(shares, means, covariances, lane, nodes, node_weights, model, source, x, lower):
    """KL(model || source), bits: `nodes` of the standard normal law pushed through each component."""
    d = means.shape[2]
    bits = many(0.0)
    for k in range(shares.shape[1]):
        if shares[lane, k] > 0.0:
            factor(covariances[lane, k], lower)
            for first in range(_0, node_weights.size, _MANY):
                at = first // _BLOCK * d * _BLOCK + first % _BLOCK
                for i in range(d):
                    place = many(means[lane, k, i])
                    for j in range(i + 1):
                        place = fused(load_many(nodes, at + j * _BLOCK), lower[i, j], place)
                    keep(x, i * _BLOCK, place, _MANY)
                weight = shares[lane, k] * load_many(node_weights, first)
                bits = fused(weight, log2_of(x, _0, model) - log2_of(x, _0, source), bits)
    return sum_of(bits)


@borrowing
def _backward(points, logs, weights, model):
    """KL(source || model), nats, and the weight of both kinds of points that fail, as `compare` has them."""
    d, size = points.shape[1], logs.size
    nats, rare, modes = many(0.0), many(0.0), many(0.0)
    for first in range(_0, size, _MANY):
        value = many(-np.inf)
        if model[0] > 0:
            value = log2_of(points, first // _BLOCK * d * _BLOCK + first % _BLOCK, model)
        gap = load_many(logs, first) - value * LN2
        nats = fused(load_many(weights, first), gap, nats)
        rare = rare + larger(gap, many(_TENTH), load_many(weights, size + first), many(0.0))
        modes = modes + larger(gap, many(_TENTH), load_many(weights, 2 * size + first), many(0.0))
    return sum_of(nats), sum_of(rare), sum_of(modes)


@kernel
def compare(
    shares, means, covariances, law, nodes, node_weights, points, logs, weights, ways, levels, normal, away, out
):
    """Distances of each lane's mixture from a source, into out (6, lanes).

    law: the source's shares (1, K), means (1, K, d) and covariances (1, K, d, d). nodes (blocks, d, BLOCK), of weights
    node_weights (blocks, BLOCK), stand for the standard normal law; points, laid out alike, are the source's, with the
    log of its density in logs and weights (3, blocks, BLOCK) for what they serve. ways (directions, d) are directions,
    away (directions, LEVELS) the source's quantiles along them at `levels`; the standard normal ones are `normal`.

    0 KL(model || source), nats; 1 KL(source || model), nats, over weights[0]; 2 and 3 the sums of weights[1] and of
    weights[2] at points to which the model gives less than a tenth of the source's density; 4 the integral of the
    squared difference of both densities; 5 the mean squared distance of the quantiles. 0, 1 and 4 are infinite where
    the model has no density.
    """
    lanes, most, d = means.shape
    others = law[0].shape[1]
    heights, places, whitenings = np.empty(most), np.empty((most, d)), np.zeros((most, d, d))
    far_heights, far_places, far_whitenings = np.empty(others), np.empty((others, d)), np.zeros((others, d, d))
    ratios, far_ratios = np.empty((most, BLOCK)), np.empty((others, BLOCK))
    lower, x, quantiles, rows = np.empty((d, d)), np.empty((1, d, BLOCK)), np.empty(away.shape), np.empty((3, LEVELS))
    far = prepare(law[0], law[1], law[2], _0, far_heights, far_places, far_whitenings, lower)
    source = (far, far_heights, far_places, far_whitenings, far_ratios)
    itself = overlaps(law[0], law[1], law[2], _0, law[0], law[1], law[2], _0)
    for lane in range(lanes):
        alive = prepare(shares, means, covariances, lane, heights, places, whitenings, lower)
        model = (alive, heights, places, whitenings, ratios)
        forward = np.inf
        if alive > 0:
            forward = _forward(shares, means, covariances, lane, nodes, node_weights, model, source, x, lower)
        backward, rare, modes = _backward(points, logs, weights, model)
        if not alive > 0:
            backward = np.inf
        out[0, lane] = max(0.0, forward * LN2)
        out[1, lane] = max(0.0, backward)
        out[2, lane] = min(1.0, rare)
        out[3, lane] = min(1.0, modes)
        out[4, lane] = np.inf
        if alive > 0:
            square = overlaps(shares, means, covariances, lane, shares, means, covariances, lane)
            product = overlaps(shares, means, covariances, lane, law[0], law[1], law[2], _0)
            out[4, lane] = max(0.0, square - 2.0 * product + itself)
        projected(shares, means, covariances, lane, ways, levels, normal, rows, quantiles)
        distance = 0.0
        for way in range(len(ways)):
            for j in range(LEVELS):
                distance += (quantiles[way, j] - away[way, j]) ** 2
        out[5, lane] = distance / (len(ways) * LEVELS)


@kernel
def spread_lanes(shares, means, covariances, total, centres):
    """Trace of the covariance of each lane's mixture into total (lanes,), its mean into centres (lanes, d)."""
    lanes, most, d = means.shape
    for lane in range(lanes):
        total[lane] = 0.0
        for i in range(d):
            centres[lane, i] = 0.0
            for k in range(most):
                if shares[lane, k] > 0.0:
                    centres[lane, i] += shares[lane, k] * means[lane, k, i]
            for k in range(most):
                if shares[lane, k] > 0.0:
                    gap = means[lane, k, i] - centres[lane, i]
                    total[lane] += shares[lane, k] * (covariances[lane, k, i, i] + gap * gap)
