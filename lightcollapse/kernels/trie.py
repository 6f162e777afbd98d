"""All n-grams of some documents, from one sort of packed keys.

Documents are padded: int32 symbols `0 d1 0 d2 0`, where 0 stands before each document and after the last. Each position
but the last is a history: the symbols up to it, back to the pad before its document. Sorted by reversed history, the
histories that share their k most recent symbols are contiguous: they are the groups of level k, and the groups of all
levels form a trie whose children differ in the next older symbol. A group is at once a context (of the symbols that
follow) and an n-gram (its most recent symbol in the context of the older ones). Nothing is hashed: counts are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import kernel, lent

Symbols = NDArray[np.int32]

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_MANTISSA, _BIAS = np.int64(52), np.int64(1023)  # of a float64
_SPARSE = np.int64(8)  # children are searched for where there are so many times fewer than they are among


@kernel
def pack(text, first, count, bits, index_bits, rank, keys):
    """Fill keys uint64 with `rank | count symbols of the reversed history from the first-th on | position`.

    A symbol older than the pad is written as another 0. `rank` uint64 is empty in the first stage. Draws nothing.
    """
    width = np.uint64(bits)
    top = np.uint64(bits * (count - 1))
    above = np.uint64(bits * count)
    low = np.uint64(index_bits)
    begin = 0
    chunk = np.uint64(0)
    for i in range(keys.size):
        if text[i] == 0:
            begin = i
        chunk = (chunk >> width) | (np.uint64(text[max(i - first, 0)]) << top)
        if i - first <= begin:
            chunk = _ZERO
        value = chunk
        if rank.size > 0:
            value = value | (rank[i] << above)
        if index_bits > 0:
            value = (value << low) | np.uint64(i)
        keys[i] = value


@kernel
def compare(keys, index_bits, bits, count, first, class_shared, shared, positions):
    """Fill shared uint8 with how many symbols each sorted history shares with the one before it, up to first + count.

    `class_shared` uint8 holds the same for the ranks of the stage before. Fills positions int32 with the index at the
    end of each key, where there is one. Draws nothing.
    """
    low = np.uint64(index_bits)
    above = np.uint64(bits * count)
    mask = (_ONE << low) - _ONE
    if index_bits > 0:
        for r in range(keys.size):
            positions[r] = np.int32(keys[r] & mask)
    share = (2**16 + bits - 1) // bits  # times a number below 64, over 2^16: that number over `bits`
    shared[0] = 0
    for r in range(1, keys.size):
        different = (keys[r] ^ keys[r - 1]) >> low
        different &= ~(different >> _ONE)  # its first bit is left, and what rounds to no higher one
        highest = (np.float64(different).view(np.int64) >> _MANTISSA) - _BIAS
        same = first + count - 1 - ((highest * share) >> 16)
        shared[r] = np.uint8(max(same, 0) if different != _ZERO else first + count)
    for r in range(1, keys.size if class_shared.size > 0 else 1):
        if ((keys[r] ^ keys[r - 1]) >> low) >> above != _ZERO:
            shared[r] = class_shared[np.int64((keys[r] >> low) >> above)]


class Histories(NamedTuple):
    """All histories of padded documents, sorted.

    positions  int32 (P,)   where each ends
    shared     uint8 (P,)   how many symbols it shares with the one before; the pad and what lies beyond it count
    keys       uint64 (P,)  its symbols, or (0,) where they take more than one key
    low, bits  int          bits of a key below its symbols, and of a symbol
    """

    positions: NDArray[np.int32]
    shared: NDArray[np.uint8]
    keys: NDArray[np.uint64]
    low: int
    bits: int


def sort_histories(text: Symbols, order: int, alphabet: int, key_bits: int = 64) -> Histories:
    """The reversed histories of `order` symbols, in order.

    `alphabet` bounds the symbols (exclusive). Symbols and position share one 64-bit key where they fit; where they do
    not, later stages sort by the dense rank so far and the next symbols. `key_bits` is smaller only in tests.
    """
    size = len(text) - 1
    bits = max(1, int(alphabet - 1).bit_length())
    index_bits = max(1, int(size - 1).bit_length())
    keys = np.empty(size, dtype=np.uint64)
    rank = np.empty(0, dtype=np.uint64)
    class_shared = np.empty(0, dtype=np.uint8)
    shared = np.empty(size, dtype=np.uint8)
    positions = np.empty(size, dtype=np.int32)
    first = 0
    while True:
        room = key_bits - index_bits * (2 if first else 1)
        low = index_bits if room >= bits else 0  # no room for the position: sort indirectly
        if not low:
            room = key_bits - (index_bits if first else 0)
        count = max(1, min(order - first, room // bits))
        pack(text, first, count, bits, low, rank, keys)
        if low:
            keys.sort()
        else:
            positions = np.argsort(keys, kind="stable").astype(np.int32)
            keys = keys[positions]
        compare(keys, low, bits, count, first, class_shared, shared, positions)
        first += count
        if first >= order:
            return Histories(positions, shared, keys if count == order else keys[:0], low, bits)
        fresh = shared < first
        fresh[0] = True
        rank = np.empty(size, dtype=np.uint64)
        rank[positions] = np.cumsum(fresh).astype(np.uint64) - _ONE
        class_shared = shared[fresh]


@kernel
def survey(text, positions, shared, keys, low, bits, heads, order, level, spelled):
    """Fill level int64 (order + 3,), zeros, as `Trie` names it. Returns the number of groups. Draws nothing.

    What is known of the histories is that of `Histories`; `heads` int64 (U,) are the ranks of those that differ from
    the one before. spelled int32 (U, order) gets of each the symbols that it does not share, the most recent first.
    """
    mask = (_ONE << np.uint64(bits)) - _ONE
    level[1] = 1
    for u in range(heads.size):
        r = heads[u]
        for k in range(np.int64(shared[r]) + 1, order + 1):
            level[k + 1] += 1
            if keys.size > 0:
                symbol = np.int32((keys[r] >> np.uint64(low + bits * (order - k))) & mask)
            else:
                symbol = text[np.int64(positions[r]) - k + 1]
            spelled[u, k - 1] = symbol
            if symbol == 0:
                break
    for k in range(1, order + 2):
        level[k + 1] += level[k]
    return level[order + 1]


@kernel
def divide(spelled, histories, shared, heads, order, level, start, parent, child, label, count):
    """Fill the groups of all levels, as `Trie` names them: start, parent, child, label, and count, which is zeros.

    `spelled`, `heads` and `level` as of `survey`, `histories` in all. Draws nothing.
    """
    groups = start.size
    free = level.copy()
    current = np.zeros(order + 1, dtype=np.int64)
    start[0] = 0
    parent[0] = -1
    label[0] = -1
    child[0] = 1
    for u in range(heads.size):
        r = heads[u]
        g = np.int64(0)
        for k in range(np.int64(shared[r]) + 1, order + 1):
            symbol = spelled[u, k - 1]
            g = free[k]
            free[k] = g + 1
            start[g] = r
            parent[g] = current[k - 1]
            child[g] = free[k + 1]
            label[g] = symbol
            current[k] = g
            if symbol == 0:
                break
        count[g] = (heads[u + 1] if u + 1 < heads.size else histories) - r
    child[groups] = groups
    for group in range(groups - 1, 0, -1):
        count[parent[group]] += count[group]


@lent
def _child(child, label, g, wanted):
    """The child of g with this label, which it has: a binary search."""
    low = np.int64(child[g])
    span = np.int64(child[g + 1]) - low
    while span > 1:
        half = span >> 1
        low += half if label[low + half] <= wanted else 0
        span -= half
    return low


@kernel
def follow(text, ends, parent, child, label, order, suffix, followed):
    """Fill the suffix of each group, zeros before, and take what no symbol follows from `followed`, a copy of count.

    Names are those of `Trie`; `ends` int64 are the positions of the pads. Draws nothing.

    The children of a group are among those of its suffix, by label: both are sorted, and are merged.
    """
    for g in range(1, parent.size):
        q = np.int64(suffix[g])
        begin = np.int64(child[g])
        end = np.int64(child[g + 1])
        at = np.int64(child[q])
        if (end - begin) * _SPARSE < np.int64(child[q + 1]) - at:
            for c in range(begin, end):
                suffix[c] = _child(child, label, q, label[c])
            continue
        for c in range(begin, end):
            while label[at] < label[c]:
                at += 1
            suffix[c] = at
            at += 1
    for document in range(1, ends.size):  # nothing follows the history at the end of one
        i = ends[document] - 1
        history = np.int64(0)
        for k in range(order):
            followed[history] -= 1
            history = _child(child, label, history, text[i - k])
            if text[i - k] == 0:
                break
        followed[history] -= 1


@kernel
def list_followers(suffix, parent, label, first, follower, symbol):
    """Fill the n-grams of each context, as `Trie` names them: first (zeros before), follower, symbol. Draws nothing."""
    groups = suffix.size
    for g in range(2, groups):  # group 1 is the pad, which follows nothing
        first[suffix[g] + 1] += 1
    for h in range(groups):
        first[h + 1] += first[h]
    free = first.copy()
    recent = np.zeros(groups, dtype=np.int32)  # the most recent symbol
    for g in range(2, groups):
        recent[g] = label[g] if parent[g] == 0 else recent[parent[g]]
        slot = free[suffix[g]]
        free[suffix[g]] = slot + 1
        follower[slot] = g
        symbol[slot] = recent[g]


@lent
def find(first, symbol, context, wanted):
    """The slot of the n-gram `context wanted`, or -1 where it does not occur. Draws nothing."""
    low = np.int64(first[context])
    span = np.int64(first[context + 1]) - low
    if span == 0:
        return np.int64(-1)
    while span > 1:
        half = span >> 1
        low += half if symbol[low + half] <= wanted else 0
        span -= half
    return low if symbol[low] == wanted else np.int64(-1)


@dataclass(frozen=True)
class Trie:
    """All n-grams of some documents. Groups are numbered level by level, in sorted order; group 0 is the root.

    text       int32 (P + 1,)     the padded documents
    order      int                longest n-gram
    alphabet   int                V: symbols are 1..V; V + 1 stands for any other
    positions  int32 (P,)         histories, sorted
    level      int64 (order + 3,) level k is groups level[k] .. level[k + 1] - 1
    start      int32 (G,)         rank of a group's first history
    parent     int32 (G,)         the group without the oldest symbol
    child      int32 (G + 1,)     first child: children of g are child[g] .. child[g + 1] - 1, sorted by label
    label      int32 (G,)         oldest symbol
    suffix     int32 (G,)         the group without the most recent symbol: the context of the n-gram
    count      int32 (G,)         occurrences of the n-gram
    followed   int32 (G,)         c(h): occurrences of the context that a symbol follows
    first      int32 (G + 1,)     n-grams in context h are follower[first[h]] .. follower[first[h + 1] - 1]
    follower   int32 (G - 2,)     n-grams, sorted by context and then by most recent symbol
    symbol     int32 (G - 2,)     their most recent symbols
    """

    text: Symbols
    order: int
    alphabet: int
    positions: NDArray[np.int32]
    level: NDArray[np.int64]
    start: NDArray[np.int32]
    parent: NDArray[np.int32]
    child: NDArray[np.int32]
    label: NDArray[np.int32]
    suffix: NDArray[np.int32]
    count: NDArray[np.int32]
    followed: NDArray[np.int32]
    first: NDArray[np.int32]
    follower: NDArray[np.int32]
    symbol: NDArray[np.int32]

    @property
    def types(self) -> NDArray[np.int32]:
        """T(h): distinct symbols that follow each context. int32 (G,)"""
        return np.diff(self.first)

    @property
    def groups(self) -> int:
        return len(self.start)

    @property
    def contexts(self) -> int:
        """Number of groups that serve as contexts: all but those of level `order`."""
        return int(self.level[self.order])


def build(text: Symbols, order: int, alphabet: int, key_bits: int = 64) -> Trie:
    """The trie of all n-grams of the padded documents `text`, n <= order; symbols lie in 1..alphabet + 1."""
    positions, shared, *keys = sort_histories(text, order, alphabet + 2, key_bits)
    heads = np.flatnonzero(shared < order)
    level = np.zeros(order + 3, dtype=np.int64)
    spelled = np.empty((len(heads), order), dtype=np.int32)
    groups = survey(text, positions, shared, *keys, heads, order, level, spelled)
    del keys
    whole = np.empty((9, groups + 1), dtype=np.int32)  # at once: memory comes in large pages then
    start, parent, label, count, suffix = whole[:5, :groups]
    child, first = whole[5:7]
    follower, symbol = whole[7:, : groups - 2]
    for zeros in (count, suffix, first):
        zeros[:] = 0
    divide(spelled, len(positions), shared, heads, order, level, start, parent, child, label, count)
    followed = count.copy()
    follow(text, np.flatnonzero(text == 0), parent, child, label, order, suffix, followed)
    list_followers(suffix, parent, label, first, follower, symbol)
    return Trie(text, order, alphabet, positions, level, start, parent, child, label, suffix, count, followed,
                first, follower, symbol)  # fmt: skip
