"""Gaussian mixtures: expectation and maximisation for a block of lanes, drawing and densities.

Points stand in blocks, (blocks, dimension, points of a block), padded with points of weight 0: every inner loop then
runs over a fixed number of points and vectorises, and one block of points, for all components, stays in the first-level
cache. Densities are logarithms to the base 2, so that a responsibility is a power of two.
"""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import borrowing, inlined, kernel, lent
from lightcollapse.kernels.normals import logs_of, powers_of_two
from lightcollapse.kernels.rng import uniforms
from lightcollapse.kernels.vectors import MANY, fused, keep, larger, load_many, many, sum_of

BLOCK = 2 * MANY
_BLOCK, _MANY = np.int64(BLOCK), np.int64(MANY)
LN2 = math.log(2.0)
_SCALE = math.sqrt(0.5 / LN2)  # half a squared distance in units of log 2
_LOG2_PI = math.log2(2.0 * math.pi)

LOST_COUNT = 1e-8  # a component is lost where fewer points than this are expected of it (a point counts its weight) ...
FLAT = 1e-12  # ... or where no more than this share of a coordinate's variance is left in some direction ...
LEAST = 1e-200  # ... or no more than this variance

FULL, DIAGONAL, SPHERICAL = 0, 1, 2

_FLUSH = 32  # blocks after which a product of densities becomes a logarithm

# Where rows of a block begin in `work` (_WORK,).
_SCORE, _PRODUCT = np.int64(0), np.int64(BLOCK)
_WORK = np.int64(2 * BLOCK)
_0 = np.int64(0)


@borrowing
def factor(covariance, lower):
    """Cholesky factor of a positive semidefinite matrix (d, d) into lower; True where the matrix is singular.

    A direction without variance gets a column of zeros: lower times a standard normal vector has the covariance still.
    """
    d = len(covariance)
    singular = False
    for i in range(d):
        for j in range(d):
            lower[i, j] = 0.0
    for j in range(d):
        pivot = covariance[j, j]
        for m in range(j):
            pivot -= lower[j, m] * lower[j, m]
        if not (pivot > LEAST and pivot > FLAT * covariance[j, j]):
            singular = True
            continue
        root = math.sqrt(pivot)
        lower[j, j] = root
        for i in range(j + 1, d):
            value = covariance[i, j]
            for m in range(j):
                value -= lower[i, m] * lower[j, m]
            lower[i, j] = value / root
    return singular


@borrowing
def whiten(covariance, lower, whitening):
    """What makes a component's points standard normal, times _SCALE, into whitening (d, d), lower triangular.

    Returns log2 of the density at the mean; infinity where the covariance is singular.
    """
    d = len(covariance)
    if factor(covariance, lower):
        return np.inf
    height = -0.5 * d * _LOG2_PI
    for j in range(d):
        height -= math.log2(lower[j, j])
        for i in range(j):
            whitening[i, j] = 0.0
        whitening[j, j] = 1.0 / lower[j, j]
        for i in range(j + 1, d):
            value = 0.0
            for m in range(j, i):
                value -= lower[i, m] * whitening[m, j]
            whitening[i, j] = value / lower[i, i]
    for i in range(d):
        for j in range(i + 1):
            whitening[i, j] *= _SCALE
    return height


@lent
def _log2_density(x, at, k, heights, means, whitenings):
    """log2 density of component k, its weight included, at 32 points, whose coordinates stand from x[at] on, a block
    apart.
    """
    y = (load_many(x, at) - means[k, 0]) * whitenings[k, 0, 0]
    square = y * y
    for row in range(1, means.shape[1]):
        y = (load_many(x, at) - means[k, 0]) * whitenings[k, row, 0]
        for column in range(1, row + 1):
            y = fused(load_many(x, at + column * _BLOCK) - means[k, column], whitenings[k, row, column], y)
        square = fused(y, y, square)
    return heights[k] - square


