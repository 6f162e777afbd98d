"""Chance that a Gaussian refitted to ten points still has a standard deviation above a tenth, over its exact law
(Suresh et al. 2024, arXiv 2412.17646).

The unbiased variance keeps its mean at one all the while.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import COLOURS, MARKERS, sheet
from lightcollapse.predictions.gaussian_law import variance_cdf

SEED, REPLICATES = 1, 4_000
LEVELS = (0.5, 0.1, 0.01)
CARDS = {
    "unbiased": lc.Scenario(
        lc.sources.Normal(),
        lc.families.Gaussian(variance="unbiased"),
        lc.regimes.Replace(),
        sample_size=10,
        generations=200,
    )
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    replicates = 200 if quick else REPLICATES
    record = gallery.runs(CARDS, SEED, replicates)["unbiased"]
    sizes = record.scenario.sample_sizes()
    t = np.arange(0, 201, 10)
    with sheet(height=3.0) as (drawing, axes):
        axis = axes[0, 0]
        for level, colour, marker in zip(LEVELS, COLOURS, MARKERS, strict=False):
            exact = [1.0] + [1.0 - variance_cdf(sizes[:k], [level**2], variance="unbiased")[-1] for k in t[1:]]
            share = (record.metrics["std"][:, t] > level).mean(axis=0)
            error = 1.96 * np.sqrt(share * (1 - share) / replicates)
            axis.plot(t, np.ravel(exact), color=colour)
            axis.errorbar(
                t, share, error, color=colour, marker=marker, markersize=3.5, linestyle="none", label=f"{level:g}"
            )
        axis.set(xlabel="generation", ylabel="share of chains whose std is above", ylim=(0, 1))
        axis.legend(title="level", loc="upper right")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
