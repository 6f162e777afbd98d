"""Where an n-gram stands among those of its context: one look at a bitmap for small alphabets, else a binary search.

A bitmap has a bit for each symbol that follows the context. Followers are sorted by symbol, so that the one wanted has
as many before it as there are bits below its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import kernel, lent
from lightcollapse.kernels.trie import Trie, find

MOST_WORDS = 4  # of 64 bits that a context's bitmap may take
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_WORD = np.uint64(6)
_IN_WORD = np.uint64(63)


class Followers(NamedTuple):
    """Who follows each context, as kernels read it.

    first   int32 (G + 1,), symbol int32 (G - 2,): of the trie
    bitmap  uint64 (C, W + 1)  the followers of each context, bit s of word s // 64, and behind them `first`; C = 0
                               where the alphabet is too large
    below   uint64 (64 W, W)   for each symbol the bits of those below it
    """

    first: NDArray[np.int32]
    symbol: NDArray[np.int32]
    bitmap: NDArray[np.uint64]
    below: NDArray[np.uint64]


@kernel
def fill_bitmaps(first, symbol, bitmap, below):
    """Fill `bitmap` and `below`, 0 at first, as `Followers` names them. Draws nothing."""
    words = below.shape[1]
    for context in range(bitmap.shape[0]):
        bitmap[context, words] = np.uint64(first[context])
        for slot in range(first[context], first[context + 1]):
            wanted = np.uint64(symbol[slot])
            bitmap[context, wanted >> _WORD] |= _ONE << (wanted & _IN_WORD)
    for upper in range(below.shape[0]):
        for before in range(upper):
            below[upper, before // 64] |= _ONE << np.uint64(before % 64)


def followers_of(trie: Trie) -> Followers:
    """Who follows each context; bitmaps take 8 (W + 1) bytes a context."""
    words = (trie.alphabet + 1) // 64 + 1
    contexts = trie.contexts if words <= MOST_WORDS else 0
    bitmap = np.zeros((contexts, words + 1), dtype=np.uint64)
    below = np.zeros((64 * words if contexts else 0, words), dtype=np.uint64)
    fill_bitmaps(trie.first, trie.symbol, bitmap, below)
    return Followers(trie.first, trie.symbol, bitmap, below)


@lent
def _ones(bits):
    """How many bits are set; the compiler makes one instruction of this very loop."""
    count = _ZERO
    while bits != _ZERO:
        bits &= bits - _ONE
        count += _ONE
    return count


@lent
def slot_of(first, symbol, bitmap, below, context, wanted):
    """The slot of the n-gram `context wanted`, both int64, or -1 where it does not occur. Draws nothing."""
    if bitmap.shape[0] == 0:
        return find(first, symbol, context, wanted)
    row = np.uint64(context)
    number = np.uint64(wanted)
    if (bitmap[row, number >> _WORD] >> (number & _IN_WORD)) & _ONE == _ZERO:
        return np.int64(-1)
    slot = bitmap[row, below.shape[1]]
    for k in range(below.shape[1]):
        slot += _ones(bitmap[row, k] & below[number, k])
    return np.int64(slot)
