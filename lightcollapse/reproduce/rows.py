"""reproduce(): an item's cards run again, its numbers beside ours, and a verdict on each."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from msgspec.structs import replace as changed

from lightcollapse.corpus import UNITS, read
from lightcollapse.errors import CardError, MissingExtra
from lightcollapse.kernels.draws import Draws
from lightcollapse.loop import run
from lightcollapse.reproduce.derived import column
from lightcollapse.reproduce.item import Item, Number, Random, Theory
from lightcollapse.reproduce.statistics import STANDARD_ERRORS, STATISTICS, Estimate, Float
from lightcollapse.scenario import Scenario
from lightcollapse.theorems import THEOREMS, Prediction, predict

AGREES, DIFFERS, OFF, UNTESTED = "agrees", "differs", "published value is off", "not testable here"
VERDICTS = (AGREES, DIFFERS, OFF, UNTESTED)
_ROUNDING = 1e-9  # relative: what floating-point arithmetic may add to an exact number
_BLOCK = 2**26  # bytes of a record that is kept at once
_PARTS = 20  # groups of replicates that say how far the place of a least may be off
_DEGREE = 6  # of the polynomial through a sweep
_DRAWN_CARDS = 9  # what a draw of Random is for, beside those of kernels.draws

Values = dict[tuple[str, int], Float]  # (metric, generation) -> float64 (replicates,)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Row:
    """One published number and ours.

    Attributes:
        item, number: what it is about.
        label: the number in words.
        replicates: chains that ours rests on.
        ours: None where nothing was run.
        exact: the theory's number, None where it has none; `exact_kind` says whether it is exact.
        verdict: one of VERDICTS.
        why: the reason, empty where nothing is to be said.
        seconds: processor time that all rows of the same card took together, over all cores; 0 where nothing was run.
    """

    item: Item
    number: Number
    label: str
    replicates: int
    ours: Estimate | None
    exact: float | None
    exact_kind: str | None
    verdict: str
    why: str
    seconds: float = 0.0


@dataclass
class Limits:
    """What a reproduction may use.

    Attributes:
        quick: whether to take the smaller numbers of replicates.
        seed: of all cards.
        corpus: a text of the user's.
        until: `time.monotonic` after which no block of replicates is waited for; `reached` then says so.
    """

    quick: bool = False
    seed: int = 1
    corpus: str | None = None
    until: float = math.inf
    reached: bool = field(default=False, init=False)

    def watching(self, progress: Progress | None) -> Progress:
        """The same progress, which ends a run where the time is up."""

        def watched(done: int, asked: int) -> None:
            if progress is not None:
                progress(done, asked)
            if time.monotonic() > self.until:
                raise _TimeIsUp

        return watched


class _TimeIsUp(Exception):
    """The limit on time was reached."""


def reproduce(item: Item, limits: Limits | None = None, progress: Progress | None = None) -> Iterator[Row]:
    """Run an item's cards one after another, and yield its rows.

    Raises what `run` raises. Where the time is up, or an extra is missing, the rows still to come are not testable.
    """
    limits = limits or Limits()
    other = _other_text(item, limits)
    for name in item.variants():
        numbers = [number for number in item.numbers if number.card == name]
        yield from _rows_of(item, name, numbers, limits, other, progress)


def _rows_of(
    item: Item, name: str, numbers: list[Number], limits: Limits, other: str, progress: Progress | None
) -> Iterator[Row]:
    """The rows of one card, in the order of the table."""
    reasons = [_untestable(item, number, limits) for number in numbers]
    asked = [number for number, reason in zip(numbers, reasons, strict=True) if not reason]
    found: dict[int, tuple[Estimate, Estimate, int]] = {}
    exact: list[tuple[float | None, str | None]] = [(None, None)] * len(numbers)
    seconds = 0.0
    try:
        if asked:
            card = _card(item, name, limits)
            count = item.size(name, limits.quick)
            exact = _theories(item, card, limits.seed, numbers)
            started = time.process_time()
            found = {
                id(number): (*estimates, count)
                for number, estimates in _estimates(item, card, count, asked, limits, limits.watching(progress))
            }
            seconds = time.process_time() - started
    except _TimeIsUp:
        limits.reached = True
    except MissingExtra as missing:
        reasons = [reason or str(missing) for reason in reasons]
    for number, reason, theory in zip(numbers, reasons, exact, strict=True):
        label = number.label or _label(number)
        if id(number) not in found:
            why = reason or "the time asked for was over"
            yield Row(item, number, label, 0, None, *theory, UNTESTED, why)
            continue
        ours, theirs, count = found[id(number)]
        verdict, why = (UNTESTED, other) if other else judge(number, ours, theirs, *theory)
        yield Row(item, number, label, count, ours, *theory, verdict, why, seconds)


def _untestable(item: Item, number: Number, limits: Limits) -> str:
    """Why a number is not tested this time, empty where it is."""
    if number.untestable:
        return number.untestable
    if item.corpus is not None and limits.corpus is None:
        return f"needs a text: --corpus FILE, {item.corpus.about}"
    if limits.quick and not number.quick:
        return "takes too long for --quick"
    return ""


def _label(number: Number) -> str:
    metric = number.metric.replace("_", " ")
    what = STATISTICS[number.statistic].words.format(metric=metric, at=number.at)
    return f"{what}, t = {number.generation}" if number.metric != "absorbed" else what


# Cards.


def _card(item: Item, name: str, limits: Limits) -> Scenario:
    data = item.data(name)
    if item.corpus is None or limits.corpus is None:
        return Scenario.from_dict(data)
    if not item.corpus.unigrams:
        return Scenario.from_dict(data | {"source": data["source"] | {"path": limits.corpus}})
    law, size = _unigrams(limits.corpus, item.corpus.lowercase)
    return Scenario.from_dict(data | {"source": {"kind": "probabilities", "values": law}, "sample_size": size})


def _unigrams(path: str, lowercase: bool) -> tuple[list[float], int]:
    """Frequencies of a text's words, and how many words it has."""
    text = "\n".join(read(path).documents)
    text = text.lower() if lowercase else text
    _, counts = np.unique(UNITS["words"]().encode(text), return_counts=True)
    total = int(counts.sum())
    return (counts / total).tolist(), total


