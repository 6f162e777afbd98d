"""What the counts of three generations of words foretell: the forecast and its band, over twenty runs of the loop
that the forecast has not seen.
"""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lightcollapse import gallery
from lightcollapse.forecasting import forecast_counts
from lightcollapse.plot import BLACK, STYLE, forecast_course
from lightcollapse.predictions.spectrum import band_of

SEED, TYPES, TOKENS, RUNS = 1, 5_000, 20_000, 20
KNOWN, AHEAD = 3, 10
SHOWN = {
    "support": "types left",
    "entropy": "entropy (nats)",
    "kl": "KL from human text (nats)",
    "kept_1": "kept of types seen once",
}
RECIPE = {
    "law": "Zipf, exponent 1",
    "types": TYPES,
    "tokens": TOKENS,
    "known": KNOWN,
    "ahead": AHEAD,
    "runs": RUNS,
    "seed": SEED,
}

Counts = NDArray[np.int64]


def after(counts: Counts, generations: int, random: np.random.Generator) -> list[Counts]:
    """Word counts of the generations that follow: each writes as many words as it learned from."""
    texts = [counts]
    for _ in range(generations):
        texts.append(random.multinomial(TOKENS, texts[-1] / TOKENS))
    return texts


def measured(counts: Counts, human: Counts) -> list[float]:
    """The metrics shown, of one text."""
    here = counts > 0
    share, once = counts[here] / TOKENS, band_of(human) == 0
    entropy = -(share @ np.log(share))
    kl = share @ np.log(counts[here] / human[here])
    return [float(here.sum()), float(entropy), float(kl), float(here[once].mean())]


def figure(quick: bool = False) -> Figure:
    """The figure; `quick` takes fewer runs."""
    random = np.random.default_rng(SEED)
    law = 1.0 / np.arange(1, TYPES + 1)
    known = after(random.multinomial(TOKENS, law / law.sum()), KNOWN - 1, random)
    drawing = forecast_course(forecast_counts(np.array(known), generations=AHEAD, chain=True), list(SHOWN))
    first = np.array([measured(text, known[0]) for text in known])  # (generations, metrics)
    runs = [after(known[-1], AHEAD, random) for _ in range(8 if quick else RUNS)]
    later = np.array([[measured(text, known[0]) for text in run] for run in runs])  # (runs, generations, metrics)
    with rc_context(STYLE):
        for k, (axis, label) in enumerate(zip(drawing.axes, SHOWN.values(), strict=True)):
            span = np.arange(KNOWN - 1, KNOWN + AHEAD)
            axis.plot(span, later[:, :, k].T, color="0.35", linewidth=0.5, alpha=0.5, zorder=1.5)
            axis.plot([], [], color="0.35", linewidth=0.8, label="runs")
            axis.plot(np.arange(KNOWN), first[:, k], color=BLACK, marker="o", markersize=3.5, label="measured")
            axis.set_ylabel(label)
        drawing.axes[0].legend()
    return drawing


if __name__ == "__main__":
    gallery.publish(__file__)
