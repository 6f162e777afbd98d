"""What a verifier makes of synthetic answers: from which rate of wrong ones on it harms more than it helps (Feng et al.
2024, arXiv 2406.07515).
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import lightcollapse as lc
from lightcollapse import gallery
from lightcollapse.plot import COLOURS, MARKERS, sheet
from lightcollapse.predictions.verification import breakdown_share, precision

SEED, REPLICATES = 1, 50
PASSES = (0.1, 0.3, 0.6)  # chance that a wrong answer passes; a right one passes with chance RIGHT
RIGHT = 0.9
WRONG_SHARES = tuple(round(0.1 * i, 1) for i in range(1, 10))


def card(wrong: float, passes: float) -> lc.Scenario:
    return lc.Scenario(
        lc.sources.Probabilities((1.0 - wrong, wrong)),
        lc.families.Categorical(),
        lc.regimes.Replace(),
        curation=(lc.curation.Verifier(sensitivity=RIGHT, specificity=1.0 - passes, right=(0.0,)),),
        sample_size=5_000,
        generations=2,
    )


CARDS = {f"{passes:g}, {wrong:g} wrong": card(wrong, passes) for passes in PASSES for wrong in WRONG_SHARES}
RECIPE = gallery.recipe(CARDS, SEED, REPLICATES)


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer chains."""
    records = gallery.runs(CARDS, SEED, 5 if quick else REPLICATES)
    fine = np.linspace(0.01, 0.99, 99)
    with sheet(height=3.0) as (drawing, axes):
        axis = axes[0, 0]
        for passes, colour, marker in zip(PASSES, COLOURS, MARKERS, strict=False):
            learned = [
                records[f"{passes:g}, {wrong:g} wrong"].metrics["accuracy"][:, 2].mean() for wrong in WRONG_SHARES
            ]
            axis.plot(fine, precision(1 - fine, RIGHT, passes), color=colour)
            axis.plot(
                WRONG_SHARES, learned, color=colour, marker=marker, markersize=4, linestyle="none", label=f"{passes:g}"
            )
            axis.axvline(breakdown_share(RIGHT, passes), color=colour, linewidth=0.8, linestyle=(0, (2, 2)))
        axis.plot([], [], color="black", linewidth=0.8, linestyle=(0, (2, 2)), label="breakdown")
        axis.set(xlabel="share of wrong answers written", ylabel="accuracy learned", xlim=(0, 1), ylim=(0, 1))
        axis.legend(title="chance that a wrong one passes", loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
