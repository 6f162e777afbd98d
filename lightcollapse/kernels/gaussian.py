"""The Gaussian recursion, its loop over generations inside: a block of replicates, one lane each.

The inner loop always runs over the lanes, so that random bits, logarithms and sums are vectorised across replicates.
Moments are of standardised draws and shifted after: a chain near collapse loses no digits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import borrowing
from lightcollapse.kernels.normals import keep_last, normals_and_pairs, pairs_of, uniforms_of
from lightcollapse.kernels.rng import ONE, POOL, REAL_DATA, SYNTHETIC, gamma, log_of, uniforms
from lightcollapse.kernels.vectors import MANY, fused, keep, load_many, many, room
from lightcollapse.schedule import ALL

Float = NDArray[np.float64]

_LANE_SHIFT = np.uint64(8)
_FIRST = np.int64(0)  # typed: a literal in a call would compile the callee once more
_MANY = np.int64(MANY)
_PAIR = np.int64(1)
_NOTHING = np.uint64(0)
_LEAST = 2.0**-1000  # a variance below which products would lose digits, and then everything
LANES_OF_POINTS, LANES_OF_SUMS = 64, 256
_RECENT = np.uint64(64)  # generations that are written to the record at once: several cache lines
_APART = 8  # numbers more a row: a column of rows of 2 KiB would lie in two sets of the first-level cache
CHUNK = 64  # rows of a buffer of draws: 64 rows x 64 lanes x 8 bytes stay in the second-level cache


@borrowing
def _fill(rows, pairs, first, generation, stream, lanes, k0, k1, places):
    """Fill the first 2 * pairs of `rows` float64 (.., lanes) with normals from blocks first .. first + pairs - 1, below
    those of their angles' cosines those of the sines.

    All rows are one run of numbers, so that few replicates cost as much a number as many. `places` is that of `work`.
    """
    size = pairs * lanes
    replicates, rows_after = places
    streams = many(stream)
    pair = pairs_of(load_many(rows_after, _FIRST) + first, generation, load_many(replicates, _FIRST), streams, k0, k1)
    for at in range(_MANY, size, MANY):
        row = at // lanes
        lane = at - row * lanes
        block = load_many(rows_after, lane) + (first + np.uint64(row))
        x, y, pair = normals_and_pairs(pair, block, generation, load_many(replicates, lane), streams, k0, k1)
        keep(rows, at - MANY, x, _MANY)
        keep(rows, size + at - MANY, y, _MANY)
    keep_last(pair, rows.reshape(-1), size)


@borrowing
def _merge(count, mean, squares, more, more_mean, more_squares):
    """Add a group of `more` points to a group of `count`, lane by lane: Chan, Golub and LeVeque 1983."""
    total = count + more
    if more == 0:
        return total
    share = more / total
    cross = count * share
    for lane in range(len(mean)):
        shift = more_mean[lane] - mean[lane]
        mean[lane] += shift * share
        squares[lane] += more_squares[lane] + shift * shift * cross
    return total


@borrowing
def _points(count, generation, stream, replicates, k0, k1, mean, squares, kept, offset, work):
    """Mean and sum of squares about it of `count` standard normals a lane, every one drawn.

    Where `kept` has rows, the draws are written there from row `offset` on.
    """
    lanes = len(replicates)
    rows, places, part, part_squares = work
    for lane in range(lanes):
        mean[lane] = 0.0
        squares[lane] = 0.0
    done = np.int64(0)
    while done < count:
        size = min(2 * CHUNK, count - done)
        _fill(rows, (size + 1) // 2, np.uint64(done // 2), generation, stream, lanes, k0, k1, places)
        for group in range(0, lanes, MANY):
            total = many(0.0)
            for i in range(size):
                total = total + load_many(rows, i * lanes + group)
            middle = total / float(size)
            total = many(0.0)
            for i in range(size):
                distance = load_many(rows, i * lanes + group) - middle
                total = fused(distance, distance, total)
            keep(part, group, middle, lanes - group)
            keep(part_squares, group, total, lanes - group)
        if len(kept) > 0:
            for i in range(size):
                for lane in range(lanes):
                    kept[offset + done + i, lane] = rows[i, lane]
        _merge(done, mean, squares, size, part, part_squares)
        done += size


@borrowing
def _statistics(count, generation, stream, replicates, k0, k1, mean, squares, work):
    """The same two numbers in law: a normal over sqrt(count), and a chi-square with count - 1 degrees of freedom.

    The chi-square is twice a gamma variate from a cubed normal (Marsaglia and Tsang 2000). Their first trial accepts
    where log u < h, and with y = c x is h = d (9/2 y^2 + 1 - (1 + y)^3 + 3 log(1 + y)) = -3/4 d y^4 (1 - 4/5 y + ...),
    above -1.3 d y^4 for y > -1/2, while log(1 - z) < -z: so most lanes are accepted side by side without a logarithm.
    The few others go on by themselves.
    """
    lanes = len(replicates)
    rows, places, uniform, _ = work
    _fill(rows, _PAIR, _NOTHING, generation, stream, lanes, k0, k1, places)
    root = math.sqrt(count)
    for lane in range(lanes):
        mean[lane] = rows[0, lane] / root
        squares[lane] = rows[1, lane] * rows[1, lane] if count > 1 else 0.0
    if count < 3:
        return
    shape = 0.5 * (count - 1)
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    for group in range(0, lanes, MANY):
        u, _ = uniforms_of(many(ONE), generation, load_many(places, group), many(stream), k0, k1)
        keep(uniform, group, u, lanes - group)
    steep = 1.3 * d
    for lane in range(lanes):
        y = c * rows[1, lane]
        v = 1.0 + y
        square = y * y
        sure = (uniform[lane] < 1.0 - steep * square * square) & (y > -0.5)
        squares[lane] = 2.0 * d * (v * v * v) if sure else -1.0
    for lane in range(lanes):
        if squares[lane] < 0.0:
            squares[lane] = 2.0 * _slow_gamma(
                shape, rows[1, lane], uniform[lane], generation, replicates[lane], stream, k0, k1
            )


@borrowing
def _slow_gamma(shape, x, uniform, generation, replicate, stream, k0, k1):
    """The gamma variate of a first trial, of a normal x and a uniform, or of those that follow it."""
    d = shape - 1.0 / 3.0
    v = 1.0 + 1.0 / math.sqrt(9.0 * d) * x
    cube = v * v * v
    bound = 0.5 * x * x + d - d * cube + d * log_of(max(cube, 1e-300))
    if (v > 0.0) & (log_of(uniform) < bound):
        return d * cube
    value, _ = gamma(shape, ONE + ONE, generation, replicate, stream, k0, k1)
    return value


@borrowing
def _choose(pool, first, size, take, lane, order, generation, replicate, role, k0, k1):
    """Mean and squares of `take` of the pool's points first .. first + size - 1, without replacement.

    `order` is 0, 1, .. and scratch: the partial shuffle is undone, so that it costs what is taken, not what it is taken
    from, and a replicate never depends on its neighbours.
    """
    place, partner = order
    stream = POOL | (np.uint64(role) << _LANE_SHIFT)
    mean = 0.0
    squares = 0.0
    for i in range(take):
        u, v = uniforms(np.uint64(i // 2), generation, replicate, stream, k0, k1)
        j = i + np.int64((u if i % 2 == 0 else v) * (size - i))
        place[i], place[j] = place[j], place[i]
        partner[i] = j
        point = pool[first + place[i], lane]
        shift = point - mean
        mean += shift / (i + 1)
        squares += shift * (point - mean)
    for i in range(take):
        place[i] = i
        place[partner[i]] = partner[i]
    return mean, squares


@borrowing
def _chosen(pool, first, size, take, order, generation, replicates, role, k0, k1, mean, squares):
    """`_choose` for every lane."""
    for lane in range(len(replicates)):
        mean[lane], squares[lane] = _choose(
            pool, first, size, take, lane, order, generation, replicates[lane], role, k0, k1
        )


@borrowing
def _copy(target, source):
    """Copy (rows, lanes); a plain loop compiles many times faster than an assignment of slices."""
    for row in range(source.shape[0]):
        for lane in range(source.shape[1]):
            target[row, lane] = source[row, lane]


@borrowing
def _clear(group):
    """Set (rows, lanes) to zero."""
    for row in range(group.shape[0]):
        for lane in range(group.shape[1]):
            group[row, lane] = 0.0


@borrowing
def _record(out, first, t, model, recent):
    """Write mean and spread of the model into column t of out (2, replicates, generations + 1), from row `first` on,
    by way of `recent` (2, _RECENT or all generations, more than lanes): written alone, each number would touch a cache
    line of its own.

    Unsigned indices, which cannot count from the end: the compiler leaves out what would look for that.
    """
    at = np.uint64(t) % _RECENT
    start = np.uint64(t) - at
    for row in range(len(recent)):
        for lane in range(model.shape[1]):
            recent[row, at, lane] = model[2 * row, lane]
    if at + ONE == _RECENT:
        for row in range(len(recent)):
            for lane in range(model.shape[1]):
                for i in range(_RECENT):
                    out[row, first + lane, start + i] = recent[row, i, lane]
    elif t == out.shape[2] - 1:
        for row in range(len(recent)):
            for lane in range(model.shape[1]):
                for i in range(at + ONE):
                    out[row, first + lane, start + i] = recent[row, i, lane]


@borrowing
def _write(group, count, generation, stream, model, draws, points, moments, kept, offset):
    """Let `model`, float64 (3, lanes) of mean, variance and spread, write `count` points.

    Standardised mean and squares go to `moments` (2, lanes), shifted and scaled ones to `group` (2, lanes), and the
    points themselves to `kept` from row `offset` on, where it has rows.
    """
    replicates, k0, k1, work = draws
    if points:
        _points(count, generation, stream, replicates, k0, k1, moments[0], moments[1], kept, offset, work)
    else:
        _statistics(count, generation, stream, replicates, k0, k1, moments[0], moments[1], work)
    for lane in range(len(replicates)):
        scale = math.sqrt(model[1, lane])
        group[0, lane] = model[0, lane] + scale * moments[0, lane]
        group[1, lane] = model[1, lane] * moments[1, lane]
        if len(kept) > 0:
            for i in range(offset, offset + count):
                kept[i, lane] = model[0, lane] + scale * kept[i, lane]


@borrowing
def _fit_pooled(model, divisor, synthetic, pooled, real, real_group):
    """Mean and variance of the union of both groups, every point with the same weight."""
    _merge(synthetic, pooled[0], pooled[1], real, real_group[0], real_group[1])
    for lane in range(model.shape[1]):
        model[0, lane] = pooled[0, lane]
        model[1, lane] = pooled[1, lane] / divisor
        model[2, lane] = _spread(model[1, lane])


@borrowing
def _fit_weighted(model, weight, synthetic, pooled, real, real_group):
    """Mean and variance of the mixture that gives `weight` to the real group and the rest to the synthetic one."""
    for lane in range(model.shape[1]):
        shift = real_group[0, lane] - pooled[0, lane]
        model[0, lane] = pooled[0, lane] + weight * shift
        model[1, lane] = (
            weight * real_group[1, lane] / real
            + (1.0 - weight) * pooled[1, lane] / synthetic
            + weight * (1.0 - weight) * shift * shift
        )
        model[2, lane] = _spread(model[1, lane])


@borrowing
def _spread(variance):
    """What is recorded: the variance, or its logarithm, which is negative, where it is below _LEAST."""
    if variance >= _LEAST:
        return variance
    return math.log(variance) if variance > 0.0 else -np.inf


@borrowing
def _fit_last(model, divisor, batch, moments):
    """Fit to one batch of the model itself, whose variance is multiplied by a ratio: so its logarithm goes on where it
    is too small for a float.
    """
    below = _FIRST
    for lane in range(model.shape[1]):
        model[0, lane] = batch[0, lane]
        model[1, lane] *= moments[1, lane] / divisor
        below += (model[1, lane] < _LEAST) | (model[2, lane] < 0.0)
    if below == 0:
        for lane in range(model.shape[1]):
            model[2, lane] = model[1, lane]
        return
    for lane in range(model.shape[1]):
        before = model[2, lane]
        if model[1, lane] >= _LEAST and before > 0.0:
            model[2, lane] = model[1, lane]
        else:
            ratio = moments[1, lane] / divisor
            log = (before if before < 0.0 else log_of(before)) + log_of(ratio) if ratio > 0.0 else -np.inf
            model[1, lane] = math.exp(log)
            model[2, lane] = model[1, lane] if model[1, lane] >= _LEAST else log


@borrowing
def _slot(batch, batches):
    """Where the moments of a batch stand: the first sample's stay in slot 0, the others take turns."""
    return (batch - 1) % (len(batches) - 1) + 1 if batch > 0 else batch


