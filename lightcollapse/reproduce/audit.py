"""audit(): an article's claim against our cards: its number, ours, and the range over what it leaves open."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lightcollapse.loop import run
from lightcollapse.record import Record
from lightcollapse.reproduce.claim import Asked, Claim, Contradiction, Shaped, Unknown, follow, turned
from lightcollapse.reproduce.debt import owed
from lightcollapse.reproduce.measures import Ask, column, derives, estimate
from lightcollapse.reproduce.rows import AGREES, DIFFERS, OFF, UNTESTED, Limits
from lightcollapse.reproduce.shapes import LAWS, Ranking, from_start, plain
from lightcollapse.reproduce.statistics import Estimate
from lightcollapse.scenario import Scenario
from lightcollapse.theorems import Prediction, predict

Progress = Callable[[int, int], None]
Setting = tuple[tuple[str, Any], ...]  # dials and their values; empty: the preset itself

_HELD = 48  # records kept in a process: claims share cards
_ROUNDING = 1e-9
_NEAR = 0.05  # relative: how close a setting comes to a number that it is said to give
_WIDEST = 0.5  # of the number: an interval that is wider agrees with anything
_SHORTEST = 6  # points of a curve whose shape is asked for
TIME_IS_UP = "the time asked for was over"


@dataclass(frozen=True)
class Finding:
    """One line of the audit.

    Attributes:
        claim: what it is about.
        label: the number or law in words.
        article: what the article says, as it is shown.
        ours: our number at the preset, None where nothing was run.
        theory: the closed form of it, where there is one.
        low, high: least and largest of our number over all settings; None where nothing was varied.
        settings, giving: how many settings were run, and how many give what the article says.
        nearest: the setting that comes nearest, in words.
        verdict: one of VERDICTS; why: the reason.
    """

    claim: Claim
    label: str
    article: str
    ours: Estimate | None
    verdict: str
    why: str
    theory: float | None = None
    low: float | None = None
    high: float | None = None
    settings: int = 0
    giving: int = 0
    nearest: str = ""


class TimeIsUp(Exception):
    """The limit on time was reached."""


@dataclass
class Runner:
    """Runs cards of one claim within limits."""

    claim: Claim
    limits: Limits
    progress: Progress | None = None

    def record(self, card: str, setting: Setting, dials: Sequence[Unknown], replicates: int) -> Record:
        """A card's record at one setting: a dial turns the cards that it is on. Raises TimeIsUp."""
        if time.monotonic() > self.limits.until:
            raise TimeIsUp
        data = self.claim.cards()[card]
        for unknown, (dial, value) in zip(dials, setting, strict=False):
            if not unknown.cards or card in unknown.cards:
                data = turned(data, dial, value)
        return recorded(Scenario.from_dict(data), self.limits.seed, replicates)


@functools.lru_cache(maxsize=_HELD)
def recorded(card: Scenario, seed: int, replicates: int) -> Record:
    """A record, kept for the next claim that asks for the same."""
    return run(card, seed, replicates)


@functools.lru_cache(maxsize=_HELD)
def predicted(card: Scenario, seed: int) -> dict[str, Prediction]:
    """What theory says of a card, kept for its other numbers."""
    return dict(predict(card, seed))


def settings_of(dials: Sequence[Unknown], quick: bool) -> list[Setting]:
    """The preset's own setting, then every combination of the unknowns' values."""
    names = [one.dial for one in dials]
    values = itertools.product(*(one.values(quick) for one in dials))
    return [(), *(tuple(zip(names, chosen, strict=True)) for chosen in values if names)]


