"""Choosing the better of several answers, generation after generation: the mean reward rises and the variety goes
(Ferbach et al. 2024, arXiv 2407.09499).
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 100


def card(choices: int, fresh: float = 0.0) -> lc.Scenario:
    return lc.Scenario(
        lc.sources.Uniform(8),
        lc.families.Categorical(),
        lc.regimes.FreshFraction(fresh) if fresh else lc.regimes.Replace(),
        curation=(lc.curation.Preference(choices=choices, reward=tuple(0.25 * i for i in range(8))),),
        sample_size=2_000,
        generations=15,
    )


CARDS = {
    "the better of 2": card(2),
    "the best of 10": card(10),
    "the best of 10, a fifth fresh": card(10, 0.2),
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 5 if quick else REPLICATES)
    with sheet(1, 2) as (drawing, axes):
        contrast(axes[0, 0], records, "mean_score")
        contrast(axes[0, 1], records, "entropy")
        axes[0, 0].legend(loc="lower right")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
