"""Counting the n-grams of several texts together, exactly, with the counts of many resamples of their documents.

Documents are padded: int32 symbols `0 d1 0 d2 0 ...`. Places (positions of symbols) are cut into parts by their first
symbol; each part is sorted by the symbols from a place on, packed into 64-bit keys. Symbols that do not fit join in
later stages, behind the rank so far: keys stay exact whatever the alphabet. In a sorted part the places of one n-gram
stand side by side. Nothing is hashed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import inlined, kernel
from lightcollapse.kernels.trie import compare

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_ONCE = np.int64(1)
_NONE = np.int64(0)


@kernel
def pack_places(text, places, first, count, bits, index_bits, rank, keys):
    """Fill keys uint64 with `rank | count symbols from the first-th after each place on | index`. Draws nothing.

    Symbols beyond the end of a document are written as 0. `rank` uint64 is empty in the first stage.
    """
    width = np.uint64(bits)
    low = np.uint64(index_bits)
    for j in range(places.size):
        place = np.int64(places[j])
        inside = True
        for k in range(first):
            inside = inside and text[place + k] != 0
        value = rank[j] if rank.size > 0 else _ZERO
        for k in range(first, first + count):
            inside = inside and text[place + k] != 0
            value = value << width
            if inside:
                value = value | np.uint64(text[place + k])
        if index_bits > 0:
            value = (value << low) | np.uint64(j)
        keys[j] = value


@kernel
def deal(text, part, cursor, places):
    """Fill places int32 with the positions of all symbols, part by part, ascending in each. Draws nothing.

    `part` int64 is the part of each symbol, `cursor` int64 where each part begins.
    """
    for i in range(text.size):
        if text[i] != 0:
            p = part[text[i]]
            places[cursor[p]] = i
            cursor[p] += 1


def cut_parts(text: NDArray[np.int32], largest: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Places in parts of about `largest` at most (more where one symbol is more frequent), and where each part begins.

    int32 (symbols of text,) and int64 (parts + 1,).
    """
    counts = np.bincount(text)
    counts[0] = 0
    part = np.zeros(len(counts), dtype=np.int64)
    starts = [0]
    held = 0
    for symbol, count in enumerate(counts.tolist()):
        if held and held + count > largest:
            starts.append(starts[-1] + held)
            held = 0
        held += count
        part[symbol] = len(starts) - 1
    bounds = np.array([*starts, starts[-1] + held], dtype=np.int64)
    places = np.empty(int(counts.sum()), dtype=np.int32)
    deal(text, part, bounds[:-1].copy(), places)
    return places, bounds


