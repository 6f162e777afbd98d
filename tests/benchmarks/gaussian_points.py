"""The Gaussian recursion with every point drawn, against NumPy over all chains at once and a loop over chains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

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
    for threads, part, goal in ((1, chains, 8.0), (2, chains // 2, 14.0)):
        count = float(part * generations * N)
        peers = [Peer("NumPy, all chains at once", _vectorised(part, generations), goal)]
        if threads == 1:
            peers.append(Peer("Python loop over chains", _looped(part, generations), 60.0, LOOPED))
        yield from race(
            "gaussian_points",
            f"{part:,} chains x {N} points x {generations} generations{', two threads' if threads == 2 else ''}",
            partial(lc.run, card, 1, part, jobs=threads),
            peers,
            threads=threads,
            repeats=setting.repeats,
            count=count,
            unit="point",
            limit=setting.seconds(count * setting.limits.normal / threads),
            limit_of="normals",
            label=f"Gaussian, points{', two threads' if threads == 2 else ''}",
        )


def _vectorised(chains: int, generations: int) -> Callable[[], None]:
    rng = np.random.default_rng(1)
    points = np.empty((chains, N))

    def run() -> None:
        mean, variance = np.zeros(chains), np.ones(chains)
        out = np.empty((2, generations + 1, chains))
        for t in range(generations):
            out[:, t] = mean, variance
            rng.standard_normal(out=points)
            np.multiply(points, np.sqrt(variance)[:, None], out=points)
            np.add(points, mean[:, None], out=points)
            mean, variance = points.mean(axis=1), points.var(axis=1)

    return run


def _looped(chains: int, generations: int) -> Callable[[], None]:
    rng = np.random.default_rng(1)

    def run() -> None:
        for _ in range(int(chains * LOOPED)):
            mean, std, path = 0.0, 1.0, []
            for _ in range(generations):
                sample = rng.normal(mean, std, N)
                mean, std = sample.mean(), sample.std()
                path.append((mean, std))

    return run
