"""What one run can look like: heterozygosity of single chains around the exact mean, and the exact standard deviation
from run to run.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import BLACK, BLUE, VERMILLION, sheet
from lightcollapse.predictions.wright_fisher import heterozygosity_mean, heterozygosity_variance

SEED, REPLICATES, POINTS, GENERATIONS = 1, 2_000, 200, 200
LAW = (0.4, 0.3, 0.2, 0.1)
CARDS = {
    "four symbols": lc.Scenario(
        lc.sources.Probabilities(LAW),
        lc.families.Categorical(),
        lc.regimes.Replace(),
        sample_size=POINTS,
        generations=GENERATIONS,
    )
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    record = gallery.runs(CARDS, SEED, 100 if quick else REPLICATES)["four symbols"]
    values, t = record.metrics["heterozygosity"], np.arange(GENERATIONS + 1)
    sizes = [POINTS] * GENERATIONS
    mean, deviation = heterozygosity_mean(LAW, sizes), np.sqrt(heterozygosity_variance(LAW, sizes))
    with sheet(1, 2) as (drawing, axes):
        left, right = axes[0]
        left.plot(t, values[:25].T, color=BLACK, alpha=0.35, linewidth=0.4)
        left.plot(t, mean, color=VERMILLION, label="exact mean")
        left.plot(t, mean - deviation, color=VERMILLION, linestyle=(0, (2, 2)), label="one standard deviation")
        left.plot(t, mean + deviation, color=VERMILLION, linestyle=(0, (2, 2)))
        left.set(xlabel="generation", ylabel="heterozygosity", ylim=(0, 0.8))
        left.legend(loc="lower left")
        dots = t[::20]
        right.plot(t, deviation, color=VERMILLION, label="exact")
        right.plot(dots, values[:, dots].std(axis=0), "o", color=BLUE, markersize=3.5, label="simulated")
        right.set(xlabel="generation", ylabel="standard deviation from run to run", ylim=(0, None))
        right.legend(loc="lower right")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
