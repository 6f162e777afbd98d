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

from lightcollapse.compiler import kernel
from lightcollapse.kernels.trie import compare

_ZERO = np.uint64(0)
_ONE = np.uint64(1)


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
    first = 0
    while True:
        ranks = index_bits if first else 0
        low = index_bits if key_bits - ranks - index_bits >= bits else 0  # no room for the index: sort indirectly
        count = max(1, min(order - first, (key_bits - ranks - low) // bits))
        pack_places(text, places, first, count, bits, low, rank, keys)
        if low:
            keys.sort()
            arranged = (keys & np.uint64((1 << low) - 1)).astype(np.int64)
        else:
            arranged = np.argsort(keys, kind="stable")
            keys = keys[arranged]
        places[:] = places[arranged]
        compare(keys, low, bits, count, first, class_shared, shared)
        first += count
        if first >= order:
            return shared
        fresh = shared < first
        fresh[0] = True
        rank = np.cumsum(fresh).astype(np.uint64) - _ONE
        class_shared = shared[fresh]


@kernel
def survey(text, places, shared, n, document, group, apart, limit, halves):
    """Fill halves int32 with how often each n-gram occurs in the first half of group 0 (0s left out). Draws nothing.

    `apart` uint8 is 1 for documents of group 0 in its second half. Returns how many n-grams that is, and how many
    n-grams occur at least `limit` times in some group.
    """
    groups = 1
    for d in range(group.size):
        groups = max(groups, group[d] + 1)
    counts = np.zeros(groups, dtype=np.int64)
    written = 0
    frequent = 0
    begin = 0
    while begin < places.size:
        end = begin + 1
        while end < places.size and shared[end] >= n:
            end += 1
        inside = True
        for k in range(n):
            inside = inside and text[places[begin] + k] != 0
        if inside:
            half = 0
            large = False
            for j in range(begin, end):
                d = document[places[j]]
                g = group[d]
                counts[g] += 1
                large = large or counts[g] >= limit
                if g == 0 and apart[d] == 0:
                    half += 1
            counts[:] = 0
            if half > 0:
                halves[written] = half
                written += 1
            if large:
                frequent += 1
        begin = end
    return written, frequent


@kernel
def tally(
    text, places, shared, n, document, group, apart, include, inverse, cut, pairs, marked,
    types, met, near, joint, survivors, bands, repeated, frequent, frequent_half, mark,
):  # fmt: skip
    """Count every n-gram of a sorted part in every lane (resample of documents) at once. Draws nothing.

    Rows of counts: 0 .. G - 1 the groups, G the second half of group 0, G + 1 what a lane lacks of group 0.
    `include` uint8 (documents, lanes), lane 0 all ones; `inverse` float64 (G + 2, lanes), 1 / n-grams in the row.
    An n-gram seen `types.shape[1]` times or more in some group goes, counts and all, to `frequent` int32 (.., G + 2,
    lanes); others are added to

    types      int64 (G, limit, lanes)       n-grams by count
    met        int64 (2 pairs, limit, lanes) of each pair and its reverse: occurrences in the one, by count in the other
    survivors  int64 (G, limit, lanes)       rare n-grams by count (row 0: in the second half of group 0); rare ones
                                             occur 1 .. cut times in the first half of group 0

    and all of them to

    near       float64 (pairs, 2, lanes)     divergence from the mean law over shared n-grams, and the sum for its bias
    joint      int64 (pairs, few, few, lanes) n-grams by both counts; where both are small they are not yet in `near`
    bands      int64 (bands, G, lanes)       occurrences, by the log of the count in the first half (row 0: second)
    repeated   int64 (documents,)            occurrences after the first in the same document
    mark       uint8 (text,)                 1 at the last symbol of rare n-grams in the second half, if `marked`

    Returns how many n-grams are rare.
    """
    groups = types.shape[0]
    limit = types.shape[1]
    lanes = include.shape[1]
    few = joint.shape[1]
    acc = np.zeros((groups + 2, lanes), dtype=np.int32)
    whole = np.zeros(groups, dtype=np.int64)
    met_in = np.full(group.size, -1, dtype=np.int64)  # where the n-gram began that each document had last
    rare = 0
    stored = 0
    begin = 0
    while begin < places.size:
        end = begin + 1
        while end < places.size and shared[end] >= n:
            end += 1
        inside = True
        for k in range(n):
            inside = inside and text[places[begin] + k] != 0
        if not inside:
            begin = end
            continue
        if end - begin == 1:
            d = document[places[begin]]
            g = group[d]
            for b in range(lanes):
                types[g, 1, b] += include[d, b]
            if g == 0 and apart[d] == 0 and cut >= 1:
                rare += 1
            begin = end
            continue
        half = 0
        j = begin
        while j < end:
            d = document[places[j]]
            times = 1
            while j + times < end and document[places[j + times]] == d:
                times += 1
            g = group[d]
            for b in range(lanes):
                acc[g, b] += np.int32(times) * np.int32(include[d, b])
            whole[g] += times
            repeated[d] += times - (0 if met_in[d] == begin else 1)
            met_in[d] = begin
            if g == 0:
                if apart[d] == 0:
                    half += times
                else:
                    for b in range(lanes):
                        acc[groups, b] += np.int32(times) * np.int32(include[d, b])
            j += times
        if pairs.size > 0:
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
                        types[g, acc[g, b], b] += 1
        for q in range(pairs.shape[0]):
            one = pairs[q, 0]
            other = pairs[q, 1]
            if acc[one, 0] == 0 or (other < groups and acc[other, 0] == 0):
                continue
            for b in range(lanes):
                x = acc[one, b]
                y = acc[other, b]
                if x == 0 or y == 0:
                    continue
                if not large:
                    met[2 * q, y, b] += x
                    met[2 * q + 1, x, b] += y
                if x < few and y < few:
                    joint[q, x, y, b] += 1
                    continue
                u = x * inverse[one, b]
                v = y * inverse[other, b]
                near[q, 0, b] += u * math.log(2.0 * u / (u + v)) + v * math.log(2.0 * v / (u + v))
                near[q, 1, b] += ((1.0 - u) * inverse[one, b] * v + (1.0 - v) * inverse[other, b] * u) / (u + v)
        if half > 0:
            band = 0
            while (half >> (band + 1)) > 0 and band < bands.shape[0] - 1:
                band += 1
            for g in range(groups):
                row = groups if g == 0 else g
                for b in range(lanes):
                    bands[band, g, b] += acc[row, b]
            if half <= cut:
                rare += 1
                if not large:
                    for g in range(groups):
                        row = groups if g == 0 else g
                        for b in range(lanes):
                            survivors[g, acc[row, b], b] += 1
                if marked:
                    for j in range(begin, end):
                        d = document[places[j]]
                        if group[d] == 0 and apart[d] == 1:
                            mark[places[j] + n - 1] = 1
        for g in range(groups):
            if whole[g] > 0:
                whole[g] = 0
                for b in range(lanes):
                    acc[g, b] = 0
        for b in range(lanes):
            acc[groups, b] = 0
            acc[groups + 1, b] = 0
        begin = end
    return rare
