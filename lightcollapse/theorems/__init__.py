"""THEOREMS: which family, regime and metric each prediction speaks about; and predict(), the theory's testimony.

To add a theorem: its function in predictions, its note in theory/, and a row here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from lightcollapse.predictions.wright_fisher import sharing
from lightcollapse.scenario import Scenario
from lightcollapse.theorems.categorical import CATEGORICAL
from lightcollapse.theorems.curation import CURATION
from lightcollapse.theorems.density import DENSITY
from lightcollapse.theorems.exponential_family import EXPONENTIAL_FAMILY
from lightcollapse.theorems.gaussian import GAUSSIAN
from lightcollapse.theorems.islands import ISLANDS
from lightcollapse.theorems.markov import MARKOV
from lightcollapse.theorems.mixture import MIXTURE
from lightcollapse.theorems.multivariate import MULTIVARIATE
from lightcollapse.theorems.regression import REGRESSION
from lightcollapse.theorems.row import Float, Kind, Theorem
from lightcollapse.theorems.text import TEXT
from lightcollapse.theorems.wasserstein import WASSERSTEIN

THEOREMS: tuple[Theorem, ...] = (
    *GAUSSIAN,
    *CATEGORICAL,
    *ISLANDS,
    *MARKOV,
    *CURATION,
    *MIXTURE,
    *MULTIVARIATE,
    *WASSERSTEIN,
    *REGRESSION,
    *TEXT,
    *EXPONENTIAL_FAMILY,
    *DENSITY,
)

_STRENGTH: dict[Kind, int] = {
    "exact law": 0,
    "exact mean": 1,
    "approximation": 2,
    "limit": 3,
    "upper bound": 4,
    "lower bound": 4,
}


@dataclass(frozen=True, eq=False)
class Prediction:
    """What theory says of one metric of one card.

    Attributes:
        values: float64 (generations + 1,), the expected metric; column 0 is the source's own value.
        kind: what is claimed: an exact law, an exact mean, an approximation, a limit or a bound.
        theorem: the row of THEOREMS.
    """

    values: Float
    theorem: Theorem

    @property
    def kind(self) -> Kind:
        return self.theorem.kind

    @property
    def note(self) -> str:
        return self.theorem.note


class Predictions(Mapping[str, Prediction]):
    """Metric name -> Prediction, in the order of the family's metrics."""

    def __init__(self, found: dict[str, Prediction]) -> None:
        self._found = found

    def __getitem__(self, metric: str) -> Prediction:
        return self._found[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def predict(scenario: Scenario, seed: int = 0, metrics: Collection[str] | None = None) -> Predictions:
    """Predict every metric of a card that a theorem speaks about, or those of `metrics` alone.

    Where several do, the strongest claim wins, then the first in the table.

    `seed` parts human text into what is learned from and what is held out; nothing else depends on it.
    """
    found: dict[str, Prediction] = {}
    asked = scenario.metrics if metrics is None else metrics
    with sharing():
        for theorem in sorted(THEOREMS, key=lambda row: _STRENGTH[row.kind]):
            if theorem.metric in found or theorem.metric not in asked or not theorem.applies(scenario):
                continue
            try:
                values = theorem.values(scenario, seed)
            except ValueError:  # out of the range where the result holds
                continue
            found[theorem.metric] = Prediction(values, theorem)
    return Predictions({metric: found[metric] for metric in scenario.metrics if metric in found})


__all__ = ["THEOREMS", "Prediction", "Predictions", "Theorem", "predict"]
