"""What accumulation costs: the error of a mean grows by a factor of at most pi^2/6 where models learn from the whole
pool (Dey and Donoho 2024, arXiv 2410.22812), and more where they learn from a fixed number of its points.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import COLOURS, MARKERS, sheet
from lightcollapse.predictions.exponential_family import mean_variance

SEED, REPLICATES, POINTS, GENERATIONS = 1, 4_000, 100, 100


def card(regime: lc.regimes.Regime) -> lc.Scenario:
    family = lc.families.GaussianMean()
    return lc.Scenario(lc.sources.Normal(), family, regime, sample_size=POINTS, generations=GENERATIONS)


CARDS = {
    "replace": card(lc.regimes.Replace()),
    "accumulate-subsample": card(lc.regimes.AccumulateSubsample()),
    "accumulate": card(lc.regimes.Accumulate()),
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    replicates = 200 if quick else REPLICATES
    records = gallery.runs(CARDS, SEED, replicates)
    t = np.unique(np.geomspace(1, GENERATIONS, 16).round().astype(int))
    with sheet(height=3.0) as (drawing, axes):
        axis = axes[0, 0]
        for (name, record), colour, marker in zip(records.items(), COLOURS, MARKERS, strict=False):
            error = POINTS * record.metrics["mean"][:, t] ** 2
            half = 1.96 * error.std(axis=0) / np.sqrt(replicates)
            exact = POINTS * mean_variance(record.scenario.schedule(), 0.0)
            axis.plot(np.arange(1, GENERATIONS + 1), exact[1:], color=colour)
            axis.errorbar(
                t, error.mean(axis=0), half, color=colour, marker=marker, markersize=3.5, linestyle="none", label=name
            )
        axis.axhline(np.pi**2 / 6, color="black", linewidth=0.8, linestyle=(0, (2, 2)), label="$\\pi^2 / 6$")
        axis.set(xscale="log", yscale="log", xlabel="generation", ylabel="squared error, times the sample size")
        axis.legend(loc="upper left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
