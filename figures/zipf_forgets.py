"""Words of a Zipf law: how many are left, how much of the rare ones' mass a single run still has, and what the expected
mass hides (Suresh et al. 2024, arXiv 2412.17646, for the setting).

The mean of the rare words' mass does not move; the words themselves go.
"""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import contrast, sheet

SEED, REPLICATES = 1, 1_000
CARDS = {
    f"n = {n:,}": lc.Scenario(
        lc.sources.Zipf(1_000, exponent=1.0, offset=2.7),
        lc.families.Categorical(),
        lc.regimes.Replace(),
        sample_size=n,
        generations=20,
    )
    for n in (300, 1_000, 3_000)
}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 50 if quick else REPLICATES)
    with sheet(1, 2) as (drawing, axes):
        contrast(axes[0, 0], records, "support", band=True)
        contrast(axes[0, 1], records, "tail_mass", band=True)
        axes[0, 0].set(yscale="log")
        axes[0, 0].legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
