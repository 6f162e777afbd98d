"""How much fresh human text keeps how much of a vocabulary, over loops that were run with it: pooled with what models
write, or beside it with the best weight.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.planning import Plan, plan_counts
from lightcollapse.plot import COLOURS, MARKERS, STYLE, plan_curve
from lightcollapse.predictions.keeping import best_weighted

SEED, REPLICATES, TYPES, TOKENS, GENERATIONS = 1, 100, 1_000, 3_000, 10
KEEP = {"support": 0.8, "entropy": 0.97}
SHARES = (0.01, 0.06, 0.2, 0.6)
RECIPE = {
    "law": "Zipf, exponent 1",
    "types": TYPES,
    "tokens": TOKENS,
    "generations": GENERATIONS,
    "keep": KEEP,
    "shares": list(SHARES),
    "seed": SEED,
    "replicates": REPLICATES,
}


def simulated(plan: Plan, training: str, share: float, replicates: int) -> dict[str, tuple[float, float]]:
    """What the last model has of what one fitted on human text has, and half of its 95 % interval, by metric."""
    tokens = math.ceil(share * TOKENS)
    regime = (
        lc.regimes.FreshFraction(share)
        if training == "pooled"
        else lc.regimes.Weighted(best_weighted(TOKENS, tokens, GENERATIONS).weight, share)
    )
    law = np.repeat(plan.probabilities, plan.times.astype(np.int64))
    card = lc.Scenario(
        lc.sources.Probabilities(tuple((law / law.sum()).tolist())),
        lc.families.Categorical(),
        regime,
        sample_size=TOKENS,
        generations=GENERATIONS + 1,
    )
    metrics = lc.run(card, seed=SEED, replicates=replicates).metrics
    kept = {name: metrics[name][:, -1] / metrics[name][:, 1].mean() for name in KEEP}
    return {name: (float(x.mean()), 1.96 * float(x.std(ddof=1)) / math.sqrt(len(x))) for name, x in kept.items()}


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    law = 1.0 / np.arange(1, TYPES + 1)
    counts = np.random.default_rng(SEED).multinomial(TOKENS, law / law.sum())
    plan = plan_counts(counts, keep=KEEP, generations=GENERATIONS)
    drawing = plan_curve(plan)
    x = [math.ceil(share * TOKENS) for share in SHARES]
    with rc_context(STYLE):
        for training, colour, marker in zip(("pooled", "weighted"), COLOURS, MARKERS, strict=False):
            found = [simulated(plan, training, share, 10 if quick else REPLICATES) for share in SHARES]
            for axis, target in zip(drawing.axes, KEEP, strict=True):
                mean, half = np.array([each[target] for each in found]).T
                axis.errorbar(x, mean, half, color=colour, marker=marker, markersize=6, markerfacecolor="white",
                              linestyle="none", label=f"{training}, run")  # fmt: skip
        drawing.axes[0].legend()
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
