"""Smoothings: each lowers the counts of a trie to numbers for scoring and to urns for drawing, equal in law.

The kernels read these tables and know no smoothing. To add one: a class here, and a line in SMOOTHINGS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.kernels.trie import Trie

_ALWAYS = 0xFFFFFFFF  # a chance of acceptance of one, in units of 2^-32
_S32 = np.uint64(32)


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


def _whole_ngram(trie: Trie) -> NDArray[np.bool_]:
    """n-grams that keep their raw counts: the longest ones and those that begin with the pad."""
    whole: NDArray[np.bool_] = trie.label == 0
    whole[trie.level[trie.order] :] = True
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


class Smoothing(Protocol):
    """What a smoothing answers."""

    @staticmethod
    def weights(trie: Trie) -> Weights:
        """Its numbers for scoring."""
        ...

    @staticmethod
    def urns(trie: Trie, states: NDArray[np.int64]) -> Urns:
        """Its urns for drawing; `states` as `states_of` gives them."""
        ...


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
        # The ends of documents are among the occurrences; as they are drawn again, the chance comes to c / (c + T).
        held = urn[:, 1].astype(np.float64)
        urn[:, 2] = _chances(held / np.maximum(held + trie.types[: trie.contexts], 1.0))
        return Urns(urn, entry, np.full(len(entry), _ALWAYS, dtype=np.uint32))


class KneserNey:
    """Interpolated Kneser-Ney with one absolute discount an order.

    P(w | h) = (max(a(hw) - D, 0) + D T(h) P(w | h')) / sum over w of a(hw). For the longest n-grams and those that
    begin with the pad a is the count; for shorter ones the number of distinct symbols before them, the pad being one.
    The discount of each order is n1 / (n1 + 2 n2), n1 and n2 being how many of its n-grams have a = 1 and 2; 1/2 where
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
        # An inner context's urn holds its distinct (symbol before, symbol after): the n-grams, one symbol longer, in
        # the contexts that are its children.
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


SMOOTHINGS: dict[str, type[Smoothing]] = {
    "witten-bell": WittenBell,
    "kneser-ney": KneserNey,
    "ml": MaximumLikelihood,
}


def probabilities(trie: Trie, weights: Weights) -> NDArray[np.float64]:
    """P(w | h) of each n-gram that occurs, from the shortest on. float64 (G,); the root holds the uniform base."""
    known = weights.gain.copy()
    known[0] = 1.0 / (trie.alphabet + 1)
    known[1] = 0.0
    for k in range(1, trie.order + 1):
        span = slice(max(2, int(trie.level[k])), int(trie.level[k + 1]))
        known[span] += weights.back[trie.suffix[span]] * known[trie.parent[span]]
    return known
