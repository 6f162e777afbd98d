"""Labs that train on one another: sharing keeps them alike and delays the loss of each, but what all lose together
comes back with fresh data alone.
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 2_000


def card(own: float, shared: float) -> lc.Scenario:
    return lc.Scenario(
        lc.sources.Normal(),
        lc.families.Gaussian(),
        lc.regimes.Islands(labs=4, own=own, shared=shared),
        sample_size=50,
        generations=60,
    )


CARDS = {
    "each for itself": card(1.0, 0.0),
    "half shared": card(0.5, 0.5),
    "all shared": card(0.0, 1.0),
    "half shared, 2 % fresh": card(0.5, 0.48),
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 50 if quick else REPLICATES)
    with sheet(1, 2, height=2.8) as (drawing, axes):
        contrast(axes[0, 0], records, "variance")
        contrast(axes[0, 1], records, "fst")
        axes[0, 0].legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
