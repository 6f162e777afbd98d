"""A few fresh real points in every generation: the variance settles above zero, at the exact level that their share
buys.
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import COLOURS, contrast, sheet
from lightcollapse.predictions.pairs import fresh_limit

SEED, REPLICATES, POINTS = 1, 4_000, 100
FRESH = (0, 1, 5, 20)
CARDS = {
    f"{fresh} in {POINTS}": lc.Scenario(
        lc.sources.Normal(),
        lc.families.Gaussian(),
        lc.regimes.FreshFraction(fresh / POINTS) if fresh else lc.regimes.Replace(),
        sample_size=POINTS,
        generations=300,
    )
    for fresh in FRESH
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 100 if quick else REPLICATES)
    with sheet(height=3.0) as (drawing, axes):
        axis = axes[0, 0]
        contrast(axis, records, "variance", dots=16)
        for fresh, colour in zip(FRESH, COLOURS, strict=False):
            if fresh:
                limit = fresh_limit(POINTS, fresh)
                axis.axhline(limit, color=colour, linewidth=0.8, linestyle=(0, (2, 2)))
        axis.plot([], [], color="black", linewidth=0.8, linestyle=(0, (2, 2)), label="for ever")
        axis.set(ylim=(0, 1.05))
        axis.legend(title="fresh points", loc="center right", bbox_to_anchor=(1.0, 0.3))
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
