"""What is measured of normal laws in many dimensions, eight lanes side by side.

Matrices stand flat, as (rows, columns, lanes): eight lanes are one value. An odd dimension is filled up to an even one,
so that products are taken two by two rows at a time.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from lightcollapse.compiler import borrowing, inlined, kernel, lent
from lightcollapse.kernels.vectors import EIGHT, eight, fused, larger, load, root, signed, store

_0 = np.int64(0)  # typed: a literal in a call would compile the callee once more
_YES: Any = np.bool_(True)
_LEAST = 1e-280  # what a reflection's norm must exceed: less is nothing beside the largest entries, about 1
_SMALL, _BOOST = 1e-290, 2.0**900  # factors below are raised before they are divided by


@lent
def at(row, column, columns):
    """Where the lanes of an entry begin."""
    return (row * columns + column) * EIGHT


@inlined
def sum_of_eight(x, at):
    """Sum of eight numbers of x, flat, from `at` on."""
    return ((x[at] + x[at + 4]) + (x[at + 2] + x[at + 6])) + ((x[at + 1] + x[at + 5]) + (x[at + 3] + x[at + 7]))


@borrowing
def pack(factors, first, wide, rows):
    """Put the lower triangles of factors (lanes, d, d), lanes from `first` on, into rows (wide, wide, 8), flat, whose
    upper half is zero; the last lane fills up. What is added to an odd dimension gets a 1 in its corner.
    """
    lanes, d = factors.shape[:2]
    for k in range(d):
        for i in range(EIGHT):
            lane = min(first + i, lanes - 1)
            for j in range(k + 1):
                rows[at(k, j, wide) + i] = factors[lane, k, j]
    if wide > d:
        store(rows, at(d, d, wide), eight(1.0))


@borrowing
def unpack(rows, first, held, wide, factors):
    """Write lower triangles (wide, wide, 8), flat, to the lanes from `first` on of factors (lanes, d, d)."""
    d = factors.shape[1]
    for k in range(d):
        for i in range(held):
            for j in range(k + 1):
                factors[first + i, k, j] = rows[at(k, j, wide) + i]
            for j in range(k + 1, d):
                factors[first + i, k, j] = 0.0


@borrowing
def products(columns, triangular, d, wide, out):
    """Lower half of C'C into out (wide, wide, 8), from the columns of C, (wide, wide, 8), all flat."""
    for k in range(0, wide, 2):
        for j in range(0, k + 2, 2):
            one = two = three = four = eight(0.0)
            p, q = at(k, _0, wide), at(j, _0, wide)
            for m in range(k if triangular else 0, d):
                a, b = load(columns, p + m * EIGHT), load(columns, p + (wide + m) * EIGHT)
                x, y = load(columns, q + m * EIGHT), load(columns, q + (wide + m) * EIGHT)
                one = fused(a, x, one)
                two = fused(a, y, two)
                three = fused(b, x, three)
                four = fused(b, y, four)
            store(out, at(k, j, wide), one)
            store(out, at(k, j + 1, wide), two)
            store(out, at(k + 1, j, wide), three)
            store(out, at(k + 1, j + 1, wide), four)


@borrowing
def tridiagonal(matrix, d, wide, squares, room):
    """Reduce symmetric matrices, whose lower halves are in matrix (wide, wide, 8), flat, to tridiagonal ones by
    Householder's reflections. Their diagonals stay where they are; squares (wide, 8), flat, of what is left of each of
    them. `room` holds four times as many numbers.

    A reflection is taken off the matrix in the pass that multiplies it with the next one; the last one turns a single
    number, which leaves the matrix as it is.
    """
    u, q, v, p = room[0], room[1], room[2], room[3]
    for j in range(d):
        store(u, j * EIGHT, eight(0.0))
        store(q, j * EIGHT, eight(0.0))
    for k in range(d - 1, 0, -1):
        left, right = eight(0.0) - load(u, k * EIGHT), eight(0.0) - load(q, k * EIGHT)
        here = at(k, k, wide)
        store(matrix, here, fused(left, load(q, k * EIGHT), fused(right, load(u, k * EIGHT), load(matrix, here))))
        square = eight(0.0)
        for j in range(k):
            value = fused(left, load(q, j * EIGHT), fused(right, load(u, j * EIGHT), load(matrix, at(k, j, wide))))
            store(v, j * EIGHT, value)
            store(p, j * EIGHT, eight(0.0))
            square = fused(value, value, square)
        store(squares, k * EIGHT, square)
        value = load(v, (k - 1) * EIGHT)
        length = root(square)
        half = square + signed(value, eight(1.0)) * length
        inverse = larger(half, eight(_LEAST), eight(1.0) / half, eight(0.0))
        store(v, (k - 1) * EIGHT, value + signed(length, value))
        _less_and_times(matrix, k, wide, u, q, v, p)
        along = eight(0.0)
        for j in range(k):
            along = fused(load(v, j * EIGHT), load(p, j * EIGHT), along)
        less = -0.5 * inverse * along
        for j in range(k):
            value = load(v, j * EIGHT)
            store(u, j * EIGHT, value)
            store(q, j * EIGHT, inverse * fused(less, value, load(p, j * EIGHT)))


