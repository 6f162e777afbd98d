"""Squared Wasserstein distance of a refitted Gaussian from its source: the exact mean, and the first-order law of
Shumailov et al. (2023, arXiv 2305.17493).

The first-order law grows without end, the exact mean does not: a model without spread at a random place is the worst
that can happen.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import COLOURS, contrast, sheet
from lightcollapse.predictions.gaussian import w2_squared_first_order

SEED, REPLICATES, GENERATIONS = 1, 2_000, 1_000
CARDS = {
    f"n = {n:,}": lc.Scenario(
        lc.sources.Normal(), lc.families.Gaussian(), lc.regimes.Replace(), sample_size=n, generations=GENERATIONS
    )
    for n in (100, 500, 1_000, 10_000)
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 100 if quick else REPLICATES)
    with sheet(height=3.2) as (drawing, axes):
        axis = axes[0, 0]
        contrast(axis, records, "w2_squared", dots=24, first=1)
        for card, colour in zip(CARDS.values(), COLOURS, strict=False):
            first_order = w2_squared_first_order(card.sample_sizes())
            axis.plot(
                np.arange(1, GENERATIONS + 1), first_order[1:], color=colour, linestyle=(0, (2, 2)), linewidth=0.8
            )
        axis.plot([], [], color="black", linewidth=1.2, label="exact mean")
        axis.plot([], [], color="black", linestyle=(0, (2, 2)), linewidth=0.8, label="first order")
        axis.set(xscale="log", yscale="log")
        axis.legend(loc="upper left", ncols=2)
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
