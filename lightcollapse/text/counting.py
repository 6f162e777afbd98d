"""Counts of n-grams in all generations, and in random halves of their documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.text.blocks import BLOCKS
from lightcollapse.text.entries import Entries, on_threads
from lightcollapse.text.texts import Texts

Float = NDArray[np.float64]
Int = NDArray[np.int64]

LIMIT = 256  # n-grams seen so often are kept one by one, the others as numbers of n-grams by count
FEW = 12  # counts below this are compared by numbers of n-grams, without a logarithm for each
BANDS = 24
RARE_SHARE = 0.05
_MOST_OWNERS = 1024  # beyond, n-grams seen twice are not counted by pairs of owners
_LONGEST = 2**16  # counts in half of the baseline that are told apart


@dataclass(frozen=True)
class Counts:
    """Counts of the n-grams of one length. Lane 0 is everything, lane b the b-th random half of the blocks.

    Rows: 0 .. G - 1 the generations, G the second half of the baseline, G + 1 what a lane lacks of the baseline.

    Attributes:
        order: n.
        sizes: int64 (G + 2, lanes) n-grams.
        types, met, near, joint, survivors, bands, frequent, frequent_half: as `kernels.packing.tally` names them.
        pairs: (P, 2) rows that are compared.
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
    rare: int
    cut: int


def count(texts: Texts, n: int, include: NDArray[np.uint8], compared: bool) -> Counts:
    """Counts of n-grams of length n in each lane of `include`, generations compared with one another or not."""
    from lightcollapse.kernels import packing

    groups = len(texts.generations)
    parts = texts.entries.of(n)
    halves = np.zeros(_LONGEST, dtype=np.int64)

    def survey(part: Entries) -> tuple[Int, int]:
        found = np.zeros(_LONGEST, dtype=np.int64)
        frequent = packing.survey(
            part.shared, part.left, part.owner, part.weight, n, BLOCKS, groups, LIMIT, found
        )  # fmt: skip
        return found, frequent

    surveys = list(on_threads(survey, parts))
    for found, _ in surveys:
        halves += found
    cut = rare_cut(halves, int(texts.ngrams[n - 1, :BLOCKS:2].sum()))
    sizes = lane_sums(texts.ngrams[n - 1], include)
    inverse = 1.0 / np.maximum(sizes, 1)
    pairs = _pairs(groups, compared and include.shape[1] > 1, compared)
    owners = len(include) if len(include) <= _MOST_OWNERS else 0

    def tally(job: tuple[Entries, int]) -> dict[str, Any]:
        part, large = job
        made = _zeros(groups, include.shape[1], len(pairs), large)
        single = np.zeros(len(include), dtype=np.int64)
        double = np.zeros((owners, owners), dtype=np.int64)
        rare = packing.tally(
            part.shared, part.left, part.owner, part.weight, n, BLOCKS, include, inverse, cut, pairs, *made.values(),
            single, double,
        )  # fmt: skip
        return made | {"rare": rare, "single": single, "double": double}

    total = _sum(on_threads(tally, [(part, large) for part, (_, large) in zip(parts, surveys, strict=True)]))
    if not total:
        total = tally((_nothing(), 0))
    made = _zeros(groups, include.shape[1], len(pairs), 0)
    few = {name: total.pop(name) for name in ("single", "double")}
    made["rare"] = total["rare"] + packing.tally_few(
        few["single"], few["double"], BLOCKS, include, inverse, cut, pairs, *made.values()
    )
    for name in ("types", "met", "near", "joint", "survivors", "bands"):
        total[name] += made[name]
    return Counts(order=n, sizes=sizes.astype(np.int64), pairs=pairs, cut=cut, **total | {"rare": made["rare"]})


def _nothing() -> Entries:
    none = np.empty(0, dtype=np.uint8)
    return Entries(none, none, *(np.empty(0, dtype=np.int32) for _ in range(3)))


def rare_cut(halves: Int, size: int) -> int:
    """How often a rare n-gram may occur: the most for which rare ones hold at most 5 % of all, but at least once.

    `halves` int64 (counts,) n-grams by count, of `size` occurrences in all.
    """
    held = np.cumsum(halves * np.arange(len(halves), dtype=np.float64))
    return max(1, int(np.searchsorted(held, RARE_SHARE * size, side="right")) - 1)


def _pairs(generations: int, floor: bool, compared: bool) -> Int:
    """Each generation with the baseline and with the one before; two halves of the baseline."""
    if not compared:
        return np.empty((0, 2), dtype=np.int64)
    pairs = [(0, g) for g in range(1, generations)] + [(g - 1, g) for g in range(2, generations)]
    if floor:
        pairs.append((0, generations + 1))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _zeros(groups: int, lanes: int, pairs: int, large: int) -> dict[str, Any]:
    """What `packing.tally` fills, in its order."""
    return {
        "types": np.zeros((groups, LIMIT, lanes), dtype=np.int64),
        "met": np.zeros((2 * pairs, LIMIT, lanes), dtype=np.int64),
        "near": np.zeros((pairs, 2, lanes)),
        "joint": np.zeros((pairs, FEW, FEW, lanes), dtype=np.int64),
        "survivors": np.zeros((groups, LIMIT, lanes), dtype=np.int64),
        "bands": np.zeros((BANDS, groups, lanes), dtype=np.int64),
        "frequent": np.zeros((large, groups + 2, lanes), dtype=np.int32),
        "frequent_half": np.zeros(large, dtype=np.int64),
    }


def lane_sums(values: NDArray[Any], include: NDArray[np.uint8]) -> Float:
    """Sums over the blocks of each row of counts in each lane, float64 (G + 2, lanes); `values` (owners,)."""
    groups = len(values) // BLOCKS
    by_block = np.asarray(values, dtype=np.float64).reshape(groups, BLOCKS)
    lanes = include.astype(np.float64).reshape(groups, BLOCKS, -1)
    sums = np.zeros((groups + 2, include.shape[1]))
    sums[:groups] = np.einsum("gk,gkb->gb", by_block, lanes)
    sums[groups] = by_block[0, 1::2] @ lanes[0, 1::2]
    sums[groups + 1, 1:] = sums[0, 0] - sums[0, 1:]
    return sums


def _sum(parts: Any) -> dict[str, Any]:
    total: dict[str, Any] = {}
    rows: list[Any] = []
    halves_of: list[Any] = []
    for made in parts:  # in a fixed order: sums of floats repeat
        rows.append(made.pop("frequent"))
        halves_of.append(made.pop("frequent_half"))
        for name, value in made.items():
            total[name] = total[name] + value if name in total else value
    if total:
        total |= {"frequent": np.concatenate(rows), "frequent_half": np.concatenate(halves_of)}
    return total
