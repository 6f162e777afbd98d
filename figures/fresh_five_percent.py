"""A claim put to the test: five fresh real points in a hundred slow the collapse of a Gaussian, and stop it at a level
that depends on their number.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 2000
CARDS = gallery.preset("fresh-5-percent", {"": "5 % fresh", "pure": "none fresh"})
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 100 if quick else REPLICATES)
    with sheet(1, 2) as (drawing, axes):
        for axis, metric in zip(axes[0], ("variance", "w2_squared"), strict=True):
            contrast(axis, records, metric)
        axes[0, 0].legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