def in_words(setting: Setting) -> str:
    """`order 4, temperature 0.9`; of the empty setting: "the preset"."""
    return ", ".join(f"{dial} {_short(value)}" for dial, value in setting) or "the preset"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def audit(claim: Claim, limits: Limits | None = None, progress: Progress | None = None) -> Iterator[Finding]:
    """The findings about a claim. Where the time is up, those still to come are not testable; `limits.reached` says so.

    Raises what `run` raises.
    """
    limits = limits or Limits()
    runner = Runner(claim, limits, progress)
    yield from map(functools.partial(_contradiction, claim), claim.contradictions)
    for shaped in claim.shapes:
        yield _published_shape(claim, shaped)
    for members in _groups(claim.numbers):
        yield from _guarded(runner, [one.label for one in members], functools.partial(_numbers, runner, members))
    for shaped in claim.shapes:
        yield from _guarded(runner, [f"{shaped.curve}, ours"], functools.partial(_our_shape, runner, shaped))
    if claim.debt is not None:
        yield from owed(runner)
    if claim.inverse is not None:
        from lightcollapse.reproduce.inverse import inverted

        yield from _guarded(runner, ["inverse problem"], functools.partial(inverted, runner))


def _guarded(runner: Runner, labels: list[str], rows: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """All rows of a group, or, where the time is over, why there are none."""
    try:
        yield from list(rows())
    except TimeIsUp:
        runner.limits.reached = True
        for label in labels:
            yield Finding(runner.claim, label, "", None, UNTESTED, TIME_IS_UP)


# Numbers.


def _groups(numbers: Sequence[Asked]) -> list[list[Asked]]:
    """Numbers that belong together, the others each alone, in the order of the table."""
    out: list[list[Asked]] = []
    for number in numbers:
        if number.together and out and out[-1][0].together == number.together:
            out[-1].append(number)
        else:
            out.append([number])
    return out


def _numbers(runner: Runner, members: list[Asked]) -> Iterator[Finding]:
    """Each number of a group, then whether one setting gives all of them."""
    claim, quick = runner.claim, runner.limits.quick
    asked = [one for one in members if not one.untestable and (one.quick or not quick)]
    cards = tuple(dict.fromkeys(card for one in asked for card in one.cards))
    dials = claim.dials(cards)
    settings = settings_of(dials, quick) if asked else []
    found: dict[Setting, list[Estimate]] = {}
    for i, setting in enumerate(settings):
        if runner.progress is not None:
            runner.progress(i, len(settings))
        replicates = claim.size(cards, quick, base=not setting)
        records = {card: runner.record(card, setting, dials, replicates) for card in cards}
        found[setting] = [_measured(one, records) for one in asked]
    for one in members:
        if one in asked:
            estimates = {setting: row[asked.index(one)] for setting, row in found.items()}
            yield judged(claim, one, estimates, theory_of(runner, one))
        else:
            yield Finding(claim, one.label, _said(one), None, UNTESTED, one.untestable or "takes too long for --quick")
    if len(asked) > 1:
        yield _together(claim, asked, found)


def _measured(number: Asked, records: dict[str, Record]) -> Estimate:
    columns = {card: column(records[card].metrics, number.metric) for card in number.cards}
    ask = Ask(number.generation, number.over, number.at)
    return estimate(columns, number.measure, ask, number.card, number.against, number.comparison)


def _said(number: Asked) -> str:
    digits = max(0, round(-math.log10(2.0 * number.rounding))) if number.rounding else None
    text = f"{number.published:g}" if digits is None else f"{number.published:.{digits}f}"
    return text if number.relation == "=" else f"{number.relation} {text}"


def meets(number: Asked, ours: Estimate) -> bool:
    """Whether our interval leaves room for a number that the article says; of a law, whether it shows it."""
    slack = number.rounding + _ROUNDING * abs(number.published)
    return {
        "=": ours.low - slack <= number.published <= ours.high + slack,
        ">": ours.low > number.published,
        "<": ours.high < number.published,
        ">=": ours.low + slack >= number.published,
        "<=": ours.high - slack <= number.published,
    }[number.relation]


def _mean_meets(number: Asked, value: float) -> bool:
    """The same of a number alone: what settings with few replicates are counted by."""
    return meets(number, Estimate(value, value, value))


def theory_of(runner: Runner, number: Asked) -> float | None:
    """The same measure of the exact mean curves that theorems give, None where one of them has none."""
    curves = {}
    for card in number.cards:
        known = predicted(Scenario.from_dict(runner.claim.cards()[card]), runner.limits.seed)
        exact = {name: one.values[None] for name, one in known.items() if one.kind.startswith("exact")}
        if number.metric not in exact and not derives(number.metric, exact):
            return None
        curves[card] = column(exact, number.metric)
    ask = Ask(number.generation, number.over, number.at)
    return estimate(curves, number.measure, ask, number.card, number.against, number.comparison).value


def judged(claim: Claim, number: Asked, found: dict[Setting, Estimate], theory: float | None = None) -> Finding:
    """The finding about a number, from our estimates at the preset and at all other settings, and the theory's there.

    A number agrees where the preset gives it, or where it lies between what settings within the stated ranges give. A
    law agrees where the preset shows it and all settings bear it out.
    """
    ours = found[()]
    values = {setting: one.value for setting, one in found.items()}
    known = [value for value in values.values() if not math.isnan(value)] or [math.nan]
    low, high = min(known), max(known)
    giving = [setting for setting in found if _gives(number, found[setting], setting, theory)]
    nearest = min(found, key=lambda setting: (setting not in giving, _distance(number, values[setting])))
    if number.needs_all:
        agrees = len(giving) == len(found)
    elif number.relation == "=":
        agrees = bool(giving) or brackets(number, values)
    else:
        agrees = bool(giving)
    proven = theory is not None and ours.low <= theory <= ours.high and not _mean_meets(number, theory)
    verdict = AGREES if agrees else OFF if number.off and proven else DIFFERS
    more = {"theory": theory, "settings": len(found), "giving": len(giving), "nearest": in_words(nearest)}
    if len(found) > 1:
        more |= {"low": low, "high": high}
    why = _because(number, found, giving, nearest, verdict)
    return Finding(claim, number.label, _said(number), ours, verdict, why, **more)  # type: ignore[arg-type]


def brackets(number: Asked, values: dict[Setting, float]) -> bool:
    """Whether settings that differ in numbers alone lie on both sides of the article's number, all of them finite, so
    that one between them gives it. The preset stands beside the others where no dial is a name.
    """
    groups: dict[Setting, list[float]] = {}
    for setting, value in values.items():
        names = tuple((dial, one) for dial, one in setting if isinstance(one, str) and one != "all")
        if math.isfinite(value):
            groups.setdefault(names, []).append(value)
    return any(min(group) <= number.published <= max(group) for group in groups.values())


def _gives(number: Asked, ours: Estimate, setting: Setting, theory: float | None) -> bool:
    """Of the preset the exact value decides, or its interval, where that is narrow enough to say anything; the others,
    with fewer replicates, are counted by their means: a number within 5 % of the article's is given.
    """
    if number.relation != "=":
        return meets(number, ours) if not setting else _mean_meets(number, ours.value)
    near = max(_NEAR * abs(number.published), number.rounding)
    narrow = ours.high - ours.low <= _WIDEST * abs(number.published) or number.published == 0.0
    if not setting and theory is not None:
        return _distance(number, theory) <= near
    return (not setting and narrow and meets(number, ours)) or _distance(number, ours.value) <= near


def _distance(number: Asked, value: float) -> float:
    return abs(value - number.published) if math.isfinite(value) else math.inf


def _because(
    number: Asked, found: dict[Setting, Estimate], giving: list[Setting], nearest: Setting, verdict: str
) -> str:
    """How it stands, in a sentence."""
    if verdict == OFF:
        return number.off
    value = found[nearest].value
    count = f"{len(giving)} of {len(found)} settings"
    if len(found) == 1:
        text = "" if giving else f"ours is {value:.3g}"
    elif number.relation == "=":
        inside = "settings lie on both sides of it" if verdict == AGREES else "no setting gives it"
        text = f"{count} give it" if giving else inside
        text += f"; nearest {in_words(nearest)}, {value:.3g}" if nearest or not giving else ", the preset too"
    elif len(giving) == len(found):
        text = f"holds in all {len(found)} settings"
    else:
        failing = next(setting for setting in found if setting not in giving)
        text = f"holds in {count}, not at {in_words(failing)}, {found[failing].value:.3g}"
    return "; ".join(part for part in (text, number.note) if part)


def _together(claim: Claim, asked: list[Asked], found: dict[Setting, list[Estimate]]) -> Finding:
    """Whether one setting gives all numbers of a group: the least of the largest distance."""

    def worst(row: list[Estimate]) -> float:
        return max(_distance(number, one.value) for number, one in zip(asked, row, strict=True))

    distances = {setting: worst(row) for setting, row in found.items()}
    best = min(distances, key=distances.__getitem__)
    tolerance = claim.within[asked[0].together]
    giving = sum(distance <= tolerance for distance in distances.values())
    values = ", ".join(f"{one.value:.3g}" for one in found[best])
    wanted = ", ".join(_said(number) for number in asked)
    ours = distances[best]
    return Finding(
        claim,
        "all at one setting, off by",
        f"< {tolerance:g}",
        Estimate(ours, ours, ours),
        AGREES if giving else DIFFERS,
        f"nearest {in_words(best)}: {values} for {wanted}",
        low=ours,
        high=max(distances.values()),
        settings=len(found),
        giving=giving,
        nearest=in_words(best),
    )


# The article against itself.


def _contradiction(claim: Claim, one: Contradiction) -> Finding:
    says, table = follow(claim, one.says), follow(claim, one.table)
    asked = Asked(one.label, "", table, relation=one.relation, rounding=one.within)
    fits = meets(asked, Estimate(says, says, says))
    return Finding(
        claim, one.label, f"{says:.3g}", Estimate(table, table, table), AGREES if fits else OFF, "" if fits else one.why
    )


# Shapes.


def rankings(values: Sequence[float]) -> list[Ranking]:
    """The laws of a curve: of its gain since the first point, and of the whole curve where it is positive."""
    return [from_start(values), *([plain(values)] if min(values) > 0 else [])]


def _published_shape(claim: Claim, shaped: Shaped) -> Finding:
    """The article's shape against its own points: off where no comparison holds it, differing where one does not."""
    ranked = rankings(claim.curves[shaped.curve])
    holding = [one.holds(shaped.says) for one in ranked]
    verdict = AGREES if all(holding) else DIFFERS if any(holding) else OFF
    power = ranked[0].coefficients("power")[-1]
    label = f"{shaped.curve.replace('_', ' ')}, its own points"
    return Finding(claim, label, shaped.says, Estimate(power, power, power), verdict, "; ".join(map(_told, ranked)))


def _told(ranking: Ranking) -> str:
    """`gain since the start: power best (t^1.23), linear +2.3, exponential +9`, in AICc."""
    of = "gain since generation 0" if len(ranking.coefficients("linear")) == 1 else "the points themselves"
    rest = ", ".join(f"{law} +{ranking.behind(law):.1f}" for law in LAWS if law != ranking.best)
    power = ranking.coefficients("power")[-1]
    return f"AICc of {of}: {ranking.best} best, {rest}" + (f", power t^{power:.2f}" if "gain" in of else "")


def _our_shape(runner: Runner, shaped: Shaped) -> Iterator[Finding]:
    """The shape of our own curve, at the preset and at all settings."""
    claim, quick = runner.claim, runner.limits.quick
    dials = claim.dials((shaped.card,))
    best: dict[str, int] = dict.fromkeys(LAWS, 0)
    powers, holding = [], 0
    settings = settings_of(dials, quick)
    for setting in settings:
        record = runner.record(shaped.card, setting, dials, claim.size((shaped.card,), quick, base=not setting))
        curve = column(record.metrics, shaped.metric).mean(axis=0)[shaped.first :][:_SHORTEST]
        ranked = rankings(curve.tolist())
        best[ranked[0].best] += 1
        powers.append(ranked[0].coefficients("power")[-1])
        holding += all(one.holds(shaped.says) for one in ranked)
    counts = ", ".join(f"{law} {count}" for law, count in best.items())
    yield Finding(
        claim,
        f"{shaped.curve.replace('_', ' ')}, ours",
        shaped.says,
        Estimate(powers[0], powers[0], powers[0]),
        AGREES if holding == len(settings) else DIFFERS,
        f"the power c of t^c; it holds in {holding} of {len(settings)} settings; the gain is best by AICc: {counts}",
        low=min(powers),
        high=max(powers),
        settings=len(settings),
        giving=holding,
    )