def _other_text(item: Item, limits: Limits) -> str:
    """What is to be said where the text given is not the paper's; empty where it is."""
    if item.corpus is None or limits.corpus is None or not item.corpus.sha256:
        return ""
    same = read(limits.corpus).sha256 == item.corpus.sha256
    return "" if same else f"another text than the paper's, {item.corpus.about}"


# Runs.


def _estimates(
    item: Item, card: Scenario, count: int, numbers: list[Number], limits: Limits, progress: Progress
) -> Iterator[tuple[Number, tuple[Estimate, Estimate]]]:
    """Each number with our estimate, and the same with the spread of as many chains as the paper ran."""
    plain = [number for number in numbers if number.sweep is None]
    values = _gathered(item.random, card, count, plain, limits.seed, progress) if plain else {}
    for number in plain:
        yield number, _estimate(number, card, limits.seed, values)
    for number in numbers:
        if number.sweep is not None:
            estimate = _least(card, count, number, limits.seed, progress)
            yield number, (estimate, estimate)


def _estimate(number: Number, card: Scenario, seed: int, values: Values) -> tuple[Estimate, Estimate]:
    held = values[number.metric, number.generation]
    if number.over is not None:
        held = held / values[number.metric, number.over]
    variance = _known_variance(number, card, seed)
    statistic = STATISTICS[number.statistic]
    ours, theirs = (
        statistic.estimate(held, number.at, chains, variance).scaled(number.scale)
        for chains in (len(held), number.chains or len(held))
    )
    return ours, theirs


def _known_variance(number: Number, card: Scenario, seed: int) -> float:
    """The least bound of a metric's variance over chains that a theorem states; infinite where none does."""
    if number.statistic != "mean" or number.over is not None:
        return math.inf
    bounds = [
        float(row.variance(card, seed)[number.generation])
        for row in THEOREMS
        if row.variance is not None and row.metric == number.metric and row.applies(card)
    ]
    if number.metric == "std":  # E s^2 - (E s)^2, where theory has both
        known = predict(card, seed)
        if (
            "variance" in known
            and "std" in known
            and all(known[m].kind.startswith("exact") for m in ("variance", "std"))
        ):
            square, mean = (float(known[m].values[number.generation]) for m in ("variance", "std"))
            bounds.append(max(0.0, square - mean**2))
    return min(bounds, default=math.inf)