@lent
def respond(x, at, alive, heights, means, whitenings, shares, half):
    """Densities at 32 points, whose coordinates stand from x[at] on, a block apart: log2 of the largest component's,
    and the sum of the ratios to it, each component's in its row of shares (components, BLOCK) from `half` on.
    """
    top = many(-np.inf)
    for k in range(alive):
        value = _log2_density(x, at, k, heights, means, whitenings)
        keep(shares, k * _BLOCK + half, value, _MANY)
        top = larger(value, top, value, top)
    total = many(0.0)
    for k in range(alive):
        value = powers_of_two(load_many(shares, k * _BLOCK + half) - top)
        keep(shares, k * _BLOCK + half, value, _MANY)
        total = total + value
    return top, total


@lent
def _gather(x, at, k, number, full, means, shares, total, moments):
    """Add what component k expects of a block of points to its rows of moments, 32 numbers each: the count, d sums, and
    the products of coordinates (0, 0), (1, 0), (1, 1), (2, 0) ... about its mean; without `full` those of two
    coordinates are left out.
    """
    d = means.shape[1]
    row_at = k * number * _MANY
    r = load_many(shares, k * _BLOCK) * load_many(total, _0)
    q = load_many(shares, k * _BLOCK + _MANY) * load_many(total, _MANY)
    keep(moments, row_at, load_many(moments, row_at) + (r + q), _MANY)
    product_at = row_at + (1 + d) * _MANY
    for row in range(d):
        place = at + row * _BLOCK
        one, other = load_many(x, place) - means[k, row], load_many(x, place + _MANY) - means[k, row]
        z, y = r * one, q * other
        row_at += _MANY
        keep(moments, row_at, load_many(moments, row_at) + (z + y), _MANY)
        first = 0 if full else row
        product_at += first * _MANY
        for column in range(first, row):
            place = at + column * _BLOCK
            product = fused(z, load_many(x, place) - means[k, column], load_many(moments, product_at))
            product = fused(y, load_many(x, place + _MANY) - means[k, column], product)
            keep(moments, product_at, product, _MANY)
            product_at += _MANY
        keep(moments, product_at, fused(y, other, fused(z, one, load_many(moments, product_at))), _MANY)
        product_at += _MANY


@borrowing
def expect(x, w, unit, alive, full, heights, means, whitenings, shares, total, work, moments, sums):
    """One pass over points x (blocks, d, BLOCK) of weights w (blocks, BLOCK) with the first `alive` components.

    sums (components, moments) gets what is added up in moments. Where `unit`, weights are 0 or 1, and one logarithm
    serves many points. Returns the weighted log-likelihood, nats.
    """
    d, number = x.shape[1], sums.shape[1]
    for i in range(alive * number * _MANY):
        moments[i] = 0.0
    for half in range(_0, _BLOCK, _MANY):
        keep(work, _SCORE + half, many(0.0), _MANY)
        keep(work, _PRODUCT + half, many(1.0), _MANY)
    score = 0.0
    for block in range(len(x)):
        at = block * d * _BLOCK
        for half in range(_0, _BLOCK, _MANY):
            top, ratio = respond(x, at + half, alive, heights, means, whitenings, shares, half)
            weight = load_many(w, block * _BLOCK + half)
            if unit:
                product = load_many(work, _PRODUCT + half) * (1.0 + weight * (ratio - 1.0))
                keep(work, _PRODUCT + half, product, _MANY)
            else:
                top = top + logs_of(ratio) * (1.0 / LN2)
            keep(work, _SCORE + half, load_many(work, _SCORE + half) + weight * top, _MANY)
            keep(total, half, weight / ratio, _MANY)
        if unit and block % _FLUSH == _FLUSH - 1:
            score += _flushed(work)
        for k in range(alive):
            _gather(x, at, k, number, full, means, shares, total, moments)
    for k in range(alive):
        for m in range(number):
            sums[k, m] = sum_of(load_many(moments, (k * number + m) * _MANY))
    top = load_many(work, _SCORE) + load_many(work, _SCORE + _MANY)
    return score + _flushed(work) + sum_of(top) * LN2


@lent
def _flushed(work):
    """The logarithm of all products so far, which begin anew."""
    one, other = load_many(work, _PRODUCT), load_many(work, _PRODUCT + _MANY)
    keep(work, _PRODUCT, many(1.0), _MANY)
    keep(work, _PRODUCT + _MANY, many(1.0), _MANY)
    return sum_of(logs_of(one) + logs_of(other))


