"""Test error of least squares on labels of its own: linear growth where data are replaced, a bound where they
accumulate (Gerstgrasser et al. 2024, arXiv 2404.01413).
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 1_000


def card(regime: lc.regimes.Regime) -> lc.Scenario:
    return lc.Scenario(
        lc.sources.LinearModel(dimension=10, noise=1.0),
        lc.families.LinearRegression(design="fixed"),
        regime,
        sample_size=100,
        generations=100,
    )


CARDS = {
    "replace": card(lc.regimes.Replace()),
    "accumulate": card(lc.regimes.Accumulate()),
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 20 if quick else REPLICATES)
    with sheet(height=3.0) as (drawing, axes):
        contrast(axes[0, 0], records, "test_error", dots=16, first=1)
        axes[0, 0].set(xscale="log", yscale="log")
        axes[0, 0].legend(loc="upper left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
