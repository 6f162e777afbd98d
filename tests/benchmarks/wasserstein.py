"""Wasserstein-1 between two samples of points on a line, against SciPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .race import Row, peak, take_turns
from .setting import Setting


def rows(setting: Setting) -> Iterator[Row]:
    from statistics import median

    from scipy.stats import wasserstein_distance

    size = setting.size(1_000_000, 100_000)
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=size), rng.normal(0.1, 1.2, size=size)
    times = take_turns([lambda: wasserstein_distance(one, other)], setting.repeats)[0]
    yield Row(
        "wasserstein",
        f"two samples of {size:,} points",
        "SciPy wasserstein_distance",
        None,
        median(times),
        20.0,
        count=2.0 * size,
        unit="point",
        limit=setting.seconds(2 * size * setting.limits.sort),
        limit_of="a sort of 64-bit keys",
        label="Wasserstein-1",
        memory_theirs=peak(lambda: wasserstein_distance(one, other)),
        times_theirs=tuple(times),
        note="nothing shipped measures it between samples",
    )
