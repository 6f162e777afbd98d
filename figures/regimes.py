"""Variance of a refitted Gaussian under replacement, accumulation, and a fixed sample out of a growing pool, with the
exact means (Kazdan et al. 2024, arXiv 2410.16713).

Replacement loses everything, a growing pool almost nothing, and a fixed number of points out of the pool loses for
ever, but ever more slowly.
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 4_000


def card(regime: lc.regimes.Regime) -> lc.Scenario:
    return lc.Scenario(lc.sources.Normal(), lc.families.Gaussian(), regime, sample_size=100, generations=100)


CARDS = {
    "replace": card(lc.regimes.Replace()),
    "accumulate": card(lc.regimes.Accumulate()),
    "accumulate-subsample": card(lc.regimes.AccumulateSubsample()),
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 100 if quick else REPLICATES)
    with sheet(1, 2) as (drawing, axes):
        contrast(axes[0, 0], records, "variance")
        contrast(axes[0, 1], records, "w2_squared", first=1)
        axes[0, 1].set(xscale="log", yscale="log")
        axes[0, 0].legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