@lent
def _less_and_times(matrix, size, wide, u, q, v, p):
    """Take u q' + q u' off the first rows of a symmetric matrix, of which the lower half is kept, and add its product
    with v to p.
    """
    for a in range(0, size - 1, 2):
        one, two = at(a, _0, wide), at(a + 1, _0, wide)
        va, vb = load(v, a * EIGHT), load(v, (a + 1) * EIGHT)
        ua, qa = eight(0.0) - load(u, a * EIGHT), eight(0.0) - load(q, a * EIGHT)
        ub, qb = eight(0.0) - load(u, (a + 1) * EIGHT), eight(0.0) - load(q, (a + 1) * EIGHT)
        s, t = load(u, a * EIGHT), load(q, a * EIGHT)
        x = fused(ua, t, fused(qa, s, load(matrix, one + a * EIGHT)))
        y = fused(ub, t, fused(qb, s, load(matrix, two + a * EIGHT)))
        s, t = load(u, (a + 1) * EIGHT), load(q, (a + 1) * EIGHT)
        z = fused(ub, t, fused(qb, s, load(matrix, two + (a + 1) * EIGHT)))
        store(matrix, one + a * EIGHT, x)
        store(matrix, two + a * EIGHT, y)
        store(matrix, two + (a + 1) * EIGHT, z)
        first = fused(x, va, y * vb)
        second = fused(y, va, z * vb)
        for b in range(a):
            s, t, w = load(u, b * EIGHT), load(q, b * EIGHT), load(v, b * EIGHT)
            x = fused(ua, t, fused(qa, s, load(matrix, one + b * EIGHT)))
            y = fused(ub, t, fused(qb, s, load(matrix, two + b * EIGHT)))
            store(matrix, one + b * EIGHT, x)
            store(matrix, two + b * EIGHT, y)
            first = fused(x, w, first)
            second = fused(y, w, second)
            store(p, b * EIGHT, fused(x, va, fused(y, vb, load(p, b * EIGHT))))
        store(p, a * EIGHT, load(p, a * EIGHT) + first)
        store(p, (a + 1) * EIGHT, load(p, (a + 1) * EIGHT) + second)
    if size % 2 == 1:
        a = size - 1
        one = at(a, _0, wide)
        va, ua, qa = load(v, a * EIGHT), eight(0.0) - load(u, a * EIGHT), eight(0.0) - load(q, a * EIGHT)
        first = eight(0.0)
        for b in range(a):
            x = fused(ua, load(q, b * EIGHT), fused(qa, load(u, b * EIGHT), load(matrix, one + b * EIGHT)))
            store(matrix, one + b * EIGHT, x)
            first = fused(x, load(v, b * EIGHT), first)
            store(p, b * EIGHT, fused(x, va, load(p, b * EIGHT)))
        x = fused(ua, load(q, a * EIGHT), fused(qa, load(u, a * EIGHT), load(matrix, one + a * EIGHT)))
        store(matrix, one + a * EIGHT, x)
        store(p, a * EIGHT, fused(x, va, load(p, a * EIGHT) + first))


