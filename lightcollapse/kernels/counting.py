"""Counting n-grams and words in text: exact, by sorting; what a hash finds is compared."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import inlined, kernel
from lightcollapse.kernels.rng import MASK32
from lightcollapse.kernels.trie import Symbols, sort_histories

LONGEST = 4  # n-grams of 1 .. LONGEST symbols are counted
_FEW = 2**12  # counts below this are tallied, larger ones listed
_DENSE = 2  # a table is taken where it has at most so many places a symbol
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_S32 = np.uint64(32)
_FACTOR = np.uint64(0x9E3779B1)  # 2^32 by the golden ratio: small numbers are spread evenly

Int = NDArray[np.int64]


@kernel
def pack_ends(text, bits, keys, short):
    """Fill keys uint64, or where it is empty short uint32, with the LONGEST last symbols up to each symbol, the last
    one highest. Draws nothing.

    0 stands for what lies before the document. Returns how many keys there are.
    """
    width = np.uint64(bits)
    top = np.uint64(bits * (LONGEST - 1))
    written = 0
    key = _ZERO
    for i in range(text.size):
        symbol = np.uint64(text[i])
        key = (key >> width) | (symbol << top)
        if symbol == _ZERO:
            key = _ZERO
            continue
        if short.size > 0:
            short[written] = np.uint32(key)
        else:
            keys[written] = key
        written += 1
    return written


@kernel
def count_ends(text, bits, table):
    """Count the keys of `pack_ends` in table int32 (2^(LONGEST bits),). Draws nothing."""
    width = np.uint64(bits)
    top = np.uint64(bits * (LONGEST - 1))
    key = _ZERO
    for i in range(text.size):
        symbol = np.uint64(text[i])
        key = (key >> width) | (symbol << top)
        if symbol == _ZERO:
            key = _ZERO
        else:
            table[np.int64(key)] += 1


@kernel
def census(keys, short, bits, distinct, few, many):
    """Count the n-grams of sorted keys, uint64 or uint32, one of which is empty: distinct int64 (LONGEST,). Draws
    nothing.

    Of those of LONGEST symbols, few int64 (counts,) tells how many occur so often; larger counts are listed in many
    int64. Returns how many of these there are.
    """
    mask = (_ONE << np.uint64(bits)) - _ONE
    listed = 0
    before = _ZERO
    begin = 0
    held = keys.size + short.size
    for j in range(held + 1):
        key = _ZERO
        if j < held:
            key = np.uint64(short[j]) if short.size > 0 else keys[j]
        different = key ^ before
        if different == _ZERO:
            continue
        if (before & mask) != _ZERO:
            count = j - begin
            if count < few.size:
                few[count] += 1
            else:
                many[listed] = count
                listed += 1
        for n in range(1, LONGEST + 1):
            older = np.uint64(bits * (LONGEST - n))
            if (different >> older) != _ZERO and ((key >> older) & mask) != _ZERO:
                distinct[n - 1] += 1
        before = key
        begin = j
    return listed


def count_ngrams(text: Symbols, alphabet: int, key_bits: int = 64) -> tuple[Int, float]:
    """Distinct n-grams within the padded documents, and the entropy of the longest ones.

    Symbols lie in 1..alphabet + 1. Returns int64 (4,), entry n - 1 for n-grams, and the plug-in entropy of the 4-grams
    in nats: that of their relative frequencies, 0 where there are none. `key_bits` is smaller only in tests.
    """
    bits = int(alphabet + 1).bit_length()
    if LONGEST * bits > key_bits:
        return _of_histories(text, alphabet, key_bits)
    if 2 ** (LONGEST * bits) <= _DENSE * len(text):
        return _of_table(text, bits)
    return _of_keys(text, bits)


def _of_keys(text: Symbols, bits: int) -> tuple[Int, float]:
    """By sorting keys that hold an n-gram each: of 32 bits where they suffice, as these sort in half the time."""
    fit = LONGEST * bits <= 32
    keys = np.empty(0 if fit else len(text), dtype=np.uint64)
    short = np.empty(len(text) if fit else 0, dtype=np.uint32)
    held = pack_ends(text, bits, keys, short)
    keys, short = keys[:held], short[:held]
    (short if fit else keys).sort()
    distinct = np.zeros(LONGEST, dtype=np.int64)
    few = np.zeros(_FEW, dtype=np.int64)
    many = np.empty(held // _FEW + 1, dtype=np.int64)
    many = many[: census(keys, short, bits, distinct, few, many)]
    counts, sizes = np.unique(many, return_counts=True)
    seen = np.flatnonzero(few)
    return distinct, _entropy(np.concatenate([seen, counts]), np.concatenate([few[seen], sizes]))


def _of_table(text: Symbols, bits: int) -> tuple[Int, float]:
    """By counting in a table of all that the alphabet can spell."""
    table = np.zeros(2 ** (LONGEST * bits), dtype=np.int32)
    count_ends(text, bits, table)
    keys = np.flatnonzero(table)
    distinct = np.zeros(LONGEST, dtype=np.int64)
    nothing = np.zeros(len(keys) + 1, dtype=np.int64)
    census(keys.astype(np.uint64), np.empty(0, dtype=np.uint32), bits, distinct, nothing, nothing)
    whole = keys[keys & (2**bits - 1) != 0]
    return distinct, _entropy(*np.unique(table[whole].astype(np.int64), return_counts=True))


def _of_histories(text: Symbols, alphabet: int, key_bits: int) -> tuple[Int, float]:
    """By sorting in stages: for alphabets of which no four symbols fit a key."""
    positions, shared = sort_histories(text, LONGEST, alphabet + 2, key_bits)[:2]
    inside = text[:-1] != 0
    reach = inside.astype(np.uint8)  # symbols of the n-grams that end here, up to LONGEST
    unbroken = inside.copy()
    for back in range(1, LONGEST):
        unbroken[back:] &= inside[:-back]
        unbroken[:back] = False
        reach += unbroken
    reach = reach.take(positions)
    distinct = np.array([np.count_nonzero((shared < n) & (reach >= n)) for n in range(1, LONGEST + 1)], dtype=np.int64)
    starts = np.flatnonzero(shared[reach == LONGEST] < LONGEST)
    total = int(np.count_nonzero(reach == LONGEST))
    return distinct, _entropy(*np.unique(np.diff(np.append(starts, total)), return_counts=True))


def _entropy(counts: Int, sizes: Int) -> float:
    """Of `sizes` n-grams that occur `counts` times each, ascending."""
    total = int(np.sum(sizes * counts))
    if total == 0:
        return 0.0
    return max(0.0, math.log(total) - float(np.sum(sizes * counts * np.log(counts))) / total)


@inlined
def _extended(hashed, symbol):
    """The hash of a word, taken on by a symbol: a multiplication with carry, which never leaves 64 bits and mixes into
    the high ones. Draws nothing.
    """
    return ((hashed ^ np.uint64(symbol)) & MASK32) * _FACTOR + (hashed >> _S32)


@kernel
def hash_words(spelled, starts, seed, hashes):
    """Fill hashes uint64 (words,): word w is spelled by the symbols from starts[w] to starts[w + 1]. Draws nothing."""
    for w in range(hashes.size):
        hashed = seed
        for i in range(starts[w], starts[w + 1]):
            hashed = _extended(hashed, spelled[i])
        hashes[w] = hashed


@kernel
def place_words(hashes, shift, table):
    """Put the numbers of words into table int32, a power of two of -1, each at the first free place from its hash on:
    what `shift` leaves of it. Draws nothing.
    """
    for w in range(hashes.size):
        place = np.int64(hashes[w] >> shift)
        while table[place] >= 0:
            place = (place + 1) & (table.size - 1)
        table[place] = w


@kernel
def mark_words(text, letter, spelled, starts, seed, hashes, shift, table, seen):
    """Set seen uint8 to 1 for each word that is a maximal run of letters within a document. Draws nothing.

    `letter` uint8 (V + 2,) tells the letters; the others are those of `hash_words` and `place_words`. No two words have
    one hash. A run that has a word's is compared with it, unless the word was seen already.
    """
    hashed = seed
    length = np.int64(0)
    for i in range(text.size):
        symbol = text[i]
        if letter[symbol]:
            hashed = _extended(hashed, symbol)
            length += 1
            continue
        if length > 0:
            place = np.int64(hashed >> shift)
            while table[place] >= 0 and hashes[table[place]] != hashed:
                place = (place + 1) & (table.size - 1)
            w = table[place]
            if w >= 0 and seen[w] == 0 and starts[w + 1] - starts[w] == length:
                same = True
                for j in range(length):
                    same &= spelled[starts[w] + j] == text[i - length + j]
                seen[w] = same
        hashed = seed
        length = np.int64(0)


class Lexicon:
    """Words that are spelled by symbols 1..alphabet."""

    def __init__(self, words: Iterable[NDArray[np.int32]], alphabet: int, rare: Iterable[bool]) -> None:
        """`words`: the symbols of each; `rare`: which are rare. Letters are the symbols that occur in words."""
        marked = {word.tobytes(): mark for word, mark in zip(words, rare, strict=True) if len(word)}
        self._rare = np.array([*marked.values()], dtype=np.bool_)
        self.size = len(marked)
        self._spelled = np.frombuffer(b"".join(marked), dtype=np.int32)
        self._starts = np.cumsum([0, *(len(word) // 4 for word in marked)], dtype=np.int64)
        self._letter = np.zeros(alphabet + 2, dtype=np.uint8)
        self._letter[self._spelled] = 1
        self._seed = _FACTOR
        self._hashes = np.empty(self.size, dtype=np.uint64)
        hash_words(self._spelled, self._starts, self._seed, self._hashes)
        while len(np.unique(self._hashes)) < self.size:
            self._seed += np.uint64(1)
            hash_words(self._spelled, self._starts, self._seed, self._hashes)
        bits = max(1, (2 * self.size).bit_length())
        self._shift = np.uint64(64 - bits)
        self._table = np.full(1 << bits, -1, dtype=np.int32)
        place_words(self._hashes, self._shift, self._table)

    def count(self, text: Symbols) -> tuple[int, int]:
        """How many of the words, and of the rare ones, occur in the padded documents as maximal runs of letters."""
        seen = np.zeros(self.size, dtype=np.uint8)
        mark_words(
            text, self._letter, self._spelled, self._starts, self._seed, self._hashes, self._shift, self._table, seen
        )
        return int(np.count_nonzero(seen)), int(np.count_nonzero(seen[self._rare]))


class WordSymbols:
    """Words that are symbols themselves."""

    def __init__(self, words: Iterable[NDArray[np.int32]], alphabet: int, rare: Iterable[bool]) -> None:
        """`words`: the one symbol of each; `rare`: which are rare."""
        self._symbols = np.concatenate([np.empty(0, dtype=np.int32), *words])
        self._rare = np.array(list(rare), dtype=np.bool_)
        self._alphabet = alphabet

    def count(self, text: Symbols) -> tuple[int, int]:
        """How many of the words, and of the rare ones, occur in the padded documents."""
        seen = np.bincount(text, minlength=self._alphabet + 2)[self._symbols] > 0
        return int(np.count_nonzero(seen)), int(np.count_nonzero(seen[self._rare]))
