"""conform(): every theorem against the simulation, on small cards, outside the test suite."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lightcollapse.compare import testable, trial
from lightcollapse.errors import DataError
from lightcollapse.loop import run
from lightcollapse.probes import probes
from lightcollapse.record import Record
from lightcollapse.scenario import Scenario
from lightcollapse.theorems import THEOREMS, Theorem

ALPHA = 1e-6  # chance that a right program fails a whole run, split over its checks
_FEW = {"ngram": 40}  # replicates at most, of families that take long
UNSTATED_ERROR = 0.15  # relative error allowed to an approximation that states none
STANDARD_ERRORS = 7.0  # beyond it, for the simulation's own uncertainty


@dataclass(frozen=True)
class Verdict:
    """What became of one theorem.

    Attributes:
        theorem: the row.
        cards: on how many cards it was tried.
        checks: exact p-values taken.
        p_value: the least of them; None for an approximation, and where nothing could be tried.
        simulated, predicted, generation: mean and claim where the p-value is least, or the error largest.
        error: largest relative error of an approximation, beyond the simulation's uncertainty.
        near_miss: whether the near miss was rejected; None where nothing could be tried.
        holds: whether the claim stands.
    """

    theorem: Theorem
    cards: int
    checks: int
    p_value: float | None
    simulated: float | None
    predicted: float | None
    generation: int | None
    error: float | None
    near_miss: bool | None
    holds: bool


@dataclass
class _Trials:
    """What was found of one theorem so far."""

    theorem: Theorem
    cards: int = 0
    checks: int = 0
    p_value: float = math.inf
    miss: float = math.inf
    error: float = -math.inf
    missed: bool = False
    simulated: float | None = None
    predicted: float | None = None
    generation: int | None = None


def conform(
    replicates: int = 2000,
    seed: int = 1,
    only: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> list[Verdict]:
    """Try every theorem whose name contains `only`, each on a few small cards.

    Args:
        replicates: chains a card; more give more power.
        seed: of all cards.
        progress: called with (cards done, cards in all).

    Exact claims are tried by p-values valid at any sample size, at ALPHA over their number; approximations are held to
    their stated error and 7 standard errors.
    """
    rows = [row for row in THEOREMS if only in row.name]
    plan = _plan(rows)
    found = {row.name: _Trials(row) for row in rows}
    for done, (card, theorems) in enumerate(plan.items()):
        if progress is not None:
            progress(done, len(plan))
        try:
            record = run(card, seed, min(replicates, _FEW.get(card.family.kind, replicates)))
        except DataError:  # this seed parts the text into too little on one side
            continue
        for theorem in theorems:
            _try(found[theorem.name], record)
    if progress is not None:
        progress(len(plan), len(plan))
    level = ALPHA / max(1, sum(trials.checks for trials in found.values()))
    return [_verdict(trials, level) for trials in found.values()]


def _plan(rows: list[Theorem]) -> dict[Scenario, list[Theorem]]:
    """Card -> the theorems to try on it: for each form of a family and a regime, the first card that can tell."""
    plan: dict[Scenario, list[Theorem]] = {}
    for row in rows:
        for cards in probes(row):
            card = next((card for card in cards if _telling(row, card)), None)
            if card is not None:
                plan.setdefault(card, []).append(row)
    return plan


def _telling(row: Theorem, card: Scenario) -> bool:
    """Whether there is a test of an exact claim on this card; any card will do for an approximation."""
    return not row.kind.startswith("exact") or bool(testable(row, card, 0))


def _try(trials: _Trials, record: Record) -> None:
    """Add one record to what is known of a theorem."""
    theorem, seed = trials.theorem, record.seed
    values, missed = (function(record.scenario, seed) for function in (theorem.values, theorem.near_miss))
    simulated = record.metrics[theorem.metric].mean(axis=0)
    trials.cards += 1
    if theorem.kind.startswith("exact"):
        p_values = trial(record, theorem, values)
        trials.checks += len(p_values)
        for generation, p_value in p_values.items():
            if p_value < trials.p_value:
                trials.p_value = p_value
                _note(trials, simulated, values, generation)
        trials.miss = min([trials.miss, *trial(record, theorem, missed, near_miss=True).values()])
        return
    errors = _beyond(theorem, record, values)
    generation = int(errors.argmax()) + 1
    if errors.max() > trials.error:
        trials.error = float(errors.max())
        _note(trials, simulated, values, generation)
    trials.missed |= bool(_beyond(theorem, record, missed).max() > _allowed(theorem))


def _note(trials: _Trials, simulated: np.ndarray, values: np.ndarray, generation: int) -> None:
    trials.simulated, trials.predicted = float(simulated[generation]), float(values[generation])
    trials.generation = generation


def _allowed(theorem: Theorem) -> float:
    return UNSTATED_ERROR if theorem.error is None else theorem.error


def _beyond(theorem: Theorem, record: Record, values: np.ndarray) -> np.ndarray:
    """Relative error of the simulated mean beyond its uncertainty, in generations 1 .. T; of a log variance relative to
    its distance from the source's.
    """
    simulated = record.metrics[theorem.metric][:, 1:]
    noise = STANDARD_ERRORS * simulated.std(axis=0, ddof=1) / math.sqrt(len(simulated))
    scale = np.abs(values - values[0] if theorem.metric.startswith("log") else values)[1:]
    excess = np.maximum(np.abs(simulated.mean(axis=0) - values[1:]) - noise, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(excess == 0.0, 0.0, excess / scale)


def _verdict(trials: _Trials, level: float) -> Verdict:
    theorem = trials.theorem
    if theorem.kind.startswith("exact"):
        tried = trials.checks > 0
        return Verdict(
            theorem, trials.cards, trials.checks, trials.p_value if tried else None, trials.simulated, trials.predicted,
            trials.generation, None, trials.miss < level if tried else None, not tried or trials.p_value >= level,
        )  # fmt: skip
    tried = trials.cards > 0
    return Verdict(
        theorem, trials.cards, 0, None, trials.simulated, trials.predicted, trials.generation,
        trials.error if tried else None, trials.missed if tried else None,
        not tried or trials.error <= _allowed(theorem),
    )  # fmt: skip
