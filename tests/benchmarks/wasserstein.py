"""Wasserstein-1 between two samples of points on a line, against SciPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import lightcollapse as lc

from .race import Peer, Row, race
from .setting import Setting


def rows(setting: Setting) -> Iterator[Row]:
    from scipy.stats import wasserstein_distance

    size = setting.size(1_000_000, 100_000)
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=size), rng.normal(0.1, 1.2, size=size)
    if not np.isclose(lc.wasserstein(one, other), wasserstein_distance(one, other), rtol=1e-9):
        raise ArithmeticError("the two distances differ")
    yield from race(
        "wasserstein",
        f"two samples of {size:,} points",
        lambda: lc.wasserstein(one, other),
        [Peer("SciPy wasserstein_distance", lambda: wasserstein_distance(one, other), 20.0)],
        repeats=setting.repeats,
        count=2.0 * size,
        unit="point",
        limit=setting.seconds(2 * size * setting.limits.sort),
        limit_of="a sort of 64-bit keys",
        label="Wasserstein-1",
    )