def _slots(schedule: NDArray[np.int64]) -> int:
    """Slots for the moments of batches: the first sample's, and as many as a pool is ever made anew from.

    A pool that only grows takes in its last batch: it costs no more in late generations than in early ones.
    """
    reach = 1
    oldest = -1
    for i in range(len(schedule)):
        if schedule[i, 5] == ALL and schedule[i, 4] != oldest:
            oldest = schedule[i, 4]
            reach = max(reach, i + 1 - oldest)
    return reach + 1


@borrowing
def _pool(part, t, oldest, counts, batches, running, state):
    """Add the whole pool of training set t to `part`; returns its points.

    While the pool only grows, `running` (2, lanes) holds it as one group, and the new batch alone is merged into it.
    state: int64 (2,), points in `running` and its oldest batch.
    """
    first = t - 1
    if oldest == first:
        _copy(part, batches[_slot(first, batches)])
        return counts[first]
    if oldest != state[1]:
        first = oldest
        state[0] = 0
        state[1] = oldest
        _clear(running)
    for batch in range(first, t):
        more = batches[_slot(batch, batches)]
        state[0] = _merge(state[0], running[0], running[1], counts[batch], more[0], more[1])
    _copy(part, running)
    return state[0]


@borrowing
def _part(part, t, role, row, law, draws, points, keep, moments, history):
    """Fill `part` (2, lanes) with mean and squares of one part of training set t; returns its points.

    Role 0 is the real part, fresh points and points re-used from the first sample; role 1 has the last model write its
    batch and gathers the synthetic part from the pool. One kernel for both: the compiler sees each sampler once.
    """
    replicates, k0, k1, _ = draws
    counts, offsets, batches, pool, order, running, state = history
    real = role == 0
    generation = np.uint64(t)
    count = np.int64(0)
    drawn = row[1] if real else row[3]
    reused = row[2] if real else row[5]
    oldest = row[4]
    _clear(part)
    if drawn > 0:
        group = part if real else batches[_slot(t - 1, batches)]
        kept = pool if keep and (t == 1 or not real) else pool[:0]
        stream = REAL_DATA if real else SYNTHETIC
        _write(group, drawn, generation, stream, law, draws, points, moments, kept, offsets[t - 1])
        if real:
            count = drawn
    if t == 1 and real:
        counts[0] = count
        _copy(batches[0], part)
    if reused == ALL and real:
        count = _merge(count, part[0], part[1], counts[0], batches[0, 0], batches[0, 1])
    elif reused == ALL:
        count = _pool(part, t, oldest, counts, batches, running, state)
    elif reused > 0:
        first = np.int64(0) if real else offsets[oldest]
        held = counts[0] if real else offsets[t - 1] + counts[t - 1] - first
        _chosen(pool, first, held, reused, order, generation, replicates, role, k0, k1, moments[0], moments[1])
        count = _merge(count, part[0], part[1], reused, moments[0], moments[1])
    return count


