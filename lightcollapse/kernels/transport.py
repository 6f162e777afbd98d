"""Transport between two samples of points on a line."""

from __future__ import annotations

import numpy as np

from lightcollapse.compiler import borrowing


@borrowing
def cost(one, other):
    """Mean distance that mass moves from one sample to another, both sorted: float64 (n,) and (m,), n, m >= 1.

    The i-th smallest point of n carries the mass from i / n to (i + 1) / n; in these shares both samples are walked
    side by side, so that no step depends on where the points lie: only numbers of points are compared. Draws nothing.
    """
    n, m = np.int64(len(one)), np.int64(len(other))
    i, j = np.uint64(0), np.uint64(0)
    at, end, other_end = np.int64(0), m, n  # mass moved, and where the masses of both points end, times n m
    total, block = 0.0, 0.0
    steps = np.int64(0)
    while at < n * m:
        upto = min(end, other_end)
        block += abs(one[i] - other[j]) * float(upto - at)
        at = upto
        first, second = end == upto, other_end == upto
        i += np.uint64(first)
        j += np.uint64(second)
        end += m if first else np.int64(0)
        other_end += n if second else np.int64(0)
        steps += 1
        if steps & 1023 == 0:  # sums of sums lose fewer digits
            total += block
            block = 0.0
    return (total + block) / (float(n) * float(m))
