"""The law of the next symbol in a context: its likeliest part, and text written from it sharpened and cut.

A law comes in two parts. Symbols that follow the context, or a shorter one but the empty one, have chances of their
own; every other has that of the empty context times one factor. The law of the empty context is sorted once a model,
so that the likeliest symbols of any context come from a heap beside a sorted list, without a pass over the alphabet.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import inlined, kernel
from lightcollapse.kernels.rng import SYNTHETIC, key, philox, unit
from lightcollapse.kernels.trie import Symbols, find

Float = NDArray[np.float64]

_NEARLY = 1.0 - 1e-12  # what a sum of chances may lack by rounding
_FIRST_LANE = np.uint64(32)  # of the generator's lanes, those before are drawn from where nothing is cut
_LANE = np.uint64(8)
_ONE = np.uint64(1)
_TOP = np.int64(0)


class Law(NamedTuple):
    """A model's tables, as kernels read them. V symbols are known, V + 1 stands for the others.

    parent, first, follower, symbol: of the trie.
    unigram   int32 (V + 2,)    the group of each symbol alone, or -1
    states    int64 (G,)        the context that the next draw starts from
    known     float64 (G,)      chance of each n-gram
    back      float64 (G,)      factor of the shorter context for what a context lacks
    root      float64 (V + 2,)  chance of each symbol in the empty context
    order     int32 (slots,)    symbols of the law by that chance, the likeliest first, ties by number
    """

    parent: NDArray[np.int32]
    first: NDArray[np.int32]
    follower: NDArray[np.int32]
    symbol: NDArray[np.int32]
    unigram: NDArray[np.int32]
    states: NDArray[np.int64]
    known: Float
    back: Float
    root: Float
    order: NDArray[np.int32]


@inlined
def follow(parent, first, follower, symbol, unigram, states, context, wanted):
    """The state after symbol `wanted` in state `context`. Draws nothing."""
    slot = np.int64(-1)
    while context > 0 and slot < 0:
        slot = find(first, symbol, context, wanted)
        if slot < 0:
            context = np.int64(parent[context])
    group = np.int64(follower[slot] if slot >= 0 else unigram[wanted])
    return np.int64(states[group]) if group >= 0 else np.int64(0)


@kernel
def state_before(law, text, at, reach):
    """The state before text[at], from the `reach` symbols before it, the pad among them. Draws nothing."""
    parent, first, follower, symbol, unigram, states = law[:6]
    begin = at
    while at - begin < reach and text[begin - 1] != 0:
        begin -= 1
    context = np.int64(states[1]) if at - begin < reach else np.int64(0)
    for i in range(begin, at):
        context = follow(parent, first, follower, symbol, unigram, states, context, np.int64(text[i]))
    return context


@inlined
def gather(law, context, mark, stamp, found, chance):
    """Fill found and chance with the symbols that follow the context or a shorter one but the empty one.

    `mark` int64 (V + 2,) becomes `stamp` for each. Returns how many there are, and the factor that makes chances in the
    empty context those of all others. Draws nothing.
    """
    parent, first, follower, symbol, known = law.parent, law.first, law.follower, law.symbol, law.known
    count = np.int64(0)
    factor = 1.0
    while context > 0 and factor > 0.0:
        for slot in range(first[context], first[context + 1]):
            wanted = symbol[slot]
            if mark[wanted] != stamp:
                mark[wanted] = stamp
                found[count] = wanted
                chance[count] = factor * known[follower[slot]]
                count += 1
        factor *= law.back[context]
        context = np.int64(parent[context])
    return count, factor


@inlined
def sink(found, chance, count, place):
    """Move an entry down the heap to where none below it is likelier; of the equally likely the lower number is first.
    Draws nothing.
    """
    symbol = found[place]
    value = chance[place]
    while True:
        child = 2 * place + 1
        if child >= count:
            break
        if child + 1 < count:
            p, q = chance[child], chance[child + 1]
            if q > p or (q == p and found[child + 1] < found[child]):
                child += 1
        if chance[child] < value or (chance[child] == value and found[child] > symbol):
            break
        found[place] = found[child]
        chance[place] = chance[child]
        place = child
    found[place] = symbol
    chance[place] = value


@kernel
def heapify(found, chance, count):
    """Order the first `count` entries as a heap. Draws nothing."""
    for place in range(count // 2 - 1, -1, -1):
        sink(found, chance, count, np.int64(place))


@inlined
def pop(found, chance, count):
    """Take the likeliest entry off the heap; returns how many are left. Draws nothing."""
    left = np.int64(count - 1)
    found[0] = found[left]
    chance[0] = chance[left]
    sink(found, chance, left, _TOP)
    return left


@kernel
def intervals(law, text, at, reach, share, inside, size, unknown):
    """For the symbol at each place of `at` int64 the smallest set of the likeliest symbols that holds `share`.

    Fills, float64 each: whether the symbol lies in it (of those at its edge that are equally likely, their share that
    does), how many symbols it holds, and the chance of the unknown ones. Draws nothing.
    """
    mark = np.zeros(law.root.size, dtype=np.int64)
    found = np.empty(law.root.size, dtype=np.int32)
    chance = np.empty(law.root.size)
    root, order = law.root, law.order
    for i in range(at.size):
        actual = np.int64(text[at[i]])
        stamp = np.int64(i + 1)
        count, factor = gather(law, state_before(law, text, at[i], reach), mark, stamp, found, chance)
        p = factor * root[actual]
        if mark[actual] == stamp:
            for j in range(count):
                if found[j] == actual:
                    p = chance[j]
        heapify(found, chance, count)
        place = 0
        held, edge = 0.0, np.inf
        within, chosen, tied = 0, 0, 0  # symbols in the set; of those at its edge, in the set and in all
        while True:
            while place < order.size and mark[order[place]] == stamp:
                place += 1
            own = chance[0] if count > 0 else 0.0
            other = factor * root[order[place]] if place < order.size else 0.0
            value = max(own, other)
            if value <= 0.0 or (held >= share and value < edge):
                break
            if value < edge:
                edge = value
                chosen, tied = 0, 0
            tied += 1
            if held < share:
                held += value
                within += 1
                chosen += 1
            if own >= other:
                count = pop(found, chance, count)
            else:
                place += 1
        inside[i] = 1.0 if p > edge else (chosen / tied if p == edge else 0.0)
        size[i] = within
        unknown[i] = factor * root[root.size - 1]


class Cut(NamedTuple):
    """How a law is sharpened and cut, and what that makes of the contexts met so far.

    A context's symbols are a list of their own, and those of the empty context up to a rank: a draw from the latter
    that has a chance of its own is drawn again.

    power     1 / temperature
    top_k, top_p: as in `Model.write`; top_k is S where all are kept.
    order     int32 (S,)        the known symbols of Law.order that are possible in the empty context
    rank      int32 (V + 2,)    the place of each of them
    powered   float64 (S,)      their chances in the empty context to that power, the first one's being 1
    total     float64 (S + 1,)  sums of these
    entry     int64 (C, 3)      of each context: where its list begins (-1: not met yet), its length, and the rank
    weight    float64 (C, 2)    weight of the other part, and of its first symbol
    kept      int32 (capacity,)    symbols of the lists
    upto      float64 (capacity,)  sums of their weights
    mark      int64 (V + 2,)    scratch, as are found, chosen, place int32, chance and mass float64 of that length
    used      int64 (2,)        entries of `kept` in use, contexts met
    """

    power: float
    top_k: int
    top_p: float
    order: NDArray[np.int32]
    rank: NDArray[np.int32]
    powered: Float
    total: Float
    entry: NDArray[np.int64]
    weight: Float
    kept: NDArray[np.int32]
    upto: Float
    mark: NDArray[np.int64]
    found: NDArray[np.int32]
    chance: Float
    chosen: NDArray[np.int32]
    place: NDArray[np.int32]
    mass: Float
    used: NDArray[np.int64]


@inlined
def peak_of(law, cut, count, factor, stamp):
    """The greatest chance of a known symbol. Draws nothing."""
    peak = 0.0
    for j in range(count):
        peak = max(peak, cut.chance[j])
    for symbol in cut.order:
        if cut.mark[symbol] != stamp:
            return max(peak, factor * law.root[symbol])
    return peak


@kernel
def choose(law, cut, count, factor, stamp, peak, scale, whole):
    """Put symbols by falling chance into cut.chosen and cut.mass (their weights) until top_k and top_p are met.

    cut.place holds the rank of those of the empty context, else -1; `whole` is the weight of all symbols. Returns how
    many are chosen. Draws nothing.
    """
    root, order, powered, mark, power, top_k = law.root, cut.order, cut.powered, cut.mark, cut.power, cut.top_k
    found, chance, chosen, place, mass = cut.found, cut.chance, cut.chosen, cut.place, cut.mass
    heapify(found, chance, count)
    rank, size, held = 0, 0, 0.0
    wanted = cut.top_p * whole * _NEARLY if top_k >= order.size else np.inf
    while size < top_k and held < wanted:
        while rank < order.size and mark[order[rank]] == stamp:
            rank += 1
        own = chance[0] if count > 0 else -1.0
        other = factor * root[order[rank]] if rank < order.size else -1.0
        if own <= 0.0 and other <= 0.0:
            break
        if own > other or (own == other and found[0] < order[rank]):
            chosen[size] = found[0]
            mass[size] = (own / peak) ** power
            place[size] = -1
            count = pop(found, chance, count)
        else:
            chosen[size] = order[rank]
            mass[size] = scale * powered[rank]
            place[size] = rank
            rank += 1
        held += mass[size]
        size += 1
    wanted = cut.top_p * held * _NEARLY if top_k < order.size and cut.top_p < 1.0 else np.inf
    before, kept = 0.0, 0
    while kept < size and before < wanted:
        before += mass[kept]
        kept += 1
    return kept


@kernel
def meet(law, cut, context):
    """Sharpen and cut the law of a context that is met for the first time; False where the lists are full.
    Draws nothing.
    """
    begin = cut.used[0]
    if begin + cut.order.size > cut.kept.size:
        return False
    cut.used[1] += 1
    stamp = cut.used[1]
    count, factor = gather(law, context, cut.mark, stamp, cut.found, cut.chance)
    peak = peak_of(law, cut, count, factor, stamp)
    scale = (factor * law.root[cut.order[0]] / peak) ** cut.power
    end = begin
    own, lost, prefix, others = 0.0, 0.0, 0, 0
    for j in range(count):
        own += (cut.chance[j] / peak) ** cut.power
        lost += scale * cut.powered[cut.rank[cut.found[j]]]
    if cut.top_k >= cut.order.size and cut.top_p >= 1.0:
        own = 0.0
        for j in range(count):
            own += (cut.chance[j] / peak) ** cut.power
            cut.kept[end] = cut.found[j]
            cut.upto[end] = own
            end += 1
        prefix, others = cut.order.size, cut.order.size - count
    else:
        chosen = choose(law, cut, count, factor, stamp, peak, scale, own + max(0.0, scale * cut.total[-1] - lost))
        own, lost = 0.0, 0.0
        for j in range(chosen):
            if cut.place[j] >= 0:
                prefix = cut.place[j] + 1
                others += 1
            else:
                own += cut.mass[j]
                cut.kept[end] = cut.chosen[j]
                cut.upto[end] = own
                end += 1
        for rank in range(prefix):
            lost += scale * cut.powered[rank] if cut.mark[cut.order[rank]] == stamp else 0.0
    rest = scale * cut.total[prefix] if others > 0 else 0.0
    if others > 0 and lost > own + (rest - lost):  # most draws would be in vain: list every symbol
        for rank in range(prefix):
            if cut.mark[cut.order[rank]] != stamp:
                own += scale * cut.powered[rank]
                cut.kept[end] = cut.order[rank]
                cut.upto[end] = own
                end += 1
        rest = 0.0
    cut.entry[context, 0] = begin
    cut.entry[context, 1] = end - begin
    cut.entry[context, 2] = prefix
    cut.weight[context, 0] = rest
    cut.weight[context, 1] = scale
    cut.used[0] = end
    return True


@inlined
def above(sums, begin, end, wanted):
    """The first place in sums[begin:end], which rise, that exceeds `wanted`, at most the last. Draws nothing."""
    low, high = begin, end - 1
    while low < high:
        middle = (low + high) >> 1
        if sums[middle] > wanted:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def draw(parent, first, symbol, entry, weight, kept, upto, order, total, context, u):
    """The symbol that a uniform picks from a context's cut law, or 0 where another must be drawn."""
    begin = entry[context, 0]
    length = entry[context, 1]
    own = upto[begin + length - 1] if length > 0 else 0.0
    rest = weight[context, 0]
    wanted = u * (own + rest)
    if wanted < own or rest == 0.0:
        return np.int64(kept[above(upto, begin, begin + length, wanted)])
    picked = np.int64(order[above(total, np.int64(1), entry[context, 2] + 1, (wanted - own) / weight[context, 1]) - 1])
    while context > 0:
        if find(first, symbol, context, picked) >= 0:
            return np.int64(0)
        context = np.int64(parent[context])
    return picked


