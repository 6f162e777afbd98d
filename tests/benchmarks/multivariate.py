"""The Gaussian in 10 and 50 dimensions, every point and by Bartlett's decomposition, against NumPy.

A run measures seven metrics of every model, and NumPy's loop the total variance; a second row has ours do no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import lightcollapse as lc
from lightcollapse.kernels.draws import REAL, SYNTHETIC, Draws

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
    what = f"d = {d}, {chains} chains x {generations} generations, {N} points"
    what = what if points else f"d = {d}, {chains} chains x {generations} generations, mean and triangle"
    peers = [Peer("NumPy, Cholesky" if points else "NumPy, batched Bartlett", theirs, GOALS[draws, d])]
    label = f"Gaussian, d = {d}, {'points' if points else 'Bartlett'}"
    facts = {
        "repeats": setting.repeats,
        "count": float(units),
        "unit": "point" if points else "chain and generation",
        "limit": setting.seconds(units * nanoseconds),
        "limit_of": "normals and products",
    }
    yield from race(
        "multivariate",
        f"{what}; seven metrics",
        lambda: lc.run(card, seed=1, replicates=chains, jobs=1),
        peers,
        label=label,
        **facts,
    )
    yield from race(
        "multivariate",
        f"{what}; recursion and total variance alone",
        _recursion(card, chains, generations),
        peers,
        measure_memory=False,
        label=f"{label}, recursion",
        **facts,
    )


def _recursion(card: lc.Scenario, chains: int, generations: int) -> Callable[[], None]:
    """What the family's own calls take, in blocks as a run has them."""
    estimator: Any = card.family.estimator(card.source)
    size = card.family.prepare(card.source, card.schedule(), 1).block_size

    def run() -> None:
        for first in range(0, chains, size):
            numbers = np.arange(first, min(first + size, chains), dtype=np.uint64)
            draws = Draws(numbers, np.zeros_like(numbers), 1)
            sums = estimator.real_statistics(N, draws.at(1, REAL))
            for t in range(2, generations + 1):
                model = estimator.fitted(sums)
                np.einsum("lij,lij->l", model.factor, model.factor)
                sums = estimator.write_statistics(model, N, draws.at(t, SYNTHETIC))
            estimator.fitted(sums)

    return run


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
