"""A claim put to the test: labs that learn from one shared pool become alike, and what keeps them from losing
everything is the fresh data in it.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 200
CARDS = gallery.preset(
    "homogenised-ecosystem",
    {"early": "8 % synthetic", "": "22 % synthetic", "end": "nothing but the pool", "alone": "each for itself"},
)
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 20 if quick else REPLICATES)
    with sheet(1, 2) as (drawing, axes):
        for axis, metric in zip(axes[0], ("variance", "fst"), strict=True):
            contrast(axis, records, metric)
        axes[0, 1].legend(loc="center right")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
