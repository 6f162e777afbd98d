"""A claim put to the test: what is left of a vocabulary where half of every training set is new real data, and where
nothing is.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 1000
CARDS = gallery.preset("mixed-versus-pure", {"zipf": "half fresh", "zipf-pure": "purely synthetic"})
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 50 if quick else REPLICATES)
    with sheet(1, 3) as (drawing, axes):
        for axis, metric in zip(axes[0], ("rare_retention", "entropy", "support"), strict=True):
            contrast(axis, records, metric)
        axes[0, 0].legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
