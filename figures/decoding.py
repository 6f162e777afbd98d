"""Faithful writing against sharpened: a Zipf law loses words to drift alone, and far more of them, and its entropy with
them, at a low temperature or where the tail is cut.

Maximum likelihood with faithful writing is unbiased in every step; what sharpens is the decoding.
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 100


def card(**decoding: float) -> lc.Scenario:
    return lc.Scenario(
        lc.sources.Zipf(200, exponent=1.0),
        lc.families.Categorical(),
        lc.regimes.Replace(),
        curation=(lc.curation.Decoding(**decoding),) if decoding else (),
        sample_size=500,
        generations=10,
    )


CARDS = {
    "faithful": card(),
    "temperature 0.9": card(temperature=0.9),
    "temperature 0.7": card(temperature=0.7),
    "top-p 0.95": card(top_p=0.95),
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 5 if quick else REPLICATES)
    with sheet(1, 3) as (drawing, axes):
        for axis, metric in zip(axes[0], ("entropy", "support", "tail_mass"), strict=True):
            contrast(axis, records, metric)
        axes[0, 1].set(yscale="log")
        axes[0, 0].legend(loc="lower left", fontsize=6)
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
