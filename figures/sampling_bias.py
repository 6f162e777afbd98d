"""Writing for quality, that is, closer to the mode than the model is, makes a Gaussian collapse in a few generations
(Alemohammad et al. 2023, arXiv 2307.01850), and fresh data hold it at a level.
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 4_000


def card(temperature: float, regime: lc.regimes.Regime) -> lc.Scenario:
    return lc.Scenario(
        lc.sources.Normal(),
        lc.families.Gaussian(),
        regime,
        curation=() if temperature == 1 else (lc.curation.Decoding(temperature=temperature),),
        sample_size=100,
        generations=40,
    )


CARDS = {
    "faithful": card(1.0, lc.regimes.Replace()),
    "temperature 0.9": card(0.9, lc.regimes.Replace()),
    "temperature 0.7": card(0.7, lc.regimes.Replace()),
    "temperature 0.7, a fifth fresh": card(0.7, lc.regimes.FreshFraction(0.2)),
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 100 if quick else REPLICATES)
    with sheet(height=3.0) as (drawing, axes):
        contrast(axes[0, 0], records, "variance", dots=21)
        axes[0, 0].set(yscale="log", ylim=(1e-4, 1.5))
        axes[0, 0].legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
