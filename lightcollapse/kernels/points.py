"""Random numbers for a block of lanes whose points are kept: uniforms and normals, float64 (lanes, count)."""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import kernel
from lightcollapse.kernels.rng import log_of, philox, turn, uniforms, unit

_CHUNK = 128


@kernel
def fill_uniforms(out, first, generation, streams, replicates, k0, k1):
    """Fill out float64 (lanes, count) with uniforms in (0, 1): entries 2 i and 2 i + 1 are those of block first + i."""
    lanes, count = out.shape
    for lane in range(lanes):
        for i in range((count + 1) // 2):
            w0, w1, w2, w3 = philox(np.uint64(first + i), generation, replicates[lane], streams[lane], k0, k1)
            out[lane, 2 * i] = unit(w0, w1)
            if 2 * i + 1 < count:
                out[lane, 2 * i + 1] = unit(w2, w3)


@kernel
def fill_normals(out, first, generation, streams, replicates, k0, k1):
    """Fill out float64 (lanes, count) with standard normals: entries 2 i and 2 i + 1 are those of block first + i.

    Passes over a chunk of blocks (bits, radius, angle), each of which vectorises; one fused pass does not.
    """
    lanes, count = out.shape
    radius = np.empty(_CHUNK)
    angle = np.empty(_CHUNK)
    other = np.empty(_CHUNK)
    pairs = (count + 1) // 2
    for lane in range(lanes):
        for begin in range(0, pairs, _CHUNK):
            size = min(_CHUNK, pairs - begin)
            for i in range(size):
                w0, w1, w2, w3 = philox(
                    np.uint64(first + begin + i), generation, replicates[lane], streams[lane], k0, k1
                )
                radius[i] = unit(w0, w1)
                angle[i] = unit(w2, w3)
            for i in range(size):
                radius[i] = math.sqrt(-2.0 * log_of(radius[i]))
            for i in range(size):
                cosine, sine = turn(angle[i])
                angle[i] = radius[i] * cosine
                other[i] = radius[i] * sine
            for i in range(size):
                at = 2 * (begin + i)
                out[lane, at] = angle[i]
                if at + 1 < count:
                    out[lane, at + 1] = other[i]


@kernel
def choose(out, points, weights, generation, streams, replicates, k0, k1):
    """Fill out int64 (lanes, take) with places below `points` without replacement, take <= points: those of weight 0
    only where there are no others. weights is float64 (lanes, points), or (lanes, 0) where none is 0.

    A partial shuffle, undone for the next lane: what it costs is what is taken, not what it is taken from. Uniforms 2 i
    and 2 i + 1 are those of block i.
    """
    lanes, take = out.shape
    order = np.arange(points)
    partner = np.empty(take, np.int64)
    for lane in range(lanes):
        kept = points
        if weights.shape[1] > 0:
            kept = _kept_first(order, weights[lane])
        shuffled = min(take, kept)
        for i in range(shuffled):
            u, v = uniforms(np.uint64(i // 2), generation, replicates[lane], streams[lane], k0, k1)
            j = i + np.int64((u if i % 2 == 0 else v) * (kept - i))
            order[i], order[j] = order[j], order[i]
            partner[i] = j
        for i in range(take):
            out[lane, i] = order[i]
        for i in range(shuffled - 1, -1, -1):
            j = partner[i]
            order[i], order[j] = order[j], order[i]


@kernel
def _kept_first(order, weights):
    """Write into order int64 (points,) first the places of positive weight, then the others; returns how many."""
    kept = 0
    for i in range(len(weights)):
        kept += weights[i] != 0.0
    low, high = 0, kept
    for i in range(len(weights)):
        if weights[i] != 0.0:
            order[low] = i
            low += 1
        else:
            order[high] = i
            high += 1
    return kept


@kernel
def gather(points, weights, done, places, first, from_points, from_weights):
    """Copy what lies in one batch, whose first point is the pool's point `first`, of the places that are wanted.

    points float64 (lanes, take, dimension), weights (lanes, take); places int64 (lanes, take), each lane's in order;
    done int64 (lanes,), how many of them are copied, is moved on. Draws nothing.
    """
    lanes, take, dimension = points.shape
    after = first + from_weights.shape[1]
    for lane in range(lanes):
        i = done[lane]
        while i < take and places[lane, i] < after:
            at = places[lane, i] - first
            for j in range(dimension):
                points[lane, i, j] = from_points[lane, at, j]
            weights[lane, i] = from_weights[lane, at]
            i += 1
        done[lane] = i
