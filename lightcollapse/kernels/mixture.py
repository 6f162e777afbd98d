"""Gaussian mixtures: expectation and maximisation for a block of lanes, drawing and densities.

Points stand in blocks, (blocks, dimension, points of a block), padded with points of weight 0: every inner loop then
runs over a fixed number of points and vectorises, and one block of points, for all components, stays in the first-level
cache. Densities are logarithms to the base 2, so that a responsibility is a power of two.
"""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import inlined, kernel
from lightcollapse.kernels.rng import log_of, uniforms

BLOCK = 64
_HALF_I, _HALF = np.int64(BLOCK // 2), np.uint64(BLOCK // 2)
LN2 = math.log(2.0)
_SCALE = math.sqrt(0.5 / LN2)  # half a squared distance in units of log 2
_LOG2_PI = math.log2(2.0 * math.pi)

LOST_COUNT = 1e-8  # a component is lost where fewer points than this are expected of it (a point counts its weight) ...
FLAT = 1e-12  # ... or where no more than this share of a coordinate's variance is left in some direction ...
LEAST = 1e-200  # ... or no more than this variance

FULL, DIAGONAL, SPHERICAL = 0, 1, 2

_FLUSH = 32  # blocks after which a product of densities becomes a logarithm
_MAGIC = 6755399441055744.0  # 1.5 * 2^52: a sum with it is rounded to a whole number, which its lowest bits hold
_I52 = np.int64(52)
_I1023 = np.int64(1023)

# Where rows of a block begin in `work` (WORK,): at constants, so that they are known not to overlap.
_SCORE, _PRODUCT, _Y = (np.int64(BLOCK * row) for row in range(3))
WORK = 3 * BLOCK
_Y_U = np.uint64(_Y)
_0 = np.int64(0)
_2, _3, _4, _5, _6 = (np.uint64(moment) for moment in range(2, 7))


@inlined
def power_of_two(t):
    """2^t for t <= 0 with a relative error below 4e-14; never below 2^-1022.

    Estrin's order of the polynomial: products that do not wait for one another.
    """
    t = t if t > -1022.0 else -1022.0
    shifted = t + _MAGIC
    r = t - (shifted - _MAGIC)
    scale = np.int64((np.float64(shifted).view(np.int64) + _I1023) << _I52).view(np.float64)
    square = r * r
    fourth = square * square
    low = (1.0 + r * 0.6931471805599453) + square * (0.2402265069581299 + r * 0.055504108664760424)
    middle = (0.009618129159402564 + r * 0.0013333558179042975) + square * (
        0.00015403455852451017 + r * 1.5252686846349358e-05
    )
    high = 1.325522487909925e-06 + r * 1.0203121047815593e-07
    return (low + fourth * (middle + fourth * high)) * scale


@kernel
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


@kernel
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


@inlined
def _component_line(x, block, k, heights, means, whitenings, shares, top):
    """`_component_any` in one dimension."""
    height, m0, a = heights[k], means[k, 0], whitenings[k, 0, 0]
    for i in range(BLOCK):
        z = (x[block, 0, i] - m0) * a
        value = height - z * z
        shares[k, i] = value
        top[i] = max(top[i], value)


@inlined
def _component_plane(x, block, k, heights, means, whitenings, shares, top):
    """`_component_any` in two dimensions."""
    height, m0, m1 = heights[k], means[k, 0], means[k, 1]
    a, b, c = whitenings[k, 0, 0], whitenings[k, 1, 0], whitenings[k, 1, 1]
    for i in range(BLOCK):
        first = x[block, 0, i] - m0
        z = first * a
        v = first * b + (x[block, 1, i] - m1) * c
        value = height - (z * z + v * v)
        shares[k, i] = value
        top[i] = max(top[i], value)


@inlined
def _component_any(x, block, k, heights, means, whitenings, shares, top, work):
    """log2 density of component k, weight included, at the points of a block, into shares[k]; the largest into top."""
    for i in range(BLOCK):
        shares[k, i] = heights[k]
    for row in range(x.shape[1]):
        for i in range(BLOCK):
            work[_Y + i] = 0.0
        for column in range(row + 1):
            m0, a = means[k, column], whitenings[k, row, column]
            for i in range(BLOCK):
                work[_Y + i] += (x[block, column, i] - m0) * a
        for i in range(BLOCK):
            shares[k, i] -= work[_Y + i] * work[_Y + i]
    for i in range(BLOCK):
        top[i] = max(top[i], shares[k, i])


@inlined
def respond(x, block, alive, heights, means, whitenings, shares, top, total, work):
    """Densities at the points of a block: log2 of the largest component's in top (BLOCK,), each one's ratio to it in
    shares (components, BLOCK), and the sum of these in total (BLOCK,).
    """
    d = x.shape[1]
    for i in range(BLOCK):
        top[i] = -np.inf
        total[i] = 0.0
    for k in range(alive):
        if d == 1:
            _component_line(x, block, k, heights, means, whitenings, shares, top)
        elif d == 2:
            _component_plane(x, block, k, heights, means, whitenings, shares, top)
        else:
            _component_any(x, block, k, heights, means, whitenings, shares, top, work)
    for k in range(alive):
        for i in range(BLOCK):
            value = power_of_two(shares[k, i] - top[i])
            shares[k, i] = value
            total[i] += value


@inlined
def _gather_line(x, block, alive, means, shares, total, moments):
    """`_gather_any` of all components in one dimension, counts as well.

    Unsigned indices, which cannot count from the end: the compiler sees that rows do not overlap, and vectorises.
    """
    for k in range(alive):
        m0 = means[k, 0]
        base = np.uint64(k) * (_3 * _HALF)
        for n in range(_HALF_I):
            i, j = np.uint64(n), np.uint64(n) + _HALF
            r, q = shares[k, i] * total[i], shares[k, j] * total[j]
            z, y = x[block, 0, i] - m0, x[block, 0, j] - m0
            rz, qy = r * z, q * y
            moments[base + i] += r + q
            moments[base + _HALF + i] += rz + qy
            moments[base + _2 * _HALF + i] += rz * z + qy * y


@inlined
def _gather_plane(x, block, alive, means, shares, total, moments):
    """The same in two dimensions, with the product of both coordinates."""
    for k in range(alive):
        m0, m1 = means[k, 0], means[k, 1]
        base = np.uint64(k) * (_6 * _HALF)
        for n in range(_HALF_I):
            i, j = np.uint64(n), np.uint64(n) + _HALF
            r, q = shares[k, i] * total[i], shares[k, j] * total[j]
            z, y = x[block, 0, i] - m0, x[block, 0, j] - m0
            v, u = x[block, 1, i] - m1, x[block, 1, j] - m1
            rz, rv, qy, qu = r * z, r * v, q * y, q * u
            moments[base + i] += r + q
            moments[base + _HALF + i] += rz + qy
            moments[base + _2 * _HALF + i] += rv + qu
            moments[base + _3 * _HALF + i] += rz * z + qy * y
            moments[base + _4 * _HALF + i] += rv * z + qu * y
            moments[base + _5 * _HALF + i] += rv * v + qu * u


@inlined
def _gather_counts(alive, number, shares, total, moments):
    """Make ratios into responsibilities, and add up each component's: the first of its rows of moments."""
    for k in range(alive):
        base = np.uint64(k * number) * _HALF
        for n in range(_HALF_I):
            i, j = np.uint64(n), np.uint64(n) + _HALF
            r, q = shares[k, i] * total[i], shares[k, j] * total[j]
            shares[k, i] = r
            shares[k, j] = q
            moments[base + i] += r + q


@inlined
def _gather_any(x, block, k, number, full, means, shares, work, moments):
    """Add a component's sums and products about its mean of a block to its rows of moments (half a block each): after
    the count d sums, and the products of coordinates (0, 0), (1, 0), (1, 1), (2, 0) ...; without `full` those of two
    coordinates are left out.
    """
    first = np.uint64(k * number) * _HALF
    at = first + np.uint64(1 + x.shape[1]) * _HALF
    for row in range(x.shape[1]):
        m0 = means[k, row]
        first += _HALF
        for n in range(_HALF_I):
            i, j = np.uint64(n), np.uint64(n) + _HALF
            z, y = shares[k, i] * (x[block, row, i] - m0), shares[k, j] * (x[block, row, j] - m0)
            work[_Y_U + i] = z
            work[_Y_U + j] = y
            moments[first + i] += z + y
        at += np.uint64(0 if full else row) * _HALF
        for column in range(0 if full else row, row + 1):
            m1 = means[k, column]
            for n in range(_HALF_I):
                i, j = np.uint64(n), np.uint64(n) + _HALF
                z, y = x[block, column, i] - m1, x[block, column, j] - m1
                moments[at + i] += work[_Y_U + i] * z + work[_Y_U + j] * y
            at += _HALF


@kernel
def expect(x, w, unit, alive, full, heights, means, whitenings, shares, top, total, work, moments, sums):
    """One pass over points x (blocks, d, BLOCK) of weights w (blocks, BLOCK) with the first `alive` components.

    sums (components, moments) gets what is added up in moments. Where `unit`, weights are 0 or 1, and one logarithm
    serves many points. Returns the weighted log-likelihood, nats.
    """
    d, number = x.shape[1], sums.shape[1]
    for i in range(alive * number * _HALF_I):
        moments[i] = 0.0
    for i in range(BLOCK):
        work[_SCORE + i] = 0.0
        work[_PRODUCT + i] = 1.0
    score = 0.0
    for block in range(len(x)):
        respond(x, block, alive, heights, means, whitenings, shares, top, total, work)
        if unit:
            for i in range(BLOCK):
                work[_SCORE + i] += w[block, i] * top[i]
                work[_PRODUCT + i] *= 1.0 + w[block, i] * (total[i] - 1.0)
                total[i] = w[block, i] / total[i]
            if block % _FLUSH == _FLUSH - 1:
                for i in range(BLOCK):
                    score += math.log(work[_PRODUCT + i])
                    work[_PRODUCT + i] = 1.0
        else:
            for i in range(BLOCK):
                work[_SCORE + i] += w[block, i] * (top[i] + log_of(total[i]) * (1.0 / LN2))
                total[i] = w[block, i] / total[i]
        if d == 1:
            _gather_line(x, block, alive, means, shares, total, moments)
        elif d == 2 and full:
            _gather_plane(x, block, alive, means, shares, total, moments)
        else:
            _gather_counts(alive, number, shares, total, moments)
            for k in range(alive):
                _gather_any(x, block, k, number, full, means, shares, work, moments)
    for k in range(alive):
        for m in range(number):
            sums[k, m] = 0.0
            for i in range(_HALF_I):
                sums[k, m] += moments[(k * number + m) * _HALF_I + i]
    for i in range(BLOCK):
        score += work[_SCORE + i] * LN2 + math.log(work[_PRODUCT + i])
    return score


@kernel
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


@kernel
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


@kernel
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


@kernel
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


@kernel
def blocked(points, weights, lane, x, w):
    """One lane's points into blocks x, w; a point of weight 0 is replaced by the first one that counts.

    Returns the whole weight, and whether every weight is 0 or 1.
    """
    count, d = points.shape[1], points.shape[2]
    first = 0
    while first < count - 1 and not weights[lane, first] > 0.0:
        first += 1
    whole = 0.0
    unit = True
    for block in range(len(x)):
        for i in range(BLOCK):
            at = block * BLOCK + i
            weight = weights[lane, at] if at < count else 0.0
            source = at if weight > 0.0 else first
            whole += weight
            unit = unit and (weight == 0.0 or weight == 1.0)
            w[block, i] = weight
            for j in range(d):
                x[block, j, i] = points[lane, source, j]
    return whole, unit


@kernel
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


@kernel
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


@kernel
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
    x, w = np.empty((blocks, d, BLOCK)), np.empty((blocks, BLOCK))
    number = 1 + d + d * (d + 1) // 2
    moments, sums = np.empty(most * number * _HALF_I), np.zeros((most, number))
    ratios, top, total, work = np.empty((most, BLOCK)), np.empty(BLOCK), np.empty(BLOCK), np.empty(WORK)
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
                x, w, unit, alive, shape == FULL, heights, places, whitenings, ratios, top, total, work, moments, sums
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


@kernel
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
    lower, sums = np.empty((most, d, d)), np.empty(most)
    for lane in range(lanes):
        total, last = 0.0, 0
        for k in range(most):
            total += shares[lane, k]
            sums[k] = total
            if shares[lane, k] > 0.0:
                last = k
            factor(covariances[lane, k], lower[k])
        for i in range(count):
            k = 0
            while k < last and choices[lane, i] > sums[k]:
                k += 1
            for a in range(d):
                value = means[lane, k, a]
                for b in range(a + 1):
                    value += lower[k, a, b] * normals[lane, d * i + b]
                out[lane, i, a] = value


@kernel
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


@kernel
def log2_at(x, block, alive, heights, places, whitenings, ratios, top, total, work):
    """log2 density at the points of a block, into top (BLOCK,)."""
    respond(x, block, alive, heights, places, whitenings, ratios, top, total, work)
    for i in range(BLOCK):
        top[i] += log_of(total[i]) * (1.0 / LN2)


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
    top, total, work = np.empty(BLOCK), np.empty(BLOCK), np.empty(WORK)
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
        for block in range(blocks):
            log2_at(x, block, alive, heights, places, whitenings, ratios, top, total, work)
            for i in range(min(BLOCK, count - block * BLOCK)):
                out[lane, block * BLOCK + i] = top[i] * LN2
