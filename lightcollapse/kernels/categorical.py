"""The categorical recursion, its loop over generations inside: one replicate at a time, counts as the only state."""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import borrowing, inlined, kernel
from lightcollapse.kernels.rng import POOL, REAL_DATA, SYNTHETIC, binomial, hypergeometric, log_of, uniforms
from lightcollapse.schedule import ALL

_LANE_SHIFT = np.uint64(8)
_FAILURE = 0.1  # an edge case fails where the model gives less than this share of the source's probability
_INTERVAL = 0.9  # mass of the smallest set by which calibration and sharpness are measured
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
def _write(counts, size, mass, tail, points, stream, generation, replicate, k0, k1):
    """Draw `size` symbols with the given masses, by points or by counts."""
    total = 0.0
    for symbol in range(len(mass) - 1, -1, -1):
        total += mass[symbol]
        tail[symbol] = total
    if points:
        _draw_points(counts, mass, tail, size, stream, generation, replicate, k0, k1)
    else:
        _draw_counts(counts, mass, tail, size, stream, generation, replicate, k0, k1)


@inlined
def _log_ratio(p, s):
    """log of p / s, also where the ratio of a probability and a far smaller one leaves the range of floats."""
    within = (p < s * 1e300) & (p > s * 1e-300) & (s > 1e-300)
    return log_of(p / s) if within else math.log(p) - math.log(s)


@borrowing
def _threshold(values, size, wanted):
    """The least of the largest of values[:size] that together come to `wanted`: a weighted quickselect,
    which takes time in proportion to `size`. It reorders the values. Draws nothing.
    """
    low, high = 0, size
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


@borrowing
def _likeliest(probabilities, source, values, wanted):
    """Source's mass and number of symbols of the smallest set of symbols that holds `wanted` of the model's mass; of
    symbols at its edge that are equally likely, the mean. `values` is room for as many. Draws nothing.
    """
    size = _ZERO
    for symbol in range(len(source)):
        if probabilities[symbol] > 0.0:
            values[size] = probabilities[symbol]
            size += 1
    edge = _threshold(values, size, wanted)
    held, mass, inside, ties, tied = 0.0, 0.0, 0, 0, 0.0
    for symbol in range(len(source)):
        p = probabilities[symbol]
        if p > edge:
            held += p
            mass += source[symbol]
            inside += 1
        elif p == edge:
            ties += 1
            tied += source[symbol]
    needed = min(ties, max(0, math.ceil((wanted - held) / edge)))
    return mass + tied * needed / ties, float(inside + needed)


@borrowing
def measure(probabilities, source, order, rare, values, out, t):
    """Fill out[:, t] with heterozygosity, entropy, support, tail mass, total variation, KL(model || source),
    KL(source || model), in nats, the failures among edge cases, the rare symbols retained, calibration and sharpness;
    `order` lists the symbols, the `rare` rarest of the source first; `values` float64 (symbols,) is used up. Draws
    nothing.
    """
    squares = 0.0
    entropy = 0.0
    support = _ZERO
    distance = 0.0
    forward = 0.0
    reverse = 0.0
    for symbol in range(len(source)):
        p = probabilities[symbol]
        s = source[symbol]
        squares += p * p
        distance += abs(p - s)
        if p > 0.0:
            support += 1
            entropy -= p * _log_ratio(p, 1.0)
            if s > 0.0:
                ratio = _log_ratio(p, s)
                forward += p * ratio
                reverse -= s * ratio
            else:
                forward = np.inf
        elif s > 0.0:
            reverse = np.inf
    tail_mass = 0.0
    cases, failed, known, retained = 0.0, 0.0, 0, 0
    for i in range(rare):
        p = probabilities[order[i]]
        s = source[order[i]]
        tail_mass += p
        if s > 0.0:
            known += 1
            retained += 1 if p > 0.0 else 0
            cases += s
            failed += s if p < _FAILURE * s else 0.0
    calibration, sharpness = _likeliest(probabilities, source, values, _INTERVAL * (1.0 - 1e-12))
    out[0, t] = 1.0 - squares if support > 1 else 0.0
    out[1, t] = entropy
    out[2, t] = support
    out[3, t] = tail_mass
    out[4, t] = 0.5 * distance
    out[5, t] = forward
    out[6, t] = reverse
    out[7, t] = failed / cases if known > 0 else 0.0
    out[8, t] = retained / known if known > 0 else 1.0
    out[9, t] = calibration
    out[10, t] = sharpness