@borrowing
def shaped(covariance, shape, floor):
    """A covariance (d, d) made diagonal or spherical where the shape says so, and `floor` added to its diagonal."""
    d = len(covariance)
    if shape != FULL:
        trace = 0.0
        for i in range(d):
            trace += covariance[i, i]
            for j in range(d):
                if j != i:
                    covariance[i, j] = 0.0
        if shape == SPHERICAL:
            for i in range(d):
                covariance[i, i] = trace / d
    for i in range(d):
        covariance[i, i] += floor


@borrowing
def _moments_to_law(sums, k, shape, floor, means, covariances):
    """Mean and covariance of component k from its sums. True where a variance is no more than rounding."""
    d = means.shape[1]
    count = sums[k, 0]
    flat = False
    at = 1 + d
    for i in range(d):
        for j in range(i + 1):
            value = sums[k, at] / count - (sums[k, 1 + i] / count) * (sums[k, 1 + j] / count)
            if i == j and not (value > FLAT * sums[k, at] / count):
                flat = True
                value = 0.0
            covariances[k, i, j] = value
            covariances[k, j, i] = value
            at += 1
    for i in range(d):
        means[k, i] += sums[k, 1 + i] / count
    shaped(covariances[k], shape, floor)
    return flat and floor == 0.0


@borrowing
def _drop(alive, gone, order, shares, means, covariances, whitenings, heights):
    """Take the components that are gone out of the first `alive` ones; returns how many are left.

    Where all are gone the heaviest stays: the last component cannot be lost.
    """
    heaviest, any_left = 0, False
    for k in range(alive):
        any_left = any_left or not gone[k]
        if shares[k] > shares[heaviest]:
            heaviest = k
    left = 0
    total = 0.0
    for k in range(alive):
        if gone[k] and (any_left or k != heaviest):
            continue
        order[left] = order[k]
        shares[left] = shares[k]
        heights[left] = heights[k]
        for i in range(means.shape[1]):
            means[left, i] = means[k, i]
            for j in range(means.shape[1]):
                covariances[left, i, j] = covariances[k, i, j]
                whitenings[left, i, j] = whitenings[k, i, j]
        total += shares[left]
        left += 1
    for k in range(left):
        shares[k] /= total
    return left


@borrowing
def _single(x, w, whole, shape, floor, mean, covariance):
    """Mean and covariance of all points: what one component is fitted by, exactly 0 where all points are one."""
    d = x.shape[1]
    for i in range(d):
        mean[i] = 0.0
        for j in range(d):
            covariance[i, j] = 0.0
    for block in range(len(x)):
        for i in range(d):
            for p in range(BLOCK):
                mean[i] += w[block, p] * (x[block, i, p] - x[0, i, 0])
    for i in range(d):
        mean[i] = x[0, i, 0] + mean[i] / whole
    for block in range(len(x)):
        for i in range(d):
            for j in range(i + 1):
                for p in range(BLOCK):
                    covariance[i, j] += w[block, p] * (x[block, i, p] - mean[i]) * (x[block, j, p] - mean[j])
    for i in range(d):
        for j in range(i + 1):
            covariance[i, j] /= whole
            covariance[j, i] = covariance[i, j]
    shaped(covariance, shape, floor)


@borrowing
def blocked(points, weights, lane, x, w):
    """One lane's points into blocks x, w; a point of weight 0 is replaced by the first one that counts.

    Returns the whole weight, and whether every weight is 0 or 1.
    """
    count, d = points.shape[1], points.shape[2]
    first, between, zeros = _0, 0, 0
    while first < count - 1 and not weights[lane, first] > 0.0:
        first += 1
    for i in range(count):
        zeros += weights[lane, i] == 0.0
        between += (weights[lane, i] != 0.0) & (weights[lane, i] != 1.0)
    whole = many(0.0)
    for block in range(len(x)):
        start = block * _BLOCK
        held = min(_BLOCK, count - start)
        for i in range(held):
            w[block, i] = weights[lane, start + i]
        for i in range(held, _BLOCK):
            w[block, i] = 0.0
        whole = whole + (load_many(w, start) + load_many(w, start + _MANY))
        for j in range(d):
            for i in range(held):
                x[block, j, i] = points[lane, start + i, j]
            for i in range(held, _BLOCK):
                x[block, j, i] = points[lane, first, j]
        for i in range(held if zeros > 0 else 0):
            if not w[block, i] > 0.0:
                for j in range(d):
                    x[block, j, i] = points[lane, first, j]
    return sum_of(whole), between == 0


