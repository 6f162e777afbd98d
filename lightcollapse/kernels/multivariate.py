"""Normal laws in many dimensions: their points, their sums, and what is measured of them, one lane after another.

A covariance is kept as a lower triangular factor F, covariance = F F'. Of one of rank r the columns after the r-th are
zero: this is a Cholesky factor of a semidefinite matrix, and no step needs more.
"""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import borrowing, kernel
from lightcollapse.kernels.covariances import at, pack, sum_of_eight, unpack
from lightcollapse.kernels.normals import keep_last, normals_and_pairs, pairs_of, uniforms_of
from lightcollapse.kernels.points import FEW
from lightcollapse.kernels.rng import gamma, log_of, normals, uniforms
from lightcollapse.kernels.vectors import (
    EIGHT,
    MANY,
    eight,
    fused,
    keep,
    larger,
    load,
    load_many,
    many,
    root,
    store,
    upwards,
    weave,
)

_NUMBERS = np.int64(4096)  # of a chunk: its points stay in the first-level cache
_TILE = np.int64(8)  # points whose products are added at once
_FIRST = np.uint64(0)
_0, _MANY = np.int64(0), np.int64(MANY)
_CHI_UNIFORMS = np.uint64(1 << 30)  # blocks of the uniforms, and of the trials, of chi-square variates
_CHI_TRIALS = np.uint64(1 << 31)
_WIDTH = np.int64(32)  # matrices whose singular values are found side by side
_MOST_SWEEPS = 30
_ORTHOGONAL = 1e-20  # squared cosine of two columns: as much of a sum of singular values is left undone
_TRIALS = np.uint64(16)  # bits for the blocks that one variate may use


@borrowing
def standard(z, count, first, generation, stream, replicate, k0, k1):
    """Fill z (count, and one more where that is odd) with standard normals from block `first` on.

    The first half are the cosines of the blocks' angles, the second half the sines.
    """
    half = (count + 1) // 2
    for i in range(half if count <= FEW else 0):
        z[i], z[half + i] = normals(first + np.uint64(i), generation, replicate, stream, k0, k1)
    if count > FEW:
        replicates, streams = many(replicate), many(stream)
        pair = pairs_of(upwards(first), generation, replicates, streams, k0, k1)
        for i in range(MANY, half, MANY):
            blocks = upwards(first + np.uint64(i))
            x, y, pair = normals_and_pairs(pair, blocks, generation, replicates, streams, k0, k1)
            keep(z, i - MANY, x, _MANY)
            keep(z, half + i - MANY, y, _MANY)
        keep_last(pair, z, half)


