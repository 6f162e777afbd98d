"""Error of a mean that weighs fresh data against what the last model wrote: the best weight is the inverse of the
golden ratio where both are equally many (He, Xu and Cheng 2025, arXiv 2502.18049).
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import COLOURS, MARKERS, sheet
from lightcollapse.predictions.weighted import best_weight, stationary_risk

SEED, REPLICATES = 1, 2_000
SHARES = (0.1, 0.5, 1.0, 2.0)
WEIGHTS = tuple(round(0.1 + 0.08 * i, 2) for i in range(11))


def card(weight: float, share: float) -> lc.Scenario:
    return lc.Scenario(
        lc.sources.Normal(),
        lc.families.GaussianMean(),
        lc.regimes.Weighted(weight=weight, fresh=share),
        sample_size=100,
        generations=100,
    )


CARDS = {f"k = {share:g}, w = {weight:g}": card(weight, share) for share in SHARES for weight in WEIGHTS}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 100 if quick else REPLICATES)
    fine = np.linspace(0.06, 0.98, 200)
    with sheet(height=3.2) as (drawing, axes):
        axis = axes[0, 0]
        for share, colour, marker in zip(SHARES, COLOURS, MARKERS, strict=False):
            real = 100 * share
            squares = [records[f"k = {share:g}, w = {weight:g}"].metrics["mean"][:, -1] ** 2 for weight in WEIGHTS]
            mean = np.array([np.mean(square) for square in squares])
            error = np.array([1.96 * np.std(square) / np.sqrt(len(square)) for square in squares])
            axis.plot(fine, [stationary_risk(weight, real, 100) for weight in fine], color=colour)
            axis.errorbar(
                WEIGHTS, mean, error, color=colour, marker=marker, markersize=3.5, linestyle="none", label=f"{share:g}"
            )
            best = best_weight(real, 100)
            axis.plot(
                [best], [stationary_risk(best, real, 100)], color="black", marker="*", markersize=9, linestyle="none"
            )
        axis.plot([], [], color="black", marker="*", markersize=9, linestyle="none", label="best")
        axis.set(xlabel="weight of the fresh points", ylabel="mean squared error, generation 100", yscale="log")
        axis.legend(title="fresh for each written", loc="upper center", ncols=2)
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
