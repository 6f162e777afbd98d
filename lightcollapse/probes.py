"""Small cards on which a theorem can be tried or shown."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from lightcollapse.curation import CURATIONS, Curation
from lightcollapse.errors import LightcollapseError
from lightcollapse.families import FAMILIES, Family
from lightcollapse.regimes import REGIMES, Regime, Replace
from lightcollapse.scenario import Scenario
from lightcollapse.sources import SOURCES, Source, Uniform
from lightcollapse.theorems import Theorem

# Points and generations: the source's own size, where it has a small one; few points, that differ after few
# generations; some more, for what few have no finite variance of; and many, for what holds of large samples.
_SHAPES: tuple[tuple[int | None, int], ...] = ((None, 4), (8, 8), (24, 3), (60, 8), (1200, 3))
_OWN = 1500  # the largest own size that is small


def probes(row: Theorem) -> Iterator[Iterator[Scenario]]:
    """The cards that a theorem speaks of, where it can: for each form of a family and a regime, those of several
    sources, curations and sizes.
    """
    forms = [form for family in FAMILIES if family.kind == row.family for form in family.examples()]
    for regime in (form for kind in REGIMES if not row.regimes or kind.kind in row.regimes for form in kind.examples()):
        for form in forms:
            yield _reached(row, form, regime)


def probe(row: Theorem) -> Scenario:
    """The first of them. Raises LookupError where there is none."""
    for cards in probes(row):
        for card in cards:
            return card
    raise LookupError(f"no small card reaches {row.name}")


def _reached(row: Theorem, family: Family, regime: Regime) -> Iterator[Scenario]:
    for size, generations in _SHAPES:
        for steps in _curations(row.curation):
            for source in _sources(family):
                card = _card(source, family, regime, steps, size, generations)
                if card is not None and row.applies(card) and _holds(row, card):
                    yield card


def _holds(row: Theorem, card: Scenario) -> bool:
    """Whether the result holds at this size."""
    try:
        row.values(card, 0)
    except ValueError:
        return False
    return True


def _curations(kinds: tuple[str, ...]) -> list[tuple[Curation, ...]]:
    """Every combination of the forms of these steps."""
    found: list[tuple[Curation, ...]] = [()]
    for kind in kinds:
        forms = [form for step in CURATIONS if step.kind == kind for form in step.examples()]
        found = [(*steps, form) for steps in found for form in forms]
    return found


@cache
def _sources(family: Family) -> tuple[Source, ...]:
    """Examples of sources that the family can be fitted to; the uniform law last, as it shows least."""
    laws = sorted((law for source in SOURCES for law in source.examples()), key=lambda law: isinstance(law, Uniform))
    return tuple(law for law in laws if any(_card(law, family, Replace(), (), size, 1) for size in (24, 1200)))


@cache
def _card(
    source: Source,
    family: Family,
    regime: Regime,
    steps: tuple[Curation, ...],
    size: int | None,
    generations: int,
) -> Scenario | None:
    """The card, or None where the parts do not fit, or the source has no small size of its own."""
    own = source.resolve_sample_size(0) if size is None else 0
    if own is None or own > _OWN:
        return None
    try:
        return Scenario(source, family, regime, steps, sample_size=size, generations=generations)
    except LightcollapseError:
        return None
