"""Distances of Gaussian mixtures from their source: densities at fixed points, quantiles of projections, overlaps."""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import inlined, kernel
from lightcollapse.kernels.mixture import BLOCK, LN2, WORK, factor, log2_at, power_of_two, prepare

LEVELS = 64  # quantiles of a projection, at (j + 1/2) / LEVELS
_CLOSE = 1e-7  # of the range in which quantiles are looked for: Newton's next step would be the square of it
_LEVEL = 1e-11  # how well a level is known
_MOST_STEPS = 60
_HALF_LOG2_E = 0.5 / LN2
_TENTH = math.log(10.0)
_0 = np.int64(0)
_PEAK = 1.0 / math.sqrt(2.0 * math.pi)


@inlined
def _tail(a, bell):
    """Chance of a standard normal above a >= 0, where bell is exp(-a^2 / 2); relative error below 6e-12."""
    s = 6.0 / (6.0 + a)
    series = -0.12141067004363101 + s * 0.017734067073112703
    series = 0.34124745741695206 + s * series
    series = -0.5496131787586985 + s * series
    series = 0.6289361579224647 + s * series
    series = -0.47376709041140086 + s * series
    series = 0.3136467913169457 + s * series
    series = -0.09398477473225358 + s * series
    series = 0.08293385312641532 + s * series
    series = 0.03851099076141193 + s * series
    series = 0.057408263431466974 + s * series
    series = 0.0607150464464313 + s * series
    series = 0.06466330964528906 + s * series
    series = 0.0664893738408546 + s * series
    series = 0.06649040296538325 + s * series
    return bell * s * series


@inlined
def _law(x, mean, inverse, weight, below, density):
    """Add a component's distribution function and density at x (LEVELS,) to below and density; inverse is 1 / std."""
    peak = weight * _PEAK * inverse
    for j in range(LEVELS):
        t = (x[j] - mean) * inverse
        a = abs(t)
        bell = power_of_two(-_HALF_LOG2_E * a * a)
        tail = weight * _tail(a, bell)
        density[j] += peak * bell
        below[j] += tail if t < 0.0 else weight - tail


@kernel
def _laws(alive, weights, means, stds, x, below, density):
    """Distribution function and density of a mixture at x (LEVELS,)."""
    for j in range(LEVELS):
        below[j] = 0.0
        density[j] = 0.0
    for k in range(alive):
        _law(x, means[k], 1.0 / stds[k], weights[k], below, density)


@kernel
def _quantiles(alive, weights, means, stds, levels, normal, low, high, below, density, out):
    """Quantiles of a mixture on the line at levels (LEVELS,) into out; normal (LEVELS,) are the standard normal ones.

    Each lies between the least and the largest of the components' own, and between two points of an even grid.
    Newton's method from there; where it would leave what is left of the interval, that is halved.
    """
    width = 0.0
    for j in range(LEVELS):
        low[j], high[j] = np.inf, -np.inf
        for k in range(alive):
            own = means[k] + stds[k] * normal[j]
            low[j] = min(low[j], own)
            high[j] = max(high[j], own)
        out[j] = low[j]
        width = max(width, high[j] - low[j])
    if width == 0.0:
        return
    first, pace = low[0], (high[LEVELS - 1] - low[0]) / (LEVELS - 1.0)
    for j in range(LEVELS):
        out[j] = first + pace * j
    _laws(alive, weights, means, stds, out, below, density)
    at = 0
    for j in range(LEVELS):
        while at < LEVELS and below[at] < levels[j]:
            at += 1
        if at > 0:
            low[j] = max(low[j], first + pace * (at - 1))
        if at < LEVELS:
            high[j] = min(high[j], first + pace * at)
    for j in range(LEVELS):
        out[j] = 0.5 * (low[j] + high[j])
    for _ in range(_MOST_STEPS):
        _laws(alive, weights, means, stds, out, below, density)
        moved = 0.0
        for j in range(LEVELS):
            gap = below[j] - levels[j]
            low[j] = low[j] if gap > 0.0 else out[j]
            high[j] = out[j] if gap > 0.0 else high[j]
            step = out[j] - gap / density[j]
            middle = 0.5 * (low[j] + high[j])
            step = step if (step > low[j]) & (step < high[j]) else middle
            step = out[j] if abs(gap) <= _LEVEL else step
            moved = max(moved, abs(step - out[j]))
            out[j] = step
        if moved <= _CLOSE * width:
            return


@kernel
def projected(shares, means, covariances, lane, directions, levels, normal, work, out):
    """Quantiles of a lane's mixture along each direction (directions, d), into out (directions, LEVELS).

    `work` is float64 (4, LEVELS).
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
        _quantiles(alive, weights, centres, stds, levels, normal, work[0], work[1], work[2], work[3], out[way])


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


@kernel
def _forward(shares, means, covariances, lane, nodes, node_weights, model, source, x, lower, top, far_top, total, work):
    """KL(model || source), bits: `nodes` of the standard normal law pushed through each component."""
    alive, heights, places, whitenings, ratios = model
    others, far_heights, far_places, far_whitenings, far_ratios = source
    bits = 0.0
    for k in range(shares.shape[1]):
        if shares[lane, k] > 0.0:
            factor(covariances[lane, k], lower)
            for block in range(len(nodes)):
                for i in range(means.shape[2]):
                    for p in range(BLOCK):
                        x[0, i, p] = means[lane, k, i]
                    for j in range(i + 1):
                        for p in range(BLOCK):
                            x[0, i, p] += lower[i, j] * nodes[block, j, p]
                log2_at(x, _0, alive, heights, places, whitenings, ratios, top, total, work)
                log2_at(x, _0, others, far_heights, far_places, far_whitenings, far_ratios, far_top, total, work)
                for p in range(BLOCK):
                    bits += shares[lane, k] * node_weights[block, p] * (top[p] - far_top[p])
    return bits


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
    ratios, far_ratios, work = np.empty((most, BLOCK)), np.empty((others, BLOCK)), np.empty(WORK)
    lower, x, quantiles, rows = np.empty((d, d)), np.empty((1, d, BLOCK)), np.empty(away.shape), np.empty((4, LEVELS))
    top, far_top, total = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    far = prepare(law[0], law[1], law[2], _0, far_heights, far_places, far_whitenings, lower)
    source = (far, far_heights, far_places, far_whitenings, far_ratios)
    itself = overlaps(law[0], law[1], law[2], _0, law[0], law[1], law[2], _0)
    for lane in range(lanes):
        alive = prepare(shares, means, covariances, lane, heights, places, whitenings, lower)
        forward, backward, rare, modes = np.inf, np.inf, 0.0, 0.0
        if alive > 0:
            model = (alive, heights, places, whitenings, ratios)
            forward = _forward(
                shares,
                means,
                covariances,
                lane,
                nodes,
                node_weights,
                model,
                source,
                x,
                lower,
                top,
                far_top,
                total,
                work,
            )
            backward = 0.0
        for block in range(len(points)):
            for p in range(BLOCK):
                top[p] = -np.inf
            if alive > 0:
                log2_at(points, block, alive, heights, places, whitenings, ratios, top, total, work)
            for p in range(BLOCK):
                gap = logs[block, p] - top[p] * LN2
                if alive > 0:
                    backward += weights[0, block, p] * gap
                if gap > _TENTH:
                    rare += weights[1, block, p]
                    modes += weights[2, block, p]
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
