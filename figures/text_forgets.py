"""What language models of characters forget when each learns from the last one's writing: the preset `text`."""

from __future__ import annotations

from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse.gallery import publish
from lightcollapse.plot import plot

SEED = 1
CARD = lc.Scenario(
    source=lc.sources.Text(),
    family=lc.families.NGram(order=5),
    regime=lc.regimes.Replace(),
    generations=10,
)
REPLICATES = 10


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes a small sample and few generations."""
    if quick:
        card = lc.Scenario(CARD.source, CARD.family, CARD.regime, sample_size=20_000, generations=2)
        return plot(lc.run(card, seed=SEED, replicates=2))
    return plot(lc.run(CARD, seed=SEED, replicates=REPLICATES))


RECIPE = {"card": CARD.to_dict(), "seed": SEED, "replicates": REPLICATES}

if __name__ == "__main__":
    publish(__file__)
