"""Counts of n-grams in all generations, and in random halves of their documents."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import uniforms
from lightcollapse.corpus.shuffle import permutation
from lightcollapse.text.texts import Texts

Float = NDArray[np.float64]
Int = NDArray[np.int64]

LIMIT = 256  # n-grams seen so often are kept one by one, the others as numbers of n-grams by count
FEW = 12  # counts below this are compared by numbers of n-grams, without a logarithm for each
BANDS = 24
RARE_SHARE = 0.05
_FEW = 20_000  # documents that are put in a new order for each half; of more, one order is halved in many ways
_HALVES = 6  # streams of the generator
_COINS = 7
_PART = 2**22  # places that are sorted together


@dataclass(frozen=True)
class Counts:
    """Counts of the n-grams of one length. Lane 0 is everything, lane b the b-th random half of the documents.

    Rows: 0 .. G - 1 the generations, G the second half of the baseline, G + 1 what a lane lacks of the baseline.

    Attributes:
        order: n.
        sizes: int64 (G + 2, lanes) n-grams.
        types, met, near, joint, survivors, bands, frequent, frequent_half: as `kernels.packing.tally` names them.
        pairs: (P, 2) rows that are compared.
        repeated: int64 (documents,).
        tokens: int64 (documents,) n-grams of each document.
        rare: number of rare n-grams; cut: how often they may occur in the first half of the baseline.
    """

    order: int
    sizes: Int
    types: Int
    met: Int
    near: Float
    joint: Int
    survivors: Int
    bands: Int
    frequent: NDArray[np.int32]
    frequent_half: Int
    pairs: Int
    repeated: Int
    tokens: Int
    rare: int
    cut: int


def halves(texts: Texts, resamples: int, seed: int) -> NDArray[np.uint8]:
    """Which documents each lane holds: uint8 (documents, resamples + 1), lane 0 all of them.

    A lane has a random half of each generation, of each half of the baseline by itself. A half drawn without
    replacement has for a mean the variance that a bootstrap would have, and counts no document twice, which would turn
    n-grams seen once into n-grams seen twice. Source: McCarthy 1969; Shao and Wu 1989 (delete-d jackknife).
    """
    include = np.ones((len(texts.lengths), resamples + 1), dtype=np.uint8)
    stratum = 2 * texts.generation + texts.apart
    for group in np.unique(stratum):
        members = np.flatnonzero(stratum == group)
        size = len(members)
        pairs = -(-size // 2)
        order = permutation(size, int(group), 0, _HALVES, seed)
        heads = (uniforms(0, pairs * resamples, _COINS + 16 * int(group), seed) < 0.5).reshape(resamples, pairs)
        for lane in range(1, resamples + 1):
            if size <= _FEW:
                order = permutation(size, int(group), lane, _HALVES, seed)
            coins = heads[lane - 1]
            chosen = np.zeros(2 * pairs, dtype=np.uint8)
            chosen[0::2] = coins
            chosen[1::2] = ~coins
            include[members[order], lane] = chosen[:size]
    return include


def count(
    texts: Texts, order: int, include: NDArray[np.uint8], compared: int, marked_order: int, part: int = _PART
) -> tuple[list[Counts], NDArray[np.bool_]]:
    """Counts of n-grams for n = 1 .. order, generations compared up to n = `compared`.

    Also bool (P,): the symbols at the end of rare n-grams of length `marked_order`, in the second half of the baseline.
    """
    from lightcollapse.kernels import packing

    threads = min(2, os.cpu_count() or 1)
    places, bounds = packing.cut_parts(texts.symbols, max(1, min(part, len(texts.symbols) // 4)))
    parts = [slice(int(begin), int(end)) for begin, end in itertools.pairwise(bounds) if begin < end]
    shared = np.empty(len(places), dtype=np.uint8)
    mark = np.zeros(len(texts.symbols), dtype=np.uint8)
    with ThreadPoolExecutor(threads) as pool:

        def arrange(where: slice) -> list[tuple[NDArray[np.int32], int]]:
            shared[where] = packing.sort_places(texts.symbols, places[where], order, texts.alphabet)
            return [_survey(texts, places[where], shared[where], n) for n in range(1, order + 1)]

        surveys = list(pool.map(arrange, parts))
        counts = []
        for n in range(1, order + 1):
            cut = rare_cut(np.concatenate([found[n - 1][0] for found in surveys]))
            pairs = _pairs(len(texts.generations), n <= compared and include.shape[1] > 1, n <= compared)
            empty = _empty(texts, n, include, pairs, cut)

            def tally(
                job: tuple[slice, int], n: int = n, cut: int = cut, pairs: Int = pairs, empty: Counts = empty
            ) -> dict[str, Any]:
                where, large = job
                made = _zeros(texts, include.shape[1], len(pairs), large)
                rare = packing.tally(
                    texts.symbols, places[where], shared[where], n, texts.document, texts.generation, texts.apart,
                    include, 1.0 / np.maximum(empty.sizes, 1), cut, pairs, n == marked_order,
                    made["types"], made["met"], made["near"], made["joint"], made["survivors"],
                    made["bands"], made["repeated"], made["frequent"], made["frequent_half"], mark,
                )  # fmt: skip
                return made | {"rare": rare}

            jobs = [(where, found[n - 1][1]) for where, found in zip(parts, surveys, strict=True)]
            counts.append(_sum(empty, pool.map(tally, jobs)))
    return counts, mark != 0


def _survey(
    texts: Texts, places: NDArray[np.int32], shared: NDArray[np.uint8], n: int
) -> tuple[NDArray[np.int32], int]:
    from lightcollapse.kernels import packing

    found = np.empty(len(places), dtype=np.int32)
    written, frequent = packing.survey(
        texts.symbols, places, shared, n, texts.document, texts.generation, texts.apart, LIMIT, found
    )
    return found[:written].copy(), frequent


def rare_cut(counts: NDArray[np.int32]) -> int:
    """How often a rare n-gram may occur: the most for which rare ones hold at most 5 % of all, but at least once."""
    sizes = np.bincount(counts, minlength=2).astype(np.float64)
    held = np.cumsum(sizes * np.arange(len(sizes)))
    return max(1, int(np.searchsorted(held, RARE_SHARE * held[-1], side="right")) - 1)


def _pairs(generations: int, floor: bool, compared: bool) -> Int:
    """Each generation with the baseline and with the one before; two halves of the baseline."""
    if not compared:
        return np.empty((0, 2), dtype=np.int64)
    pairs = [(0, g) for g in range(1, generations)] + [(g - 1, g) for g in range(2, generations)]
    if floor:
        pairs.append((0, generations + 1))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _zeros(texts: Texts, lanes: int, pairs: int, large: int) -> dict[str, Any]:
    groups = len(texts.generations)
    return {
        "types": np.zeros((groups, LIMIT, lanes), dtype=np.int64),
        "met": np.zeros((2 * pairs, LIMIT, lanes), dtype=np.int64),
        "near": np.zeros((pairs, 2, lanes)),
        "joint": np.zeros((pairs, FEW, FEW, lanes), dtype=np.int64),
        "survivors": np.zeros((groups, LIMIT, lanes), dtype=np.int64),
        "bands": np.zeros((BANDS, groups, lanes), dtype=np.int64),
        "repeated": np.zeros(len(texts.lengths), dtype=np.int64),
        "frequent": np.zeros((large, groups + 2, lanes), dtype=np.int32),
        "frequent_half": np.zeros(large, dtype=np.int64),
        "rare": 0,
    }


def _empty(texts: Texts, n: int, include: NDArray[np.uint8], pairs: Int, cut: int) -> Counts:
    tokens = np.maximum(texts.lengths - (n - 1), 0)
    sizes = lane_sums(texts, tokens, include)
    made = _zeros(texts, include.shape[1], len(pairs), 0)
    return Counts(order=n, sizes=sizes.astype(np.int64), pairs=pairs, tokens=tokens, cut=cut, **made)


def lane_sums(texts: Texts, values: NDArray[Any], include: NDArray[np.uint8]) -> Float:
    """Sums over the documents of each row of counts in each lane, float64 (G + 2, lanes)."""
    groups = len(texts.generations)
    sums = np.zeros((groups + 2, include.shape[1]))
    for g in range(groups):
        here = texts.generation == g
        sums[g] = values[here] @ include[here].astype(np.float64)
    second = (texts.generation == 0) & (texts.apart == 1)
    sums[groups] = values[second] @ include[second].astype(np.float64)
    sums[groups + 1, 1:] = sums[0, 0] - sums[0, 1:]
    return sums


def _sum(empty: Counts, parts: Any) -> Counts:
    total: dict[str, Any] = {}
    rows: list[Any] = []
    halves_of: list[Any] = []
    for made in parts:  # in a fixed order: sums of floats repeat
        rows.append(made.pop("frequent"))
        halves_of.append(made.pop("frequent_half"))
        for name, value in made.items():
            total[name] = total[name] + value if name in total else value
    return Counts(
        order=empty.order, sizes=empty.sizes, pairs=empty.pairs, tokens=empty.tokens, cut=empty.cut,
        frequent=np.concatenate(rows), frequent_half=np.concatenate(halves_of), **total,
    )  # fmt: skip