@borrowing
def _load(shares, means, covariances, lane, order, law, places, spreads, gone, whitenings, heights, lower):
    """The components of a lane that have a share, as the first ones of law, places and spreads; returns how many."""
    alive = _0
    for k in range(shares.shape[1]):
        if shares[lane, k] > 0.0:
            order[alive] = k
            law[alive] = shares[lane, k]
            for i in range(means.shape[2]):
                places[alive, i] = means[lane, k, i]
                for j in range(means.shape[2]):
                    spreads[alive, i, j] = covariances[lane, k, i, j]
            heights[alive] = whiten(spreads[alive], lower, whitenings[alive])
            gone[alive] = heights[alive] == np.inf
            alive += 1
    return alive


@borrowing
def _store(shares, means, covariances, lane, alive, order, law, places, spreads):
    """Put the components that are left back into their places; those that are lost get share 0."""
    for k in range(shares.shape[1]):
        shares[lane, k] = 0.0
    for k in range(alive):
        shares[lane, order[k]] = law[k]
        for i in range(means.shape[2]):
            means[lane, order[k], i] = places[k, i]
            for j in range(means.shape[2]):
                covariances[lane, order[k], i, j] = spreads[k, i, j]


@borrowing
def _maximise(alive, whole, shape, floor, sums, law, places, spreads, gone, whitenings, heights, lower):
    """One maximisation step from the sums of an expectation; marks the components that it loses."""
    for k in range(alive):
        law[k] = sums[k, 0] / whole
        gone[k] = not sums[k, 0] >= LOST_COUNT
        if not gone[k]:
            gone[k] = _moments_to_law(sums, k, shape, floor, places, spreads)
        if not gone[k]:
            heights[k] = whiten(spreads[k], lower, whitenings[k])
            gone[k] = heights[k] == np.inf