def _gathered(
    random: Random | None, card: Scenario, count: int, numbers: list[Number], seed: int, progress: Progress
) -> Values:
    """The values asked for of every replicate, in blocks, so that no long record is kept."""
    wanted = {(n.metric, t) for n in numbers for t in (n.generation, n.over) if t is not None}
    progress(0, count)
    if random is not None:
        parts = _each_its_own(random, card, count, wanted, seed, progress)
    else:
        bytes_each = 8 * (card.generations + 1) * len(card.metrics)
        block = max(1, min(count, _BLOCK // bytes_each))
        parts = []
        for start in range(0, count, block):
            record = run(card, seed, range(start, min(start + block, count)), _onward(progress, start, count))
            parts.append({key: column(record, *key) for key in wanted})
    return {key: np.concatenate([part[key] for part in parts]) for key in wanted}


def _onward(progress: Progress, start: int, count: int) -> Progress:
    """Progress of a block of replicates as that of all."""
    return lambda done, _: progress(start + done, count)


def _each_its_own(
    random: Random, card: Scenario, count: int, wanted: set[tuple[str, int]], seed: int, progress: Progress
) -> list[Values]:
    """The values of replicates that each draw a card of their own, as many at once as there are cores."""

    def one(replicate: int) -> Values:
        progress(replicate, count)
        record = run(_drawn(random, card, seed, replicate), seed, [replicate], jobs=1)
        return {key: column(record, *key) for key in wanted}

    with ThreadPoolExecutor() as pool:
        try:
            return list(pool.map(one, range(count)))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _drawn(random: Random, card: Scenario, seed: int, replicate: int) -> Scenario:
    """The card with the field that this replicate draws."""
    draws = Draws(np.array([replicate], dtype=np.uint64), np.zeros(1, dtype=np.uint64), seed, 0, _DRAWN_CARDS)
    uniforms = draws.uniforms(random.rows * random.columns).reshape(random.rows, random.columns)
    return _with(card, random.field, (random.low + (random.high - random.low) * uniforms).tolist())


def _with(card: Scenario, path: str, value: Any) -> Scenario:
    """The card with one field, AXIS.NAME, changed."""
    axis, _, name = path.partition(".")
    try:
        return changed(card, **{axis: changed(getattr(card, axis), **{name: value})})
    except (AttributeError, TypeError):
        raise CardError(f"a card has no field {path!r}; name one as AXIS.FIELD, such as regime.weight") from None


def _least(card: Scenario, count: int, number: Number, seed: int, progress: Progress) -> Estimate:
    """Where a sweep's mean square, or mean, is least: of a polynomial through its logarithm, with the jackknife's
    interval.

    All cards of the sweep have the same seed, so that what they share in chance moves none of them past another.
    """
    assert number.sweep is not None
    places = np.array(number.sweep.values())
    squares = np.empty((len(places), count))
    asked = [changed(number, sweep=None, statistic="mean")]
    power = 2 if number.statistic == "least" else 1
    for i, place in enumerate(places):
        one = _with(card, number.sweep.field, float(place))
        squares[i] = _gathered(None, one, count, asked, seed, progress)[number.metric, number.generation] ** power
    group = np.arange(count) % _PARTS
    without = np.array([_bottom(places, squares[:, group != part].mean(axis=1)) for part in range(_PARTS)])
    error = math.sqrt((_PARTS - 1) * float(without.var()))
    value = _bottom(places, squares.mean(axis=1))
    return Estimate(value, value - STANDARD_ERRORS * error, value + STANDARD_ERRORS * error)


def _bottom(places: Float, heights: Float) -> float:
    fitted = np.polynomial.Polynomial.fit(places, np.log(heights), _DEGREE)
    fine = np.linspace(places[0], places[-1], 20_001)
    return float(fine[np.argmin(fitted(fine))])


# Theory.


def _theories(item: Item, card: Scenario, seed: int, numbers: list[Number]) -> list[tuple[float | None, str | None]]:
    """The theory's number for each, and its kind; None where it has none."""
    asks = [number.theory is None and number.sweep is None and number.over in (None, 0) for number in numbers]
    known: Mapping[str, Prediction] = {}
    if any(asks) and item.random is None and (item.corpus is None or not item.corpus.unigrams):
        known = predict(card, seed)
    out: list[tuple[float | None, str | None]] = []
    for number, ask in zip(numbers, asks, strict=True):
        value, kind = None, None
        if number.theory is not None:
            value, kind = called(number.theory), "approximation" if number.theory.about else "exact mean"
        elif ask and number.metric in known:
            kind = known[number.metric].kind
            value = _of_prediction(card, seed, number, known[number.metric])
        out.append((None, None) if value is None else (number.scale * value, kind))
    return out


def _of_prediction(card: Scenario, seed: int, number: Number, prediction: Prediction) -> float | None:
    statistic = STATISTICS[number.statistic]
    if statistic.of_mean is not None:
        if number.over not in (None, 0):  # the mean of a ratio is not the ratio of means
            return None
        below = 1.0 if number.over is None else float(prediction.values[0])
        return statistic.of_mean(float(prediction.values[number.generation]) / below)
    law = prediction.theorem.law
    if statistic.of_law is None or law is None or number.generation < 1 or number.over is not None:
        return None
    return statistic.of_law(lambda values: law(card, number.generation, values), number.at)


def called(theory: Theory) -> float:
    """What a closed form gives."""
    module, _, name = theory.of.partition(".")
    value = getattr(importlib.import_module(f"lightcollapse.predictions.{module}"), name)(
        *(_unboxed(argument) for argument in theory.arguments), **theory.options
    )
    return float(np.asarray(value)[theory.take] if theory.take else value)


def _unboxed(argument: Any) -> Any:
    """`{ repeat = x, times = n }` as a list; anything else as it is."""
    if isinstance(argument, dict):
        return [argument["repeat"]] * int(argument["times"])
    return argument


# Verdicts.


def judge(
    number: Number, ours: Estimate, theirs: Estimate, exact: float | None, exact_kind: str | None
) -> tuple[str, str]:
    """Verdict and reason.

    A number agrees where it lies in our interval of 4 standard errors, with those of its own added in quadrature and
    what its digits leave open. A closed form must besides be the one that our theory gives. It is off, and we do not
    differ, only where the item says why and our own two witnesses agree.
    """
    proven = exact is not None and exact_kind is not None and exact_kind.startswith("exact")
    size = max(abs(end) for end in (number.lowest, number.highest) if math.isfinite(end))
    slack = number.rounding + number.within + _ROUNDING * size
    below, above = ours.value - ours.low, ours.high - ours.value
    chance = STANDARD_ERRORS * number.error
    if number.chains is not None:
        chance = math.hypot(chance, max(theirs.value - theirs.low, theirs.high - theirs.value))
    met = (
        ours.value - math.hypot(below, chance) - slack <= number.highest
        and number.lowest <= ours.value + math.hypot(above, chance) + slack
    )
    same = number.kind != "exact" or not proven or _between(number.lowest - slack, exact, number.highest + slack)
    if met and same:
        return AGREES, number.note
    witnesses = not proven or _between(ours.low, exact, ours.high)
    if number.off and witnesses:
        return OFF, number.off
    return DIFFERS, _distance(number, ours, exact if not same else None)


def _between(low: float, value: float | None, high: float) -> bool:
    return value is not None and low <= value <= high


def _distance(number: Number, ours: Estimate, exact: float | None) -> str:
    """How far apart the two are."""
    if exact is not None:
        return f"our closed form gives {exact:.6g}"
    away = number.lowest - ours.value if number.lowest > ours.value else number.highest - ours.value
    half = ours.high - ours.value if away > 0 else ours.value - ours.low
    if not half > 0.0 or math.isinf(half):
        return "ours does not vary"
    return f"it lies {abs(away) / half * STANDARD_ERRORS:.1f} standard errors {'above' if away > 0 else 'below'} ours"
