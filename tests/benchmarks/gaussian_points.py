"""The Gaussian recursion with every point drawn, against NumPy over all chains at once and a loop over chains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import lightcollapse as lc

from .race import Peer, Row, race
from .setting import Setting

N, LOOPED = 100, 0.01  # share of the chains that a Python loop runs


def rows(setting: Setting) -> Iterator[Row]:
    chains, generations = setting.size(10_000, 1_000), setting.size(200, 50)
    card = lc.Scenario(
        lc.sources.Normal(), lc.families.Gaussian(draws="points"), sample_size=N, generations=generations
    )
    rng = np.random.default_rng(1)
    points = np.empty((chains, N))

    def vectorised() -> None:
        mean, variance = np.zeros(chains), np.ones(chains)
        out = np.empty((2, generations + 1, chains))
        for t in range(generations):
            out[:, t] = mean, variance
            rng.standard_normal(out=points)
            np.multiply(points, np.sqrt(variance)[:, None], out=points)
            np.add(points, mean[:, None], out=points)
            mean, variance = points.mean(axis=1), points.var(axis=1)

    def looped() -> None:
        for _ in range(int(chains * LOOPED)):
            mean, std, path = 0.0, 1.0, []
            for _ in range(generations):
                sample = rng.normal(mean, std, N)
                mean, std = sample.mean(), sample.std()
                path.append((mean, std))

    count = float(chains * generations * N)
    facts = {
        "repeats": setting.repeats,
        "count": count,
        "unit": "point",
        "limit": setting.seconds(count * setting.limits.normal),
        "limit_of": "normals",
        "label": "Gaussian, points",
    }
    work = f"{chains:,} chains x {N} points x {generations} generations"
    numpy_peer = Peer("NumPy, all chains at once", vectorised, 8.0)
    loop = Peer("Python loop over chains", looped, 60.0, LOOPED)
    yield from race(
        "gaussian_points", work, lambda: lc.run(card, seed=1, replicates=chains, jobs=1), [numpy_peer, loop], **facts
    )
    facts |= {"limit": facts["limit"] / 2, "label": "Gaussian, points, two threads"}
    two = Peer("NumPy, one thread", vectorised, 14.0)
    yield from race(
        "gaussian_points", f"{work}, two threads",
        lambda: lc.run(card, seed=1, replicates=chains, jobs=2), [two], threads=2, **facts,
    )  # fmt: skip