@kernel
def write_cut(law, cut, out, symbols, length, begin, g, r, stream, k0, k1):
    """Fill out int32 with padded documents from document `begin` on, one uniform a symbol or more; returns how many
    are done, fewer than all where the lists are full.
    """
    parent, first, follower, symbol, unigram, states = law[:6]
    entry, weight, kept, upto, order, total = cut.entry, cut.weight, cut.kept, cut.upto, cut.order, cut.total
    documents = np.int64((symbols + length - 1) // length)
    out[out.size - 1] = 0
    for document in range(begin, documents):
        at = document * (length + 1)
        out[at] = 0
        context = np.int64(states[1])
        for step in range(min(length, symbols - document * length)):
            if entry[context, 0] < 0 and not meet(law, cut, context):
                return np.int64(document)
            block = np.uint64(document * length + step)
            drawn = np.int64(0)
            lane = _FIRST_LANE
            while drawn == 0:
                w0, w1, w2, w3 = philox(block, g, r, stream + (lane << _LANE), k0, k1)
                drawn = draw(parent, first, symbol, entry, weight, kept, upto, order, total, context, unit(w0, w1))
                if drawn == 0:
                    drawn = draw(parent, first, symbol, entry, weight, kept, upto, order, total, context, unit(w2, w3))
                lane += _ONE
            at += 1
            out[at] = drawn
            context = follow(parent, first, follower, symbol, unigram, states, context, drawn)
    return documents


class Decoder:
    """Writes text from a law that is sharpened and cut. What it makes of a context is kept: threads take turns."""

    def __init__(self, law: Law, contexts: int, temperature: float, top_k: int, top_p: float) -> None:
        """As `Model.write` takes them; `contexts` is how many there are."""
        self._law = law
        self._lock = threading.Lock()
        size = len(law.root)
        order = law.order[(law.order < size - 1) & (law.root[law.order] > 0.0)]
        rank = np.zeros(size, dtype=np.int32)
        rank[order] = np.arange(len(order))
        powered = (law.root[order] / law.root[order[0]]) ** (1.0 / temperature)
        self._cut = Cut(
            power=1.0 / temperature,
            top_k=top_k if 0 < top_k < len(order) else len(order),
            top_p=float(top_p),
            order=order,
            rank=rank,
            powered=powered,
            total=np.append(0.0, np.cumsum(powered)),
            entry=np.full((contexts, 3), -1, dtype=np.int64),
            weight=np.zeros((contexts, 2)),
            kept=np.empty(4 * size, dtype=np.int32),
            upto=np.empty(4 * size),
            mark=np.zeros(size, dtype=np.int64),
            found=np.empty(size, dtype=np.int32),
            chance=np.empty(size),
            chosen=np.empty(size, dtype=np.int32),
            place=np.empty(size, dtype=np.int32),
            mass=np.empty(size),
            used=np.zeros(2, dtype=np.int64),
        )

    def write(self, symbols: int, length: int, generation: int, replicate: int, seed: int) -> Symbols:
        """As `Model.write`."""
        out = np.empty(symbols + -(-symbols // length) + 1, dtype=np.int32)
        counters: tuple[Any, ...] = (np.uint64(generation), np.uint64(replicate), SYNTHETIC, *key(seed))
        done, documents = 0, -(-symbols // length)
        with self._lock:
            while True:
                done = write_cut(self._law, self._cut, out, symbols, length, done, *counters)
                if done == documents:
                    return out
                self._grow()

    def _grow(self) -> None:
        kept, upto = (np.concatenate([values, np.empty_like(values)]) for values in (self._cut.kept, self._cut.upto))
        self._cut = self._cut._replace(kept=kept, upto=upto)