@lent
def _solve(rows, inverses, source, wide, solved, total):
    """Add the squares of the entries of F^-1 S to total (8,), for lower triangular F in rows and S in `source` (wide,
    wide); inverses (wide, 8), flat, of F's diagonal. The columns go to `solved` (wide, wide, 8), flat.
    """
    for k in range(0, wide, 2):
        p = at(k, _0, wide)
        r, s = eight(0.0) - load(inverses, k * EIGHT), eight(0.0) - load(inverses, (k + 1) * EIGHT)
        corner = load(rows, at(k + 1, k, wide))
        for j in range(0, k + 2, 2):
            q = at(j, _0, wide)
            one, two = eight(-source[k, j]), eight(-source[k, j + 1])
            three, four = eight(-source[k + 1, j]), eight(-source[k + 1, j + 1])
            for m in range(j, k):
                a, b = load(rows, p + m * EIGHT), load(rows, p + (wide + m) * EIGHT)
                x, y = load(solved, q + m * EIGHT), load(solved, q + (wide + m) * EIGHT)
                one = fused(a, x, one)
                two = fused(a, y, two)
                three = fused(b, x, three)
                four = fused(b, y, four)
            one = one * r
            two = two * r
            three = fused(corner, one, three) * s
            four = fused(corner, two, four) * s
            store(solved, at(j, k, wide), one)
            store(solved, at(j + 1, k, wide), two)
            store(solved, at(j, k + 1, wide), three)
            store(solved, at(j + 1, k + 1, wide), four)
            square = fused(one, one, fused(two, two, fused(three, three, four * four)))
            store(total, 0, load(total, 0) + square)


@lent
def _to_source(rows, inverses, shift, source, d, wide, solved, total):
    """KL's tr C^-1 S + (m - m0)' C^-1 (m - m0) into total (8,), for C = F F' by rows; not finite where F is singular,
    or too small for a float. shift (d, 8), flat, is m - m0; inverses (wide, 8), flat, takes those of F's diagonal.
    """
    square = eight(0.0)
    for k in range(wide):
        store(inverses, k * EIGHT, eight(1.0) / load(rows, at(k, k, wide)))
    for k in range(d):
        value = load(shift, k * EIGHT)
        for m in range(k):  # what is solved of the shift stands in the first column for now
            value = value - load(rows, at(k, m, wide)) * load(solved, m * EIGHT)
        value = value * load(inverses, k * EIGHT)
        store(solved, k * EIGHT, value)
        square = fused(value, value, square)
    store(total, 0, square)
    _solve(rows, inverses, source, wide, solved, total)


@lent
def _from_source(rows, variance, shift, source, isotropic, diagonal, d, wide, solved, total):
    """KL's tr S^-1 C + (m - m0)' S^-1 (m - m0) into total (8,), for C = F F' by rows."""
    square = eight(0.0)
    for k in range(d):
        value = load(shift, k * EIGHT)
        for m in range(0 if diagonal else k):
            value = value - eight(source[k, m]) * load(solved, m * EIGHT)
        value = value / eight(source[k, k])
        store(solved, k * EIGHT, value)
        square = fused(value, value, square)
    if isotropic:
        store(total, 0, square + load(variance, 0) / eight(source[0, 0] * source[0, 0]))
        return
    for k in range(d):
        inverse = eight(1.0 / source[k, k])
        for j in range(k + 1):
            value = load(rows, at(k, j, wide))
            for m in range(j, j if diagonal else k):
                value = value - eight(source[k, m]) * load(solved, at(m, j, wide))
            value = value * inverse
            store(solved, at(k, j, wide), value)
            square = fused(value, value, square)
    store(total, 0, square)


@lent
def _scale(rows, d, wide, columns, variance, largest):
    """Total variance of the lanes; their largest entry; and their factors over it, column by column."""
    total = most = eight(0.0)
    for k in range(d):
        for j in range(k + 1):
            value = load(rows, at(k, j, wide))
            total = fused(value, value, total)
            size = signed(value, eight(1.0))
            most = larger(size, most, size, most)
    store(variance, 0, total)
    store(largest, 0, most)
    boost = larger(most, eight(_SMALL), eight(1.0), eight(_BOOST))
    inverse = larger(most, eight(0.0), eight(1.0) / (most * boost), eight(0.0))
    for k in range(d):
        for j in range(k + 1):
            store(columns, at(j, k, wide), load(rows, at(k, j, wide)) * boost * inverse)


@lent
def _participation(matrix, d, wide, rank):
    """(tr S)^2 / tr S^2 of matrices whose lower half is kept, between 1 and d; 0 where they are zero."""
    trace = squares = eight(0.0)
    for k in range(d):
        beside = eight(0.0)
        for j in range(k):
            value = load(matrix, at(k, j, wide))
            beside = fused(value, value, beside)
        value = load(matrix, at(k, k, wide))
        squares = squares + fused(value, value, beside + beside)
        trace = trace + value
    store(rank, 0, larger(squares, eight(0.0), trace * trace / squares, eight(0.0)))


