"""Draws: where a block of lanes takes its random numbers from; Batch: points, and how much each counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

# What a draw is for: bits 0..7 of a stream. Bits 16..31 carry the number of a lab.
REAL, SYNTHETIC, POOL, FIT, MEASURE, ISLANDS, ANCHOR = 0, 1, 2, 3, 5, 6, 7
CURATION = 16  # step i of a curation has CURATION + i, for what it substitutes + STEPS, for real points + 2 STEPS
STEPS = 32
_LAB = np.uint64(16)


@dataclass(frozen=True)
class Draws:
    """Random numbers of a block: a pure function of seed, replicate, lab, generation and purpose.

    Attributes:
        replicates: uint64 (lanes,).
        labs: uint64 (lanes,), the number of each lane's lab, 0 where there is one.
        seed: the user's, in [0, 2^64).
        generation: whose training set or model the numbers serve.
        purpose: one of the constants of this module.
    """

    replicates: NDArray[np.uint64]
    labs: NDArray[np.uint64]
    seed: int
    generation: int = 0
    purpose: int = REAL

    def at(self, generation: int, purpose: int) -> Draws:
        """The same lanes at another generation, for another purpose."""
        return Draws(self.replicates, self.labs, self.seed, generation, purpose)

    def stream(self, purpose: int) -> Draws:
        """The same lanes and generation for another purpose."""
        return self.at(self.generation, purpose)

    @property
    def lanes(self) -> int:
        """Chains in the block."""
        return len(self.replicates)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What kernels take: generation uint64, streams uint64 (lanes,), replicates uint64 (lanes,), k0, k1 uint64."""
        streams = np.uint64(self.purpose) | (self.labs << _LAB)
        low, high = np.uint64(self.seed & 0xFFFFFFFF), np.uint64(self.seed >> 32)
        return np.uint64(self.generation), streams, self.replicates, low, high

    def uniforms(self, count: int, first: int = 0) -> Float:
        """Uniforms in (0, 1) from block `first` on, two a block: float64 (lanes, count)."""
        from lightcollapse.kernels.points import fill_uniforms

        out = np.empty((self.lanes, count))
        fill_uniforms(out, first, *self.arguments)
        return out

    def normals(self, count: int, first: int = 0) -> Float:
        """Standard normals from block `first` on, two a block: float64 (lanes, count)."""
        from lightcollapse.kernels.points import fill_normals

        out = np.empty((self.lanes, count))
        fill_normals(out, first, *self.arguments)
        return out

    def places(self, count: int, points: int, weights: Float | None = None) -> NDArray[np.int64]:
        """Places of `count` of each lane's points, without replacement and in order: int64 (lanes, count).

        Those of weight 0 come last: `weights` is float64 (lanes, points), None where there are none.
        """
        from lightcollapse.kernels.points import choose

        out = np.empty((self.lanes, count), np.int64)
        choose(out, points, np.empty((self.lanes, 0)) if weights is None else weights, *self.arguments)
        out.sort(axis=1)
        return out


@dataclass(frozen=True)
class Batch:
    """Points of every lane.

    Attributes:
        points: float64 (lanes, count, dimension).
        weights: float64 (lanes, count): how much each point counts in a fit; 1 as it stands, 0 removed.
    """

    points: Float
    weights: Float

    @classmethod
    def whole(cls, points: Float) -> Batch:
        """Points that all count fully."""
        return cls(points, np.ones(points.shape[:2]))

    @property
    def count(self) -> int:
        """Points a lane, removed ones among them."""
        return int(self.points.shape[1])

    def chosen(self, index: NDArray[np.int64]) -> Batch:
        """The points that index, int64 (lanes, wanted), names in each lane."""
        points = np.take_along_axis(self.points, index[:, :, None], axis=1)
        return Batch(
            np.ascontiguousarray(points), np.ascontiguousarray(np.take_along_axis(self.weights, index, axis=1))
        )

    @cached_property
    def removed(self) -> bool:
        """Whether some point has weight 0."""
        return not self.weights.all()


def taken(batches: list[Batch], places: NDArray[np.int64]) -> Batch:
    """The points at `places`, int64 (lanes, count), each lane's in order, of the batches laid end to end."""
    from lightcollapse.kernels.points import gather

    lanes, count = places.shape
    points, weights = np.empty((lanes, count, batches[0].points.shape[2])), np.empty((lanes, count))
    done, first = np.zeros(lanes, np.int64), 0
    for batch in batches:
        gather(points, weights, done, places, first, batch.points, batch.weights)
        first += batch.count
    return Batch(points, weights)


def join(batches: list[Batch]) -> Batch:
    """One batch of all."""
    if len(batches) == 1:
        return batches[0]
    return Batch(
        np.concatenate([b.points for b in batches], axis=1), np.concatenate([b.weights for b in batches], axis=1)
    )