@borrowing
def _logs(spreads):
    """How many of them are logarithms."""
    logs = _FIRST
    for lane in range(len(spreads)):
        logs += spreads[lane] < 0.0
    return logs


@borrowing
def _start(first, start, laws, draws, history, replicates):
    """Make a block ready whose first replicate is the one at `first`: its numbers, both laws and the history."""
    numbers, _, _, work = draws
    _, places, _, _ = work
    _, _, batches, _, _, running, state = history
    lanes = len(numbers)
    for lane in range(lanes):
        numbers[lane] = replicates[first + lane]
    for i in range(places.shape[1]):
        places[0, i] = numbers[i % lanes]
    for law in laws:
        for row in range(len(start)):
            for lane in range(lanes):
                law[row, lane] = start[row]
    for slot in range(len(batches)):
        _clear(batches[slot])
    _clear(running)
    state[0] = 0
    state[1] = -1


@borrowing
def _blocks(
    schedule, weights, unbiased, points, keep, start, laws, draws, history, scratch, recent, replicates, out, first
):
    """As many whole blocks of lanes as there are from the replicate at `first` on, each through all generations.
    Returns how many spreads are logarithms.

    A training set has two parts (2, 2, lanes) of some sizes, the real and the synthetic one. Arrays are made outside:
    counts of references to them would take as long as the draws. Both loops stand in one kernel: the compiler would go
    over the inner one's code once more.
    """
    counts, offsets, _, _, _, _, _ = history
    moments, parts, sizes = scratch
    lanes = len(draws[0])
    source, model = laws
    logs = _FIRST
    while first + lanes <= len(replicates):
        _start(first, start, laws, draws, history, replicates)
        _record(out, first, _FIRST, model, recent)
        logs += _logs(model[2])
        for t in range(1, len(schedule) + 1):
            row = schedule[t - 1]
            if t > 1:
                counts[t - 1] = row[3]
                offsets[t - 1] = offsets[t - 2] + counts[t - 2]
            for role in range(2):
                law = source if role == 0 else model
                sizes[role] = _part(parts[role], t, role, row, law, draws, points, keep, moments, history)
            divisor = float(row[0] - 1) if unbiased else float(row[0])
            if not math.isnan(weights[t - 1]):
                _fit_weighted(model, weights[t - 1], sizes[1], parts[1], sizes[0], parts[0])
            elif sizes[0] == 0 and row[4] == t - 1 and t > 1 and row[5] == ALL:
                _fit_last(model, divisor, parts[1], moments)
            else:
                _fit_pooled(model, divisor, sizes[1], parts[1], sizes[0], parts[0])
            _record(out, first, t, model, recent)
            logs += _logs(model[2])
        first += lanes
    return logs


