"""How often each n-gram occurs in each generation, and in which documents of the last one: what a forecast needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightcollapse.text import blocks
from lightcollapse.text.blocks import BLOCKS
from lightcollapse.text.tables import Tables
from lightcollapse.text.texts import Texts

Int = NDArray[np.int64]
SPLITS = 8


@dataclass(frozen=True)
class Tallies:
    """Counts of every n-gram type in every generation.

    Attributes:
        counts: int64 (generations, types).
        types, owner: int64 (n-grams of the last generation,): the type of each, and its block of documents.
        halves: int64 (generations, splits, types): counts in random halves of the blocks of documents.
    """

    counts: Int
    types: Int
    owner: Int
    halves: Int


def tally(texts: Texts, order: int, seed: int, *, splits: int = SPLITS) -> Tallies:
    """Count the n-grams of one length. Halves of each generation's blocks of documents are drawn `splits` times."""
    tables = Tables(texts)
    groups = len(texts.generations)
    include = blocks.halves(texts.documents, splits, seed)
    halves = np.stack([tables.table(order, include[:, split + 1]).T for split in range(splits)], axis=1)
    types, owner, weight = tables.entries(order)
    last = owner // BLOCKS == groups - 1
    return Tallies(
        np.ascontiguousarray(tables.table(order).T),
        np.repeat(types[last], weight[last]),
        np.repeat(owner[last] % BLOCKS, weight[last]),
        halves,
    )
