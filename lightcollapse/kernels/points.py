"""Random numbers for a block of lanes whose points are kept: uniforms and normals, float64 (lanes, count)."""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import kernel
from lightcollapse.kernels.rng import log_of, philox, turn, unit

_CHUNK = 128


@kernel
def fill_uniforms(out, first, generation, streams, replicates, k0, k1):
    """Fill out float64 (lanes, count) with uniforms in (0, 1): entries 2 i and 2 i + 1 are those of block first + i."""
    lanes, count = out.shape
    for lane in range(lanes):
        for i in range((count + 1) // 2):
            w0, w1, w2, w3 = philox(np.uint64(first + i), generation, replicates[lane], streams[lane], k0, k1)
            out[lane, 2 * i] = unit(w0, w1)
            if 2 * i + 1 < count:
                out[lane, 2 * i + 1] = unit(w2, w3)


@kernel
def fill_normals(out, first, generation, streams, replicates, k0, k1):
    """Fill out float64 (lanes, count) with standard normals: entries 2 i and 2 i + 1 are those of block first + i.

    Passes over a chunk of blocks (bits, radius, angle), each of which vectorises; one fused pass does not.
    """
    lanes, count = out.shape
    radius = np.empty(_CHUNK)
    angle = np.empty(_CHUNK)
    other = np.empty(_CHUNK)
    pairs = (count + 1) // 2
    for lane in range(lanes):
        for begin in range(0, pairs, _CHUNK):
            size = min(_CHUNK, pairs - begin)
            for i in range(size):
                w0, w1, w2, w3 = philox(
                    np.uint64(first + begin + i), generation, replicates[lane], streams[lane], k0, k1
                )
                radius[i] = unit(w0, w1)
                angle[i] = unit(w2, w3)
            for i in range(size):
                radius[i] = math.sqrt(-2.0 * log_of(radius[i]))
            for i in range(size):
                cosine, sine = turn(angle[i])
                angle[i] = radius[i] * cosine
                other[i] = radius[i] * sine
            for i in range(size):
                at = 2 * (begin + i)
                out[lane, at] = angle[i]
                if at + 1 < count:
                    out[lane, at + 1] = other[i]
