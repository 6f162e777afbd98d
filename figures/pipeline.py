"""A claim put to the test: fresh data, a discriminator and a verifier at once, against each alone at equal cost."""

from __future__ import annotations

from matplotlib.figure import Figure

from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 200
CARDS = gallery.preset(
    "anti-collapse-pipeline",
    {"": "all three", "fresh": "fresh data", "judged": "discriminator", "verified": "verifier"},
)
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 10 if quick else REPLICATES)
    with sheet(1, 2) as (drawing, axes):
        for axis, metric in zip(axes[0], ("rare_retention", "total_variation"), strict=True):
            contrast(axis, records, metric)
        axes[0, 0].legend(loc="upper right")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
