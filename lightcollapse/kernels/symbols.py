"""What is measured of a law over symbols, beside the law that it started from.

Passes are cut into blocks of _WIDTH symbols, and each sum is kept as that many, one a place in the block: no sum waits
for the one before, so that logarithms and sums are vectors. They are added up at the end.
"""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import borrowing, inlined, lent
from lightcollapse.kernels.normals import logs_of
from lightcollapse.kernels.rng import log_of
from lightcollapse.kernels.vectors import MANY, as_numbers, as_words, chosen, fused, keep, larger, load_many, many

_FAILURE = 0.1  # an edge case fails where the model gives less than this share of the source's probability
_INTERVAL = 0.9 * (1.0 - 1e-12)  # mass of the smallest set by which calibration and sharpness are measured
_ZERO = np.int64(0)
_WIDTH = np.int64(256)
_SUMS = np.int64(10)
_BUCKETS = np.int64(512)  # of probabilities from 1 down to 2^-32, 16 to each factor of 2; all below share the last
_TURNS = np.int64(4)  # sums of each bucket: neighbours, which are often alike, would wait for one another
_KEY_SHIFT = np.int64(48)
_KEY_OF_ONE = np.int64(0x3FF << 4)
_LAST = np.int64(_BUCKETS - 1)
_FEW = np.int64(512)  # symbols up to which a selection among all is faster than buckets
_LEAST = 5e-324
_MANY = np.int64(MANY)
_0, _1, _2, _3, _4, _5, _6, _7, _8, _9 = np.arange(_SUMS)
_NO_SIGN, _SIGN = np.uint64(2**63 - 1), np.uint64(63)
ROOM = int((_SUMS + 2) * _WIDTH + _TURNS * _BUCKETS)  # numbers that `measure` needs beside three a symbol


@inlined
def _log_ratio(p, s):
    """log of p / s, also where the ratio of a probability and a far smaller one leaves the range of floats."""
    within = (p < s * 1e300) & (p > s * 1e-300) & (s > 1e-300)
    return log_of(p / s) if within else math.log(p) - math.log(s)


@borrowing
def _exact(p, marked, size):
    """Entropy and both divergences, symbol by symbol: for probabilities so small that a ratio leaves the range of
    floats. Draws nothing.
    """
    entropy, forward, reverse = 0.0, 0.0, 0.0
    for i in range(size):
        s = abs(marked[i])
        if p[i] > 0.0:
            entropy -= p[i] * _log_ratio(p[i], 1.0)
            if s > 0.0:
                ratio = _log_ratio(p[i], s)
                forward += p[i] * ratio
                reverse -= s * ratio
            else:
                forward = np.inf
        elif s > 0.0:
            reverse = np.inf
    return entropy, forward, reverse


@borrowing
def _threshold(values, size, wanted):
    """The least of the largest of values[:size] that together come to `wanted`: a weighted quickselect,
    which takes time in proportion to `size`. It reorders the values. Draws nothing.
    """
    low, high = _ZERO, size
    held = 0.0
    while high - low > 1:
        a, b, c = values[low], values[(low + high) >> 1], values[high - 1]
        pivot = max(min(a, b), min(max(a, b), c))
        above, at, below = low, low, high  # values above the pivot, equal to it, not seen yet, below it
        mass = 0.0
        while at < below:
            value = values[at]
            if value > pivot:
                values[at] = values[above]
                values[above] = value
                mass += value
                above += 1
                at += 1
            elif value < pivot:
                below -= 1
                values[at] = values[below]
                values[below] = value
            else:
                at += 1
        if held + mass >= wanted:
            high = above
        elif held + mass + pivot * (below - above) >= wanted or below == high:
            return pivot
        else:
            held += mass + pivot * (below - above)
            low = below
    return values[low]


@inlined
def _place(p):
    """Where a probability lies: the likelier, the lower. Draws nothing."""
    return min(max(_KEY_OF_ONE - (np.float64(p).view(np.int64) >> _KEY_SHIFT), _ZERO), _LAST)


@borrowing
def _throw(p, masses, places, size):
    """Add a block of `size` probabilities to masses (_BUCKETS, _TURNS), flat, by their places. Draws nothing."""
    for i in range(size):
        places[i] = _TURNS * _place(p[i]) + (i & (_TURNS - 1))
    for i in range(size):
        masses[np.uint64(places[i])] += p[i]


