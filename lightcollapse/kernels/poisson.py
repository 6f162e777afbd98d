"""Multinomial counts of many symbols at once, where their masses are whole numbers: Poisson counts, topped up.

Poisson counts of a sum that is random, given that sum, are multinomial. With a mean a little below the size that is
wanted, what is missing is drawn point by point; a sum that is too large is drawn again. So the law is that of the
conditional binomials, for a tenth of their time: a count's Poisson mean is a whole number times one rate, and so the
sum of two draws from tables that all symbols share, one for each of its digits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import borrowing, kernel
from lightcollapse.kernels.normals import uniforms_of
from lightcollapse.kernels.rng import ONE, stirling_tail, uniforms
from lightcollapse.kernels.vectors import MANY, keep, many, upwards

Float = NDArray[np.float64]

_DIGIT = np.int64(32)  # of a mass; what has more than two is drawn by rejection
_BITS = np.int64(5)
TABLES = np.int64(64)
_CHUNK = np.int64(256)
_LACK = 1.5  # roots of the size by which Poisson counts fall short of it on the average: one in 15 is drawn again
_TOP_UPS = np.uint64(1 << 30)  # blocks of the points that top up, and of the rejections
_REJECTIONS = np.uint64(1 << 31)
FEWEST = 256  # symbols below which this is not faster
ROOM = int(3 * _CHUNK)


@kernel
def worth(symbols, size):
    """Whether so many symbols are faster drawn this way: the points that top up are a root of the size."""
    return symbols >= FEWEST and symbols >= 2.0 * math.sqrt(size)


@kernel
def rate_of(size, whole):
    """The Poisson mean of a unit of mass, of `whole` units that `size` points are to be drawn from."""
    return max(0.0, size - _LACK * math.sqrt(size)) / whole


@kernel
def _reach(mean):
    """The first value of a Poisson law that is kept, and how many: what lies outside has a chance below 1e-18."""
    low = max(0.0, math.floor(mean - 9.0 * math.sqrt(mean)))
    return np.int64(low), np.int64(math.ceil(mean + 9.0 * math.sqrt(mean) + 30.0) - low)


@kernel
def cells_of(rate):
    """Cells of all tables."""
    cells = np.int64(0)
    for table in range(TABLES):
        cells += _reach(rate * _mass_of(table))[1]
    return cells


@kernel
def _mass_of(table):
    """The mass whose Poisson law a table holds: 0 to 31, then 0, 32, 64 ..."""
    return table if table < _DIGIT else (table - _DIGIT) * _DIGIT


@kernel
def tabulate(rate, tables, cuts, others):
    """Fill the alias tables of the Poisson laws of means rate * mass. Source: Walker 1977, Vose 1991.

    tables: float64 (3, 64), where a table starts in cuts, its length, and its first value. cuts, others: float64
    (cells,): a cell gives its own value below its cut, else the other one. Draws nothing.
    """
    at = np.int64(0)
    waiting = np.empty(_reach(rate * _mass_of(TABLES - 1))[1], np.int64)
    for table in range(TABLES):
        mean = rate * _mass_of(table)
        low, length = _reach(mean)
        tables[0, table] = at
        tables[1, table] = length
        tables[2, table] = low
        share, other = cuts[at : at + length], others[at : at + length]
        _masses(mean, low, share)
        _alias(share, other, waiting)
        for i in range(length):
            other[i] += low
        at += length


@kernel
def _masses(mean, low, share):
    """Poisson probabilities from `low` on times their number, from the mode outwards."""
    length = len(share)
    mode = min(max(np.int64(mean) - low, np.int64(0)), np.int64(length - 1))
    share[mode] = 1.0
    for i in range(mode + 1, length):
        share[i] = share[i - 1] * mean / (low + i)
    for i in range(mode - 1, -1, -1):
        share[i] = share[i + 1] * (low + i + 1) / mean
    total = 0.0
    for i in range(length):
        total += share[i]
    for i in range(length):
        share[i] *= length / total


@kernel
def _alias(share, other, waiting):
    """Turn shares, 1 on the average, into cuts and aliases.

    waiting: room for cells, those below 1 from the front, the others from the back.
    """
    length = len(share)
    few, many = 0, length
    for i in range(length):
        other[i] = i
        if share[i] < 1.0:
            waiting[few] = i
            few += 1
        else:
            many -= 1
            waiting[many] = i
    while few > 0 and many < length:
        few -= 1
        small, large = waiting[few], waiting[many]
        other[small] = large
        share[large] -= 1.0 - share[small]
        if share[large] < 1.0:
            waiting[few] = large
            few += 1
            many += 1
    for i in range(few):
        share[waiting[i]] = 1.0
    for i in range(many, length):
        share[waiting[i]] = 1.0


@borrowing
def _rejection(mean, c0, c1, c2, c3, k0, k1):
    """Poisson(mean >= 10); returns (int64, next free block). Source: Hörmann 1993 (transformed rejection)."""
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    squeeze = 0.9277 - 3.6224 / (b - 2.0)
    scale = 1.1239 + 1.1328 / (b - 3.4)
    log_mean = math.log(mean)
    while True:
        u, v = uniforms(c0, c1, c2, c3, k0, k1)
        c0 = c0 + ONE
        u -= 0.5
        distance = 0.5 - abs(u)
        k = math.floor((2.0 * a / distance + b) * u + mean + 0.43)
        if distance >= 0.07 and v <= squeeze:
            return np.int64(k), c0
        if k < 0.0 or (distance < 0.013 and v > distance):
            continue
        log_factorial = (k + 0.5) * math.log(k + 1.0) - (k + 1.0) + 0.9189385332046728 + stirling_tail(k)
        if math.log(v * scale / (a / (distance * distance) + b)) <= k * log_mean - mean - log_factorial:
            return np.int64(k), c0


@borrowing
def _bits(one, other, size, first, generation, replicate, stream, k0, k1):
    """Fill one[i] and other[i], i < size, with the uniforms of block first + i; both have room for 32 at a time."""
    replicates, streams = many(replicate), many(stream)
    for i in range(0, size, MANY):
        x, y = uniforms_of(upwards(first + np.uint64(i)), generation, replicates, streams, k0, k1)
        keep(one, i, x, MANY)
        keep(other, i, y, MANY)


@borrowing
def _look_up(masses, size, one, other, tables, cuts, others, counts):
    """Poisson counts of the last two digits of the masses; returns their sum. Draws nothing."""
    start, length, first = tables[0], tables[1], tables[2]
    for i in range(size):
        low, high = masses[i] & (_DIGIT - 1), ((masses[i] >> _BITS) & (_DIGIT - 1)) + _DIGIT
        x, y = one[i] * length[np.uint64(low)], other[i] * length[np.uint64(high)]
        m, n = float(np.int64(x)), float(np.int64(y))
        j, k = np.uint64(np.int64(start[np.uint64(low)] + m)), np.uint64(np.int64(start[np.uint64(high)] + n))
        a, b = first[np.uint64(low)] + m, first[np.uint64(high)] + n
        c, d = others[j], others[k]  # loaded in any case: a branch that chance decides costs more
        counts[i] = np.int64((a if x - m < cuts[j] else c) + (b if y - n < cuts[k] else d))
    total = np.int64(0)
    for i in range(size):
        total += counts[i]
    return total


@borrowing
def _top_up(counts, masses, whole, wanted, sums, room, generation, replicate, stream, k0, k1):
    """Add `wanted` points, each to a symbol by its mass. sums: float64 (2, symbols), used up."""
    symbols = len(masses)
    upto, guide = sums[0], sums[1]
    total = np.int64(0)
    slot = np.int64(0)
    slots = np.int64(max(1, symbols >> 1))
    step = whole / slots
    for i in range(symbols):
        total += masses[i]
        upto[i] = float(total)
        while slot < slots and slot * step < total:  # the symbol where this share of the mass begins
            guide[slot] = i
            slot += 1
    one, other = room[:_CHUNK], room[_CHUNK : 2 * _CHUNK]
    for begin in range(0, wanted, 2 * _CHUNK):
        held = min(2 * _CHUNK, wanted - begin)
        block = _TOP_UPS + np.uint64(begin // 2)
        _bits(one, other, (held + 1) // 2, block, generation, replicate, stream, k0, k1)
        for i in range(held):
            u = one[i // 2] if i % 2 == 0 else other[i // 2]
            symbol = np.int64(guide[min(np.int64(u * slots), slots - 1)])
            while upto[symbol] <= u * whole and symbol < symbols - 1:
                symbol += 1
            while symbol > 0 and upto[symbol - 1] > u * whole:
                symbol -= 1
            counts[symbol] += 1


@borrowing
def draw_counts(
    counts, masses, size, whole, rate, tables, cuts, others, sums, room, stream, generation, replicate, k0, k1
):
    """Fill counts int64 (symbols,) with a multinomial sample of `size`; masses, int64 (symbols,), come to `whole`.

    rate, tables, cuts, others: as `tabulate` made them; sums: float64 (2, symbols), used up, as is room (ROOM,).
    """
    symbols = np.int64(len(masses))
    one, other = room[:_CHUNK], room[_CHUNK : 2 * _CHUNK]
    first, rejected = np.uint64(0), _REJECTIONS
    total = size + 1
    while total > size:
        total = np.int64(0)
        for begin in range(0, symbols, _CHUNK):
            end = min(begin + _CHUNK, symbols)
            _bits(one, other, end - begin, first + np.uint64(begin), generation, replicate, stream, k0, k1)
            part = counts[begin:end]
            total += _look_up(masses[begin:end], end - begin, one, other, tables, cuts, others, part)
        for i in range(symbols):
            if masses[i] >= _DIGIT * _DIGIT:
                total -= counts[i]
                counts[i], rejected = _rejection(rate * masses[i], rejected, generation, replicate, stream, k0, k1)
                total += counts[i]
        first += np.uint64(symbols)
    _top_up(counts, masses, whole, size - total, sums, room, generation, replicate, stream, k0, k1)


def tables_for(symbols: int, size: int) -> tuple[float, Float, Float, Float]:
    """What draws `size` points from as many: rate, tables, cuts and aliases; empty where they are of no use."""
    if not worth(symbols, size):
        return 0.0, np.empty((3, TABLES)), np.empty(0), np.empty(0)
    rate = rate_of(size, size)
    cells = cells_of(rate)
    tables, cuts, others = np.empty((3, TABLES)), np.empty(cells), np.empty(cells)
    tabulate(rate, tables, cuts, others)
    return rate, tables, cuts, others
