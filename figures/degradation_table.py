"""A table of six generations of a language model, as an article prints it, and the n-gram models whose curves come
close: which columns can be had together.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lightcollapse import gallery
from lightcollapse.plot import BLACK, contrast, sheet
from lightcollapse.reproduce.claim import load_claim

SEED, REPLICATES = 1, 4
CARDS = gallery.preset("degradation-table", {"": "n-grams of characters"})
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)
COLUMNS = {"rare_perplexity": "rare_perplexity", "distinct_4grams": "distinct_4", "kl_from_human": "kl_source_model"}


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains. The table's generation 0 is model 1, scaled to it where units differ."""
    records = gallery.runs(CARDS, SEED, 2 if quick else REPLICATES)
    curves = load_claim("degradation-table").curves
    with sheet(1, 3) as (drawing, axes):
        for axis, (column, metric) in zip(axes[0], COLUMNS.items(), strict=True):
            contrast(axis, records, metric)
            table = np.array(curves[column])
            first = next(iter(records.values())).metrics[metric][:, 1].mean()
            scaled = table * first / table[0] if table[0] > 0 else table + first
            axis.plot(np.arange(1, 1 + len(table)), scaled, color=BLACK, linestyle=(0, (2, 2)), label="the table")
        axes[0, 0].legend(loc="lower right")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