def sort_places(
    text: NDArray[np.int32], places: NDArray[np.int32], order: int, alphabet: int, key_bits: int = 64
) -> NDArray[np.uint8]:
    """Sort places, in place, by `order` symbols from each on; how many of them each shares with the one before.

    `text` ends with `order` zeros; its symbols are at most `alphabet`; equal ones keep their order. `key_bits` is
    smaller only in tests. Returns uint8 (places,).
    """
    size = len(places)
    bits = max(1, int(alphabet).bit_length())
    index_bits = max(1, int(size - 1).bit_length())
    keys = np.empty(size, dtype=np.uint64)
    rank = np.empty(0, dtype=np.uint64)
    class_shared = np.empty(0, dtype=np.uint8)
    shared = np.empty(size, dtype=np.uint8)
    arranged = np.empty(size, dtype=np.int32)
    first = 0
    while True:
        ranks = index_bits if first else 0
        low = index_bits if key_bits - ranks - index_bits >= bits else 0  # no room for the index: sort indirectly
        count = max(1, min(order - first, (key_bits - ranks - low) // bits))
        pack_places(text, places, first, count, bits, low, rank, keys)
        if low:
            keys.sort()
        else:
            arranged = np.argsort(keys, kind="stable").astype(np.int32)
            keys = keys[arranged]
        compare(keys, low, bits, count, first, class_shared, shared, arranged)
        places[:] = places[arranged]
        first += count
        if first >= order:
            return shared
        fresh = shared < first
        fresh[0] = True
        rank = np.cumsum(fresh).astype(np.uint64) - _ONE
        class_shared = shared[fresh]


@kernel
def describe(text, places, order, document, left, documents):
    """Fill left uint8 with how many symbols, at most `order`, stand from each place to the end of its document, and
    documents int32 with which document that is. Draws nothing.
    """
    for j in range(places.size):
        place = np.int64(places[j])
        k = 0
        while k < order and text[place + k] != 0:
            k += 1
        left[j] = k
        documents[j] = document[place]


@kernel
def repeats(shared, left, documents, n, group, repeated):
    """Add to repeated int64 (groups,) the n-grams that came before in the same document. Draws nothing."""
    met_in = np.full(group.size, -1, dtype=np.int64)  # where the n-gram began that each document had last
    begin = 0
    while begin < shared.size:
        end = begin + 1
        while end < shared.size and shared[end] >= n:
            end += 1
        if end - begin > 1 and left[begin] >= n:
            for j in range(begin, end):
                d = documents[j]
                if met_in[d] == begin:
                    repeated[group[d]] += 1
                met_in[d] = begin
        begin = end


@inlined
def _owners(owner, weight, begin, end, held, touched):
    """Count entries begin .. end - 1 by owner in held, which starts at 0; returns how many owners touched names."""
    found = 0
    for j in range(begin, end):
        o = owner[j]
        if held[o] == 0:
            touched[found] = o
            found += 1
        held[o] += weight[j]
    return found


@kernel
def aggregate(shared, left, owner, weight, order, groups, picked):
    """Join entries of one n-gram of `order` symbols and one owner, in place; picked int64 tells which entry each was.

    `weight` int32 how often each entry counts. Returns how many entries are left. Draws nothing.
    """
    held = np.zeros(groups, dtype=np.int64)
    touched = np.empty(groups, dtype=np.int64)
    written = 0
    begin = 0
    while begin < shared.size:
        end = begin + 1
        while end < shared.size and shared[end] >= order:
            end += 1
        found = _owners(owner, weight, begin, end, held, touched)
        first, length = shared[begin], left[begin]
        for k in range(found):
            o = touched[k]
            shared[written] = first if k == 0 else order
            left[written] = length
            owner[written] = o
            weight[written] = held[o]
            picked[written] = begin
            held[o] = 0
            written += 1
        begin = end
    return written


@kernel
def copy_rows(text, places, order, rows):
    """Fill rows int32 (places, order) with the symbols from each place on, 0 behind its document. Draws nothing."""
    for j in range(places.size):
        place = np.int64(places[j])
        inside = True
        for k in range(order):
            inside = inside and text[place + k] != 0
            rows[j, k] = text[place + k] if inside else 0


@kernel
def fresh_symbols(text, places, shared, left, fresh):
    """Fill fresh int32 with the symbols of each place that it does not share with the one before. Draws nothing.

    Returns how many that are.
    """
    written = 0
    for j in range(places.size):
        for k in range(shared[j], left[j]):
            fresh[written] = text[np.int64(places[j]) + k]
            written += 1
    return written


@kernel
def spread_symbols(fresh, shared, left, rows):
    """The inverse of `fresh_symbols`: fill rows int32 (places, order), 0 at first. Draws nothing.

    Returns how many symbols were used; -1 where a number does not fit the others.
    """
    order = rows.shape[1]
    used = 0
    for j in range(shared.size):
        if left[j] > order or shared[j] > order or left[j] < 1:
            return -1
        if (j == 0 and shared[j] > 0) or used + max(np.int64(left[j]) - np.int64(shared[j]), _NONE) > fresh.size:
            return -1
        for k in range(left[j]):
            if k < shared[j]:
                rows[j, k] = rows[j - 1, k]
            else:
                rows[j, k] = fresh[used]
                used += 1
            if rows[j, k] == 0:
                return -1
    return used


@kernel
def survey(shared, left, owner, weight, n, blocks, groups, limit, halves):
    """Add to halves int64 (counts,) how many n-grams occur so often in the first half of generation 0 (more: the last),
    from 1 on, and those that do not at 0: it sums to the number of n-grams.

    `owner` is generation x `blocks` + block; the odd blocks of generation 0 are its second half. Draws nothing. Returns
    how many n-grams occur at least `limit` times in some generation.
    """
    counts = np.zeros(groups, dtype=np.int64)
    frequent = 0
    begin = 0
    while begin < shared.size:
        end = begin + 1
        while end < shared.size and shared[end] >= n:
            end += 1
        if left[begin] >= n:
            half = 0
            large = False
            for j in range(begin, end):
                o = owner[j]
                g = o // blocks
                counts[g] += weight[j]
                large = large or counts[g] >= limit
                if g == 0 and o % 2 == 0:
                    half += weight[j]
            for j in range(begin, end):
                counts[owner[j] // blocks] = 0
            halves[min(half, halves.size - 1)] += 1
            if large:
                frequent += 1
        begin = end
    return frequent


@kernel
def fill_table(shared, left, owner, weight, n, blocks, times, table):
    """Fill table int64 (n-grams, generations) with counts; each owner counts `times` int64. Draws nothing."""
    row = 0
    begin = 0
    while begin < shared.size:
        end = begin + 1
        while end < shared.size and shared[end] >= n:
            end += 1
        if left[begin] >= n:
            for j in range(begin, end):
                table[row, owner[j] // blocks] += weight[j] * times[owner[j]]
            row += 1
        begin = end


@kernel
def mark_rare(places, shared, left, n, boundary, cut, mark):
    """Set mark uint8 (symbols,) at the last symbol of n-grams from `boundary` on that occur 1 .. cut times before it.

    Draws nothing.
    """
    begin = 0
    while begin < shared.size:
        end = begin + 1
        while end < shared.size and shared[end] >= n:
            end += 1
        if left[begin] >= n:
            before = 0
            for j in range(begin, end):
                if places[j] < boundary:
                    before += 1
            if 0 < before <= cut:
                for j in range(begin, end):
                    if places[j] >= boundary:
                        mark[places[j] + n - 1] = 1
        begin = end


@inlined
def _add(
    touched, found, held, times, blocks, include, inverse, cut, pairs,
    types, met, near, joint, survivors, bands, frequent, frequent_half, stored, acc, whole,
):  # fmt: skip
    """Add `times` n-grams with the counts `held` in the owners touched[:found] to all lanes, as `tally` says.

    Returns how many rows of `frequent` are filled, and how many of the n-grams are rare.
    """
    groups = types.shape[0]
    limit = types.shape[1]
    lanes = include.shape[1]
    few = joint.shape[1]
    half = 0
    for k in range(found):
        o = touched[k]
        g = o // blocks
        c = np.int32(held[o])
        whole[g] += held[o]
        for b in range(lanes):
            acc[g, b] += c * np.int32(include[o, b])
        if g == 0:
            if o % 2 == 0:
                half += held[o]
            else:
                for b in range(lanes):
                    acc[groups, b] += c * np.int32(include[o, b])
    if pairs.size > 0 and whole[0] > 0:
        for b in range(1, lanes):
            acc[groups + 1, b] = acc[0, 0] - acc[0, b]
    large = False
    for g in range(groups):
        large = large or whole[g] >= limit
    if large:
        for g in range(groups + 2):
            for b in range(lanes):
                frequent[stored, g, b] = acc[g, b]
        frequent_half[stored] = half
        stored += 1
    else:
        for g in range(groups):
            if whole[g] > 0:
                for b in range(lanes):
                    types[g, acc[g, b], b] += times
    for q in range(pairs.shape[0]):
        one = pairs[q, 0]
        other = pairs[q, 1]
        if whole[one] == 0 or (other < groups and whole[other] == 0):
            continue
        for b in range(lanes):
            x = acc[one, b]
            y = acc[other, b]
            if x == 0 or y == 0:
                continue
            if not large:
                met[2 * q, y, b] += x * times
                met[2 * q + 1, x, b] += y * times
            if x < few and y < few:
                joint[q, x, y, b] += times
                continue
            u = x * inverse[one, b]
            v = y * inverse[other, b]
            near[q, 0, b] += times * (u * math.log(2.0 * u / (u + v)) + v * math.log(2.0 * v / (u + v)))
            near[q, 1, b] += times * ((1.0 - u) * inverse[one, b] * v + (1.0 - v) * inverse[other, b] * u) / (u + v)
    rare = 0
    if half > 0:
        band = 0
        while (half >> (band + 1)) > 0 and band < bands.shape[0] - 1:
            band += 1
        for g in range(groups):
            row = groups if g == 0 else g
            if whole[g] > 0:
                for b in range(lanes):
                    bands[band, g, b] += times * acc[row, b]
        if half <= cut:
            rare = times
            if not large:
                for g in range(groups):
                    row = groups if g == 0 else g
                    if whole[g] > 0:
                        for b in range(lanes):
                            survivors[g, acc[row, b], b] += times
    for g in range(groups):
        if whole[g] > 0:
            whole[g] = 0
            for b in range(lanes):
                acc[g, b] = 0
    for b in range(lanes):
        acc[groups, b] = 0
        acc[groups + 1, b] = 0
    return stored, rare


@kernel
def tally(
    shared, left, owner, weight, n, blocks, include, inverse, cut, pairs,
    types, met, near, joint, survivors, bands, frequent, frequent_half, single, double,
):  # fmt: skip
    """Count every n-gram of a sorted part in every lane (resample of blocks of documents) at once. Draws nothing.

    `owner` int32 is generation x `blocks` + block, `weight` int32 how often an entry counts. Rows of counts: 0 .. G - 1
    the generations, G the second half (odd blocks) of generation 0, G + 1 what a lane lacks of generation 0. `include`
    uint8 (owners, lanes), lane 0 all ones; `inverse` float64 (G + 2, lanes), 1 / n-grams in the row. An n-gram seen
    `types.shape[1]` times or more in some generation goes, counts and all, to `frequent` int32 (.., G + 2, lanes);
    others are added to

    types      int64 (G, limit, lanes)       n-grams by count
    met        int64 (2 pairs, limit, lanes) of each pair and its reverse: occurrences in the one, by count in the other
    survivors  int64 (G, limit, lanes)       rare n-grams by count (row 0: in the second half of generation 0); rare
                                             ones occur 1 .. cut times in its first half

    and all of them to

    near       float64 (pairs, 2, lanes)     divergence from the mean law over shared n-grams, and the sum for its bias
    joint      int64 (pairs, few, few, lanes) n-grams by both counts; where both are small they are not yet in `near`
    bands      int64 (bands, G, lanes)       occurrences, by the log of the count in the first half (row 0: second)

    N-grams seen once or twice are only counted by their owners, in `single` int64 (owners,) and `double` int64
    (owners, owners); `tally_few` adds them to the others. Returns how many of the n-grams added are rare.
    """
    groups = types.shape[0]
    lanes = include.shape[1]
    acc = np.zeros((groups + 2, lanes), dtype=np.int32)
    whole = np.zeros(groups, dtype=np.int64)
    held = np.zeros(include.shape[0], dtype=np.int64)
    touched = np.empty(include.shape[0], dtype=np.int64)
    rare = 0
    stored = 0
    begin = 0
    while begin < shared.size:
        end = begin + 1
        while end < shared.size and shared[end] >= n:
            end += 1
        if left[begin] < n:
            begin = end
            continue
        first = owner[begin]
        last = owner[end - 1]
        if end - begin == 1 and weight[begin] == 1:
            single[first] += 1
            begin = end
            continue
        if double.size > 0 and end - begin == 2 and weight[begin] == 1 and weight[begin + 1] == 1:
            double[min(first, last), max(first, last)] += 1
            begin = end
            continue
        found = _owners(owner, weight, begin, end, held, touched)
        stored, few = _add(
            touched, found, held, _ONCE, blocks, include, inverse, cut, pairs,
            types, met, near, joint, survivors, bands, frequent, frequent_half, stored, acc, whole,
        )  # fmt: skip
        rare += few
        for k in range(found):
            held[touched[k]] = 0
        begin = end
    return rare


@kernel
def tally_few(
    single, double, blocks, include, inverse, cut, pairs,
    types, met, near, joint, survivors, bands, frequent, frequent_half,
):  # fmt: skip
    """Add the n-grams that `tally` counted by their owners. Draws nothing. Returns how many of them are rare."""
    groups = types.shape[0]
    lanes = include.shape[1]
    acc = np.zeros((groups + 2, lanes), dtype=np.int32)
    whole = np.zeros(groups, dtype=np.int64)
    held = np.zeros(include.shape[0], dtype=np.int64)
    touched = np.empty(include.shape[0], dtype=np.int64)
    rare = 0
    for one in range(single.size):
        touched[0] = one
        held[one] = 1
        if single[one] > 0:
            _, few = _add(
                touched, _ONCE, held, single[one], blocks, include, inverse, cut, pairs,
                types, met, near, joint, survivors, bands, frequent, frequent_half, _NONE, acc, whole,
            )  # fmt: skip
            rare += few
        held[one] = 0
        for other in range(double.shape[0]):
            if double[one, other] > 0:
                held[one] = 1
                held[other] += 1
                touched[1] = other
                found = np.int64(1 if one == other else 2)
                _, few = _add(
                    touched, found, held, double[one, other], blocks, include, inverse, cut, pairs,
                    types, met, near, joint, survivors, bands, frequent, frequent_half, _NONE, acc, whole,
                )  # fmt: skip
                rare += few
                held[one] = 0
                held[other] = 0
    return rare
