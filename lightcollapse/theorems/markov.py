"""Rows about Markov chains of documents: pairs of neighbours drift like alleles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lightcollapse.families.categorical import Categorical
from lightcollapse.predictions.markov import context_diversity_drifting
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Probabilities
from lightcollapse.theorems.categorical import CATEGORICAL
from lightcollapse.theorems.row import Float, Kind, Theorem, Values, one_lab, one_late

_NOTE = "markov.md"
_REGIMES = ("replace", "accumulate", "fresh-fraction", "fixed-real", "weighted")
_MIXING = 0.7  # largest second eigenvalue, in absolute value, of a chain that forgets its beginning fast enough
_SYMBOLS = 48  # in a sample, below which documents hold too little of a path: 28 % off with 8 after 8 generations
_ERROR = 0.03
_ERROR_OF_LOSS = 0.06  # of a small difference of entropies


def _length(scenario: Scenario) -> int:
    source: Any = scenario.source
    return int(source.document_length)


def _plain(scenario: Scenario) -> bool:
    """No smoothing, no tilt, one model, no curation."""
    family: Any = scenario.family
    return family.smoothing == 0.0 and one_lab(scenario) and not np.any(scenario.schedule()["bias"])


def _pairs_alone(scenario: Scenario) -> bool:
    """Whether documents are pairs, without smoothing and tilt."""
    return _plain(scenario) and _length(scenario) == 2


def _mixes(scenario: Scenario) -> bool:
    """Whether neither smoothing nor tilt is at work, on 48 symbols a generation or more of a chain that soon forgets
    its beginning: its second eigenvalue is at most 0.7 in absolute value.
    """
    source: Any = scenario.source
    sizes = np.sort(np.abs(np.linalg.eigvals(source.matrix())))
    long = _length(scenario) > 2 and int(scenario.sample_sizes().min()) >= _SYMBOLS
    return _plain(scenario) and long and (len(sizes) < 2 or bool(sizes[-2] <= _MIXING))


def _shares(scenario: Scenario) -> tuple[Float, Float]:
    """How often a document is expected to move on from each symbol, as shares; and the transitions."""
    source: Any = scenario.source
    rows, now = source.matrix(), source.start()
    moves = np.zeros(len(rows))
    for _ in range(_length(scenario) - 1):
        moves += now
        now = now @ rows
    return moves / moves.sum(), rows


def _twin(scenario: Scenario, law: Float, points: int) -> Scenario:
    """The card on which so many points of each document are independent symbols of this law.

    Raises ValueError where that card's regime rounds otherwise than by whole documents.
    """
    rows = scenario.schedule()
    twin = Scenario(
        Probabilities(tuple((law / law.sum()).tolist())),
        Categorical(),
        scenario.regime,
        sample_size=tuple((points * scenario.family.points(scenario.source, scenario.sample_sizes())).tolist()),
        generations=scenario.generations,
    )
    other = twin.schedule()
    for column in ("size", "fresh", "anchor", "sample", "take"):
        scaled = np.where(rows[column] > 0, rows[column] * points, rows[column])
        if not np.array_equal(other[column], scaled):
            raise ValueError(f"parts of a training set must be as many documents as a share of moves says: {column}")
    return twin


def _expected(twin: Scenario, metric: str) -> Float:
    for row in CATEGORICAL:
        if row.metric == metric and row.kind == "exact mean" and row.applies(twin):
            return row.values(twin, 0)
    raise ValueError(f"no exact mean of {metric} under {twin.regime.kind}")


def _pair_twin(scenario: Scenario) -> Scenario:
    shares, rows = _shares(scenario)
    return _twin(scenario, (shares[:, None] * rows).ravel(), _length(scenario) - 1)


def _support(scenario: Scenario) -> Float:
    return _expected(_pair_twin(scenario), "support")


def _entropy_rate(scenario: Scenario) -> Float:
    """Entropy of the first symbol, and that of neighbours less that of the first of them for each move."""
    source: Any = scenario.source
    length = _length(scenario)
    pairs = _expected(_pair_twin(scenario), "entropy")
    if length == 2:
        return pairs / 2.0
    contexts = _expected(_twin(scenario, _shares(scenario)[0], length - 1), "entropy")
    start = _expected(_twin(scenario, source.start(), 1), "entropy")
    return np.asarray((start + (length - 1) * (pairs - contexts)) / length)


def _loss(scenario: Scenario) -> Float:
    entropies = _entropy_rate(scenario)
    return np.asarray(np.maximum(entropies[0] - entropies, 0.0))


def _diversity(scenario: Scenario) -> Float:
    shares, rows = _shares(scenario)
    moves = scenario.schedule()["size"] * (_length(scenario) - 1)
    return context_diversity_drifting(shares, 1.0 - (rows**2).sum(axis=1), moves)


def _fewer(scenario: Scenario) -> Float:
    """The mistake of taking a document for one move."""
    shares, rows = _shares(scenario)
    return context_diversity_drifting(shares, 1.0 - (rows**2).sum(axis=1), scenario.schedule()["size"])


def _top(scenario: Scenario, metric: str) -> float:
    shares, rows = _shares(scenario)
    mass = (shares[:, None] * rows)[rows > 0.0]
    mass = mass[mass > 0.0]
    tops = {
        "support": float(len(mass)),
        "entropy_rate": float(np.log(len(mass))) / 2.0,
        "kl_model_source": -float(np.log(mass.min())) / 2.0,
        "heterozygosity": 1.0,
    }
    return tops[metric]


_STATEMENTS = {
    "support": "neighbours in documents are lost as symbols of a categorical law are",
    "entropy_rate": "the entropy of neighbours, less that of the first of them, follows categorical laws",
    "kl_model_source": "a chain's divergence from the source is what entropy it lost",
    "heterozygosity": "each symbol's successors drift by the number of its occurrences, which drifts itself",
}
_VALUES: dict[str, Callable[[Scenario], Float]] = {
    "support": _support,
    "entropy_rate": _entropy_rate,
    "kl_model_source": _loss,
    "heterozygosity": _diversity,
}
_IDS = {
    "support": ("C6.support",),
    "entropy_rate": ("C5.entropy",),
    "kl_model_source": ("C5.entropy",),
    "heterozygosity": ("N3.ngram.random", "N4.markovpath"),
}


def _rows(metric: str) -> list[Theorem]:
    """Exact for documents of two symbols, which are pairs; about for longer ones."""

    def values(scenario: Scenario, seed: int) -> Float:
        return _VALUES[metric](scenario)

    def bounds(scenario: Scenario, seed: int) -> tuple[float, float]:
        return 0.0, _top(scenario, metric)

    def fewer(scenario: Scenario, seed: int) -> Float:
        return _fewer(scenario)

    def row(name: str, kind: Kind, condition: Callable[[Scenario], bool], error: float | None) -> Theorem:
        path = metric == "heterozygosity" and kind == "approximation"
        miss: Values = fewer if path else one_late(values)
        return Theorem(
            name=f"markov-{name}-{metric.replace('_', '-')}",
            ids=_IDS[metric],
            family="markov",
            regimes=("replace",) if metric == "heterozygosity" else _REGIMES,
            metric=metric,
            kind=kind,
            statement=_STATEMENTS[metric],
            note=_NOTE,
            source="derived for this package",
            values=values,
            near_miss=miss,
            condition=condition,
            bounds=bounds if kind == "exact mean" else None,
            error=error,
        )

    error = _ERROR_OF_LOSS if metric == "kl_model_source" else _ERROR
    return [row("pairs", "exact mean", _pairs_alone, None), row("path", "approximation", _mixes, error)]


MARKOV: tuple[Theorem, ...] = tuple(theorem for metric in _VALUES for theorem in _rows(metric))