@kernel
def chunk_points(dimension):
    """Points of a chunk: a multiple of a tile."""
    return max(_TILE, _NUMBERS // dimension // _TILE * _TILE)


@kernel
def add_weighted(z, weights, size, scatter):
    """Add sum w z z' of the first `size` rows of z (points, d) to the lower half of scatter.

    Rows up to a whole tile are read, and must be zero.
    """
    d = z.shape[1]
    for i in range(0, size, _TILE):
        for k in range(d):
            a0 = weights[i] * z[i, k]
            a1 = weights[i + 1] * z[i + 1, k]
            a2 = weights[i + 2] * z[i + 2, k]
            a3 = weights[i + 3] * z[i + 3, k]
            a4 = weights[i + 4] * z[i + 4, k]
            a5 = weights[i + 5] * z[i + 5, k]
            a6 = weights[i + 6] * z[i + 6, k]
            a7 = weights[i + 7] * z[i + 7, k]
            for j in range(k + 1):
                scatter[k, j] += (
                    (a0 * z[i, j] + a1 * z[i + 1, j]) + (a2 * z[i + 2, j] + a3 * z[i + 3, j])
                ) + ((a4 * z[i + 4, j] + a5 * z[i + 5, j]) + (a6 * z[i + 6, j] + a7 * z[i + 7, j]))  # fmt: skip


@kernel
def cholesky(scatter, rank, tolerance, factor):
    """Lower triangular factor (d, d) of the semidefinite matrix whose lower half is in scatter (d, d); uses that up.

    A pivot of at most `tolerance` times its diagonal entry counts as zero, and so does each after the first `rank` that
    do not: their columns are zero. Returns the log determinant, minus infinity where a column is zero.
    """
    d = len(scatter)
    column = np.empty(d)
    diagonal = np.empty(d)
    log_det = 0.0
    found = np.int64(0)
    for k in range(d):
        diagonal[k] = scatter[k, k]
    for k in range(d):
        pivot = scatter[k, k]
        whole = found < rank and pivot > tolerance * diagonal[k] and pivot > 0.0
        root = math.sqrt(pivot) if whole else 1.0
        found += np.int64(whole)
        log_det += math.log(pivot) if whole else -np.inf
        for i in range(k):
            factor[i, k] = 0.0
        for i in range(k, d):
            column[i] = scatter[i, k] / root if whole else 0.0
            factor[i, k] = column[i]
        for i in range(k + 1, d if whole else k + 1):
            a = column[i]
            for j in range(k + 1, i + 1):
                scatter[i, j] -= a * column[j]
    return log_det


@kernel
def factors_of(scatters, ranks, tolerance, factors, log_dets):
    """`cholesky` of every lane: scatters, factors (lanes, d, d), ranks int64 (lanes,), log_dets (lanes,)."""
    for lane in range(len(scatters)):
        log_dets[lane] = cholesky(scatters[lane], ranks[lane], tolerance, factors[lane])


@kernel
def carry(
    means, factors, log_dets, first, shift, inner, logs, scale, wide, rows, out, means_out, factors_out, logs_out
):
    """Take moments of standard normals through x = mean + factor z, in eight lanes from `first` on: means in shift (d,
    8), scatters by factors in inner (wide, wide, 8), log determinants of these in logs (8,), all flat. The new factors
    are times `scale`. rows and out are room for as many numbers as inner holds; the upper half of rows is zero.

    A log determinant is a sum of logs, so that it goes on where the scatter itself is too small for a float.
    """
    lanes, d = means.shape
    held = min(EIGHT, lanes - first)
    pack(factors, first, wide, rows)
    triangular_product(rows, inner, scale, wide, out)
    unpack(out, first, held, wide, factors_out)
    for k in range(d):
        value = eight(0.0)
        for j in range(k + 1):
            value = fused(load(rows, at(k, j, wide)), load(shift, j * EIGHT), value)
        store(out, k * EIGHT, value)
    for i in range(held):
        logs_out[first + i] = log_dets[first + i] + logs[i]
        for k in range(d):
            means_out[first + i, k] = means[first + i, k] + out[k * EIGHT + i]


@kernel
def bartlett(
    count, scale, means, factors, log_dets, generation, streams, replicates, k0, k1, means_out, factors_out, logs_out
):
    """Mean and scatter of `count` points of each lane's law, drawn at once: a normal over the root of `count`, and a
    Wishart variate with count - 1 degrees of freedom. Of the scatter the factor is times `scale`, the log determinant
    not.

    Source: Bartlett 1933. Of a lower triangular A with chi variates on its diagonal and normals below A A' is a Wishart
    variate. With fewer degrees of freedom than dimensions A ends after as many columns.
    """
    lanes, d = means.shape
    wide = d + d % 2
    freedom = count - 1
    columns = min(d, freedom)
    numbers = 2 * d + d * (d - 1) // 2
    z = np.empty((numbers + 1) * EIGHT)
    squares = np.empty(wide * EIGHT)
    logs = np.empty(d * EIGHT)
    uniform = np.empty((d + 1) * EIGHT)
    rows = np.zeros(wide * wide * EIGHT)
    inner = np.zeros(wide * wide * EIGHT)
    product = np.empty(wide * wide * EIGHT)
    shift = np.empty(wide * EIGHT)
    log_det = np.empty(EIGHT)
    pair = np.empty(2 * MANY)
    places = np.empty((3, MANY), np.uint64)
    for n in range(MANY):
        places[2, n] = n // EIGHT
    root_of = math.sqrt(count)
    for first in range(0, lanes, EIGHT):
        for n in range(MANY):
            lane = min(first + n % EIGHT, lanes - 1)
            places[0, n] = replicates[lane]
            places[1, n] = streams[lane]
        standards(z, numbers, generation, places, k0, k1)
        chi_squares_of_lanes(z, freedom, columns, generation, places, k0, k1, pair, uniform, squares)
        for n in range(columns * EIGHT):
            logs[n] = log_of(squares[n])
        start = 2 * d
        for k in range(d):
            for j in range(min(k, columns)):
                store(inner, at(k, j, wide), load(z, (start + j) * EIGHT))
            start += min(k, columns)
            if k < columns:
                store(inner, at(k, k, wide), root(load(squares, k * EIGHT)))
            store(shift, k * EIGHT, load(z, (d + k) * EIGHT) / eight(root_of))
        for i in range(EIGHT):
            log_det[i] = 0.0 if columns == d else -np.inf
            for k in range(columns):
                log_det[i] += logs[k * EIGHT + i]
        carry(
            means, factors, log_dets, np.int64(first), shift, inner, log_det, scale, wide, rows, product,
            means_out, factors_out, logs_out,
        )  # fmt: skip


@borrowing
def standards(z, count, generation, places, k0, k1):
    """Standard normals of eight lanes, number by number: z flat, (count, and one more where that is odd, 8). A lane's
    are those that `standard` gives it from block 0 on. places uint64 (3, 32): replicates, streams, and the rows of
    four rows of eight.
    """
    half = (count + 1) // 2 * EIGHT
    replicates, streams, rows = load_many(places, 0), load_many(places, MANY), load_many(places, 2 * MANY)
    pair = pairs_of(rows, generation, replicates, streams, k0, k1)
    for n in range(MANY, half, MANY):
        blocks = rows + np.uint64(n // EIGHT)
        x, y, pair = normals_and_pairs(pair, blocks, generation, replicates, streams, k0, k1)
        keep(z, n - MANY, x, _MANY)
        keep(z, half + n - MANY, y, _MANY)
    keep_last(pair, z, half)


@kernel
def chi_squares_of_lanes(z, freedom, count, generation, places, k0, k1, pair, uniform, out):
    """What `chi_squares` gives each of eight lanes: z, uniform and out flat, (count, 8); places as for `standards`."""
    half = (count + 1) // 2
    replicates, streams, rows = load_many(places, 0), load_many(places, MANY), load_many(places, 2 * MANY)
    for first in range(0, half, MANY // EIGHT):
        one, two = uniforms_of(rows + (_CHI_UNIFORMS + np.uint64(first)), generation, replicates, streams, k0, k1)
        keep(pair, 0, one, MANY)
        keep(pair, MANY, two, MANY)
        for i in range(min(MANY // EIGHT, half - first)):
            store(uniform, 2 * (first + i) * EIGHT, load(pair, i * EIGHT))
            store(uniform, 2 * (first + i) * EIGHT + EIGHT, load(pair, MANY + i * EIGHT))
    failed = np.int64(0)
    for n in range(count * EIGHT):
        x = z[n]
        third = 0.5 * float(freedom - (n >> 3)) - 1.0 / 3.0
        v = 1.0 + x / math.sqrt(9.0 * third)
        cube = v * v * v
        bound = 0.5 * x * x + third - third * cube + third * log_of(max(cube, 1e-300))
        taken = (v > 0.0) & (log_of(uniform[n]) < bound)
        out[n] = 2.0 * third * cube if taken else -1.0
        failed += 0 if taken else 1
    if failed == 0 and freedom - count >= 1:
        return
    for n in range(count * EIGHT):
        j = n >> 3
        shape = 0.5 * float(freedom - j)
        if shape < 1.0:
            out[n] = z[n] * z[n]
        elif out[n] < 0.0:
            block = _CHI_TRIALS + (np.uint64(j) << _TRIALS)
            value, _ = gamma(shape, block, generation, places[0, n & 7], places[1, n & 7], k0, k1)
            out[n] = 2.0 * value


@borrowing
def triangular_product(rows, inner, scale, wide, out):
    """`scale` times the products of lower triangular matrices of eight lanes, each by rows, (wide, wide, 8), flat."""
    for k in range(0, wide, 2):
        p = at(k, _0, wide)
        for j in range(0, k + 2, 2):
            one = two = three = four = eight(0.0)
            q = at(_0, j, wide)
            for m in range(j, k + 2):
                a, b = load(rows, p + m * EIGHT), load(rows, p + (wide + m) * EIGHT)
                x, y = load(inner, q + m * wide * EIGHT), load(inner, q + m * wide * EIGHT + EIGHT)
                one = fused(a, x, one)
                two = fused(a, y, two)
                three = fused(b, x, three)
                four = fused(b, y, four)
            store(out, at(k, j, wide), one * eight(scale))
            store(out, at(k, j + 1, wide), two * eight(scale))
            store(out, at(k + 1, j, wide), three * eight(scale))
            store(out, at(k + 1, j + 1, wide), four * eight(scale))


@kernel
def chi_squares(z, freedom, step, count, generation, stream, replicate, k0, k1, uniform, out):
    """Fill out[j], j < count, with chi-square variates of freedom - step * j degrees of freedom, from the normals z[j].

    Twice a gamma variate from a cubed normal (Marsaglia and Tsang 2000). All first trials are made together; the few
    that fail go on by themselves. One degree of freedom is the square of a normal.
    """
    for j in range(0, count if count <= FEW else 0, 2):
        u, v = uniforms(_CHI_UNIFORMS + np.uint64(j // 2), generation, replicate, stream, k0, k1)
        uniform[j] = u
        if j + 1 < count:
            uniform[j + 1] = v
    replicates, streams = many(replicate), many(stream)
    for j in range(0, count if count > FEW else 0, 2 * MANY):
        one, two = uniforms_of(upwards(_CHI_UNIFORMS + np.uint64(j // 2)), generation, replicates, streams, k0, k1)
        weave(uniform, j, one, two, count - j)
    for j in range(count):
        x = z[j]
        third = 0.5 * float(freedom - np.int64(step) * j) - 1.0 / 3.0
        v = 1.0 + x / math.sqrt(9.0 * third)
        cube = v * v * v
        bound = 0.5 * x * x + third - third * cube + third * log_of(max(cube, 1e-300))
        out[j] = 2.0 * third * cube if (v > 0.0) & (log_of(uniform[j]) < bound) else -1.0
    for j in range(count):
        shape = 0.5 * float(freedom - np.int64(step) * j)
        if shape < 1.0:
            out[j] = z[j] * z[j]
        elif out[j] < 0.0:
            block = _CHI_TRIALS + (np.uint64(j) << _TRIALS)
            value, _ = gamma(shape, block, generation, replicate, stream, k0, k1)
            out[j] = 2.0 * value


@kernel
def chi_square_rows(freedom, generation, streams, replicates, k0, k1, means, squares):
    """Of each lane d standard means times the root of their count, and d chi-square variates: both (lanes, d)."""
    lanes, d = means.shape
    z = np.empty(2 * d + 1)
    uniform = np.empty(d + 1)
    for lane in range(lanes):
        standard(z, 2 * d, _FIRST, generation, streams[lane], replicates[lane], k0, k1)
        for k in range(d):
            means[lane, k] = z[d + k]
            squares[lane, k] = 0.0
        if freedom > 0:
            chi_squares(
                z, freedom, _FIRST, d, generation, streams[lane], replicates[lane], k0, k1, uniform, squares[lane]
            )


@kernel
def drawn(
    count, scale, means, factors, log_dets, generation, streams, replicates, k0, k1, means_out, factors_out, logs_out
):
    """Mean and scatter of `count` points of each lane's law, every one drawn; of the scatter the factor is times
    `scale`, the log determinant not.

    Points stay standard normal until their sums are carried through the factor: a chain near collapse loses no digits.
    Those of one chunk are taken about their mean first; of more their mean is small beside their spread.
    """
    lanes, d = means.shape
    wide = d + d % 2
    z = np.zeros(wide * chunk_points(d))
    totals = np.empty(wide * EIGHT)
    parts = np.empty(wide * wide * EIGHT)
    rows = np.zeros(wide * wide * EIGHT)
    inner = np.zeros(wide * wide * EIGHT)
    shift = np.zeros(wide * EIGHT)
    pivots = np.zeros(wide * EIGHT)
    log_det = np.empty(EIGHT)
    for first in range(0, lanes, EIGHT):
        for i in range(min(EIGHT, lanes - first)):
            lane = first + i
            sum_points(count, d, generation, streams[lane], replicates[lane], k0, k1, z, totals, parts)
            for k in range(d):
                mean = totals[k * EIGHT] / count
                shift[k * EIGHT + i] = mean
                for j in range(k + 1):
                    inner[at(k, j, wide) + i] = sum_of_eight(parts, at(k, j, wide))
                    if count > len(z) // wide:
                        inner[at(k, j, wide) + i] -= count * mean * shift[j * EIGHT + i]
        roots_of(inner, np.int64(count - 1), wide, pivots)
        for i in range(EIGHT):
            log_det[i] = 0.0
            for k in range(d):
                pivot = pivots[k * EIGHT + i]
                log_det[i] += math.log(pivot) if pivot > 0.0 else -np.inf
        carry(
            means, factors, log_dets, np.int64(first), shift, inner, log_det, scale, wide, rows, parts,
            means_out, factors_out, logs_out,
        )  # fmt: skip


@kernel
def sum_points(count, d, generation, stream, replicate, k0, k1, z, totals, parts):
    """Draw standard normal points of a lane: the sum of each coordinate is the first of eight in totals (wide, 8), and
    that of products the sum of eight in the lower half of parts (wide, wide, 8), flat: about the mean, where all points
    are in one chunk.
    """
    most = chunk_points(d)
    wide = d + d % 2
    for i in range(len(totals)):
        totals[i] = 0.0
    for i in range(len(parts)):
        parts[i] = 0.0
    for begin in range(0, count, most):
        held = min(most, count - begin)
        block = np.uint64(begin * d // 2)
        size = standard_points(z, held, d, block, generation, stream, replicate, k0, k1)
        add_sums(z, size, d, totals)
        if held == count:
            for k in range(d):
                mean = sum_of_eight(totals, k * EIGHT) / count
                for i in range(held):
                    z[k * size + i] -= mean
        add_products(z, size, d, wide, parts)
    for k in range(d):
        totals[k * EIGHT] = sum_of_eight(totals, k * EIGHT)


@borrowing
def roots_of(matrix, rank, wide, pivots):
    """Lower triangular factors of semidefinite matrices in place, (wide, wide, 8), flat, as `cholesky` has them with a
    tolerance of 0; pivots (wide, 8), flat, are 0 where a column is zero.
    """
    found, none, one_more = eight(0.0), eight(0.0), eight(1.0)
    most = eight(float(rank))
    for k in range(0, wide, 2):
        p = at(k, _0, wide)
        for j in range(0, k + 2, 2):
            q = at(j, _0, wide)
            here, below = p + j * EIGHT, p + (wide + j) * EIGHT
            one, two, three, four = load(matrix, here), none, load(matrix, below), load(matrix, below + EIGHT)
            if j < k:
                two = load(matrix, here + EIGHT)
            for m in range(j):
                a, b = load(matrix, p + m * EIGHT), load(matrix, p + (wide + m) * EIGHT)
                x, y = load(matrix, q + m * EIGHT), load(matrix, q + (wide + m) * EIGHT)
                one = one - a * x
                two = two - a * y
                three = three - b * x
                four = four - b * y
            if j < k:
                r, s = load(pivots, j * EIGHT), load(pivots, (j + 1) * EIGHT)
                corner = load(matrix, q + (wide + j) * EIGHT)
                one = one * r
                three = three * r
                two = (two - one * corner) * s
                four = (four - three * corner) * s
            else:
                pivot = larger(most, found, larger(one, none, one, none), none)
                found = found + larger(pivot, none, one_more, none)
                one = root(pivot)
                inverse = larger(pivot, none, one_more / one, none)
                store(pivots, k * EIGHT, inverse)
                three = three * inverse
                pivot = larger(most, found, larger(four - three * three, none, four - three * three, none), none)
                found = found + larger(pivot, none, one_more, none)
                four = root(pivot)
                store(pivots, (k + 1) * EIGHT, larger(pivot, none, one_more / four, none))
                two = none
            store(matrix, here, one)
            store(matrix, here + EIGHT, two)
            store(matrix, below, three)
            store(matrix, below + EIGHT, four)
    for k in range(wide):
        value = load(matrix, at(k, k, wide))
        store(pivots, k * EIGHT, value * value)


@kernel
def standard_points(z, held, d, first, generation, stream, replicate, k0, k1):
    """Fill z with standard normal points from block `first` on, one coordinate after another; returns the places that
    one takes, a multiple of eight: points past `held` are zero.
    """
    size = (held + EIGHT - 1) // EIGHT * EIGHT
    standard(z, size * d, first, generation, stream, replicate, k0, k1)
    for k in range(d):
        for i in range(held, size):
            z[k * size + i] = 0.0
    return size


@borrowing
def add_sums(z, size, d, totals):
    """Add the coordinates of points (d, size), flat, to totals (d, 8), flat."""
    for k in range(d):
        total = load(totals, k * EIGHT)
        for i in range(0, size, EIGHT):
            total = total + load(z, k * size + i)
        store(totals, k * EIGHT, total)


@borrowing
def add_products(z, size, d, wide, parts):
    """Add products of the coordinates of points (d, size), flat, to the lower half of parts (wide, wide, 8), flat. An
    odd dimension's last coordinate is taken twice.
    """
    for k in range(0, d, 2):
        p, q = k * size, min(k + 1, d - 1) * size
        for j in range(0, k + 2, 2):
            s, t = j * size, min(j + 1, d - 1) * size
            here, below = at(k, j, wide), at(k + 1, j, wide)
            one, two, three, four = (
                load(parts, here),
                load(parts, here + EIGHT),
                load(parts, below),
                load(parts, below + EIGHT),
            )
            for i in range(0, size, EIGHT):
                a, b = load(z, p + i), load(z, q + i)
                x, y = load(z, s + i), load(z, t + i)
                one = fused(a, x, one)
                two = fused(a, y, two)
                three = fused(b, x, three)
                four = fused(b, y, four)
            store(parts, here, one)
            store(parts, here + EIGHT, two)
            store(parts, below, three)
            store(parts, below + EIGHT, four)


@kernel
def write(means, factors, generation, streams, replicates, k0, k1, out):
    """Fill out (lanes, count, d) with points of each lane's law, x = mean + factor z; z is that of `drawn`."""
    lanes, count, d = out.shape
    most = chunk_points(d)
    z = np.empty(d * most + 1)
    eights = np.empty(d * EIGHT)
    for lane in range(lanes):
        for begin in range(0, count, most):
            held = min(most, count - begin)
            size = standard_points(
                z, held, d, np.uint64(begin * d // 2), generation, streams[lane], replicates[lane], k0, k1
            )
            for i in range(0, size, EIGHT):
                carry_points(means[lane], factors[lane], z, size, i, eights)
                for m in range(min(EIGHT, held - i)):
                    for k in range(d):
                        out[lane, begin + i + m, k] = eights[k * EIGHT + m]


@borrowing
def carry_points(mean, factor, z, size, first, out):
    """Eight points x = mean + factor z, of z (d, size) from `first` on, into out (d, 8), both flat."""
    for k in range(len(mean)):
        value = eight(mean[k])
        for j in range(k + 1):
            value = fused(load(z, j * size + first), factor[k, j], value)
        store(out, k * EIGHT, value)


@kernel
def moments(points, weights, totals, means, scatters):
    """Weighted count (lanes,), mean (lanes, d) and scatter (lanes, d, d) of points (lanes, count, d). Draws nothing."""
    lanes, count, d = points.shape
    size = chunk_points(d)
    z = np.zeros((size, d))
    w = np.zeros(size)
    for lane in range(lanes):
        total = 0.0
        for k in range(d):
            means[lane, k] = 0.0
            for j in range(d):
                scatters[lane, k, j] = 0.0
        for i in range(count):
            total += weights[lane, i]
            for k in range(d):
                means[lane, k] += weights[lane, i] * points[lane, i, k]
        totals[lane] = total
        for k in range(d):
            means[lane, k] /= total if total > 0.0 else 1.0
        for begin in range(0, count, size):
            held = min(size, count - begin)
            for i in range(size):
                here = i < held
                w[i] = weights[lane, begin + i] if here else 0.0
                for k in range(d):
                    z[i, k] = points[lane, begin + i, k] - means[lane, k] if here else 0.0
            add_weighted(z, w, held, scatters[lane])
        for k in range(d):
            for j in range(k):
                scatters[lane, j, k] = scatters[lane, k, j]


@kernel
def log_densities(points, means, factors, log_dets, tolerance, out):
    """Fill out (lanes, count) with log densities; on the flat to which a singular law is confined, infinite, and minus
    infinity elsewhere. A point is on it within `tolerance` of the spread of a coordinate.
    """
    lanes, count, d = points.shape
    z = np.empty(d)
    for lane in range(lanes):
        for i in range(count):
            square = 0.0
            confined = True
            singular = False
            for k in range(d):
                value = points[lane, i, k] - means[lane, k]
                spread = 0.0
                for j in range(k):
                    value -= factors[lane, k, j] * z[j]
                    spread += abs(factors[lane, k, j])
                if factors[lane, k, k] > 0.0:
                    z[k] = value / factors[lane, k, k]
                    square += z[k] * z[k]
                else:
                    z[k] = 0.0
                    singular = True
                    confined = confined and abs(value) <= tolerance * spread
            if singular:
                out[lane, i] = np.inf if confined else -np.inf
            else:
                out[lane, i] = -0.5 * (square + log_dets[lane] + d * math.log(2.0 * math.pi))


@kernel
def cross(factors, source_factor, crossed):
    """Fill crossed (lanes, d, d) with source_factor' factor, of lower triangular ones. Draws nothing."""
    lanes, d = factors.shape[:2]
    for lane in range(lanes):
        for k in range(d):
            for j in range(d):
                crossed[lane, k, j] = 0.0
        for m in range(d):
            for k in range(m + 1):
                a = source_factor[m, k]
                if a != 0.0:  # most are zero where coordinates are independent
                    for j in range(m + 1):
                        crossed[lane, k, j] += a * factors[lane, m, j]


@borrowing
def _sweep(columns, room):
    """Turn each pair of columns (d, d, lanes) into an orthogonal one; returns how many had to be."""
    d, _, lanes = columns.shape
    one, other, product, cosine, sine = room[0], room[1], room[2], room[3], room[4]
    turned = np.int64(0)
    for p in range(d - 1):
        for q in range(p + 1, d):
            x, y = columns[p], columns[q]
            for i in range(lanes):
                one[i] = 0.0
                other[i] = 0.0
                product[i] = 0.0
            for row in range(d):
                for i in range(lanes):
                    u, v = x[row, i], y[row, i]
                    one[i] += u * u
                    other[i] += v * v
                    product[i] += u * v
            found = np.int64(0)
            for i in range(lanes):
                flat = product[i] * product[i] <= _ORTHOGONAL * one[i] * other[i]
                gap, twice = other[i] - one[i], 2.0 * product[i]
                reach = math.sqrt(gap * gap + twice * twice)
                below = gap + (reach if gap >= 0.0 else -reach)
                tangent = twice / (below if below != 0.0 else 1.0)
                c = 1.0 / math.sqrt(1.0 + tangent * tangent)
                cosine[i] = 1.0 if flat else c
                sine[i] = 0.0 if flat else c * tangent
                found += 0 if flat else 1
            if found == 0:
                continue
            turned += found
            for row in range(d):
                for i in range(lanes):
                    u, v = x[row, i], y[row, i]
                    x[row, i] = cosine[i] * u - sine[i] * v
                    y[row, i] = sine[i] * u + cosine[i] * v
    return turned


@kernel
def nuclear_norms(matrices, out):
    """Fill out (lanes,) with the sums of the singular values of matrices (lanes, d, d). Draws nothing.

    One-sided Jacobi rotations until the columns are orthogonal, for many lanes at once; in a lane whose columns are,
    further sweeps change no bit. Source: Hestenes 1958.
    """
    lanes, d = matrices.shape[:2]
    columns = np.empty((d, d, _WIDTH))
    largest = np.empty(_WIDTH)
    room = np.empty((5, _WIDTH))
    for first in range(0, lanes, _WIDTH):
        for i in range(_WIDTH):
            lane = min(first + i, lanes - 1)
            largest[i] = 0.0
            for row in range(d):
                for column in range(d):
                    largest[i] = max(largest[i], abs(matrices[lane, row, column]))
            scale = 1.0 / largest[i] if largest[i] > 1e-300 else 0.0
            for row in range(d):
                for column in range(d):
                    columns[column, row, i] = matrices[lane, row, column] * scale
        for _ in range(_MOST_SWEEPS):
            if _sweep(columns, room) == 0:
                break
        for i in range(min(_WIDTH, lanes - first)):
            total = 0.0
            for column in range(d):
                square = 0.0
                for row in range(d):
                    square += columns[column, row, i] * columns[column, row, i]
                total += math.sqrt(square)
            out[first + i] = total * largest[i]
