"""How often each n-gram occurs in each generation, and in which documents of the last one: what a forecast needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import permutation
from lightcollapse.text.texts import Texts

Int = NDArray[np.int64]
_HALVES = 11  # the generator's stream for halves of documents
SPLITS = 8


@dataclass(frozen=True)
class Tallies:
    """Counts of every n-gram type in every generation.

    Attributes:
        counts: int64 (generations, types).
        types, owner: int64 (n-grams of the last generation,): the type of each, and its document.
        halves: int64 (generations, splits, types): counts in random halves of the documents.
    """

    counts: Int
    types: Int
    owner: Int
    halves: Int


def tally(texts: Texts, order: int, seed: int, *, splits: int = SPLITS) -> Tallies:
    """Count the n-grams of one length. Halves of each generation's documents are drawn `splits` times."""
    types, places = _types(texts, order)
    width = int(types.max(initial=-1)) + 1
    owner = texts.document[places].astype(np.int64)
    generation = texts.generation[owner]
    groups = len(texts.generations)
    counts = np.bincount(generation * width + types, minlength=groups * width).reshape(groups, width)
    halves = np.zeros((groups, splits, width), dtype=np.int64)
    for g in range(groups):
        here = generation == g
        members = np.flatnonzero(texts.generation == g)
        for split in range(splits):
            chosen = np.zeros(len(texts.lengths), dtype=np.bool_)
            chosen[members[permutation(len(members), g, split, _HALVES, seed)[: len(members) // 2]]] = True
            halves[g, split] = np.bincount(types[here & chosen[owner]], minlength=width)
    last = generation == groups - 1
    return Tallies(counts, types[last], owner[last] - int(owner[last].min(initial=0)), halves)


def _types(texts: Texts, order: int) -> tuple[Int, Int]:
    """The type of each n-gram, 0 up, and where it begins."""
    symbols = texts.symbols.astype(np.int64)
    places = np.flatnonzero(symbols)
    ids = symbols[places] - 1
    for n in range(1, order):
        inside = places + n < len(symbols)
        places, ids = places[inside], ids[inside]
        follows = symbols[places + n]
        # an n-gram ends with its document: a 0 follows it, and what comes after that is left out by the same rule
        ids, places = (ids * (texts.alphabet + 1) + follows)[follows > 0], places[follows > 0]
        ids = np.unique(ids, return_inverse=True)[1].astype(np.int64)
    return ids, places
