"""Expectation and maximisation, sampling included, against NumPy and scikit-learn, all from a warm start."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import lightcollapse as lc
from lightcollapse.kernels.draws import FIT, SYNTHETIC, Draws

from .race import Peer, Row, peer, race
from .setting import Setting

STEPS = 10
Float = Any


def rows(setting: Setting) -> Iterator[Row]:
    for d, components, n, goal in ((1, 3, 1_000, 100.0), (2, 8, 10_000, 60.0)):
        chains, generations = setting.size(32 if d == 1 else 2, 2), setting.size(10, 3)
        law = _law(components, d)
        source = lc.sources.Mixture(*(part.tolist() for part in law))
        family = lc.families.GaussianMixture(components, d, tolerance=0.0, iterations=STEPS)
        card = lc.Scenario(source, family, sample_size=n, generations=generations)
        count = float(chains * generations * n * components * STEPS)
        drawn = chains * generations * n * d * setting.limits.normal
        flops = 1e9 * count * (d + 1) * (d + 2) / setting.limits.flops
        peers = [
            Peer("NumPy", _numpy(law, n, chains, generations), 30.0),
            peer("scikit-learn", "sklearn", _sklearn(law, n, chains, generations), goal),
        ]
        label = f"EM, d = {d}, K = {components}"
        facts = {
            "repeats": setting.repeats,
            "count": count,
            "unit": "point, component and step",
            "limit": setting.seconds(count * setting.limits.exp + drawn + flops),
            "limit_of": "exp, products and normals",
        }
        size = f"d = {d}, K = {components}, n = {n:,}, {chains} chains x {generations} generations x {STEPS} steps"
        yield from race(
            "mixture", f"{size}; every metric", partial(lc.run, card, 1, chains, jobs=1), peers, label=label, **facts
        )
        yield from race(
            "mixture", f"{size}; fit and sample alone", _family(card, chains, generations), peers,
            measure_memory=False, label=f"{label}, fit and sample", **facts,
        )  # fmt: skip


def _law(components: int, d: int) -> tuple[Float, Float, Float]:
    rng = np.random.default_rng(components)
    means = 3.0 * np.arange(components)[:, None] + rng.normal(size=(components, d))
    return np.full(components, 1.0 / components), means, np.tile(np.eye(d), (components, 1, 1))


def _family(card: Any, chains: int, generations: int) -> Callable[[], None]:
    """What the family's own calls take, all chains side by side."""
    estimator = card.family.estimator(card.source)
    numbers = np.arange(chains, dtype=np.uint64)
    draws = Draws(numbers, np.zeros_like(numbers), 1)
    weights = np.ones((chains, card.sample_sizes()[0]))

    def run() -> None:
        points, model = estimator.real(weights.shape[1], draws), None
        for t in range(1, generations + 1):
            model = estimator.fit(points, weights, model, draws.at(t, FIT))
            points = estimator.write(model, weights.shape[1], draws.at(t, SYNTHETIC))

    return run


def _sampled(rng: Any, law: tuple[Float, Float, Float], n: int) -> Float:
    weights, means, covariances = law
    counts = rng.multinomial(n, weights)
    return np.concatenate([
        mean + rng.standard_normal((count, len(mean))) @ np.linalg.cholesky(covariance).T
        for count, mean, covariance in zip(counts, means, covariances, strict=True)
    ])  # fmt: skip


def _numpy(law: tuple[Float, Float, Float], n: int, chains: int, generations: int) -> Callable[[], None]:
    rng = np.random.default_rng(1)

    def fit(points: Float, model: tuple[Float, Float, Float]) -> tuple[Float, Float, Float]:
        weights, means, covariances = model
        d = points.shape[1]
        for _ in range(STEPS):
            centred = points[:, None, :] - means  # (n, K, d)
            inverse = np.linalg.inv(covariances)
            distance = np.einsum("nki,kij,nkj->nk", centred, inverse, centred, optimize=True)
            log = np.log(weights) - 0.5 * (distance + np.linalg.slogdet(covariances)[1] + d * math.log(2 * math.pi))
            top = log.max(axis=1, keepdims=True)
            share = np.exp(log - top)
            share /= share.sum(axis=1, keepdims=True)
            held = share.sum(axis=0)
            weights, means = held / n, share.T @ points / held[:, None]
            centred = points[:, None, :] - means
            covariances = np.einsum("nk,nki,nkj->kij", share, centred, centred, optimize=True) / held[:, None, None]
        return weights, means, covariances

    def run() -> None:
        for _ in range(chains):
            model = law
            for _ in range(generations):
                model = fit(_sampled(rng, model, n), model)

    return run


def _sklearn(law: tuple[Float, Float, Float], n: int, chains: int, generations: int) -> Callable[[], None]:
    rng = np.random.default_rng(1)

    def run() -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # ten steps are asked for
            for _ in range(chains):
                model = law
                for _ in range(generations):
                    points = _sampled(rng, model, n)
                    found = GaussianMixture(
                        len(model[0]), tol=0.0, reg_covar=0.0, max_iter=STEPS, weights_init=model[0],
                        means_init=model[1], precisions_init=np.linalg.inv(model[2]),
                    ).fit(points)  # fmt: skip
                    model = found.weights_ / found.weights_.sum(), found.means_, found.covariances_

    return run
