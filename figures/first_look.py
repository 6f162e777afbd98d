"""Variance of many Gaussian chains, each fitted to its own samples, over the exact quantiles of their law.

The unbiased variance keeps its mean for ever, and every chain goes to zero all the same: the mean is carried by ever
fewer chains.
"""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse.gallery import publish
from lightcollapse.plot import BLACK, BLUE, STYLE, VERMILLION, WIDE
from lightcollapse.predictions.gaussian_law import variance_quantiles

SEED = 1
CARD = lc.Scenario(
    source=lc.sources.Normal(mean=0.0, std=1.0),
    family=lc.families.Gaussian(variance="unbiased"),
    regime=lc.regimes.Replace(),
    sample_size=20,
    generations=200,
)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
REPLICATES = 40


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer generations."""
    card = lc.Scenario(CARD.source, CARD.family, CARD.regime, sample_size=20, generations=20) if quick else CARD
    record = lc.run(card, seed=SEED, replicates=REPLICATES)
    t = np.arange(card.generations + 1)
    law = variance_quantiles(card.sample_sizes(), QUANTILES, variance="unbiased")  # (generations + 1, 5)
    with rc_context(STYLE):
        drawing = Figure(figsize=(WIDE, 3.2), layout="constrained")
        axis = drawing.subplots()
        axis.fill_between(t, law[:, 0], law[:, 4], color=BLUE, alpha=0.15, linewidth=0, label="exact: 90 % of chains")
        axis.fill_between(t, law[:, 1], law[:, 3], color=BLUE, alpha=0.25, linewidth=0, label="exact: half of them")
        chains = axis.plot(t, record.metrics["variance"].T, color=BLACK, alpha=0.35, linewidth=0.4)
        chains[0].set_label(f"{REPLICATES} simulated chains")
        axis.plot(t, law[:, 2], color=BLUE, linewidth=1.6, label="exact: median")
        mean = lc.predict(card)["variance"].values
        axis.plot(t, mean, color=VERMILLION, linestyle=(0, (4, 2)), linewidth=1.6, label="exact: mean")
        axis.set(yscale="log", xlabel="generation", ylabel="variance (unbiased)", xlim=(0, card.generations))
        axis.legend(loc="lower left")
    return drawing


RECIPE = {"card": CARD.to_dict(), "seed": SEED, "replicates": REPLICATES}

if __name__ == "__main__":
    publish(__file__)
