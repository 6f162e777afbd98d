"""Generations until one symbol of ten is left, over the exact mean (Kazdan et al. 2024, arXiv 2410.16713, for the
question): in proportion to the sample size.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import BLUE, VERMILLION, sheet
from lightcollapse.predictions.absorption import collapse_time

SEED, REPLICATES, SYMBOLS = 1, 500, 10
SIZES = (5, 10, 20, 40, 80)
CARDS = {
    f"n = {n}": lc.Scenario(
        lc.sources.Uniform(SYMBOLS),
        lc.families.Categorical(),
        lc.regimes.Replace(),
        sample_size=n,
        generations=24 * n,
    )
    for n in SIZES
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 50 if quick else REPLICATES)
    with sheet(height=3.0) as (drawing, axes):
        axis = axes[0, 0]
        times = [record.absorbed for record in records.values()]
        whole = [
            np.where(time < 0, record.scenario.generations, time)
            for time, record in zip(times, records.values(), strict=True)
        ]
        drawn = axis.violinplot(whole, positions=np.log2(SIZES), showextrema=False, widths=0.7)
        for body in drawn["bodies"]:
            body.set(facecolor=BLUE, alpha=0.3)
        axis.plot(
            np.log2(SIZES), [time.mean() for time in whole], "o", color=BLUE, markersize=4, label="simulated mean"
        )
        exact = [collapse_time(np.full(SYMBOLS, 1 / SYMBOLS), n) for n in SIZES]
        axis.plot(np.log2(SIZES), exact, color=VERMILLION, label="exact mean")
        axis.set(xlabel="sample size", ylabel="generations until one symbol is left", yscale="log")
        axis.set_xticks(np.log2(SIZES), [str(n) for n in SIZES])
        axis.legend(loc="upper left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
