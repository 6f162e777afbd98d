"""Blocks: each generation's documents are dealt into 64, and intervals come from leaving blocks out.

A block is a random sample of documents. Counts by block are all that intervals need: they stay small however many
documents there are, and those of the same block from several machines add up. Even and odd blocks are two halves of a
generation: of the baseline, one is held out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import uniforms
from lightcollapse.corpus.shuffle import permutations, philox

Int = NDArray[np.int64]

BLOCKS = 64
_DEAL = 5  # streams of the generator
_HALVES = 6
_COINS = 7
_ORDER = 8


def deal(first: int, count: int, generation: int, seed: int) -> Int:
    """The blocks of documents first .. first + count - 1 of a generation, int64 (count,).

    Every 64 documents fill each block once, every two an even and an odd one, in random order.
    """
    begin, end = first // BLOCKS, -(-(first + count) // BLOCKS)
    pairs = BLOCKS // 2
    draws = np.arange(begin * pairs, end * pairs, dtype=np.uint64)
    even, odd, coin, _ = philox(draws, generation, 0, _DEAL, seed)
    rounds = np.empty((end - begin, pairs, 2), dtype=np.int64)
    rounds[:, :, 0] = 2 * np.argsort(even.reshape(-1, pairs), axis=1, kind="stable")
    rounds[:, :, 1] = 2 * np.argsort(odd.reshape(-1, pairs), axis=1, kind="stable") + 1
    turned = coin.reshape(-1, pairs) % np.uint64(2) == 1
    rounds[turned] = rounds[turned][:, ::-1]
    return rounds.reshape(-1)[first - begin * BLOCKS :][:count]


def priorities(first: int, count: int, generation: int, seed: int) -> NDArray[np.uint64]:
    """A random number for each document: samples of documents are those with the smallest. uint64 (count,)."""
    high, low, _, _ = philox(np.arange(first, first + count, dtype=np.uint64), generation, 0, _ORDER, seed)
    return (high << np.uint64(32)) | low


def halves(documents: Int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """Which blocks each lane holds: uint8 (generations x BLOCKS, resamples + 1), lane 0 all of them.

    `documents` int64 (generations, BLOCKS). A lane has a random half of each generation's blocks that hold a document,
    of each half of the baseline by itself. A half drawn without replacement has for a mean the variance that a
    bootstrap would have, and counts no document twice, which would turn n-grams seen once into n-grams seen twice.
    Source: McCarthy 1969; Shao and Wu 1989 (delete-d jackknife).
    """
    include = np.ones((documents.size, resamples + 1), dtype=np.uint8)
    lanes = np.arange(1, resamples + 1, dtype=np.uint64)
    for stratum in range(len(documents) + 1):
        generation = max(0, stratum - 1)
        members = np.flatnonzero(documents[generation])
        if generation == 0:
            members = members[members % 2 == stratum]
        size = len(members)
        pairs = -(-size // 2)
        coins = uniforms(0, pairs * resamples, _COINS + 16 * stratum, seed).reshape(resamples, pairs) < 0.5
        chosen = np.stack([coins, ~coins], axis=2).reshape(resamples, 2 * pairs)[:, :size]
        order = permutations(size, stratum, lanes, _HALVES, seed)
        include[generation * BLOCKS + members[order], lanes.astype(np.int64)[:, None]] = chosen
    return include
