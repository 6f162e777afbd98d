"""Recipe: what each training set holds, in points. A regime lowers to these rows; kernels execute them, predictions
read them.

Row t - 1 describes training set t, which is made of `fresh` new real points, `anchor` points re-used from the first
real sample, and `take` points of the pool. The pool is batches `oldest` .. t - 1, where batch g >= 1 is what model g
wrote and batch 0 is the first real sample.

With several labs each of the `size` points of a training set is, by a chance of its own, the lab's own model's, of
the pool of all labs' models (its own included), or fresh: `fresh`, `anchor`, `sample` and `take` are then empty
from training set 2 on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALL = -1  # in `anchor` or `take`: every point there is
REAL = 0  # in `oldest`: the pool reaches back to the first real sample

RECIPE = np.dtype(
    [
        ("size", np.int64),  # points in the training set
        ("fresh", np.int64),  # new real points
        ("anchor", np.int64),  # points re-used from the first real sample, or ALL
        ("sample", np.int64),  # points that model t - 1 writes into batch t - 1
        ("oldest", np.int64),  # the pool's oldest batch
        ("take", np.int64),  # points drawn from the pool without replacement, or ALL
        ("weight", np.float64),  # weight of the real part in the fit; NaN: pooled
        ("bias", np.float64),  # how far the fresh points are tilted away from the source; 0: not at all
        ("labs", np.int64),  # models side by side that train on one another; 1: one model
        ("own", np.float64),  # of several labs: chance that a point is the lab's own model's
        ("shared", np.float64),  # and that it comes from the pool of all labs; the rest is fresh
    ]
)
COLUMNS = ("fresh", "anchor", "oldest", "take", "weight", "bias", "labs")  # what a family may not be able to execute

Schedule = NDArray[np.void]


def blank(sizes: NDArray[np.int64]) -> Schedule:
    """Rows that hold nothing but the first: `sizes[0]` real points. A regime fills in the rest.

    `sizes` is int64 (generations,); the result has dtype RECIPE and the same length.
    """
    rows = np.zeros(len(sizes), dtype=RECIPE)
    rows["size"] = sizes
    rows["weight"] = np.nan
    rows["labs"] = 1
    rows["oldest"] = np.arange(1, len(sizes) + 1)  # an empty pool
    rows["fresh"][0] = sizes[0]
    return rows
