"""More data stop helping where the tail is cut: the error of a learner of Zipf's law on text that lacks rare words,
with and without a share of real text (Dohmatob et al. 2024, arXiv 2402.07043).
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lightcollapse import gallery
from lightcollapse.plot import BLACK, COLOURS, sheet
from lightcollapse.predictions.zipf import cut_error, missing_mass, mixed_error

EXPONENT, CUT = 1.6, 100
SHARES = (0.001, 0.01, 0.1)
RECIPE = {"exponent": EXPONENT, "cut": CUT, "shares": list(SHARES)}


def figure(quick: bool = False) -> Figure:
    """The figure, of closed forms alone; `quick` takes fewer sample sizes."""
    samples = np.unique(np.geomspace(10, 10_000_000, 9 if quick else 40).round())
    with sheet(height=3.0) as (drawing, axes):
        axis = axes[0, 0]
        axis.plot(samples, missing_mass(EXPONENT, samples), color=BLACK, label="real text")
        axis.plot(samples, cut_error(EXPONENT, CUT, samples), color=COLOURS[1], label=f"the first {CUT} words alone")
        for share, colour, dash in zip(SHARES, COLOURS[2:], ((4, 1), (3, 2), (1, 1)), strict=False):
            label = f"{share:g} of it real"
            axis.plot(
                samples, mixed_error(EXPONENT, CUT, share, samples), color=colour, linestyle=(0, dash), label=label
            )
        axis.set(xscale="log", yscale="log", xlabel="sample size", ylabel="mass of words never seen")
        axis.legend(loc="lower left")
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