@lent
def _cross(columns, source, d, wide, crossed):
    """S' C by columns, for lower triangular S in `source` and C."""
    for j in range(d):
        for k in range(d):
            value = eight(0.0)
            for m in range(max(j, k), d):
                value = fused(load(columns, at(j, m, wide)), source[m, k], value)
            store(crossed, at(j, k, wide), value)


@lent
def _bounds(matrix, squares, d, wide, top, inverse, least):
    """Of tridiagonal matrices a bound of the largest eigenvalue, the trace of the inverse, and the least pivot: no
    inverse means anything where that is not positive.
    """
    pivot = low = load(matrix, 0)
    slope = eight(1.0)
    before = high = eight(0.0)
    total = eight(1.0) / pivot
    for k in range(1, d):
        square = load(squares, k * EIGHT)
        beside = root(square)
        reach = load(matrix, at(k - 1, k - 1, wide)) + before + beside
        high = larger(reach, high, reach, high)
        before = beside
        ratio = eight(1.0) / pivot
        slope = eight(1.0) + square * ratio * ratio * slope
        pivot = load(matrix, at(k, k, wide)) - square * ratio
        low = larger(low, pivot, pivot, low)
        total = total + slope / pivot
    reach = load(matrix, at(d - 1, d - 1, wide)) + before
    store(top, 0, larger(reach, high, reach, high))
    store(inverse, 0, total)
    store(least, 0, low)


@borrowing
def _root_sum(matrix, squares, lane, d, wide, top, shifts, weights, count, room):
    """Sum of the roots of a tridiagonal matrix's eigenvalues, none of which exceeds `top`, by `count` resolvents: the
    trace of one is the derivative of the log of its characteristic polynomial. room (3, d) takes the matrix over `top`.
    """
    diagonal, beside, sums = room[0], room[1], room[2]
    inverse = 1.0 / top
    for k in range(d):
        diagonal[k] = matrix[at(k, k, wide) + lane] * inverse
        beside[k] = -squares[k * EIGHT + lane] * inverse * inverse
    total = eight(0.0)
    for block in range(0, count, 2 * EIGHT):
        first, second = load(shifts, block), load(shifts, block + EIGHT)
        p = q = eight(1.0)  # polynomials of the first k rows; before them those of k - 1, and their derivatives
        before, behind, u, v, earlier, later = (eight(0.0), eight(0.0), eight(0.0), eight(0.0), eight(0.0), eight(0.0))
        for k in range(d):
            here, less = eight(diagonal[k]), eight(beside[k])
            s, t = here + first, here + second
            x, y = fused(less, before, s * p), fused(less, behind, t * q)
            a, b = fused(s, u, fused(less, earlier, p)), fused(t, v, fused(less, later, q))
            before, behind, earlier, later = p, q, u, v
            p, q, u, v = x, y, a, b
            if k % EIGHT == EIGHT - 1:  # lest they grow, or shrink, beyond what a float holds
                s, t = eight(1.0) / p, eight(1.0) / q
                before, earlier, u, p = before * s, earlier * s, u * s, eight(1.0)
                behind, later, v, q = behind * t, later * t, v * t, eight(1.0)
        total = total + load(weights, block) * (eight(float(d)) - first * (u / p))
        total = total + load(weights, block + EIGHT) * (eight(float(d)) - second * (v / q))
    store(sums, 0, total)
    return math.sqrt(top) * sum_of_eight(sums, _0)