@kernel
def measure_lanes(models, source, order, rare, out):
    """`measure` of each lane's law, models float64 (lanes, symbols), into out float64 (11, lanes). Draws nothing."""
    values = np.empty(len(source))
    for lane in range(len(models)):
        measure(models[lane], source, order, rare, values, out, lane)


@kernel
def invert(tails, out):
    """Replace uniforms in out, float64 (lanes, count), by symbols, as `_draw_points` does.

    tails: float64 (lanes, symbols), the sum of a lane's probabilities from each symbol on. Draws nothing.
    """
    for lane in range(len(out)):
        for i in range(out.shape[1]):
            out[lane, i] = _symbol_of(tails[lane], out[lane, i])


@borrowing
def _generations(
    schedule, weights, smoothing, points, source, order, rare, replicate, k0, k1, out, batches, urns, sizes, parts,
    numbers,
):  # fmt: skip
    """`recursion`, with room for its counts, and for the model, its tail sums and what `measure` uses up."""
    generations = len(schedule)
    symbols = len(source)
    first, pool = urns[0], urns[1]
    model, tail, values = numbers[0], numbers[1], numbers[2]
    available = np.int64(0)
    left = np.int64(0)
    for symbol in range(symbols):
        model[symbol] = source[symbol]
    measure(model, source, order, rare, values, out, _ZERO)

    for t in range(1, generations + 1):
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
                _write(counts, drawn, source if real else model, tail, points, stream, generation, replicate, k0, k1)
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
                            gone = first[symbol] if left == 0 else batches[left % len(batches), symbol]
                            pool[symbol] -= gone
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
        measure(model, source, order, rare, values, out, t)


@kernel
def recursion(schedule, weights, smoothing, points, source, order, rare, replicate, k0, k1, out):
    """Run one replicate through all generations.

    Args:
        schedule: int64 (generations, 6), the integer columns of the recipe in order (size .. take).
        weights: float64 (generations,), weight of the real part in the fit, NaN where pooled.
        smoothing: float64, added to every count in the fit.
        points: True draws every point, False counts.
        source: float64 (symbols,), the law of real data.
        order, rare: int64 (symbols,) and int64, see `measure`.
        replicate, k0, k1: uint64.
        out: float64 (11, generations + 1), filled by `measure`.
    """
    generations = len(schedule)
    symbols = len(source)
    window = 1  # batches of the pool that must be kept apart, because they leave it again
    for t in range(2, generations + 1):
        if t < generations and schedule[t, 4] > schedule[t - 1, 4]:
            window = max(window, t - schedule[t - 1, 4])
    batches = np.zeros((window + 1, symbols), np.int64)
    urns = np.zeros((2, symbols), np.int64)  # the first real sample, and the pool
    sizes = np.zeros(generations + 1, np.int64)
    parts = np.zeros((2, symbols), np.int64)  # real and synthetic counts of a training set
    numbers = np.empty((3, symbols))
    _generations(
        schedule, weights, smoothing, points, source, order, rare, replicate, k0, k1, out, batches, urns, sizes, parts,
        numbers,
    )  # fmt: skip


@kernel
def recursions(schedule, weights, smoothing, points, source, order, rare, replicates, k0, k1, out):
    """`recursion` of each replicate, uint64 (replicates,), into out float64 (replicates, 11, generations + 1)."""
    for i in range(len(replicates)):
        recursion(schedule, weights, smoothing, points, source, order, rare, replicates[i], k0, k1, out[i])
