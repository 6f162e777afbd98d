"""What a measurement can say about a declaration: little, and never who wrote a text."""

from __future__ import annotations

from dataclasses import dataclass

from lightcollapse.certificate.declared import HUMAN, MIXED, SYNTHETIC, UNKNOWN, Declared, Tally, plain
from lightcollapse.text import Measurement
from lightcollapse.text.inputs import Name

CONTRADICTORY, QUESTIONABLE, CONSISTENT, OPEN = "contradictory", "questionable", "consistent", "cannot say"
LIMITS = (
    "Authorship cannot be proven from text: no statistic tells who wrote it. What is declared is what somebody said; "
    "it was not checked. What is measured says how a text differs from the baseline: a narrow, edited or translated "
    "human text can look like a collapsed one, and good synthetic text like a human one. 'Consistent' means that "
    "nothing measured here speaks against the declaration; it is no evidence for it."
)
_MARGIN = 0.05  # of the baseline's value: less is no sign


@dataclass(frozen=True)
class Finding:
    """What the measurement says of one generation's declaration.

    Attributes:
        generation: None for all of them together.
        declared: in words.
        verdict: contradictory, questionable, consistent, or cannot say.
        why: what was seen.
    """

    generation: Name | None
    declared: str
    verdict: str
    why: str


def words(tally: Tally) -> str:
    """A tally in words: human, or 70 % human, 30 % synthetic (of the tokens)."""
    kinds = tally.kinds
    if len(kinds) == 1:
        return kinds[0]
    return ", ".join(f"{100 * tally.share(kind):.3g} % {kind}" for kind in kinds)


def findings(said: Declared, found: Measurement) -> tuple[Finding, ...]:
    """One a generation, and first one of all where one text is declared two ways."""
    made = []
    if said.twice:
        what = "1 text is" if said.twice == 1 else f"{said.twice} texts are"
        why = f"{what} declared two ways, letter for letter the same: one is a copy or one is wrong"
        made.append(Finding(None, words(said.whole), CONTRADICTORY, why))
    base = found.generations[0]
    for name in found.generations:
        tally = said.generations[name]
        made.append(Finding(name, words(tally), *_of(name, base, tally, said.generations[base], found)))
    return tuple(made)


def _of(name: Name, base: Name, tally: Tally, first: Tally, found: Measurement) -> tuple[str, str]:
    if name == base:
        return OPEN, "it is the baseline: there is nothing to compare it with"
    if tally.kinds == (UNKNOWN,):
        return OPEN, "nothing is declared"
    if first.kinds != (HUMAN,):
        return OPEN, f"the baseline is declared {words(first)}: only human text is a measure"
    signs, doubts = _signs(name, base, found)
    seen = ", ".join(signs)
    if UNKNOWN in tally.kinds:
        return OPEN, "for some of it nothing is declared" + (f"; less than in the baseline: {seen}" if seen else "")
    if tally.kinds == (HUMAN,):
        if signs:
            return QUESTIONABLE, f"declared human, but as in collapsed text: {seen}"
        if doubts:
            return OPEN, f"sizes do not allow the comparison: {doubts[0]}"
        return CONSISTENT, "no sign of collapse; synthetic text need not show one either"
    kind = SYNTHETIC if tally.kinds == (SYNTHETIC,) else MIXED
    if signs:
        return CONSISTENT, f"signs of collapse, which {kind} text often shows: {seen}"
    return CONSISTENT, f"no sign of collapse, which {kind} text need not show"


def _signs(name: Name, base: Name, found: Measurement) -> tuple[list[str], list[str]]:
    """Metrics whose whole interval is worse than the baseline's by more than a margin, and notes of those in doubt."""
    order, rare = found.recipe["order"], found.recipe["rare_order"]
    looked = ((f"distinct_{order}", -1, f"fewer distinct {order}-grams"), ("entropy_1", -1, "less entropy"),
              (f"rare_retention_{rare}", -1, "fewer rare types left"),
              (f"repeated_{order}", 1, f"more repeated {order}-grams"),
              ("duplicates", 1, "more duplicate documents"))  # fmt: skip
    signs, doubts = [], []
    for metric, direction, text in looked:
        if metric not in found.metrics:
            continue
        row, first = found[metric, name], found[metric, base]
        if row.doubtful:
            doubts.append(plain(row.note))
        elif row.change_low is None or row.change_high is None or first.value is None:
            doubts.append("no interval")
        else:
            nearest = row.change_low if direction > 0 else -row.change_high
            if nearest > _MARGIN * (first.value if direction < 0 else 1.0):
                signs.append(text)
    return signs, doubts
