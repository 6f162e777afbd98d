"""Frequencies refitted to their own samples: heterozygosity, entropy and the number of symbols left, over their exact
means.
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 2_000
CARDS = {
    f"n = {n}": lc.Scenario(
        lc.sources.Uniform(10), lc.families.Categorical(), lc.regimes.Replace(), sample_size=n, generations=100
    )
    for n in (10, 30, 100)
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 100 if quick else REPLICATES)
    with sheet(1, 3) as (drawing, axes):
        for axis, metric in zip(axes[0], ("heterozygosity", "entropy", "support"), strict=True):
            contrast(axis, records, metric)
        axes[0, 0].legend(loc="upper right")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
