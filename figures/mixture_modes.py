"""A mixture of three groups refitted by EM on what it wrote: groups narrow, drift and die one by one; only the spread
of the whole has an exact mean.
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 200


def card(regime: lc.regimes.Regime) -> lc.Scenario:
    return lc.Scenario(
        lc.sources.Mixture(
            weights=(0.6, 0.3, 0.1),
            means=((-4.0, 0.0), (4.0, 0.0), (0.0, 6.0)),
            covariances=(1.0, 1.0, 1.0),
        ),
        lc.families.GaussianMixture(components=3, dimension=2),
        regime,
        sample_size=60,
        generations=60,
    )


CARDS = {
    "replace": card(lc.regimes.Replace()),
    "a tenth fresh": card(lc.regimes.FreshFraction(0.1)),
    "accumulate": card(lc.regimes.Accumulate()),
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 10 if quick else REPLICATES)
    with sheet(1, 3) as (drawing, axes):
        for axis, metric in zip(axes[0], ("total_variance", "coverage", "components"), strict=True):
            contrast(axis, records, metric)
        axes[0, 0].legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