@borrowing
def _sift(p, marked, size, low, high, sums, mine, theirs):
    """Of a block, add what is at least `high` to sums (3, _WIDTH): mass, the source's and number; put what is at least
    `low` and below `high` into mine and theirs. Returns how many those are. Draws nothing.
    """
    for i in range(size):
        above = p[i] >= high
        sums[0, i] += p[i] if above else 0.0
        sums[1, i] += abs(marked[i]) if above else 0.0
        sums[2, i] += 1.0 if above else 0.0
    chosen = np.uint64(0)
    for i in range(size):
        mine[chosen] = p[i]
        theirs[chosen] = abs(marked[i])
        chosen += np.uint64((p[i] >= low) & (p[i] < high))
    return np.int64(chosen)


@inlined
def _bucket(masses, bucket):
    """Mass of a bucket. Draws nothing."""
    at = _TURNS * bucket
    return (masses[at] + masses[at + 1]) + (masses[at + 2] + masses[at + 3])


@borrowing
def _edge(masses):
    """Between what and below what the edge of the smallest set lies that holds _INTERVAL of the model's mass."""
    held = 0.0
    edge = _ZERO
    mass = _bucket(masses, edge)
    while edge < _LAST and held + mass < _INTERVAL:
        held += mass
        edge += 1
        mass = _bucket(masses, edge)
    low = np.int64((_KEY_OF_ONE - edge) << _KEY_SHIFT).view(np.float64) if edge < _LAST else _LEAST
    high = np.int64((_KEY_OF_ONE - edge + 1) << _KEY_SHIFT).view(np.float64) if edge > 0 else np.inf
    return low, high


@borrowing
def _likeliest(p, marked, size, masses, sums, rows):
    """Source's mass and number of symbols of the smallest set of symbols that holds _INTERVAL of the model's mass; of
    symbols at its edge that are equally likely, the mean.

    masses: what `_throw` made. The edge lies in one of these buckets, and is selected there. Draws nothing.
    """
    mine, theirs, values = rows[0], rows[1], rows[2]
    low, high = _edge(masses) if size > _FEW else (_LEAST, np.inf)
    for k in range(3):
        for i in range(min(size, _WIDTH)):
            sums[k, i] = 0.0
    chosen = _ZERO
    for begin in range(0, size, _WIDTH):
        end = min(begin + _WIDTH, size)
        chosen += _sift(p[begin:end], marked[begin:end], end - begin, low, high, sums, mine[chosen:], theirs[chosen:])
    held, mass, inside = 0.0, 0.0, 0.0
    for i in range(min(size, _WIDTH)):
        held += sums[0, i]
        mass += sums[1, i]
        inside += sums[2, i]
    for i in range(chosen):
        values[i] = mine[i]
    least = _threshold(values, chosen, _INTERVAL - held)
    ties, tied = 0.0, 0.0
    for i in range(chosen):
        above, at = mine[i] > least, mine[i] == least
        held += mine[i] if above else 0.0
        mass += theirs[i] if above else 0.0
        inside += 1.0 if above else 0.0
        ties += 1.0 if at else 0.0
        tied += theirs[i] if at else 0.0
    needed = min(ties, max(0.0, math.ceil((_INTERVAL - held) / least)))
    return mass + tied * needed / ties, inside + needed


@lent
def _add(sums, row, at, more):
    """Add 32 numbers to those of a row of sums (_SUMS, _WIDTH)."""
    place = row * _WIDTH + at
    keep(sums, place, load_many(sums, place) + more, _MANY)


@lent
def _add_product(sums, row, at, one, other):
    """Add 32 products to the numbers of a row of sums (_SUMS, _WIDTH)."""
    place = row * _WIDTH + at
    keep(sums, place, fused(one, other, load_many(sums, place)), _MANY)