@kernel
def measure(means, factors, log_dets, source_mean, source_factor, source_log_det, tables, reaches, out):
    """Fill out (6, lanes): total variance, effective rank, squared distance of the means, KL model to source, KL source
    to model, and the squared Wasserstein distance: -1 where eigenvalues are too far apart for it to come from squares
    of the factors. Draws nothing. `tables` and `reaches` are those of `resolvents`.
    """
    lanes, d = means.shape
    wide = d + d % 2
    rows = np.zeros(wide * wide * EIGHT)
    columns = np.zeros(wide * wide * EIGHT)
    solved = np.zeros(wide * wide * EIGHT)
    matrix = np.zeros(wide * wide * EIGHT)
    squares = np.zeros(wide * EIGHT)
    inverses = np.zeros(wide * EIGHT)
    shift = np.zeros(wide * EIGHT)
    room = np.zeros((4, wide * EIGHT))
    found = np.zeros((8, EIGHT))
    variance, rank, largest, top = found[0], found[1], found[2], found[3]
    inverse, least, forward, backward = found[4], found[5], found[6], found[7]
    source = np.zeros((wide, wide))
    unit = np.zeros((wide, wide))
    size = spread = 0.0
    for k in range(d):
        for j in range(k + 1):
            source[k, j] = source_factor[k, j]
            spread += source[k, j] * source[k, j]
            size = max(size, abs(source_factor[k, j]))
    diagonal = isotropic = _YES
    for k in range(d):
        isotropic = isotropic and source[k, k] == size
        for j in range(k + 1):
            unit[k, j] = source[k, j] / size
            diagonal = diagonal and (j == k or source[k, j] == 0.0)
    isotropic = isotropic and diagonal
    for first in range(0, lanes, EIGHT):
        pack(factors, first, wide, rows)
        for k in range(d):
            for i in range(EIGHT):
                shift[k * EIGHT + i] = means[min(first + i, lanes - 1), k] - source_mean[k]
        _scale(rows, d, wide, columns, variance, largest)
        products(columns, _YES, d, wide, matrix)
        _participation(matrix, d, wide, rank)
        if not isotropic:
            _cross(columns, unit, d, wide, solved)
            products(solved, diagonal, d, wide, matrix)
        tridiagonal(matrix, d, wide, squares, room)
        _bounds(matrix, squares, d, wide, top, inverse, least)
        _from_source(rows, variance, shift, source, isotropic, diagonal, d, wide, solved, forward)
        _to_source(rows, inverses, shift, source, d, wide, solved, backward)
        for i in range(min(EIGHT, lanes - first)):
            lane = first + i
            apart = 0.0
            for k in range(d):
                apart += shift[k * EIGHT + i] * shift[k * EIGHT + i]
            gain = log_dets[lane] - source_log_det
            out[0, lane] = variance[i]
            out[1, lane] = rank[i]
            out[2, lane] = apart
            out[3, lane] = 0.5 * (forward[i] - d - gain)
            out[4, lane] = 0.5 * (backward[i] - d + gain) if backward[i] < np.inf else np.inf
            table = np.int64(0)
            while table < len(reaches) and not top[i] * inverse[i] <= reaches[table]:
                table += 1
            out[5, lane] = -1.0
            if least[i] > 0.0 and table < len(reaches):
                shifts, weights = tables[table, 0], tables[table, 1]
                count = 2 * EIGHT * (table + 1)
                overlap = _root_sum(matrix, squares, np.int64(i), d, wide, top[i], shifts, weights, count, room)
                out[5, lane] = max(0.0, apart + variance[i] + spread - 2.0 * size * largest[i] * overlap)


@functools.cache
def resolvents() -> tuple[Any, Any]:
    """Tables of the root as a sum of resolvents: sqrt(x) = sum of w x / (x + s), to some 1e-14 of it wherever x lies in
    [1 / reach, 1]. float64 (tables, 2, most), shifts s and weights w, of which a table has 16 more than the one before
    it; reaches float64 (tables,).

    Source: Hale, Higham and Trefethen 2008 (the trapezoidal rule after an elliptic change of variables).
    """
    reaches = np.array([5e2, 1e6, 1e8])
    tables = np.zeros((len(reaches), 2, 2 * EIGHT * len(reaches)))
    for table, reach in enumerate(reaches.tolist()):
        count = 2 * EIGHT * (table + 1)
        tables[table, :, :count] = _resolvents(count, reach)
    return tables, reaches


def _resolvents(count: int, reach: float) -> tuple[Any, Any]:
    """One table. Jacobi's functions of parameter 1 - 1 / reach by the arithmetic and geometric mean, below half of the
    quarter period, and above it by reflection.
    """
    a, b = 1.0, 1.0 / math.sqrt(reach)
    gaps = [1.0]
    while gaps[-1] > 1e-16:
        gaps.append((a - b) / (a + b))
        a, b = 0.5 * (a + b), math.sqrt(a * b)
    angle = 2.0 ** (len(gaps) - 1) * 0.5 * math.pi * (np.arange(count // 2) + 0.5) / count
    for gap in reversed(gaps[1:]):
        angle = 0.5 * (angle + np.arcsin(gap * np.sin(angle)))
    sine, cosine = np.sin(angle) ** 2, np.cos(angle) ** 2
    third = np.sqrt(cosine + sine / reach) / (a * count)
    low, high = sine / cosine / reach, cosine / sine
    return np.concatenate([low, high]), np.concatenate([third / cosine / math.sqrt(reach), third / sine])