def recursion(
    schedule: NDArray[np.int64],
    weights: Float,
    unbiased: bool,
    points: bool,
    keep: bool,
    source_mean: float,
    source_std: float,
    replicates: NDArray[np.uint64],
    k0: np.uint64,
    k1: np.uint64,
    out: Float,
) -> bool:
    """Run replicates through all generations, as many side by side as the first-level cache holds.

    Args:
        schedule: int64 (generations, 6), the integer columns of the recipe in order (size .. take).
        weights: float64 (generations,), weight of the real part in the fit, NaN where pooled.
        unbiased: True divides by size - 1, False by size.
        points: True draws every point, False the sufficient statistics.
        keep: True keeps every point, for training sets that take only some of them.
        source_mean, source_std: float64, the law of real data.
        replicates: uint64 (replicates,).
        k0, k1: uint64, the key words of the seed.
        out: float64 (2, replicates, generations + 1), filled with the mean, and the variance or, below 2^-1000, its
            logarithm, which is negative.

    Returns:
        Whether any is a logarithm.
    """
    lanes = min(LANES_OF_POINTS if points else LANES_OF_SUMS, len(replicates))
    stored = int(schedule[0, 1] + schedule[:, 3].sum()) if keep else 0
    variance = source_std * source_std
    start = np.array([source_mean, variance, variance if variance >= _LEAST else 2.0 * math.log(source_std)])
    numbers = np.ascontiguousarray(replicates)
    blocks, left = divmod(len(numbers), lanes)
    logs = 0
    for first, width in ((0, lanes), (blocks * lanes, left)):
        if width == 0:
            continue
        some = numbers[first : first + width].copy()
        history = (
            np.zeros(len(schedule) + 1, np.int64),  # points in batch g of the pool; batch 0 is the first real sample
            np.zeros(len(schedule) + 1, np.int64),  # and where they begin, where they are kept
            np.empty((_slots(schedule), 2, width)),  # their moments, in slots
            np.empty((stored, width)),
            (np.arange(stored), np.empty(stored, np.int64)),
            np.empty((2, width)),
            np.empty(2, np.int64),
        )
        logs += _blocks(
            schedule,
            weights,
            unbiased,
            points,
            keep,
            start,
            (np.empty((3, width)), np.empty((3, width))),
            (some, k0, k1, work(2 * CHUNK if points else 2, some)),
            history,
            (np.empty((2, width)), np.empty((2, 2, width)), np.empty(2, np.int64)),
            np.empty((2, min(int(_RECENT), len(schedule) + 1), width + _APART)),
            numbers,
            out,
            first,
        )
    return logs > 0


def work(rows: int, numbers: NDArray[np.uint64]) -> tuple[Float, NDArray[np.uint64], Float, Float]:
    """Room for the draws of `_points` (2 CHUNK rows) or of `_statistics` (2 rows) by these replicates: the rows; from
    any lane on, the replicates of 32 numbers of a run of rows, and how many rows further down these are; and two rows
    more. Whole vectors are read, the last of which end where nothing is asked for.
    """
    lanes = len(numbers)
    each = np.arange(lanes + MANY, dtype=np.uint64)
    places = np.stack((numbers[each % lanes], each // lanes))
    return room(rows - (1 - MANY) // lanes, lanes), places, np.empty(lanes), np.empty(lanes)