@inlined
def _room(size):
    """Numbers, float64 (size,), of which no vector in a register lies in two cache lines."""
    whole = np.empty(size + 8)
    start = -(np.int64(whole.ctypes.data) // 8) % 8
    return whole[start : start + size]


@kernel
def fit(points, weights, shape, floor, tolerance, iterations, shares, means, covariances, scores, steps):
    """Expectation and maximisation for each lane, from shares (lanes, K), means (lanes, K, d) and covariances
    (lanes, K, d, d), which get the fitted ones.

    Points are (lanes, count, d), weights (lanes, count). Steps go on until the mean log-likelihood of a point gains
    less than `tolerance`, or there are `iterations` of them; a step that loses a component is followed by another one,
    so that the fitted mixture always accounts for every point. A component is lost where it expects fewer than
    LOST_COUNT points or its covariance is singular; it gets share 0 and keeps the mean and covariance that it had
    before. The last one cannot be lost. scores (lanes,) gets the mean log-likelihood of a point, infinite where the law
    has no density; steps (lanes,) the steps. A lane without weight is left as it is.
    """
    lanes, count, d = points.shape
    most = shares.shape[1]
    blocks = (count + BLOCK - 1) // BLOCK
    x, w = _room(blocks * d * _BLOCK).reshape((blocks, d, BLOCK)), _room(blocks * _BLOCK).reshape((blocks, BLOCK))
    number = 1 + d + d * (d + 1) // 2
    moments, sums = _room(most * number * _MANY), np.zeros((most, number))
    ratios, total, work = _room(most * _BLOCK).reshape((most, BLOCK)), _room(_BLOCK), _room(_WORK)
    law, places, spreads = np.empty(most), np.empty((most, d)), np.empty((most, d, d))
    whitenings, heights, lower = np.zeros((most, d, d)), np.empty(most), np.empty((d, d))
    order, gone = np.empty(most, dtype=np.int64), np.zeros(most, dtype=np.bool_)
    for lane in range(lanes):
        whole, unit = blocked(points, weights, lane, x, w)
        scores[lane], steps[lane] = 0.0, 0.0
        if not whole > 0.0:
            continue
        alive = _load(shares, means, covariances, lane, order, law, places, spreads, gone, whitenings, heights, lower)
        alive = _drop(alive, gone, order, law, places, spreads, whitenings, heights)
        score, taken, before = 0.0, 0, _0
        while True:
            if alive == 1:
                _single(x, w, whole, shape, floor, places[0], spreads[0])
                law[0] = 1.0
                heights[0] = whiten(spreads[0], lower, whitenings[0])
                taken += 1
                if heights[0] == np.inf:
                    score = np.inf
                    break
            for k in range(alive):
                heights[k] += math.log2(law[k])
            earlier = score
            score = expect(
                x, w, unit, alive, shape == FULL, heights, places, whitenings, ratios, total, work, moments, sums
            )
            if alive == 1:
                break
            if alive == before and (taken >= iterations or score - earlier < tolerance * whole):
                break
            _maximise(alive, whole, shape, floor, sums, law, places, spreads, gone, whitenings, heights, lower)
            before = alive
            alive = _drop(alive, gone, order, law, places, spreads, whitenings, heights)
            taken += 1
        scores[lane], steps[lane] = score / whole, taken
        _store(shares, means, covariances, lane, alive, order, law, places, spreads)


@borrowing
def _nearest(points, lane, centres, found, i):
    """The nearest of the first `found` centres to point i, and its squared distance."""
    nearest, least = 0, np.inf
    for k in range(found):
        distance = 0.0
        for j in range(points.shape[2]):
            distance += (points[lane, i, j] - centres[lane, k, j]) ** 2
        if distance < least:
            nearest, least = k, distance
    return nearest, least


@kernel
def seed(points, weights, shape, floor, generation, streams, replicates, k0, k1, shares, means, covariances):
    """A start for each lane: centres by k-means++, then the cells of points nearest to each.

    Centre i is drawn by block i of the lane's stream, with a chance proportional to a point's weight, from the second
    on times its squared distance from the nearest centre so far. A component gets its cell's share and mean, and all
    get the covariance about the cells' means; where that is singular, the covariance of all points. Components for
    which no distinct point is left get share 0.
    Source: Arthur and Vassilvitskii 2007.
    """
    lanes, count, d = points.shape
    most = shares.shape[1]
    chance, lower, pooled = np.empty(count), np.empty((d, d)), np.empty((d, d))
    cell, centre = np.empty(count, dtype=np.int64), np.empty(d)
    for lane in range(lanes):
        found = _0
        for k in range(most):
            total = 0.0
            for i in range(count):
                weight = weights[lane, i]
                if found > 0 and weight > 0.0:
                    weight *= _nearest(points, lane, means, found, i)[1]
                total += weight
                chance[i] = total
            if not total > 0.0:
                break
            u, _ = uniforms(np.uint64(k), generation, replicates[lane], streams[lane], k0, k1)
            at = 0
            while at < count - 1 and chance[at] <= u * total:
                at += 1
            for j in range(d):
                means[lane, k, j] = points[lane, at, j]
            found += 1
        for i in range(count):
            cell[i] = _nearest(points, lane, means, found, i)[0] if found > 0 else 0
        for k in range(most):
            shares[lane, k] = 0.0
            for j in range(d):
                means[lane, k, j] = 0.0
        whole = 0.0
        for i in range(count):
            whole += weights[lane, i]
            shares[lane, cell[i]] += weights[lane, i]
            for j in range(d):
                means[lane, cell[i], j] += weights[lane, i] * points[lane, i, j]
        for j in range(d):
            centre[j] = 0.0
            for k in range(most):
                centre[j] += means[lane, k, j]
                if shares[lane, k] > 0.0:
                    means[lane, k, j] /= shares[lane, k]
            centre[j] /= whole if whole > 0.0 else 1.0
        for attempt in range(2):  # about the cells' means, then about the mean of all
            for a in range(d):
                for b in range(d):
                    pooled[a, b] = 0.0
            for i in range(count):
                for a in range(d):
                    for b in range(d):
                        from_a = means[lane, cell[i], a] if attempt == 0 else centre[a]
                        from_b = means[lane, cell[i], b] if attempt == 0 else centre[b]
                        pooled[a, b] += weights[lane, i] * (points[lane, i, a] - from_a) * (points[lane, i, b] - from_b)
            for a in range(d):
                for b in range(d):
                    pooled[a, b] /= whole if whole > 0.0 else 1.0
            shaped(pooled, shape, floor)
            if not factor(pooled, lower):
                break
        for k in range(most):
            shares[lane, k] /= whole if whole > 0.0 else 1.0
            for a in range(d):
                for b in range(d):
                    covariances[lane, k, a, b] = pooled[a, b]


@kernel
def place(choices, normals, shares, means, covariances, out):
    """Points of each lane's mixture into out (lanes, count, d): a uniform of choices (lanes, count) picks a component,
    d entries of normals (lanes, count * d) the place in it.
    """
    lanes, count, d = out.shape
    most = shares.shape[1]
    lower, sums, picked = np.empty((most, d, d)), np.empty(most), np.zeros(_MANY)
    for lane in range(lanes):
        total, last = 0.0, 0
        for k in range(most):
            total += shares[lane, k]
            sums[k] = total
            if shares[lane, k] > 0.0:
                last = k
            factor(covariances[lane, k], lower[k])
        for first in range(_0, count, _MANY):
            held = min(_MANY, count - first)
            for i in range(held):
                picked[i] = choices[lane, first + i]
            choice, found = load_many(picked, _0), many(0.0)
            for k in range(last):
                found = larger(choice, many(sums[k]), many(k + 1.0), found)
            keep(picked, _0, found, _MANY)
            for i in range(held):
                chosen, at = np.int64(picked[i]), first + i
                for a in range(d):
                    value = means[lane, chosen, a]
                    for b in range(a + 1):
                        value += lower[chosen, a, b] * normals[lane, d * at + b]
                    out[lane, at, a] = value


@borrowing
def prepare(shares, means, covariances, lane, heights, places, whitenings, lower):
    """The components of a lane that are left, for `respond`; returns how many, -1 for a law without density."""
    d = means.shape[2]
    alive = _0
    for k in range(shares.shape[1]):
        if shares[lane, k] > 0.0:
            height = whiten(covariances[lane, k], lower, whitenings[alive])
            if height == np.inf:
                return -1
            heights[alive] = height + math.log2(shares[lane, k])
            for i in range(d):
                places[alive, i] = means[lane, k, i]
            alive += 1
    return alive


@lent
def log2_of(x, at, model):
    """log2 density at 32 points, whose coordinates stand from x[at] on, a block apart."""
    alive, heights, places, whitenings, ratios = model
    top, total = respond(x, at, alive, heights, places, whitenings, ratios, _0)
    return top + logs_of(total) * (1.0 / LN2)


@kernel
def log_densities(points, shares, means, covariances, out):
    """Log density, nats, of points (lanes, count, d) under each lane's mixture, into out (lanes, count).

    Where the law has none, infinity at its mean and minus infinity elsewhere.
    """
    lanes, count, d = points.shape
    most = shares.shape[1]
    blocks = (count + BLOCK - 1) // BLOCK
    x, w, ones = np.empty((blocks, d, BLOCK)), np.empty((blocks, BLOCK)), np.ones((1, count))
    heights, places, whitenings = np.empty(most), np.empty((most, d)), np.zeros((most, d, d))
    lower, ratios = np.empty((d, d)), np.empty((most, BLOCK))
    for lane in range(lanes):
        alive = prepare(shares, means, covariances, lane, heights, places, whitenings, lower)
        if alive < 0:
            for i in range(count):
                out[lane, i] = -np.inf
                for k in range(most):
                    same = shares[lane, k] > 0.0
                    for j in range(d):
                        same = same and points[lane, i, j] == means[lane, k, j]
                    if same:
                        out[lane, i] = np.inf
            continue
        blocked(points[lane : lane + 1], ones, _0, x, w)
        for first in range(_0, count, _MANY):
            at = first // _BLOCK * d * _BLOCK + first % _BLOCK
            value = log2_of(x, at, (alive, heights, places, whitenings, ratios)) * LN2
            keep(out, lane * count + first, value, count - first)