@borrowing
def _pass(p, marked, log_s, first, size, sums, at):
    """Add `size` symbols from `first` on, a multiple of 32, to sums (_SUMS, _WIDTH) from place `at` on; sums[0] counts
    ratios that leave the range of floats. A symbol of no probability, of which the source has none, adds nothing.
    """
    none, one, endless = many(0.0), many(1.0), many(np.inf)
    for i in range(0, size, _MANY):
        q, signed, log_q = load_many(p, first + i), load_many(marked, first + i), load_many(log_s, first + i)
        s = as_numbers(as_words(signed) & _NO_SIGN)
        tail = as_words(signed) >> _SIGN
        ratio = larger(q, none, q, one) / larger(s, none, s, one)
        above, below = many(1e-300), many(1e300)
        log = logs_of(larger(ratio, above, larger(below, ratio, ratio, one), one))
        forward, reverse = q * log, s * log
        alive = larger(q, none, one, none)
        place = at + i
        _add(sums, _0, place, larger(ratio, above, larger(below, ratio, none, one), one))
        _add_product(sums, _1, place, q, q)
        _add_product(sums, _2, place, q, log + log_q)
        _add(sums, _3, place, alive)
        _add(sums, _4, place, as_numbers(as_words(q - s) & _NO_SIGN))
        _add(sums, _5, place, larger(s, none, forward, larger(q, none, endless, forward)))
        _add(sums, _6, place, larger(q, none, reverse, larger(s, none, none - endless, reverse)))
        _add(sums, _7, place, chosen(tail, q, none))
        _add(sums, _8, place, chosen(tail, larger(_FAILURE * s, q, s, none), none))
        _add(sums, _9, place, chosen(tail, larger(s, none, alive, none), none))


@borrowing
def _end(numbers, out, begin, end):
    """Copy what is left from `begin` on to the front of out (32,), the rest of which is 0. Draws nothing."""
    for i in range(_MANY):
        out[i] = numbers[begin + i] if begin + i < end else 0.0


@borrowing
def measure(p, source, size, gone, rows, room, out, t):
    """Fill out[:, t] with heterozygosity, entropy, support, tail mass, total variation, KL(model || source),
    KL(source || model), in nats, the failures among edge cases, the rare symbols retained, calibration and sharpness.

    p: float64, the model's probabilities of `size` symbols. source: float64 (2, symbols), the source's, with a minus
    sign in its tail, and their logarithms, 0 where there is none. gone: float64 (4,), mass in the source of the symbols
    that the model has lost and that are left out, and of those of its tail; mass of its whole tail, and how many of the
    tail's symbols it has. rows: float64 (3, symbols), used up, as is room (ROOM,). Draws nothing.
    """
    marked, log_s = source[0], source[1]
    sums = room[: _SUMS * _WIDTH]
    ends, places = room[_SUMS * _WIDTH : (_SUMS + 1) * _WIDTH], room[(_SUMS + 1) * _WIDTH : (_SUMS + 2) * _WIDTH]
    masses = room[(_SUMS + 2) * _WIDTH :]
    width = min(size, _WIDTH)
    for k in range(_SUMS):
        for i in range((width + _MANY - 1) // _MANY * _MANY):
            sums[k * _WIDTH + i] = 0.0
    for b in range(_TURNS * _BUCKETS if size > _FEW else _ZERO):
        masses[b] = 0.0
    for begin in range(0, size, _WIDTH):
        end = min(begin + _WIDTH, size)
        whole = (end - begin) // _MANY * _MANY
        _pass(p, marked, log_s, begin, whole, sums, _ZERO)
        if begin + whole < end:
            _end(p, ends[:_MANY], begin + whole, end)
            _end(marked, ends[_MANY : 2 * _MANY], begin + whole, end)
            _end(log_s, ends[2 * _MANY : 3 * _MANY], begin + whole, end)
            _pass(ends[:_MANY], ends[_MANY:], ends[2 * _MANY :], _ZERO, _MANY, sums, whole)
        if size > _FEW:
            _throw(p[begin:end], masses, places.view(np.int64), end - begin)
    for k in range(_SUMS):
        total = 0.0
        for i in range(width):
            total += sums[k * _WIDTH + i]
        sums[k] = total
    entropy, forward, reverse = 0.0 - sums[2], sums[5], 0.0 - sums[6]
    if sums[0] > 0.0:
        entropy, forward, reverse = _exact(p, marked, size)
    support, known = sums[3], gone[3]
    out[0, t] = 1.0 - sums[1] if support > 1.0 else 0.0
    out[1, t] = entropy if support > 1.0 else 0.0
    out[2, t] = support
    out[3, t] = sums[7]
    out[4, t] = 0.5 * (sums[4] + gone[0])
    out[5, t] = forward
    out[6, t] = reverse if gone[0] == 0.0 else np.inf
    out[7, t] = (sums[8] + gone[1]) / gone[2] if known > 0.0 else 0.0
    out[8, t] = sums[9] / known if known > 0.0 else 1.0
    out[9, t], out[10, t] = _likeliest(p, marked, size, masses, sums.reshape((_SUMS, _WIDTH)), rows)
