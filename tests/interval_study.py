"""Bias of what `measure` says of known laws, and how often its 95 % intervals hold the truth.

python -m tests.interval_study [RUNS [HALVES]]

Prints a line a metric: its truth, the mean error, the spread from text to text, the mean half-width of the interval in
units of 1.96 spreads (more than 1 is too wide), and the share of intervals that hold the truth. 100 runs take a minute.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightcollapse.predictions import estimators
from lightcollapse.text.measuring import measured
from tests.coverage_study import heated, zipf
from tests.test_measure import drawn, made

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Human text of one law, a generation of another, each so many documents of so many words."""

    name: str
    human: Float
    model: Float
    documents: int
    length: int

    def truth(self, points: int) -> dict[str, float]:
        """What is measured of the generation, `distinct` among so many words."""
        p, q, n = self.human, self.model, self.documents * self.length
        middle = (p + q) / 2
        return {
            "distinct_1": estimators.distinct_mean(q, points),
            "support_1": estimators.distinct_mean(q, n),
            "missing_mass_1": estimators.good_turing_mean(q, n),
            "entropy_1": float(-(q @ np.log(q))),
            "heterozygosity_1": estimators.heterozygosity_mean(q),
            "kl_source_model_1": float(p @ np.log(p / q)),
            "kl_model_source_1": float(q @ np.log(q / p)),
            "js_1": float(p @ np.log(p / middle) + q @ np.log(q / middle)) / 2,
        }


FLAT, STEEP, LONG = np.full(50, 1 / 50), zipf(50), zipf(2000)
PAIRS = (
    Pair("uniform, 50 words", FLAT, FLAT, 100, 25),
    Pair("Zipf, 50 words", STEEP, STEEP, 100, 25),
    Pair("Zipf, 50 words, temperature 0.8", STEEP, heated(STEEP, 0.8), 100, 25),
    Pair("Zipf, 2,000 words", LONG, LONG, 200, 50),
    Pair("Zipf, 2,000 words, temperature 0.9", LONG, heated(LONG, 0.9), 200, 50),
)


def found(pair: Pair, runs: int, halves: int) -> dict[str, Float]:
    """Value, interval and truth of each metric in each run: float64 (runs, 4)."""
    rows = defaultdict(list)
    for run in range(runs):
        generator = np.random.default_rng(1000 + run)
        text = made([drawn(law, pair.documents, pair.length, generator) for law in (pair.human, pair.model)], 1)
        choices = {"unit": "words", "order": 1, "bootstrap": halves, "entropy": "chao-wang-jost", "errors": "strict",
                   "rare_order": 1, "seed": run}  # fmt: skip
        measurement = measured(text, choices)
        for metric, truth in pair.truth(measurement.recipe["levels"][0]["points"]).items():
            row = measurement[metric, 1]
            rows[metric].append([row.value, row.ci_low, row.ci_high, truth])
    return {metric: np.array(values, dtype=float) for metric, values in rows.items()}


def lines(runs: int, halves: int) -> Iterator[str]:
    """The report."""
    for pair in PAIRS:
        yield f"{pair.name}: {pair.documents} documents of {pair.length}, {runs} runs, {halves} halves"
        for metric, (value, low, high, truth) in ((name, each.T) for name, each in found(pair, runs, halves).items()):
            spread = float(value.std(ddof=1))
            wide = f"{float((high - low).mean()) / 2 / 1.96 / spread:6.2f}" if spread > 1e-6 else "     -"
            yield (
                f"  {metric:<18}truth {truth[0]:10.4f}  error {float((value - truth).mean()):+9.5f}  "
                f"spread {spread:8.5f}  width {wide}  held {float(((low <= truth) & (truth <= high)).mean()):.3f}"
            )


if __name__ == "__main__":
    numbers = [int(each) for each in sys.argv[1:]] + [100, 60][len(sys.argv) - 1 :]
    for line in lines(*numbers):
        print(line, flush=True)
