"""Does the drift theory predict a language model? Its own first generations forecast its later ones, held to them."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import Human, padding
from lightcollapse.errors import CardError, require
from lightcollapse.families.language_model import LanguageModel, LanguageSimulation
from lightcollapse.forecasting import Driver, forecast
from lightcollapse.scenario import Scenario
from lightcollapse.text.inputs import Name, Paths
from lightcollapse.text.tables import opened
from lightcollapse.text.tallies import tally

ORDERS = (1, 2, 3, 4)
METRICS = ("support", "entropy", "heterozygosity", "kl")
MEASURED = 3  # generations 0 .. 2, from which the later ones are forecast
_UNITS = ("chars", "words")  # what can be written to a file and read again unchanged
_DRIVERS = ("effective_sample_size", "temperature", "fresh")

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Held:
    """One number of one later generation: what was forecast, and what came.

    Attributes:
        order: length of the n-grams counted.
        metric: support (distinct n-grams), entropy (plug-in, nats), heterozygosity, kl (from generation 0, nats).
        generation: of the text; generation t was written by model t, generation 0 by people.
        truth: what the text has; None where the forecast says nothing, or the number is infinite.
        expected, ci_low, ci_high: the forecast, and its 95 % interval for one run.
        inside: whether the truth lies in the interval; None where either is missing.
        trusted: whether the forecast trusted itself so far.
    """

    order: int
    metric: str
    generation: int
    truth: float | None
    expected: float | None
    ci_low: float | None
    ci_high: float | None
    inside: bool | None
    trusted: bool


@dataclass(frozen=True)
class Departure:
    """How far what the models do is from drift, for n-grams of one length.

    Attributes:
        order: length of the n-grams.
        tokens: n-grams that generation 2's text holds.
        drivers: effective sample size, temperature (slope of log frequencies is one over it) and fresh share, estimated
            from generations 0 to 2.
        new: share of each generation's n-grams, from 1 on, that what its model learned from lacks.
        trusted, rule: the last generation that the forecast trusts, and why.
    """

    order: int
    tokens: int
    drivers: tuple[Driver, ...]
    new: tuple[float, ...]
    trusted: int
    rule: str


@dataclass(frozen=True)
class Validation:
    """What was forecast of each later generation, and what came."""

    rows: tuple[Held, ...]
    departures: tuple[Departure, ...]
    generations: int

    def coverage(self, metric: str | None = None, order: int | None = None, trusted: bool = False) -> tuple[int, int]:
        """How many numbers lay in their interval, and of how many."""
        kept = [
            row.inside
            for row in self.rows
            if row.inside is not None
            and metric in (None, row.metric)
            and order in (None, row.order)
            and (row.trusted or not trusted)
        ]
        return sum(kept), len(kept)


def validate(
    card: Scenario,
    seed: int = 0,
    *,
    replicate: int = 0,
    orders: tuple[int, ...] = ORDERS,
    checkpoints: str | os.PathLike[str] | None = None,
    progress: Told | None = None,
) -> Validation:
    """Run one replicate of a card of language models, forecast its later generations from the first three texts, and
    hold the forecasts to what came.

    Texts are those that models learned from: that of generation 0 is human, that of generation t what model t wrote and
    the regime made of it. The forecast knows the texts of generations 0 to 2, and nothing of the model.

    Args:
        card: of a family of language models, with at least 3 generations.
        seed, replicate: which run.
        orders: lengths of the n-grams counted.
        checkpoints: a folder for the models of a family that takes long; a run goes on from those that it finds.
        progress: called with (generations done, generations in all).

    Raises CardError where the card has no text or too few generations, and what `run` raises.
    """
    texts, human = written(card, seed, replicate, checkpoints, progress)
    with tempfile.TemporaryDirectory() as folder:
        files = {t: _saved(Path(folder) / f"{t}.jsonl", text, human) for t, text in enumerate(texts)}
        found = [_held(files, order, type(human.unit).__name__.lower(), seed) for order in orders]
    rows = tuple(row for mine, _ in found for row in mine)
    return Validation(rows, tuple(departure for _, departure in found), card.generations)


def written(
    card: Scenario,
    seed: int,
    replicate: int,
    checkpoints: str | os.PathLike[str] | None = None,
    progress: Told | None = None,
) -> tuple[list[padding.Symbols], Human]:
    """The texts of generations 0 .. T of one replicate, and the human text: what training sets 1 .. T + 1 are."""
    family: Any = card.family
    require(isinstance(family, LanguageModel), "validate needs a family of language models", family.kind)
    source: Any = card.source
    require(source.unit in _UNITS, f"validate needs a source of {' or '.join(_UNITS)}", source.unit)
    least = f"validate needs at least {MEASURED} generations: it forecasts from generations 0 to {MEASURED - 1}"
    require(card.generations >= MEASURED, least, card.generations)
    if isinstance(card.sample_size, tuple):
        raise CardError("validate needs one sample size, or one that grows by rule, not a list")
    # One more training set, which no model is fitted to: what the last one wrote.
    longer = msgspec.structs.replace(card.resolved(seed), generations=card.generations + 1)
    folder = None if checkpoints is None else Path(checkpoints)
    simulation: Any = family.prepare_in(folder, longer.source, longer.schedule(), seed, longer.curation)
    assert isinstance(simulation, LanguageSimulation)
    texts: list[padding.Symbols] = []
    for step in simulation.steps(replicate):
        texts += [step.training] if step.generation == 1 else []
        assert step.following is not None  # there is one more generation on the card
        texts.append(step.following)
        if progress is not None:
            progress(step.generation, card.generations)
        if step.generation == card.generations:
            break
    return texts, simulation.human


def _saved(path: Path, text: padding.Symbols, human: Human) -> str:
    """Documents as JSON lines."""
    lines = [
        json.dumps({"text": human.decode(text[begin : begin + length])})
        for begin, length in zip(*padding.runs(text), strict=True)
        if length
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return os.fspath(path)


def _held(files: Mapping[int, str], order: int, unit: str, seed: int) -> tuple[list[Held], Departure]:
    """Forecasts for n-grams of one length against the counts of all texts."""
    texts: dict[Name, Paths] = {t: file for t, file in files.items()}
    known: dict[Name, Paths] = {t: files[t] for t in range(MEASURED)}
    last = max(files)
    told = forecast(known, generations=last - MEASURED + 1, chain=True, unit=unit, order=order, seed=seed)
    counts = tally(opened(texts, unit=unit, order=order, seed=seed), order, seed).counts
    rows = []
    for metric in METRICS:
        for t in range(MEASURED, last + 1):
            row, value = told[metric, t], _finite(measured(metric, counts[t], counts[0]))
            low, high = _finite(row.ci_low), _finite(row.ci_high)
            inside = None if value is None or low is None or high is None else low <= value <= high
            rows.append(Held(order, metric, t, value, _finite(row.value), low, high, inside, t <= told.trusted))
    drivers = tuple(one for one in told.drivers if one.first is None and one.name in _DRIVERS)
    size = int(counts[MEASURED - 1].sum())
    return rows, Departure(order, size, drivers, _new(counts), told.trusted, told.rule)


def measured(metric: str, counts: NDArray[np.int64], first: NDArray[np.int64]) -> float:
    """A metric of a text's counts, int64 (types,); `first` are those of generation 0."""
    share, before = counts / counts.sum(), first / first.sum()
    if metric == "support":
        return float(np.count_nonzero(counts))
    if metric == "heterozygosity":
        return float(1.0 - np.sum(share**2))
    here = share > 0.0
    share, before = share[here], before[here]
    if metric == "entropy":
        return max(0.0, float(-np.sum(share * np.log(share))))
    return float(np.sum(share * np.log(share / before))) if before.all() else math.inf


def _new(counts: NDArray[np.int64]) -> tuple[float, ...]:
    """Share of each generation's n-grams that the one before lacks."""
    return tuple(float(after[before == 0].sum() / max(1, after.sum())) for before, after in pairwise(counts))


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
