"""A kernel density refitted to its own samples grows wider with every generation: its loss on the source, replaced and
accumulated (Kazdan et al. 2024, arXiv 2410.16713, for the setting).
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 100


def card(regime: lc.regimes.Regime) -> lc.Scenario:
    return lc.Scenario(
        lc.sources.Normal(),
        lc.families.KernelDensity(bandwidth=0.5),
        regime,
        sample_size=100,
        generations=50,
    )


CARDS = {"replace": card(lc.regimes.Replace()), "accumulate": card(lc.regimes.Accumulate())}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 5 if quick else REPLICATES)
    with sheet(1, 2) as (drawing, axes):
        contrast(axes[0, 0], records, "total_variance", band=True)
        contrast(axes[0, 1], records, "negative_log_likelihood", band=True)
        axes[0, 0].legend(loc="upper left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
