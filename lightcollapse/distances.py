"""Distances between samples, as users have them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.errors import DataError


def wasserstein(one: ArrayLike, other: ArrayLike) -> float:
    """Wasserstein-1 distance between two samples of numbers: the mean distance of the cheapest transport.

    Both are one-dimensional, of any sizes, in any order; the distance has their unit. It takes as long as sorting.

    Raises:
        DataError: a sample is empty, no list of numbers, or holds a number that is not finite.
    """
    from lightcollapse.kernels.transport import cost

    return float(cost(_sorted(one, "first"), _sorted(other, "second")))


def _sorted(sample: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        values = np.asarray(sample, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"the {name} sample must hold numbers, got {sample!r:.60}") from None
    if values.ndim != 1 or not values.size:
        raise DataError(f"the {name} sample must be a list of at least one number, got shape {values.shape}")
    ordered = np.sort(values)  # outside the compiled code, whose sort takes many times as long
    for value in (ordered[0], ordered[-1]):  # NaN comes last
        if not np.isfinite(value):
            raise DataError(f"the {name} sample must hold finite numbers, got {value}")
    return ordered
