"""Random orders of documents, from the same counter-based generator as the kernels, written out in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_STEPS = (0x9E3779B9, 0xBB67AE85)


def philox(
    draws: Words, generation: int, replicate: int | Words, stream: int, seed: int
) -> tuple[Words, Words, Words, Words]:
    """Philox4x32-10 at counters (draws, generation, replicate, stream): four words of 32 bits for each draw.

    `replicate` is one number, or an array of the shape of `draws`.

    Source: Salmon, Moraes, Dror and Shaw 2011.
    """
    x0 = draws.astype(np.uint64)
    x1, x2, x3 = (np.full_like(x0, value) for value in (generation, replicate, stream))
    for turn in range(10):
        k0, k1 = (
            np.uint64((part + turn * step) & 0xFFFFFFFF)
            for part, step in zip((seed & 0xFFFFFFFF, seed >> 32), _STEPS, strict=True)
        )
        p0, p1 = _MULTIPLIERS[0] * x0, _MULTIPLIERS[1] * x2
        x0, x1, x2, x3 = (p1 >> _HALF) ^ x1 ^ k0, p1 & _MASK, (p0 >> _HALF) ^ x3 ^ k1, p0 & _MASK
    return x0, x1, x2, x3


def uniforms(first: int, count: int, stream: int, seed: int) -> NDArray[np.float64]:
    """Uniforms in (0, 1) from draw `first` on, of no generation or replicate: float64 (count,)."""
    draws = np.arange(first, first + count, dtype=np.uint64)
    w0, w1, _, _ = philox(draws, 0, 0, stream, seed)
    bits = ((w0 << _HALF) | w1) >> np.uint64(12)
    return np.asarray((bits.astype(np.float64) + 0.5) * 2.0**-52)


def key_of(generation: int, replicate: int, stream: int, seed: int) -> int:
    """A number in [0, 2^62) to seed another generator with."""
    high, low, _, _ = philox(np.zeros(1, dtype=np.uint64), generation, replicate, stream, seed)
    return (int(high[0]) << 32 | int(low[0])) >> 2


def permutation(size: int, generation: int, replicate: int, stream: int, seed: int) -> NDArray[np.int64]:
    """A random order of 0 .. size - 1, int64 (size,): the order of `size` random 64-bit keys."""
    (found,) = permutations(size, generation, np.array([replicate], dtype=np.uint64), stream, seed)
    return np.asarray(found, dtype=np.int64)


def permutations(size: int, generation: int, replicates: Words, stream: int, seed: int) -> NDArray[np.int64]:
    """`permutation` of each replicate, int64 (replicates, size)."""
    draws = np.arange((size + 1) // 2, dtype=np.uint64)
    each, numbers = np.broadcast_arrays(draws, replicates[:, None])
    w0, w1, w2, w3 = philox(each, generation, numbers, stream, seed)
    keys = np.stack([(w0 << _HALF) | w1, (w2 << _HALF) | w3], axis=2)
    keys = keys.reshape(len(replicates), 2 * len(draws))[:, :size]
    return np.argsort(keys, axis=1, kind="stable").astype(np.int64)
