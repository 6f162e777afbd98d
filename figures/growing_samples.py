"""Samples that grow: whether a Gaussian forgets everything is decided by how fast, and the limits are exact."""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES, GENERATIONS = 1, 4_000, 100


def card(sizes: list[int]) -> lc.Scenario:
    return lc.Scenario(
        lc.sources.Normal(),
        lc.families.Gaussian(),
        lc.regimes.Replace(),
        sample_size=tuple(sizes),
        generations=len(sizes),
    )


CARDS = {
    "constant, 20": card([20] * GENERATIONS),
    "20 more each time": card([20 * t for t in range(1, GENERATIONS + 1)]),
    "in proportion to the square": card([20 * t**2 for t in range(1, GENERATIONS + 1)]),
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 100 if quick else REPLICATES)
    with sheet(height=3.0) as (drawing, axes):
        contrast(axes[0, 0], records, "variance", dots=18, first=1)
        axes[0, 0].set(xscale="log", ylim=(0, 1.05))
        axes[0, 0].legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
