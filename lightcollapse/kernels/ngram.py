"""n-gram models: kernels that score text and write it from the tables of a smoothing, and the model they make up."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import kernel, lent
from lightcollapse.kernels.followers import followers_of, slot_of
from lightcollapse.kernels.laws import Decoder, Law, intervals
from lightcollapse.kernels.rng import MASK32, SYNTHETIC, key, philox
from lightcollapse.kernels.smoothing import SMOOTHINGS, Urns, states_of
from lightcollapse.kernels.trie import Symbols, build

LANES = 16  # documents written at a time, so that their waits for memory overlap
AHEAD = 16  # blocks of words that a lane makes at a time for draws of its own: cheaper than one by one
_S32 = np.uint64(32)
_LANE = np.uint64(8)
_SLOW = np.uint64(LANES)
_IN_BLOCKS = np.uint64(AHEAD - 1)
_ROOT = np.int64(0)
_FIRST = np.int64(1)
_WHOLE = np.uint32(1)
_PARENT = np.uint32(1)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_TWO_32 = np.uint64(2**32)
_NEARLY = 1.0 - 1e-12  # what a sum of chances may lack by rounding


@lent
def _next_state(first, symbol, bitmap, below, parent, after, alone, context, wanted):
    """The state after symbol `wanted` in state `context`. Draws nothing."""
    slot = np.int64(-1)
    while context > 0 and slot < 0:
        slot = slot_of(first, symbol, bitmap, below, context, wanted)
        if slot < 0:
            context = np.int64(parent[np.uint64(context)])
    return np.int64(after[np.uint64(slot)] if slot >= 0 else alone[np.uint64(wanted)])


@kernel
def score(text, order, first, symbol, bitmap, below, parent, follower, unigram, states, known, back, out):
    """Fill out float64 (symbols and pads but the last,) with P(symbol | history) at each place of the padded documents.

    Pads have 1. `unigram` int32 (V + 2,) is the group of each symbol alone, or -1. LANES readers each take a piece of
    the text, so that their waits for memory overlap; they begin `order` - 1 symbols before it, which is all that a
    context holds. Draws nothing.
    """
    size = text.size - 1
    piece = (size + LANES - 1) // LANES
    context = np.zeros(LANES, dtype=np.int64)
    for step in range(1 - order, piece):
        for lane in range(LANES):
            i = lane * piece + step
            if i < 0 or i >= size:
                continue
            wanted = np.int64(text[i])
            here = context[lane]
            p = 1.0
            if wanted == 0:
                here = states[1]
            else:
                slot = np.int64(-1)
                while here > 0 and slot < 0:
                    slot = slot_of(first, symbol, bitmap, below, here, wanted)
                    if slot < 0:
                        p *= back[np.uint64(here)]
                        here = np.int64(parent[np.uint64(here)])
                group = np.int64(follower[np.uint64(slot)] if slot >= 0 else unigram[np.uint64(wanted)])
                if group < 0:
                    p *= back[0] * known[0]
                    here = _ROOT
                else:
                    p *= known[np.uint64(group)]
                    here = states[np.uint64(group)]
            context[lane] = here
            if step >= 0:
                out[i] = p


@lent
def _parent(urn, h):
    """The context without its oldest symbol, -1 under the empty one."""
    return np.int64(urn[h, 3] >> _PARENT) - _FIRST


@lent
def _redraw(
    h, left, start, spent, blocks, lane, told, first, symbol, bitmap, below, alphabet, follower, urn, entry, keep,
    rest, accept, down, g, r, stream, k0, k1,
):  # fmt: skip
    """A symbol where the first two words did not settle it: drawn from context h on, which came from `left`.

    `start` is the context of the document, `spent` how many blocks of words the lane used; `blocks` uint64 (LANES, 3,
    AHEAD) holds its next ones. Returns the symbol, the next state (-1 where it must be looked for), and `spent`.
    """
    exclusive = accept.size > 0
    drawn = np.int64(0)
    state = np.int64(-1)
    stay = False  # whether h itself is to give a symbol that is new to `left`
    while drawn == 0:
        at = np.int64(spent & _IN_BLOCKS)
        if at == 0:
            for k in range(AHEAD):
                w0, w1, w2, _ = philox(spent + np.uint64(k), g, r, stream, k0, k1)
                blocks[lane, 0, k] = w0
                blocks[lane, 1, k] = w1
                blocks[lane, 2, k] = w2
        w0 = blocks[lane, 0, at]
        w1 = blocks[lane, 1, at]
        w2 = blocks[lane, 2, at]
        spent += _ONE
        if exclusive and left >= 0 and h >= 0 and not stay:
            if w2 < down[left]:
                left = h
                h = _parent(urn, h)
                continue
            stay = True
        size = np.uint64(urn[h, 1]) if h >= 0 else np.uint64(rest.size)
        product = w0 * size
        if (product & MASK32) < size and (product & MASK32) < _TWO_32 % size:
            continue
        index = np.int64(product >> _S32)
        if h < 0:
            state = np.int64(-1)
            drawn = np.int64(rest[index])
            if drawn > alphabet:  # the unknown symbol cannot be written: draw anew
                drawn = np.int64(0)
                h = start
                left = np.int64(-1)
            continue
        if w1 > np.uint64(urn[h, 2]):
            left = h
            h = _parent(urn, h)
            continue
        index += np.int64(urn[h, 0])
        found = entry[index]
        drawn = np.int64(found & MASK32)
        if drawn == 0:
            continue
        state = np.int64(found >> _S32) if h >= told else np.int64(-1)
        chance = np.uint64(keep[index]) if keep.size > 0 else MASK32
        if exclusive:
            chance = np.uint64(accept[follower[slot_of(first, symbol, bitmap, below, h, drawn)]])
        if w1 > chance:
            drawn = np.int64(0)
            if not stay:
                left = h
                h = _parent(urn, h)
        elif stay and slot_of(first, symbol, bitmap, below, left, drawn) >= 0:
            drawn = np.int64(0)
    return drawn, state, spent


@kernel
def write(
    out, symbols, length, alphabet, begin_state, told, first, symbol, bitmap, below, parent, follower, after, alone,
    urn, entry, keep, rest, accept, down, g, r, stream, k0, k1,
):  # fmt: skip
    """Fill out int32 with padded documents of `length` symbols (the last may be shorter), `symbols` in all.

    Lane l writes documents l, l + LANES, ... and draws from stream `stream + (l << 8)`, two words a symbol; what the
    first two words do not settle is drawn from lane LANES + l. `after` int32 (G - 2,) is the state that each of the
    followers leads to, `alone` int32 (V + 2,) that after a symbol that follows no context. Entries of contexts
    from `told` on tell the state that they lead to. Where `accept` is not empty, what a context backs off to must be
    new to it: either the shorter context backs off as well, or draws are made from it until one is new.
    """
    exclusive = accept.size > 0
    state = np.empty(LANES, dtype=np.int64)
    pick = np.empty(LANES, dtype=np.int64)
    words = np.empty((4, LANES), dtype=np.uint64)
    spent = np.zeros(LANES, dtype=np.uint64)
    blocks = np.empty((LANES, 3, AHEAD), dtype=np.uint64)
    documents = (symbols + length - 1) // length
    block = _ZERO
    out[0] = 0
    out[out.size - 1] = 0
    for begin in range(0, documents, LANES):
        active = min(LANES, documents - begin)
        last = length if begin + active < documents else symbols - (documents - 1) * length
        for lane in range(active):
            state[lane] = begin_state
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
                h = np.uint64(state[lane])
                size = np.uint64(urn[h, 1])
                product = words[row, lane] * size
                pick[lane] = np.int64(urn[h, 0]) + np.int64(product >> _S32)
                if (product & MASK32) < size and (product & MASK32) < _TWO_32 % size:
                    pick[lane] = -1  # an index with one word too many: drawn again below
                elif words[row + 1, lane] > np.uint64(urn[h, 2]):
                    pick[lane] = -2
            for lane in range(active):
                start = state[lane]
                h = start
                left = np.int64(-1)  # the context that was backed off from last
                at = (begin + lane) * (length + 1) + 1 + step
                drawn = np.int64(0)
                ahead = np.int64(-1)  # the next state
                if pick[lane] >= 0:
                    place = np.uint64(pick[lane])
                    whole = urn[h, 3] & _WHOLE != 0
                    drawn = np.int64(entry[place] & MASK32)
                    if exclusive and not whole:
                        drawn = np.int64(0)  # `keep` does not hold here: drawn again below
                    elif drawn != 0 and keep.size > 0 and words[row + 1, lane] > np.uint64(keep[place]):
                        drawn = np.int64(0)
                        left = h
                        h = _parent(urn, h)
                    elif drawn != 0 and (whole or h >= told):
                        ahead = np.int64(entry[place] >> _S32)
                elif pick[lane] == -2:
                    h = _parent(urn, h)
                if drawn == 0:
                    drawn, ahead, spent[lane] = _redraw(
                        h, left, start, spent[lane], blocks, lane, told, first, symbol, bitmap, below, alphabet,
                        follower, urn, entry, keep, rest, accept, down, g, r,
                        stream + ((_SLOW + np.uint64(lane)) << _LANE), k0, k1,
                    )  # fmt: skip
                out[at] = drawn
                if ahead < 0:
                    ahead = _next_state(first, symbol, bitmap, below, parent, after, alone, start, drawn)
                state[lane] = ahead


class Model:
    """An n-gram model fitted on padded documents: scores text, and writes it."""

    def __init__(self, text: Symbols, order: int, alphabet: int, smoothing: str, *, closed: bool = False) -> None:
        """`text` int32, padded, symbols in 1..alphabet; `smoothing` a name in SMOOTHINGS; `closed`: the law is one on
        these symbols alone, and any other is impossible.
        """
        self.trie = trie = build(text, order, alphabet)
        self.slots = alphabet if closed else alphabet + 1
        self._smoothing = SMOOTHINGS[smoothing]
        self._tables = self._smoothing.tables(trie, self.slots)
        roots = int(trie.first[1])
        unigram = np.full(alphabet + 2, -1, dtype=np.int32)
        unigram[trie.symbol[:roots]] = trie.follower[:roots]
        self._decoders: dict[tuple[float, int, float], Decoder] = {}
        self._unigram = unigram

    @functools.cached_property
    def _states(self) -> NDArray[np.int64]:
        """The state that each n-gram leads to."""
        return states_of(self.trie)

    @functools.cached_property
    def _automaton(self) -> tuple[NDArray[Any], ...]:
        """What tells which n-gram follows which context, as `score` and `write` take it."""
        return *followers_of(self.trie), self.trie.parent, self.trie.follower

    @functools.cached_property
    def _arrivals(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The states that followers lead to, and those after symbols alone, as `write` takes them."""
        alone = np.where(self._unigram >= 0, self._states[self._unigram], 0)
        return self._states[self.trie.follower].astype(np.int32), alone.astype(np.int32)

    @functools.cached_property
    def _urns(self) -> Urns:
        """Urns to draw from: a model that only scores needs none."""
        return self._smoothing.urns(self.trie, self._states, self.slots)

    @functools.cached_property
    def law(self) -> Law:
        """All that says which symbol follows which context."""
        root = np.full(self.trie.alphabet + 2, self._tables.back[0] * self._tables.known[0])
        roots = int(self.trie.first[1])
        root[self.trie.symbol[:roots]] = self._tables.known[self.trie.follower[:roots]]
        root[0] = 0.0
        root[self.slots + 1 :] = 0.0
        order = np.argsort(-root[1 : self.slots + 1], kind="stable") + 1
        trie = self.trie
        return Law(trie.parent, trie.first, trie.follower, trie.symbol, self._unigram, self._states,
                   self._tables.known, self._tables.back, root, order.astype(np.int32))  # fmt: skip

    def log_probabilities(self, text: Symbols) -> NDArray[np.float64]:
        """Log-probability of each symbol given its history, nats, pads left out; -inf for the impossible."""
        out = np.empty(len(text) - 1)
        score(
            text,
            self.trie.order,
            *self._automaton,
            self._unigram,
            self._states,
            self._tables.known,
            self._tables.back,
            out,
        )
        out = out[text[:-1] != 0]
        if self.slots == self.trie.alphabet:
            out[text[text != 0] > self.trie.alphabet] = 0.0
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(out))

    def document_scores(self, text: Symbols) -> NDArray[np.float64]:
        """Mean log-probability of a symbol of each document, nats, float64 (documents,); 0 for an empty document."""
        lengths = np.diff(np.flatnonzero(text == 0)) - 1
        document = np.repeat(np.arange(len(lengths)), lengths)
        sums = np.bincount(document, weights=self.log_probabilities(text), minlength=len(lengths))
        means: NDArray[np.float64] = sums / np.maximum(lengths, 1)
        return means

    def intervals(
        self, text: Symbols, places: NDArray[np.int64], share: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Of the symbols at these places of padded documents: whether each lies in the smallest set of the likeliest
        that holds `share` of the law given its history, how many symbols that set holds, and the chance of the unknown.

        float64 (places,) each. Of symbols at the set's edge that are equally likely, each lies in it as far as their
        share does.
        """
        inside, size, unknown = (np.empty(len(places)) for _ in range(3))
        places = np.ascontiguousarray(places, dtype=np.int64)
        intervals(self.law, text, places, self.trie.order - 1, share * _NEARLY, inside, size, unknown)
        return inside, size, unknown

    def write(
        self,
        symbols: int,
        length: int,
        generation: int,
        replicate: int,
        seed: int,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> Symbols:
        """Padded documents of `length` symbols, `symbols` in all: the draws for training set `generation`.

        Each symbol follows the law given its history and that it is a known one: its chances to the power
        1 / `temperature`; of these the `top_k` likeliest (0: all), ties by number; of these the smallest set of the
        likeliest that holds `top_p` of them. Any but the plain law is drawn from more slowly, and needs memory for the
        contexts that it meets: about 12 bytes for each symbol that ever followed a context or one of its endings.
        """
        if (temperature, top_k, top_p) != (1.0, 0, 1.0):
            return self._decoder(temperature, top_k, top_p).write(symbols, length, generation, replicate, seed)
        urns = self._urns
        out = np.empty(symbols + -(-symbols // length) + 1, dtype=np.int32)
        write(
            out, symbols, length, self.trie.alphabet, self._states[1], urns.told, *self._automaton, *self._arrivals,
            urns.urn, urns.entry, urns.keep, urns.rest, urns.accept, urns.down,
            np.uint64(generation), np.uint64(replicate), SYNTHETIC, *key(seed),
        )  # fmt: skip
        return out

    def _decoder(self, temperature: float, top_k: int, top_p: float) -> Decoder:
        how = (temperature, top_k, top_p)
        if how not in self._decoders:
            self._decoders.setdefault(how, Decoder(self.law, self.trie.contexts, *how))
        return self._decoders[how]
