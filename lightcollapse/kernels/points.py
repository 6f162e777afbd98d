"""Random numbers for a block of lanes whose points are kept: uniforms and normals, float64 (lanes, count)."""

from __future__ import annotations

import numpy as np

from lightcollapse.compiler import borrowing, kernel, lent
from lightcollapse.kernels.normals import box_muller, normals_and_pairs, pairs_of, uniforms_of
from lightcollapse.kernels.rng import normals, uniforms
from lightcollapse.kernels.vectors import MANY, many, upwards, weave

_MANY = np.int64(MANY)
FEW = 8  # numbers that are made one after another: thirty-two blocks take as long as four


@borrowing
def fill_uniforms(out, first, generation, streams, replicates, k0, k1):
    """Fill out float64 (lanes, count) with uniforms in (0, 1): entries 2 i and 2 i + 1 are those of block first + i."""
    lanes, count = out.shape
    for lane in range(lanes):
        for i in range(0, count if count <= FEW else 0, 2):
            u, v = uniforms(np.uint64(first + i // 2), generation, replicates[lane], streams[lane], k0, k1)
            out[lane, i] = u
            if i + 1 < count:
                out[lane, i + 1] = v
        replicate, stream = many(replicates[lane]), many(streams[lane])
        for i in range(0, count if count > FEW else 0, 2 * MANY):
            blocks = upwards(np.uint64(first + i // 2))
            one, other = uniforms_of(blocks, generation, replicate, stream, k0, k1)
            weave(out, lane * count + i, one, other, count - i)


@borrowing
def fill_normals(out, first, generation, streams, replicates, k0, k1):
    """Fill out float64 (lanes, count) with standard normals: entries 2 i and 2 i + 1 are those of block first + i."""
    lanes, count = out.shape
    for lane in range(lanes):
        for i in range(0, count if count <= FEW else 0, 2):
            u, v = normals(np.uint64(first + i // 2), generation, replicates[lane], streams[lane], k0, k1)
            out[lane, i] = u
            if i + 1 < count:
                out[lane, i + 1] = v
        if count > FEW:
            _fill_line(out, lane, first, generation, many(replicates[lane]), many(streams[lane]), k0, k1)


@lent
def _fill_line(out, lane, first, generation, replicates, streams, k0, k1):
    """`fill_normals` of one lane."""
    count = out.shape[1]
    pair = pairs_of(upwards(np.uint64(first)), generation, replicates, streams, k0, k1)
    for i in range(2 * MANY, count, 2 * MANY):
        blocks = upwards(np.uint64(first + i // 2))
        one, other, pair = normals_and_pairs(pair, blocks, generation, replicates, streams, k0, k1)
        weave(out, lane * count + i - 2 * MANY, one, other, 2 * _MANY)
    one, other = box_muller(pair)
    last = (count - 1) // (2 * MANY) * (2 * MANY)
    weave(out, lane * count + last, one, other, count - last)


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
