"""A claim put to the test: a tenth of noise in what models write brings rare symbols back, and blurs the law for
good.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 200
CARDS = gallery.preset("noise-rejuvenation", {"": "a tenth noise", "plain": "no noise"})
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 10 if quick else REPLICATES)
    with sheet(1, 3) as (drawing, axes):
        for axis, metric in zip(axes[0], ("rare_retention", "entropy", "total_variation"), strict=True):
            contrast(axis, records, metric)
        axes[0, 1].legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
