"""Entropy and both divergences of a million types, against SciPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import lightcollapse as lc
from lightcollapse.families.categorical import CategoricalModel
from lightcollapse.kernels.draws import Draws

from .race import Peer, Row, race
from .setting import Setting


def rows(setting: Setting) -> Iterator[Row]:
    from scipy.stats import entropy

    types = setting.size(1_000_000, 100_000)
    source = lc.sources.Zipf(types, 1.0)
    law = source.probabilities()
    model = np.random.default_rng(1).gamma(1.0, law)
    model /= model.sum()
    estimator = lc.families.Categorical().estimator(source)
    held = CategoricalModel(model[None])
    draws = Draws(np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.uint64), 1)
    measured = estimator.measure(held, draws)
    for name, value in (("entropy", entropy(model)), ("kl_model_source", entropy(model, law))):
        if not np.isclose(measured[name][0], value, rtol=1e-8):
            raise ArithmeticError(f"{name} {measured[name][0]}, SciPy finds {value}")

    def scipy() -> None:
        entropy(model)
        entropy(model, law)
        entropy(law, model)

    yield from race(
        "divergences",
        f"{types:,} types: entropy, KL both ways, and eight other metrics",
        lambda: estimator.measure(held, draws),
        [
            Peer("SciPy, entropy and both KL", scipy, 10.0),
            Peer("SciPy, one KL alone", lambda: entropy(model, law)),
        ],
        repeats=setting.repeats,
        count=float(types),
        unit="type",
        limit=setting.seconds(types * (2 * setting.limits.exp)),
        limit_of="two logarithms a type",
        label="entropy and KL",
    )
