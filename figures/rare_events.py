"""Chance that an event of one in a hundred, and a count with mean one, are still there: exact chains and simulation
(Suresh et al. 2024, arXiv 2412.17646, for the settings).
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import COLOURS, MARKERS, sheet
from lightcollapse.predictions.exponential_family import poisson_alive_probability
from lightcollapse.predictions.wright_fisher import loss_probability

SEED, REPLICATES = 1, 4_000
CARDS = {
    "one in a hundred, n = 100": lc.Scenario(
        lc.sources.Bernoulli(0.01), lc.families.Bernoulli(), lc.regimes.Replace(), sample_size=100, generations=100
    ),
    "Poisson of mean 1, n = 10": lc.Scenario(
        lc.sources.Poisson(1.0), lc.families.Poisson(), lc.regimes.Replace(), sample_size=10, generations=100
    ),
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    replicates = 200 if quick else REPLICATES
    records = gallery.runs(CARDS, SEED, replicates)
    exact = (
        1.0 - np.ravel(loss_probability([0.01], [100] * 100)),
        poisson_alive_probability(1.0, [10] * 100),
    )
    t = np.unique(np.geomspace(1, 100, 14).round().astype(int))
    with sheet(height=3.0) as (drawing, axes):
        axis = axes[0, 0]
        for (name, record), values, colour, marker in zip(records.items(), exact, COLOURS, MARKERS, strict=False):
            alive = (record.metrics["mean"][:, t] > 0).mean(axis=0)
            half = 1.96 * np.sqrt(alive * (1 - alive) / replicates)
            axis.plot(np.arange(1, 101), values[1:], color=colour)
            axis.errorbar(t, alive, half, color=colour, marker=marker, markersize=3.5, linestyle="none", label=name)
        axis.set(xscale="log", yscale="log", xlabel="generation", ylabel="chance that it is still there")
        axis.legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
