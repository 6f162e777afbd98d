"""The Gaussian in 10 and 50 dimensions, every point and by Bartlett's decomposition, against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import lightcollapse as lc

from .race import Peer, Row, race
from .setting import Setting

N = 1000
GOALS = {("points", 10): 7.0, ("points", 50): 4.0, ("statistics", 10): 2.0, ("statistics", 50): 2.0}


def rows(setting: Setting) -> Iterator[Row]:
    for d in (10, 50):
        chains, generations = setting.size(40 if d == 10 else 20, 8), setting.size(25, 5)
        yield from _race(setting, "points", d, chains, generations, _cholesky(d, chains, generations))
        chains = setting.size(1_000 if d == 10 else 200, 50)
        yield from _race(setting, "statistics", d, chains, generations, _bartlett(d, chains, generations))


def _race(
    setting: Setting, draws: str, d: int, chains: int, generations: int, theirs: Callable[[], None]
) -> Iterator[Row]:
    family = lc.families.MultivariateGaussian(d, draws=draws)
    card = lc.Scenario(lc.sources.Normal(), family, sample_size=N, generations=generations)
    points = draws == "points"
    units = chains * generations * (N if points else 1)
    if points:  # normals, and the sum of their products, by symmetry half of a matrix
        nanoseconds = d * setting.limits.normal + 1e9 * d * (d + 1) / setting.limits.flops
    else:  # normals for the mean and the triangle, and a product of two triangles
        nanoseconds = d * (d + 3) / 2 * setting.limits.normal + 1e9 * d**3 / 3 / setting.limits.flops
    what = f"{N} points" if points else "mean and triangle"
    yield from race(
        "multivariate",
        f"d = {d}, {chains} chains x {generations} generations, {what}; seven metrics",
        lambda: lc.run(card, seed=1, replicates=chains, jobs=1),
        [Peer("NumPy, Cholesky" if points else "NumPy, batched Bartlett", theirs, GOALS[draws, d])],
        repeats=setting.repeats,
        count=float(units),
        unit="point" if points else "chain and generation",
        limit=setting.seconds(units * nanoseconds),
        limit_of="normals and products",
        label=f"Gaussian, d = {d}, {'points' if points else 'Bartlett'}",
    )


def _cholesky(d: int, chains: int, generations: int) -> Callable[[], None]:
    rng = np.random.default_rng(1)

    def run() -> None:
        for _ in range(chains):
            mean, factor = np.zeros(d), np.eye(d)
            for _ in range(generations):
                points = mean + rng.standard_normal((N, d)) @ factor.T
                mean = points.mean(axis=0)
                centred = points - mean
                covariance = centred.T @ centred / N
                factor = np.linalg.cholesky(covariance)
                covariance.trace()

    return run


def _bartlett(d: int, chains: int, generations: int) -> Callable[[], None]:
    rng = np.random.default_rng(1)
    rows_, columns = np.tril_indices(d, -1)
    diagonal = np.arange(d)
    freedom = N - 1.0 - diagonal

    def run() -> None:
        mean, factor = np.zeros((chains, d)), np.tile(np.eye(d), (chains, 1, 1))
        for _ in range(generations):
            mean = mean + (factor @ rng.standard_normal((chains, d, 1)))[:, :, 0] / np.sqrt(N)
            triangle = np.zeros((chains, d, d))
            triangle[:, rows_, columns] = rng.standard_normal((chains, len(rows_)))
            triangle[:, diagonal, diagonal] = np.sqrt(rng.chisquare(freedom, (chains, d)))
            factor = factor @ triangle / np.sqrt(N)
            (factor**2).sum(axis=(1, 2))

    return run
