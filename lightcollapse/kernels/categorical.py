"""The categorical recursion, its loop over generations inside: one replicate at a time, counts as the only state."""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import borrowing, inlined, kernel
from lightcollapse.kernels.rng import POOL, REAL_DATA, SYNTHETIC, binomial, hypergeometric, uniforms
from lightcollapse.kernels.symbols import ROOM, measure
from lightcollapse.schedule import ALL

_LANE_SHIFT = np.uint64(8)
_ZERO = np.int64(0)  # typed: a literal in a call would compile the callee once more


@borrowing
def _draw_counts(counts, mass, tail, size, stream, generation, replicate, k0, k1):
    """Fill `counts` with a multinomial sample of `size` by conditional binomials: exact, one draw a symbol.

    mass: float64 (symbols,), unnormalised; tail: float64 (symbols,), the sum of `mass` from that symbol on.
    """
    block = np.uint64(0)
    left = size
    for symbol in range(len(mass)):
        if left == 0 or mass[symbol] == 0.0:
            counts[symbol] = 0
            continue
        counts[symbol], block = binomial(
            left, mass[symbol] / tail[symbol], block, generation, replicate, stream, k0, k1
        )
        left -= counts[symbol]


@inlined
def _symbol_of(tail, u):
    """The last symbol whose tail, the sum of masses from it on, is at least the share u of the whole."""
    above = u * tail[0]
    low, high = 0, len(tail) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if tail[middle] >= above:
            low = middle
        else:
            high = middle - 1
    while low > 0 and tail[low] == (tail[low + 1] if low + 1 < len(tail) else 0.0):  # a tie at a symbol of no mass
        low -= 1
    return low


