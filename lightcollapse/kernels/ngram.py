"""n-gram models: one sort of packed keys gives every order as a trie; a smoothing lowers to tables that two kernels read.

Documents are padded: int32 symbols `0 d1 0 d2 0`, where 0 stands before each document and after the last. Each position
but the last is a history: the symbols up to it, back to the pad before its document. Sorted by reversed history, the
histories that share their k most recent symbols are contiguous: they are the groups of level k, and the groups of all
levels form a trie whose children differ in the next older symbol. A group is at once a context (of the symbols that
follow) and an n-gram (its most recent symbol in the context of the older ones). Nothing is hashed: counts are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import kernel
from lightcollapse.kernels.rng import MASK32, SYNTHETIC, key, philox

Symbols = NDArray[np.int32]

LANES = 16  # documents written at a time, so that their waits for memory overlap
_ALWAYS = 0xFFFFFFFF  # a chance of acceptance of one, in units of 2^-32
_S32 = np.uint64(32)
_LANE = np.uint64(8)
_SLOW = np.uint64(LANES)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_TWO_32 = np.uint64(2**32)


# --- Sorting histories -------------------------------------------------------------------------------------------------


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
        source = i - first
        if source > begin:
            chunk = (chunk >> width) | (np.uint64(text[source]) << top)
        else:
            chunk = np.uint64(0)
        value = chunk
        if rank.size > 0:
            value = value | (rank[i] << above)
        if index_bits > 0:
            value = (value << low) | np.uint64(i)
        keys[i] = value


@kernel
def compare(keys, index_bits, bits, count, first, class_shared, shared):
    """Fill shared uint8 with how many symbols each sorted history shares with the one before it, up to first + count.

    `class_shared` uint8 holds the same for the ranks of the stage before. Draws nothing.
    """
    low = np.uint64(index_bits)
    above = np.uint64(bits * count)
    staged = class_shared.size > 0
    before = keys[0] >> low
    shared[0] = 0
    for r in range(1, keys.size):
        value = keys[r] >> low
        different = value ^ before
        before = value
        if staged and (different >> above) != _ZERO:
            shared[r] = class_shared[np.int64(value >> above)]
        else:
            same = first
            for j in range(count):
                if (different >> np.uint64(bits * (count - 1 - j))) == _ZERO:
                    same += 1
            shared[r] = same


def sort_histories(
    text: Symbols, order: int, alphabet: int, key_bits: int = 63
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Positions sorted by reversed history of `order` symbols, and how many symbols each shares with the one before.

    `alphabet` bounds the symbols (exclusive). Symbols and position share one 64-bit key where they fit; where they do
    not, later stages sort by the dense rank so far and the next symbols. `key_bits` is smaller only in tests. Returns
    int32 (len(text) - 1,) and uint8 of the same shape; a history shares the pad and what lies beyond it with its like.
    """
    size = len(text) - 1
    bits = max(1, int(alphabet - 1).bit_length())
    index_bits = max(1, int(size - 1).bit_length())
    keys = np.empty(size, dtype=np.uint64)
    rank = np.empty(0, dtype=np.uint64)
    class_shared = np.empty(0, dtype=np.uint8)
    shared = np.empty(size, dtype=np.uint8)
    first = 0
    while True:
        room = key_bits - index_bits * (2 if first else 1)
        low = index_bits if room >= bits else 0  # no room for the position: sort indirectly
        if not low:
            room = key_bits + 1 - (index_bits if first else 0)
        count = max(1, min(order - first, room // bits))
        pack(text, first, count, bits, low, rank, keys)
        if low:
            keys.sort()
            positions = (keys & np.uint64((1 << low) - 1)).astype(np.int32)
        else:
            positions = np.argsort(keys, kind="stable").astype(np.int32)
            keys = keys[positions]
        compare(keys, low, bits, count, first, class_shared, shared)
        first += count
        if first >= order:
            return positions, shared
        fresh = shared < first
        fresh[0] = True
        rank = np.empty(size, dtype=np.uint64)
        rank[positions] = np.cumsum(fresh).astype(np.uint64) - _ONE
        class_shared = shared[fresh]


# --- The trie ----------------------------------------------------------------------------------------------------------


@kernel
def grow(text, positions, shared, order):
    """The groups of all levels in flat arrays, as `Trie` names them. Draws nothing."""
    size = positions.size
    depth = np.empty(size, dtype=np.uint8)  # symbols of each history, its pad included, at most `order`
    here = 0
    for i in range(size):
        here = 1 if text[i] == 0 else min(here + 1, order)
        depth[i] = here
    level = np.zeros(order + 3, dtype=np.int64)
    for r in range(size):
        for k in range(shared[r] + 1, depth[positions[r]] + 1):
            level[k + 1] += 1
    level[1] = 1
    for k in range(1, order + 2):
        level[k + 1] += level[k]
    groups = level[order + 1]
    start = np.empty(groups, dtype=np.int32)
    parent = np.empty(groups, dtype=np.int32)
    child = np.empty(groups + 1, dtype=np.int32)
    label = np.empty(groups, dtype=np.int32)
    suffix = np.zeros(groups, dtype=np.int32)
    count = np.zeros(groups, dtype=np.int32)
    followed = np.zeros(groups, dtype=np.int32)
    types = np.zeros(groups, dtype=np.int32)
    deepest = np.zeros(size + 1, dtype=np.int32)
    free = level.copy()
    current = np.zeros(order + 1, dtype=np.int64)
    start[0] = 0
    parent[0] = -1
    label[0] = -1
    child[0] = 1
    for r in range(size):
        p = positions[r]
        for k in range(shared[r] + 1, depth[p] + 1):
            g = free[k]
            free[k] = g + 1
            start[g] = r
            parent[g] = current[k - 1]
            child[g] = free[k + 1]
            label[g] = text[p - k + 1]
            current[k] = g
        g = current[depth[p]]
        deepest[p] = g
        count[g] += 1
        if text[p + 1] != 0:
            followed[g] += 1
    child[groups] = groups
    for g in range(groups - 1, 0, -1):
        count[parent[g]] += count[g]
        followed[parent[g]] += followed[g]
    k = 1
    for g in range(2, groups):  # group 1 is the pad, which follows nothing
        while g >= level[k + 1]:
            k += 1
        q = deepest[positions[start[g]] - 1]
        while q >= level[k]:
            q = parent[q]
        suffix[g] = q
        types[q] += 1
    first = np.zeros(groups + 1, dtype=np.int32)
    for h in range(groups):
        first[h + 1] = first[h] + types[h]
    follower = np.empty(groups - 2, dtype=np.int32)
    symbol = np.empty(groups - 2, dtype=np.int32)
    for g in range(2, groups):
        q = suffix[g]
        slot = first[q + 1] - types[q]
        types[q] -= 1
        follower[slot] = g
        symbol[slot] = text[positions[start[g]]]
    return level, start, parent, child, label, suffix, count, followed, first, follower, symbol, deepest


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
    deepest    int32 (P + 1,)     deepest group of each position
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
    deepest: NDArray[np.int32]

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


def build(text: Symbols, order: int, alphabet: int, key_bits: int = 63) -> Trie:
    """The trie of all n-grams of the padded documents `text`, n <= order; symbols lie in 1..alphabet + 1."""
    positions, shared = sort_histories(text, order, alphabet + 2, key_bits)
    return Trie(text, order, alphabet, positions, *grow(text, positions, shared, order))


# --- Smoothings --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weights:
    """A smoothing as numbers: P(w | h) = gain(h w) + back(h) P(w | h without its oldest symbol).

    gain     float64 (G,)  of the n-gram; 0 for groups that are no n-gram (the root, the pad)
    back     float64 (G,)  of the context; 1 where nothing follows it
    """

    gain: NDArray[np.float64]
    back: NDArray[np.float64]


@dataclass(frozen=True)
class Urns:
    """The same law for drawing: pick an entry of the context's urn uniformly, accept it, or back off.

    urn      uint32 (C, 4)  first entry, entries, chance of staying (in 2^-32, less one), 1 for a whole context
    entry    uint64 (E,)    next state << 32 | symbol drawn (0: the end of a document, drawn again); the next state is
                            read only where the urn's context is whole
    keep     uint32 (E,)    chance of accepting the entry (in 2^-32, less one)
    A smoothing uses the chance of staying or that of accepting, never both: they share a random word.
    """

    urn: NDArray[np.uint32]
    entry: NDArray[np.uint64]
    keep: NDArray[np.uint32]


def _chances(values: NDArray[np.float64]) -> NDArray[np.uint32]:
    return (np.maximum(np.rint(values * 2.0**32), 1.0) - 1.0).astype(np.uint32)


def _states(trie: Trie) -> NDArray[np.int64]:
    """For each group, the context that the next draw starts from: the deepest one that something follows."""
    state = np.arange(trie.groups)
    state[trie.contexts :] = trie.parent[trie.contexts :]
    empty = np.flatnonzero(trie.followed[state] == 0)
    while len(empty):
        state[empty] = trie.parent[state[empty]]
        empty = empty[trie.followed[state[empty]] == 0]
    return state


def _whole(trie: Trie) -> NDArray[np.bool_]:
    """Contexts that reach back as far as the model or the document does."""
    whole = trie.label[: trie.contexts] == 0
    whole[trie.level[trie.order - 1] :] = True
    return whole


def _occurrences(trie: Trie, states: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """Urns that hold the occurrences of each context."""
    contexts = trie.contexts
    urn = np.empty((contexts, 4), dtype=np.uint32)
    urn[:, 0] = trie.start[:contexts]
    urn[:, 1] = np.where(trie.followed[:contexts] > 0, trie.count[:contexts], 0)
    urn[:, 2] = _ALWAYS
    urn[:, 3] = _whole(trie)
    arrived = states.take(trie.deepest)  # by position: the state there, and the symbol that led to it
    arrived <<= 32
    arrived |= trie.text
    entry = arrived.take(trie.positions + np.int64(1))
    return urn, entry.view(np.uint64)


class WittenBell:
    """P(w | h) = (c(hw) + T(h) P(w | h')) / (c(h) + T(h)), h' being h without its oldest symbol.

    Under the unigrams lies the uniform law on V + 1 symbols, one of them for all unknown ones.
    Source: Witten and Bell 1991, method C, interpolated as in Chen and Goodman 1998.
    """

    @staticmethod
    def weights(trie: Trie) -> Weights:
        total = np.maximum(trie.followed + trie.types, 1).astype(np.float64)
        gain = trie.count / total[trie.suffix]
        back = np.where(trie.followed > 0, trie.types / total, 1.0)
        return Weights(gain, back)

    @staticmethod
    def urns(trie: Trie, states: NDArray[np.int64]) -> Urns:
        urn, entry = _occurrences(trie, states)
        held = urn[:, 1].astype(np.float64)  # ends of documents included: they are drawn again, which restores c / (c + T)
        urn[:, 2] = _chances(held / np.maximum(held + trie.types[: trie.contexts], 1.0))
        return Urns(urn, entry, np.full(len(entry), _ALWAYS, dtype=np.uint32))


class KneserNey:
    """Interpolated Kneser-Ney with one absolute discount an order.

    P(w | h) = (max(a(hw) - D, 0) + D T(h) P(w | h')) / sum over w of a(hw). For the longest n-grams and those that begin
    with the pad a is the count; for shorter ones the number of distinct symbols before them, the pad being one. The
    discount of each order is n1 / (n1 + 2 n2), n1 and n2 being how many of its n-grams have a = 1 and 2; 1/2 where
    either is 0, as the estimate would then be 0 or 1. Uniform base as in WittenBell.
    Source: Kneser and Ney 1995; Chen and Goodman 1998.
    """

    @staticmethod
    def adjusted(trie: Trie) -> NDArray[np.int64]:
        """a(hw) of each group. int64 (G,)"""
        counts = trie.count.astype(np.int64)
        inner = np.flatnonzero(~_whole_ngram(trie))
        counts[inner] = trie.child[inner + 1] - trie.child[inner]
        counts[:2] = 0
        return counts

    @staticmethod
    def discounts(trie: Trie, adjusted: NDArray[np.int64]) -> NDArray[np.float64]:
        """D for the n-grams of each length. float64 (order + 1,); entry 0 is unused."""
        discounts = np.zeros(trie.order + 1)
        for k in range(1, trie.order + 1):
            once, twice = np.bincount(np.minimum(adjusted[trie.level[k] : trie.level[k + 1]], 3), minlength=4)[1:3]
            discounts[k] = once / (once + 2.0 * twice) if once and twice else 0.5
        return discounts

    @staticmethod
    def weights(trie: Trie) -> Weights:
        adjusted = KneserNey.adjusted(trie)
        discount = KneserNey.discounts(trie, adjusted)
        lengths = np.diff(trie.level[: trie.order + 2])
        total = np.bincount(trie.suffix[2:], weights=adjusted[2:], minlength=trie.groups)
        total[total == 0.0] = 1.0
        gain = (adjusted - np.repeat(discount, lengths)) / total[trie.suffix]
        gain[:2] = 0.0
        above = np.repeat(np.append(discount[1:], 0.0), lengths)  # the discount of the n-grams that a context begins
        back = np.where(trie.followed > 0, above * trie.types / total, 1.0)
        return Weights(gain, back)

    @staticmethod
    def urns(trie: Trie, states: NDArray[np.int64]) -> Urns:
        adjusted = KneserNey.adjusted(trie)
        discount = np.repeat(KneserNey.discounts(trie, adjusted), np.diff(trie.level[: trie.order + 2]))
        accept = _chances(1.0 - discount / np.maximum(adjusted, 1))
        urn, entry = _occurrences(trie, states)
        keep = accept[trie.deepest[trie.positions + 1]]
        # An inner context's urn holds its distinct (symbol before, symbol after): the n-grams, one symbol longer, in the
        # contexts that are its children.
        pair = trie.follower[trie.first[1] :]
        ngram = trie.parent[pair]
        inner = np.flatnonzero(urn[:, 3] == 0)
        begin = trie.first[trie.child[inner]]
        urn[inner, 0] = len(entry) + begin - trie.first[1]
        urn[inner, 1] = trie.first[trie.child[inner + 1]] - begin
        return Urns(
            urn,
            np.concatenate([entry, trie.symbol[trie.first[1] :].astype(np.uint64)]),
            np.concatenate([keep, accept[ngram]]),
        )


def _whole_ngram(trie: Trie) -> NDArray[np.bool_]:
    """n-grams that keep their raw counts: the longest ones and those that begin with the pad."""
    whole = trie.label == 0
    whole[trie.level[trie.order] :] = True
    return whole


class MaximumLikelihood:
    """P(w | h) = c(hw) / c(h) in the longest context that something follows; 0 for an n-gram never seen."""

    @staticmethod
    def weights(trie: Trie) -> Weights:
        gain = trie.count / np.maximum(trie.followed, 1)[trie.suffix]
        return Weights(gain, np.where(trie.followed > 0, 0.0, 1.0))

    @staticmethod
    def urns(trie: Trie, states: NDArray[np.int64]) -> Urns:
        urn, entry = _occurrences(trie, states)
        return Urns(urn, entry, np.full(len(entry), _ALWAYS, dtype=np.uint32))


SMOOTHINGS: dict[str, type[WittenBell] | type[KneserNey] | type[MaximumLikelihood]] = {
    "witten-bell": WittenBell,
    "kneser-ney": KneserNey,
    "ml": MaximumLikelihood,
}


# --- Scoring -----------------------------------------------------------------------------------------------------------


def probabilities(trie: Trie, weights: Weights) -> NDArray[np.float64]:
    """P(w | h) of each n-gram that occurs, from the shortest on. float64 (G,); the root holds the uniform base."""
    known = weights.gain.copy()
    known[0] = 1.0 / (trie.alphabet + 1)
    known[1] = 0.0
    for k in range(1, trie.order + 1):
        span = slice(max(2, int(trie.level[k])), int(trie.level[k + 1]))
        known[span] += weights.back[trie.suffix[span]] * known[trie.parent[span]]
    return known


@kernel
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


@kernel
def score(text, parent, first, follower, symbol, states, known, back, out):
    """Fill out float64 with P(symbol | history) for each symbol of the padded documents, in order. Draws nothing."""
    context = np.int64(0)
    written = 0
    for i in range(text.size - 1):
        wanted = text[i]
        if wanted == 0:
            context = states[1]
            continue
        p = 1.0
        slot = find(first, symbol, context, wanted)
        while slot < 0 and context > 0:
            p *= back[context]
            context = np.int64(parent[context])
            slot = find(first, symbol, context, wanted)
        if slot < 0:
            p *= back[0] * known[0]
            context = np.int64(0)
        else:
            group = follower[slot]
            p *= known[group]
            context = states[group]
        out[written] = p
        written += 1


# --- Sampling ----------------------------------------------------------------------------------------------------------


@kernel
def write(
    out, symbols, length, alphabet, parent, first, follower, symbol, states, urn, entry, keep, g, r, stream, k0, k1
):  # fmt: skip
    """Fill out int32 with padded documents of `length` symbols (the last may be shorter), `symbols` in all.

    Lane l writes documents l, l + LANES, ... and draws from stream `stream + (l << 8)`, two words a symbol; what the
    first two words do not settle is drawn from lane LANES + l.
    """
    state = np.empty(LANES, dtype=np.int64)
    pick = np.empty(LANES, dtype=np.int64)
    words = np.empty((4, LANES), dtype=np.uint64)
    spent = np.zeros(LANES, dtype=np.uint64)
    documents = (symbols + length - 1) // length
    block = _ZERO
    out[0] = 0
    out[out.size - 1] = 0
    for begin in range(0, documents, LANES):
        active = min(LANES, documents - begin)
        last = length if begin + active < documents else symbols - (documents - 1) * length
        for lane in range(active):
            state[lane] = states[1]
            out[(begin + lane) * (length + 1)] = 0
        for step in range(length):
            if step == last:
                active -= 1
            if step & 1 == 0:
                for lane in range(LANES):
                    w0, w1, w2, w3 = philox(block, g, r, stream + (np.uint64(lane) << _LANE), k0, k1)
                    words[0, lane] = w0
                    words[1, lane] = w1
                    words[2, lane] = w2
                    words[3, lane] = w3
                block += _ONE
            row = (step & 1) << 1
            for lane in range(active):
                h = state[lane]
                size = np.uint64(urn[h, 1])
                product = words[row, lane] * size
                pick[lane] = np.int64(urn[h, 0]) + np.int64(product >> _S32)
                if (product & MASK32) < size and (product & MASK32) < _TWO_32 % size:
                    pick[lane] = -1  # an index with one word too many: drawn again below
                elif words[row + 1, lane] > np.uint64(urn[h, 2]):
                    pick[lane] = -2
            for lane in range(active):
                h = state[lane]
                at = (begin + lane) * (length + 1) + 1 + step
                drawn = np.int64(0)
                if pick[lane] >= 0:
                    drawn = np.int64(entry[pick[lane]] & MASK32)
                    if drawn != 0 and words[row + 1, lane] > np.uint64(keep[pick[lane]]):
                        drawn = np.int64(0)
                        h = np.int64(parent[h])
                    elif drawn != 0 and urn[h, 3] == 1:
                        out[at] = drawn
                        state[lane] = np.int64(entry[pick[lane]] >> _S32)
                        continue
                elif pick[lane] == -2:
                    h = np.int64(parent[h])
                while drawn == 0:
                    w0, w1, w2, w3 = philox(spent[lane], g, r, stream + ((_SLOW + np.uint64(lane)) << _LANE), k0, k1)
                    spent[lane] += _ONE
                    size = np.uint64(urn[h, 1]) if h >= 0 else np.uint64(alphabet + 1)
                    product = w0 * size
                    if (product & MASK32) < size and (product & MASK32) < _TWO_32 % size:
                        continue
                    index = np.int64(product >> _S32)
                    if h < 0:
                        drawn = index + 1
                        if drawn > alphabet:  # the unknown symbol cannot be written: draw anew
                            drawn = np.int64(0)
                            h = state[lane]
                    elif w1 > np.uint64(urn[h, 2]):
                        h = np.int64(parent[h])
                    else:
                        index += np.int64(urn[h, 0])
                        drawn = np.int64(entry[index] & MASK32)
                        if drawn != 0 and w1 > np.uint64(keep[index]):
                            drawn = np.int64(0)
                            h = np.int64(parent[h])
                out[at] = drawn
                h = state[lane]
                slot = find(first, symbol, h, drawn)
                while slot < 0 and h > 0:
                    h = np.int64(parent[h])
                    slot = find(first, symbol, h, drawn)
                state[lane] = states[follower[slot]] if slot >= 0 else 0


# --- The model ---------------------------------------------------------------------------------------------------------


class Model:
    """An n-gram model fitted on padded documents: scores text, and writes it."""

    def __init__(self, text: Symbols, order: int, alphabet: int, smoothing: str) -> None:
        """`text` int32, padded, symbols in 1..alphabet; `smoothing` a name in SMOOTHINGS."""
        self.trie = build(text, order, alphabet)
        self.smoothing = SMOOTHINGS[smoothing]
        weights = self.smoothing.weights(self.trie)
        self._known = probabilities(self.trie, weights)
        self._back = weights.back
        self._states = _states(self.trie)

    def log_probabilities(self, text: Symbols) -> NDArray[np.float64]:
        """Log-probability of each symbol given its history, nats, pads left out; -inf for the impossible."""
        trie = self.trie
        out = np.empty(int(np.count_nonzero(text)))
        score(
            text, trie.parent, trie.first, trie.follower, trie.symbol, self._states, self._known, self._back, out
        )  # fmt: skip
        with np.errstate(divide="ignore"):
            return np.log(out)

    def write(self, symbols: int, length: int, generation: int, replicate: int, seed: int) -> Symbols:
        """Padded documents of `length` symbols, `symbols` in all: the draws for training set `generation`."""
        trie = self.trie
        urns = self.smoothing.urns(trie, self._states)
        out = np.empty(symbols + -(-symbols // length) + 1, dtype=np.int32)
        write(
            out, symbols, length, trie.alphabet, trie.parent, trie.first, trie.follower, trie.symbol, self._states,
            urns.urn, urns.entry, urns.keep, np.uint64(generation), np.uint64(replicate), SYNTHETIC, *key(seed),
        )  # fmt: skip
        return out
