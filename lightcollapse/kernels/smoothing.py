"""Smoothings: each lowers the counts of a trie to numbers for scoring and to urns for drawing, equal in law.

The kernels read these tables and know no smoothing. To add one: a class here, and a line in SMOOTHINGS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import kernel
from lightcollapse.kernels.trie import Trie

_ALWAYS = 0xFFFFFFFF  # a chance of acceptance of one, in units of 2^-32
_S32 = np.uint64(32)
_ONCE = np.int64(1)


@dataclass(frozen=True)
class Tables:
    """A smoothing as numbers: P(w | h) = known(h w) where h w occurs, else back(h) P(w | h without its oldest symbol).

    known    float64 (G,)  of the n-gram; the root holds the uniform law under the unigrams, the pad 0
    back     float64 (G,)  of the context; 1 where nothing follows it
    """

    known: NDArray[np.float64]
    back: NDArray[np.float64]


@dataclass(frozen=True)
class Urns:
    """The same law for drawing: pick an entry of the context's urn uniformly, accept it, or back off.

    urn      uint32 (C, 4)  first entry, entries, chance of staying (in 2^-32, less one), 2 (parent + 1), and 1 more
                            for a whole context
    told     int64          entries tell the next state in contexts from this on, and in whole ones: a context
                            and the symbol drawn are here order - 1 symbols or more, all that a state holds
    entry    uint64 (E,)    next state << 32 | symbol drawn (0: the end of a document, drawn again)
    keep     uint32 (E,)    chance of accepting the entry (in 2^-32, less one); empty where all are accepted
    rest     int32 (R,)     symbols under the unigrams, equally likely; V + 1 stands for the unknown ones
    accept   uint32 (G,)    where backing off leads only to symbols that the context lacks: chance of accepting an
                            occurrence of the n-gram, which replaces `keep` in contexts that are not whole; else empty
    down     uint64 (G,)    with `accept`: chance (in 2^-32) that what backs off from a context backs off from the
                            shorter one too, as none of what only that one knows is drawn; else empty
    A smoothing uses the chance of staying or that of accepting, never both: they share a random word.
    """

    urn: NDArray[np.uint32]
    told: np.int64
    entry: NDArray[np.uint64]
    keep: NDArray[np.uint32]
    rest: NDArray[np.int32]
    accept: NDArray[np.uint32]
    down: NDArray[np.uint64]


_SURE = np.empty(0, dtype=np.uint32)
_INCLUSIVE = _SURE, np.empty(0, dtype=np.uint64)  # accept and down where laws overlap


def _chances(values: NDArray[np.float64]) -> NDArray[np.uint32]:
    return (np.maximum(np.rint(values * 2.0**32), 1.0) - 1.0).astype(np.uint32)


def states_of(trie: Trie) -> NDArray[np.int64]:
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
    whole: NDArray[np.bool_] = trie.label[: trie.contexts] == 0
    whole[trie.level[trie.order - 1] :] = True
    return whole


def _told(trie: Trie) -> np.int64:
    """The first context of order - 2 symbols."""
    return np.int64(trie.level[max(trie.order - 2, 0)])


@kernel
def list_occurrences(
    text, positions, whole, start, count, first, follower, symbol, states, accept, leads, chances, entry, keep
):
    """Fill entry uint64 and keep uint32 (unless `accept` is empty) with what followed each history, in sorted order.

    `whole` bool (C,) tells the contexts that no other is part of, which hold every history once; `states` int64 (G,)
    and `accept` uint32 (G,) are the state that a group leads to, and its chance; leads uint64 and chances uint32, one a
    symbol, are used up: entry and chance of each symbol in one context. Draws nothing.
    """
    some = accept.size > 0
    leads[0] = np.uint64(states[1]) << _S32  # a document ends
    if some:
        chances[0] = accept[1]
    for h in range(whole.size):
        if not whole[h]:
            continue
        for slot in range(first[h], first[h + 1]):
            leads[symbol[slot]] = (np.uint64(states[follower[slot]]) << _S32) | np.uint64(symbol[slot])
            if some:
                chances[symbol[slot]] = accept[follower[slot]]
        for r in range(start[h], start[h] + count[h]):
            following = text[positions[r] + 1]
            entry[r] = leads[following]
            if some:
                keep[r] = chances[following]


def _occurrences(
    trie: Trie, states: NDArray[np.int64], accept: NDArray[np.uint32] = _SURE, more: int = 0
) -> tuple[NDArray[np.uint32], NDArray[np.uint64], NDArray[np.uint32]]:
    """Urns that hold the occurrences of each context, with room for `more` entries, and the chances of accepting them.

    `accept` uint32 (G,) is that of each n-gram; where all are accepted, both are empty.
    """
    contexts = trie.contexts
    urn = np.empty((contexts, 4), dtype=np.uint32)
    urn[:, 0] = trie.start[:contexts]
    urn[:, 1] = np.where(trie.followed[:contexts] > 0, trie.count[:contexts], 0)
    urn[:, 2] = _ALWAYS
    whole = _whole(trie)
    urn[:, 3] = 2 * (trie.parent[:contexts] + 1) + whole
    entry = np.empty(len(trie.positions) + more, dtype=np.uint64)
    keep = np.empty(len(entry) if len(accept) else 0, dtype=np.uint32)
    list_occurrences(
        trie.text, trie.positions, whole, trie.start, trie.count, trie.first, trie.follower, trie.symbol, states,
        accept, np.empty(trie.alphabet + 2, dtype=np.uint64), np.empty(trie.alphabet + 2, dtype=np.uint32), entry, keep,
    )  # fmt: skip
    return urn, entry, keep


def _every_symbol(slots: int) -> NDArray[np.int32]:
    return np.arange(1, slots + 1, dtype=np.int32)


@kernel
def interpolate(parent, suffix, back, known):
    """Add to known float64 (G,), the gain of each n-gram, what its context leaves to shorter ones. Draws nothing."""
    for g in range(2, known.size):  # a group comes after its parent
        known[g] += back[suffix[g]] * known[parent[g]]


def _interpolate(trie: Trie, gain: NDArray[np.float64], back: NDArray[np.float64], slots: int) -> Tables:
    """Tables of P(w | h) = gain(h w) + back(h) P(w | h'), made of the gain in place; that of the pad must be 0."""
    gain[0] = 1.0 / slots
    gain[1] = 0.0
    interpolate(trie.parent, trie.suffix, back, gain)
    return Tables(gain, back)


def _by_length(trie: Trie, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each group the value of its length: float64 (order + 1,) to (G,)."""
    return np.repeat(values, np.diff(trie.level[: trie.order + 2]))


class Smoothing(Protocol):
    """What a smoothing answers. `slots` are the symbols of the law: V + 1, or V where the vocabulary is closed."""

    @staticmethod
    def tables(trie: Trie, slots: int) -> Tables:
        """Its numbers for scoring."""
        ...

    @staticmethod
    def urns(trie: Trie, states: NDArray[np.int64], slots: int) -> Urns:
        """Its urns for drawing; `states` as `states_of` gives them."""
        ...


class WittenBell:
    """P(w | h) = (c(hw) + T(h) P(w | h')) / (c(h) + T(h)), h' being h without its oldest symbol.

    Under the unigrams lies the uniform law on V + 1 symbols, one of them for all unknown ones; on V where the
    vocabulary is closed.
    Source: Witten and Bell 1991, method C, interpolated as in Chen and Goodman 1998.
    """

    @staticmethod
    def tables(trie: Trie, slots: int) -> Tables:
        total = np.maximum(trie.followed + trie.types, 1).astype(np.float64)
        gain = trie.count / total[trie.suffix]
        back = np.where(trie.followed > 0, trie.types / total, 1.0)
        return _interpolate(trie, gain, back, slots)

    @staticmethod
    def urns(trie: Trie, states: NDArray[np.int64], slots: int) -> Urns:
        urn, entry, keep = _occurrences(trie, states)
        # The ends of documents are among the occurrences; as they are drawn again, the chance comes to c / (c + T).
        held = urn[:, 1].astype(np.float64)
        urn[:, 2] = _chances(held / np.maximum(held + trie.types[: trie.contexts], 1.0))
        return Urns(urn, _told(trie), entry, keep, _every_symbol(slots), *_INCLUSIVE)


@kernel
def adjust(level, child, label, count, adjusted):
    """Fill adjusted int64 (G,), 0 at first, as `_adjusted` says. Draws nothing."""
    longest = level[level.size - 3]  # n-grams from here on are the longest
    for g in range(2, label.size):
        adjusted[g] = count[g] if g >= longest or label[g] == 0 else child[g + 1] - child[g]


def _adjusted(trie: Trie) -> NDArray[np.int64]:
    """a(hw) of each group, int64 (G,): the count of the longest n-grams and of those that begin with the pad, else the
    number of distinct symbols before.
    """
    adjusted = np.zeros(trie.groups, dtype=np.int64)
    adjust(trie.level, trie.child, trie.label, trie.count, adjusted)
    return adjusted


@kernel
def tally_sizes(level, counts, sizes):
    """Fill sizes int64 (order + 1, 6), 0 at first: n-grams of each length with count 0 .. 4, or more. Draws nothing."""
    for k in range(1, sizes.shape[0]):
        for g in range(max(2, level[k]), level[k + 1]):
            sizes[k, min(counts[g], 5)] += 1


def _sizes(trie: Trie, counts: NDArray[Any]) -> NDArray[np.int64]:
    """How many n-grams of each length have count 1, 2, 3 and 4: int64 (order + 1, 4); row 0 is unused."""
    sizes = np.zeros((trie.order + 1, 6), dtype=np.int64)
    tally_sizes(trie.level, counts.astype(np.int64, copy=False), sizes)
    return sizes[:, 1:5]


def _absolute_discounts(trie: Trie, counts: NDArray[Any]) -> NDArray[np.float64]:
    """n1 / (n1 + 2 n2) for the n-grams of each length, 1/2 where either is 0, as the estimate would then be 0 or 1.

    float64 (order + 1,); entry 0 is unused.
    """
    discounts = np.zeros(trie.order + 1)
    for k, (once, twice) in enumerate(_sizes(trie, counts)[1:, :2], start=1):
        discounts[k] = once / (once + 2.0 * twice) if once and twice else 0.5
    return discounts


def _discounted_urns(
    trie: Trie, states: NDArray[np.int64], slots: int, adjusted: NDArray[np.int64], discount: NDArray[np.float64]
) -> Urns:
    """Urns of an interpolated law whose gain is a - D: an entry is accepted with chance 1 - D / a."""
    accept = _chances(1.0 - discount / np.maximum(adjusted, 1))
    pairs = slice(int(trie.first[1]), None)
    held = len(trie.positions)
    urn, entry, keep = _occurrences(trie, states, accept, len(trie.symbol[pairs]))
    # An inner context's urn holds its distinct (symbol before, symbol after): the n-grams, one symbol longer, in
    # the contexts that are its children.
    inner = np.flatnonzero(urn[:, 3] % 2 == 0)
    begin = trie.first[trie.child[inner]]
    urn[inner, 0] = held + begin - trie.first[1]
    urn[inner, 1] = trie.first[trie.child[inner + 1]] - begin
    entry[held:] = (states << 32)[trie.follower[pairs]] | trie.symbol[pairs]
    keep[held:] = accept[trie.parent[trie.follower[pairs]]]
    return Urns(urn, _told(trie), entry, keep, _every_symbol(slots), *_INCLUSIVE)


def _total(trie: Trie, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum of the counts of each context's n-grams, 1 where there are none. float64 (G,)"""
    total = np.bincount(trie.suffix[2:], weights=counts[2:], minlength=trie.groups)
    return np.where(total == 0.0, 1.0, total)


class KneserNey:
    """Interpolated Kneser-Ney with one absolute discount an order.

    P(w | h) = (max(a(hw) - D, 0) + D T(h) P(w | h')) / sum over w of a(hw). For the longest n-grams and those that
    begin with the pad a is the count; for shorter ones the number of distinct symbols before them, the pad being one.
    The discount of each order is n1 / (n1 + 2 n2), n1 and n2 being how many of its n-grams have a = 1 and 2; 1/2 where
    either is 0, as the estimate would then be 0 or 1. Uniform base as in WittenBell.
    Source: Kneser and Ney 1995; Chen and Goodman 1998.
    """

    @staticmethod
    def tables(trie: Trie, slots: int) -> Tables:
        adjusted = _adjusted(trie)
        discount = _absolute_discounts(trie, adjusted)
        total = _total(trie, adjusted)
        gain = (adjusted - _by_length(trie, discount)) / total[trie.suffix]
        gain[:2] = 0.0
        above = _by_length(trie, np.append(discount[1:], 0.0))  # the discount of the n-grams that a context begins
        back = np.where(trie.followed > 0, above * trie.types / total, 1.0)
        return _interpolate(trie, gain, back, slots)

    @staticmethod
    def urns(trie: Trie, states: NDArray[np.int64], slots: int) -> Urns:
        adjusted = _adjusted(trie)
        discount = _by_length(trie, _absolute_discounts(trie, adjusted))
        return _discounted_urns(trie, states, slots, adjusted, discount)


@kernel
def spread_discounts(level, suffix, followed, adjusted, discounts, gain, back):
    """Fill gain float64 (G,) with (a - D(a)) / sum of a, and back float64 (G,), 0 at first, with what is freed by then.

    `discounts` float64 (order + 1, 4) is D(1), D(2) and D(3) of n-grams of each length. Draws nothing.
    """
    total = np.zeros(suffix.size, dtype=np.int64)
    for k in range(1, discounts.shape[0]):
        for g in range(max(2, level[k]), level[k + 1]):
            discount = discounts[k, min(adjusted[g], 3)]
            total[suffix[g]] += adjusted[g]
            back[suffix[g]] += discount
            gain[g] = adjusted[g] - discount
    for g in range(2, suffix.size):
        gain[g] /= total[suffix[g]]
    for g in range(suffix.size):
        back[g] = back[g] / max(total[g], _ONCE) if followed[g] > 0 else 1.0


class ModifiedKneserNey:
    """Interpolated Kneser-Ney with three discounts an order: of n-grams with a = 1, a = 2, and a >= 3.

    P(w | h) = (a(hw) - D(a(hw)) + P(w | h') sum over w of D(a(hw))) / sum over w of a(hw), a as in KneserNey. With
    Y = n1 / (n1 + 2 n2), n_i being how many n-grams of the order have a = i, D(i) = i - (i + 1) Y n_(i+1) / n_i. Where
    one of n1 .. n4 is 0, or some D(i) does not lie strictly between 0 and i, as in tiny texts, the order takes 1/2, 1
    and 3/2.
    Source: Chen and Goodman 1999, section 4.1; the fall-back values are those that KenLM takes (Heafield et al. 2013).
    """

    FALLBACK = (0.5, 1.0, 1.5)

    @staticmethod
    def discounts(trie: Trie, adjusted: NDArray[np.int64]) -> NDArray[np.float64]:
        """D(1), D(2), D(3) for the n-grams of each length: float64 (order + 1, 4), the first row and column 0."""
        discounts = np.zeros((trie.order + 1, 4))
        for k, sizes in enumerate(_sizes(trie, adjusted)[1:], start=1):
            discounts[k, 1:] = ModifiedKneserNey.FALLBACK
            if sizes.all():
                y = sizes[0] / (sizes[0] + 2.0 * sizes[1])
                i = np.arange(1, 4)
                estimated = i - (i + 1) * y * sizes[1:] / sizes[:3]
                if np.all((estimated > 0.0) & (estimated < i)):
                    discounts[k, 1:] = estimated
        return discounts

    @staticmethod
    def of_groups(trie: Trie, adjusted: NDArray[np.int64]) -> NDArray[np.float64]:
        """The discount of each n-gram. float64 (G,)"""
        table = ModifiedKneserNey.discounts(trie, adjusted)
        length = np.repeat(4 * np.arange(trie.order + 1), np.diff(trie.level[: trie.order + 2]))
        discount: NDArray[np.float64] = table.ravel()[length + np.minimum(adjusted, 3)]
        return discount

    @staticmethod
    def tables(trie: Trie, slots: int) -> Tables:
        adjusted = _adjusted(trie)
        gain, back = np.zeros(trie.groups), np.zeros(trie.groups)
        discounts = ModifiedKneserNey.discounts(trie, adjusted)
        spread_discounts(trie.level, trie.suffix, trie.followed, adjusted, discounts, gain, back)
        return _interpolate(trie, gain, back, slots)

    @staticmethod
    def urns(trie: Trie, states: NDArray[np.int64], slots: int) -> Urns:
        adjusted = _adjusted(trie)
        return _discounted_urns(trie, states, slots, adjusted, ModifiedKneserNey.of_groups(trie, adjusted))


class BackOff:
    """Back-off with one absolute discount an order: what is freed goes to the unseen alone.

    P(w | h) = (c(hw) - D) / c(h) where hw occurs, else D T(h) / c(h) times P(w | h') over the sum of P(v | h') over
    all v that never follow h. D is n1 / (n1 + 2 n2) as in KneserNey, but of counts. Under the unigrams lies the uniform
    law on the symbols that do not occur. A context that every symbol follows, as may be where the vocabulary is closed,
    keeps its counts: nothing is left to give to.
    Source: Katz 1987 for backing off; Ney, Essen and Kneser 1994 for the discount.
    """

    @staticmethod
    def discounts(trie: Trie, slots: int) -> NDArray[np.float64]:
        """D of the n-grams that each context begins. float64 (G,)"""
        above = _by_length(trie, np.append(_absolute_discounts(trie, trie.count)[1:], 0.0))
        return np.where(trie.types < slots, above, 0.0)

    @staticmethod
    def tables(trie: Trie, slots: int) -> Tables:
        discount = BackOff.discounts(trie, slots)
        total = np.maximum(trie.followed, 1).astype(np.float64)
        known = (trie.count - discount[trie.suffix]) / total[trie.suffix]
        known[0] = 1.0 / slots
        known[1] = 0.0
        freed, left = BackOff._masses(trie, slots)
        shares = np.divide(freed, left, out=np.zeros(trie.groups), where=freed > 0.0)
        return Tables(known, np.where(trie.followed > 0, shares, 1.0))

    @staticmethod
    def _masses(trie: Trie, slots: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The mass freed in each context h, and that which h' gives to what h lacks. float64 (G,) each

        The latter, times c(h'), is c(h') less the counts in h' of all that follows h, plus D for each of them: whole
        numbers and a sum of positive terms, so that nothing cancels.
        """
        discount = BackOff.discounts(trie, slots)
        total = np.maximum(trie.followed, 1).astype(np.float64)
        longer = np.arange(max(2, int(trie.level[2])), trie.groups)  # n-grams of two symbols and more
        above = trie.parent.copy()
        above[0] = 0
        shared = np.bincount(
            trie.suffix[longer], weights=trie.count[trie.parent[longer]], minlength=trie.groups
        )  # counts in h' of the symbols that follow h
        left = (total[above] - shared + discount[above] * trie.types) / total[above]
        left[0] = (slots - int(trie.types[0])) / slots
        return discount * trie.types / total, left

    @staticmethod
    def urns(trie: Trie, states: NDArray[np.int64], slots: int) -> Urns:
        accept = _chances(1.0 - BackOff.discounts(trie, slots)[trie.suffix] / np.maximum(trie.count, 1))
        urn, entry, keep = _occurrences(trie, states, accept)
        unseen = np.setdiff1d(_every_symbol(slots), trie.symbol[: trie.first[1]])
        freed, left = BackOff._masses(trie, slots)
        down = np.divide(freed[np.maximum(trie.parent, 0)], left, out=np.zeros(trie.groups), where=freed > 0.0)
        down = np.rint(np.minimum(down, 1.0) * 2.0**32).astype(np.uint64)
        return Urns(urn, _told(trie), entry, keep, unseen, accept, down)


class MaximumLikelihood:
    """P(w | h) = c(hw) / c(h) in the longest context that something follows; 0 for an n-gram never seen."""

    @staticmethod
    def tables(trie: Trie, slots: int) -> Tables:
        gain = trie.count / np.maximum(trie.followed, 1)[trie.suffix]
        return _interpolate(trie, gain, np.where(trie.followed > 0, 0.0, 1.0), slots)

    @staticmethod
    def urns(trie: Trie, states: NDArray[np.int64], slots: int) -> Urns:
        urn, entry, keep = _occurrences(trie, states)
        return Urns(urn, _told(trie), entry, keep, _every_symbol(slots), *_INCLUSIVE)


SMOOTHINGS: dict[str, type[Smoothing]] = {
    "witten-bell": WittenBell,
    "kneser-ney": KneserNey,
    "modified-kneser-ney": ModifiedKneserNey,
    "backoff": BackOff,
    "ml": MaximumLikelihood,
}