@borrowing
def _draw_points(counts, mass, tail, size, stream, generation, replicate, k0, k1):
    """The same, each point drawn by itself through the inverse of the distribution function."""
    for symbol in range(len(mass)):
        counts[symbol] = 0
    spare = 0.0
    for i in range(size):
        if i % 2 == 0:
            u, spare = uniforms(np.uint64(i // 2), generation, replicate, stream, k0, k1)
        else:
            u = spare
        counts[_symbol_of(tail, u)] += 1


@borrowing
def _take(chosen, pool, available, size, role, generation, replicate, k0, k1):
    """Add to `chosen` a sample of `size` of the `available` points counted in `pool`, without replacement."""
    block = np.uint64(0)
    left = size
    rest = available
    stream = POOL | (np.uint64(role) << _LANE_SHIFT)
    for symbol in range(len(pool)):
        if left == 0:
            break
        rest -= pool[symbol]
        count, block = hypergeometric(pool[symbol], rest, left, block, generation, replicate, stream, k0, k1)
        chosen[symbol] += count
        left -= count


@borrowing
def _alone(counts, mass, tail, size):
    """Whether a single symbol has any mass; it then has all the points, and nothing is drawn."""
    symbol = _ZERO
    while symbol < len(mass) - 1 and mass[symbol] == 0.0:
        symbol += 1
    if symbol < len(mass) - 1 and tail[symbol + 1] > 0.0:
        return False
    for other in range(len(mass)):
        counts[other] = 0
    counts[symbol] = size
    return True


@borrowing
def write(counts, size, mass, tail, points, stream, generation, replicate, k0, k1):
    """Draw `size` symbols with the given masses, by points or by counts."""
    total = 0.0
    for symbol in range(len(mass) - 1, -1, -1):
        total += mass[symbol]
        tail[symbol] = total
    if _alone(counts, mass, tail, size):
        return
    if points:
        _draw_points(counts, mass, tail, size, stream, generation, replicate, k0, k1)
    else:
        _draw_counts(counts, mass, tail, size, stream, generation, replicate, k0, k1)


@kernel
def measure_lanes(models, source, gone, out):
    """`measure` of each lane's law, models float64 (lanes, symbols), into out float64 (11, lanes). Draws nothing."""
    symbols = models.shape[1]
    rows, room = np.empty((3, symbols)), np.empty(ROOM)
    for lane in range(len(models)):
        measure(models[lane], source, symbols, gone, rows, room, out, lane)


@kernel
def invert(tails, out):
    """Replace uniforms in out, float64 (lanes, count), by symbols, as `_draw_points` does.

    tails: float64 (lanes, symbols), the sum of a lane's probabilities from each symbol on. Draws nothing.
    """
    for lane in range(len(out)):
        for i in range(out.shape[1]):
            out[lane, i] = _symbol_of(tails[lane], out[lane, i])


@borrowing
def generations(
    schedule, weights, smoothing, points, law, source, gone, replicate, k0, k1, out, batches, urns, sizes, parts,
    numbers, room, begin,
):  # fmt: skip
    """The generations before `begin` of one replicate, uint64, as `recursions` runs them; returns the size of the last
    training set, whose counts are the sum of parts. What follows `out` is used up, see `rooms`.
    """
    symbols = len(law)
    first, pool = urns[0], urns[-1]
    model, tail, rows = numbers[0], numbers[1], numbers[1:4]
    whole = _ZERO
    available = np.int64(0)
    left = np.int64(0)
    for symbol in range(symbols):
        model[symbol] = law[symbol]
    measure(model, source, symbols, gone, rows, room, out, _ZERO)

    for t in range(1, begin):
        generation = np.uint64(t)
        oldest = schedule[t - 1, 4]
        totals = (np.int64(0), np.int64(0))
        for role in range(2):  # one place for both roles: the compiler then sees each sampler once
            real = role == 0
            part = parts[role]
            drawn = schedule[t - 1, 1] if real else schedule[t - 1, 3]
            counts = part if real else batches[(t - 1) % len(batches)]
            for symbol in range(symbols):
                counts[symbol] = 0
            if drawn > 0:
                stream = REAL_DATA if real else SYNTHETIC
                write(counts, drawn, law if real else model, tail, points, stream, generation, replicate, k0, k1)
            if real and t == 1:
                sizes[0] = drawn
                available = drawn
                for symbol in range(symbols):
                    first[symbol] = counts[symbol]
                    pool[symbol] = counts[symbol]
            if not real:
                for symbol in range(symbols):
                    part[symbol] = 0
                if t > 1:
                    sizes[t - 1] = drawn
                    available += drawn
                    for symbol in range(symbols):
                        pool[symbol] += counts[symbol]
                    while left < oldest:
                        available -= sizes[left]
                        for symbol in range(symbols):
                            leaving = first[symbol] if left == 0 else batches[left % len(batches), symbol]
                            pool[symbol] -= leaving
                        left += 1
            reused = schedule[t - 1, 2] if real else schedule[t - 1, 5]
            urn = first if real else pool
            held = sizes[0] if real else available
            if reused == ALL:
                for symbol in range(symbols):
                    part[symbol] += urn[symbol]
                reused = held
            elif reused > 0:
                _take(part, urn, held, reused, role, generation, replicate, k0, k1)
            total = reused + (drawn if real else 0)
            totals = (total, totals[1]) if real else (totals[0], total)
        weight = weights[t - 1]
        pooled = math.isnan(weight)
        size = totals[0] + totals[1] + smoothing * symbols
        for symbol in range(symbols):
            if pooled:
                model[symbol] = (parts[0, symbol] + parts[1, symbol] + smoothing) / size
            else:
                written = parts[1, symbol] / totals[1]
                mixed = written + weight * (parts[0, symbol] / totals[0] - written)  # 1 where both are
                model[symbol] = min(1.0, mixed)
        measure(model, source, symbols, gone, rows, room, out, t)
        whole = totals[0] + totals[1]
    return whole


@kernel
def rooms(schedule, symbols, begin):
    """Room for batches that leave the pool again, the first real sample and the pool, sizes of batches, the real and
    the synthetic counts of a training set, the model and three rows more, and what `measure` needs, for the generations
    before `begin`.
    """
    window = 1
    for t in range(2, len(schedule) + 1):
        if t < len(schedule) and schedule[t, 4] > schedule[t - 1, 4]:
            window = max(window, t - schedule[t - 1, 4])
    return (
        np.empty((window + 1 if begin > 2 else 1, symbols), np.int64),
        np.empty((2 if begin > 2 else 1, symbols), np.int64),
        np.zeros(len(schedule) + 1, np.int64),
        np.empty((2, symbols), np.int64),
        np.empty((4, symbols)),
        np.empty(ROOM),
    )


@kernel
def recursions(schedule, weights, smoothing, points, law, source, gone, replicates, k0, k1, out):
    """Run replicates through all generations, one after another.

    Args:
        schedule: int64 (generations, 6), the integer columns of the recipe in order (size .. take).
        weights: float64 (generations,), weight of the real part in the fit, NaN where pooled.
        smoothing: float64, added to every count in the fit.
        points: True draws every point, False counts.
        law: float64 (symbols,), the law of real data.
        source, gone: the same as `measure` takes it, float64 (2, symbols) and (4,).
        replicates: uint64 (replicates,).
        k0, k1: uint64.
        out: float64 (replicates, 11, generations + 1), filled by `measure`.
    """
    end = np.int64(len(schedule) + 1)
    batches, urns, sizes, parts, numbers, room = rooms(schedule, np.int64(len(law)), end)
    for i in range(len(replicates)):
        generations(
            schedule, weights, smoothing, points, law, source, gone, replicates[i], k0, k1, out[i], batches, urns,
            sizes, parts, numbers, room, end,
        )  # fmt: skip
