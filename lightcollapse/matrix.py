"""matrix(): every family with every regime and every curation: what runs, what has theory, what is refused and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from msgspec.structs import replace

from lightcollapse.curation import CURATIONS, Curation
from lightcollapse.errors import CardError, LightcollapseError
from lightcollapse.families import FAMILIES, Family
from lightcollapse.regimes import REGIMES, Regime
from lightcollapse.scenario import Scenario
from lightcollapse.sources import SOURCES, Source
from lightcollapse.theorems import THEOREMS

Status = Literal["theory", "runs", "refused"]
STATUSES: tuple[Status, ...] = ("theory", "runs", "refused")
_SIZES = (24, 1200)  # points of an example; the larger where a point is a symbol of a document
_GENERATIONS = 3


@dataclass(frozen=True)
class Cell:
    """One family with one regime and at most one curation.

    Attributes:
        family, regime, curation: names of the parts; the curation's is empty where there is none.
        forms: the regime and curation with their fields, as tried.
        status: "theory" where some metric has a prediction, "runs" where the card runs without, else "refused".
        metrics: those that have a prediction, at least where samples are large.
        message: why the card was refused.
        card: the card tried, None where refused.
    """

    family: str
    regime: str
    curation: str
    forms: tuple[Regime, Curation | None]
    status: Status
    metrics: tuple[str, ...] = ()
    message: str = ""
    card: Scenario | None = None


@cache
def example(family: type[Family], number: int = 0) -> tuple[Source, Family, int]:
    """The first source and sample size that an example of the family accepts."""
    one = family.examples()[number]
    for size in _SIZES:
        for source in SOURCES:
            for law in source.examples():
                try:
                    Scenario(law, one, sample_size=size, generations=_GENERATIONS)
                except LightcollapseError:
                    continue
                return law, one, size
    raise LookupError(f"no source of the table fits family {family.kind}")


def cells(families: tuple[type[Family], ...] = FAMILIES) -> Iterator[Cell]:
    """Every form of every family with every form of every regime and curation."""
    steps: list[Curation | None] = [None, *(step for curation in CURATIONS for step in curation.examples())]
    for family in families:
        for number in range(len(family.examples())):
            for regime in REGIMES:
                for form in regime.examples():
                    for step in steps:
                        yield _cell(example(family, number), form, step)


def _cell(parts: tuple[Source, Family, int], regime: Regime, step: Curation | None) -> Cell:
    source, family, size = parts
    named = (family.kind, regime.kind, step.kind if step else "")
    try:
        card = Scenario(source, family, regime, (step,) if step else (), sample_size=size, generations=_GENERATIONS)
        larger = replace(card, sample_size=max(_SIZES))
    except CardError as error:
        return Cell(*named, (regime, step), "refused", message=str(error))
    known = {row.metric for row in THEOREMS if row.applies(card) or row.applies(larger)}
    metrics = tuple(metric for metric in card.metrics if metric in known)
    return Cell(*named, (regime, step), "theory" if metrics else "runs", metrics, card=card)


def matrix(families: tuple[type[Family], ...] = FAMILIES) -> dict[tuple[str, str, str], Cell]:
    """(family, regime, curation) -> the cell of the form that gets furthest."""
    best: dict[tuple[str, str, str], Cell] = {}
    for cell in cells(families):
        name = (cell.family, cell.regime, cell.curation)
        if name not in best or STATUSES.index(cell.status) < STATUSES.index(best[name].status):
            best[name] = cell
    return best
