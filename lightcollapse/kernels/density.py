"""Laws that hold points: drawing from them, their spread, and the density of points that a normal kernel blurs."""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import inlined, kernel, lent
from lightcollapse.kernels.normals import powers_of_two
from lightcollapse.kernels.vectors import MANY, fused, keep, larger, load_many, many, sum_of

_MOST = np.int64(2048)  # points at which a density is evaluated; more are thinned evenly
_0, _BLOCK = np.int64(0), np.int64(MANY)  # points side by side
_HALF_LOG_2PI = 0.9189385332046728
_HALF_IN_BITS = 0.5 / math.log(2.0)  # half a squared distance in units of log 2


@kernel
def resample(points, weights, uniforms, out):
    """Fill out float64 (lanes, count, dimension) with points float64 (lanes, held, dimension), each lane's chosen in
    proportion to weights float64 (lanes, held) by uniforms float64 (lanes, count).
    """
    lanes, held, dimension = points.shape
    cumulative = np.empty(held)
    for lane in range(lanes):
        total = 0.0
        for i in range(held):
            total += weights[lane, i]
            cumulative[i] = total
        for j in range(out.shape[1]):
            wanted = uniforms[lane, j] * total
            low, span = 0, held
            while span > 1:
                half = span >> 1
                low += half if cumulative[low + half - 1] <= wanted else 0
                span -= half
            for k in range(dimension):
                out[lane, j, k] = points[lane, low, k]


@kernel
def spread(points, weights, means, variances):
    """Fill means float64 (lanes, dimension) and variances float64 (lanes,), summed over coordinates, of points with
    weights.

    Distances are taken from the first point that counts, so that equal points have variance 0, not rounding.
    """
    lanes, held, dimension = points.shape
    for lane in range(lanes):
        total, first = 0.0, -1
        for i in range(held):
            total += weights[lane, i]
            if first < 0 and weights[lane, i] > 0.0:
                first = i
        variances[lane] = 0.0
        for k in range(dimension):
            origin = points[lane, max(first, 0), k]
            shift, square = 0.0, 0.0
            for i in range(held):
                shift += weights[lane, i] * (points[lane, i, k] - origin)
            shift = shift / total if total > 0.0 else 0.0
            for i in range(held):
                square += weights[lane, i] * (points[lane, i, k] - origin - shift) ** 2
            means[lane, k] = origin + shift
            variances[lane] += square / total if total > 0.0 else 0.0


@inlined
def _gather(points, weights, scale, lane, scaled, mass):
    """Copy a lane's points that count, times scale, into scaled (blocks, dimension, _BLOCK), and their weights into
    mass (blocks, _BLOCK). Of more than _MOST, as many, evenly spread over their order. Places that are left over hold
    the first point, with weight 0. Returns the blocks used and the whole weight.
    """
    held, dimension = points.shape[1:]
    alive = np.int64(0)
    for i in range(held):
        alive += np.int64(weights[lane, i] > 0.0)
    used = min(alive, _MOST)
    blocks = (used + _BLOCK - 1) // _BLOCK
    seen, taken, total = np.int64(0), np.int64(0), 0.0
    for i in range(held):
        if weights[lane, i] > 0.0:
            if taken < used and seen == (taken * alive) // used:
                block, place = taken // _BLOCK, taken % _BLOCK
                for k in range(dimension):
                    scaled[block, k, place] = points[lane, i, k] * scale
                mass[block, place] = weights[lane, i]
                total += weights[lane, i]
                taken += 1
            seen += 1
    for rest in range(used, blocks * _BLOCK):
        last, padding = rest // _BLOCK, rest % _BLOCK
        for k in range(dimension):
            scaled[last, k, padding] = scaled[0, k, 0]
        mass[last, padding] = 0.0
    return blocks, total


@lent
def _distances(scaled, blocks, at, row, j, scale, distance, work):
    """Squared distances of the place at[row, j], times scale, to all points, into distance; returns the least."""
    dimension = at.shape[2]
    nearest = many(np.inf)
    for block in range(blocks):
        whole = many(0.0)
        for k in range(dimension):
            gap = load_many(scaled, (block * dimension + k) * _BLOCK) - at[row, j, k] * scale
            whole = fused(gap, gap, whole)
        keep(distance, block * _BLOCK, whole, _BLOCK)
        nearest = larger(nearest, whole, whole, nearest)
    keep(work, _0, nearest, _BLOCK)
    least = work[0]
    for i in range(_BLOCK):
        least = min(least, work[i])
    return least


@kernel
def log_densities(points, weights, bandwidths, at, out):
    """Fill out float64 (lanes, places) with the log of the weighted mean of normal densities about points, float64
    (lanes, held, dimension), of standard deviation bandwidths, float64 (lanes,); nats.

    at: float64 (lanes, places, dimension), or (1, places, dimension) for all lanes. Of more than 2,048 points that
    count, as many are taken, evenly spread over their order. At bandwidth 0 the density is infinite at a point, 0
    elsewhere.
    """
    lanes, held, dimension = points.shape
    most = (min(np.int64(held), _MOST) + _BLOCK - 1) // _BLOCK
    scaled = np.empty((most, dimension, _BLOCK))
    mass = np.empty((most, _BLOCK))
    distance = np.empty((most, _BLOCK))
    work = np.empty(_BLOCK)
    for lane in range(lanes):
        flat = bandwidths[lane] <= 0.0
        scale = 1.0 if flat else 1.0 / bandwidths[lane]
        blocks, total = _gather(points, weights, scale, lane, scaled, mass)
        constant = dimension * (math.log(scale) - _HALF_LOG_2PI) - math.log(total)
        row = min(lane, at.shape[0] - 1)
        for j in range(at.shape[1]):
            least = _distances(scaled, blocks, at, row, j, scale, distance, work)
            if flat:
                out[lane, j] = math.inf if least == 0.0 else -math.inf
                continue
            density = many(0.0)
            for block in range(blocks):
                ratio = powers_of_two(_HALF_IN_BITS * (least - load_many(distance, block * _BLOCK)))
                density = fused(ratio, load_many(mass, block * _BLOCK), density)
            out[lane, j] = constant + math.log(sum_of(density)) - 0.5 * least
