"""Drift of many types, against NumPy's multinomial on the types that are left."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import lightcollapse as lc

from .race import Peer, Row, race
from .setting import Setting


def rows(setting: Setting) -> Iterator[Row]:
    types, n, generations = setting.size(50_000, 5_000), setting.size(1_000_000, 100_000), setting.size(100, 20)
    source = lc.sources.Zipf(types, 1.0)
    card = lc.Scenario(source, lc.families.Categorical(), sample_size=n, generations=generations)
    law, rng = source.probabilities(), np.random.default_rng(1)

    def sparse() -> None:
        alive, mass = np.arange(types), law
        for _ in range(generations):
            counts = rng.multinomial(n, mass)
            kept = counts > 0
            alive, mass = alive[kept], counts[kept] / n

    left = float(lc.run(card, seed=1, replicates=1).metrics["support"][0].sum())
    yield from race(
        "wright_fisher",
        f"{types:,} types, n = {n:,}, {generations} generations; eleven metrics",
        lambda: lc.run(card, seed=1, replicates=1, jobs=1),
        [Peer("NumPy multinomial, types left", sparse, 5.0)],
        repeats=setting.repeats,
        count=left,
        unit="type left and generation",
        limit=setting.seconds(left * (setting.limits.word + setting.limits.exp)),
        limit_of="64 bits and a logarithm a type",
        label="Wright-Fisher",
    )
