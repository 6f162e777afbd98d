"""The Gaussian recursion by sufficient statistics, against NumPy's normal and chi-square draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import lightcollapse as lc

from .race import Peer, Row, race
from .setting import Setting

N = 100


def rows(setting: Setting) -> Iterator[Row]:
    chains, generations = setting.size(10_000, 1_000), setting.size(200, 50)
    card = lc.Scenario(
        lc.sources.Normal(), lc.families.Gaussian(draws="statistics"), sample_size=N, generations=generations
    )
    rng = np.random.default_rng(1)

    def vectorised() -> None:
        mean, variance = np.zeros(chains), np.ones(chains)
        out = np.empty((2, generations + 1, chains))
        for t in range(generations):
            out[:, t] = mean, variance
            mean = mean + np.sqrt(variance / N) * rng.standard_normal(chains)
            variance = variance * rng.chisquare(N - 1, chains) / N

    count = float(chains * generations)
    draws = (
        2.0 * setting.limits.normal + setting.limits.word
    )  # a normal; a chi-square: a normal, and a uniform to judge it
    yield from race(
        "gaussian_sums",
        f"{chains:,} chains x {generations} generations, mean and chi-square",
        lambda: lc.run(card, seed=1, replicates=chains, jobs=1),
        [Peer("NumPy, all chains at once", vectorised, 3.0)],
        repeats=setting.repeats,
        count=count,
        unit="chain and generation",
        limit=setting.seconds(count * draws),
        limit_of="two normals, a uniform",
        label="Gaussian, sums",
    )
