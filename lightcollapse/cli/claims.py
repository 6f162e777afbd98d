"""An article's claims as `reproduce` lists, prints and keeps them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lightcollapse.cli import table
from lightcollapse.cli.output import or_none

if TYPE_CHECKING:
    from lightcollapse.reproduce.audit import Finding
    from lightcollapse.reproduce.claim import Claim

_LABEL = 28
_SHORT = {"published value is off": "off", "not testable here": "-"}
_HEAD = f"{'claim':{_LABEL - 1}} {'article':>13} {'ours':>8} {'+-4 s.e':>7} {'range':>13}"


def listed(claim: Claim) -> dict[str, Any]:
    """A claim as a row of the list."""
    return {
        "item": claim.name,
        "title": claim.title,
        "paper": None,
        "arxiv": None,
        "setting": claim.setting,
        "numbers": _count(claim),
        "seconds_quick": claim.seconds.quick,
        "seconds": claim.seconds.full,
        "needs_corpus": False,
    }


def listing(claims: Sequence[Claim]) -> list[str]:
    """The list: a claim, how many rows, expected seconds, and what it says."""
    lines = ["", f"{'claims of an article':56} {'rows':>7} {'--quick':>7} {'full':>7}"]
    for claim in claims:
        lines.append(f"{claim.name:56} {_count(claim):7d} {claim.seconds.quick:5.1f} s {claim.seconds.full:5.0f} s")
        lines += table.wrapped(f"{claim.title}: {claim.setting}", "    ")
    return lines


def _count(claim: Claim) -> int:
    return len(claim.numbers) + len(claim.contradictions) + 2 * len(claim.shapes)


def shown(claim: Claim, rows: Sequence[Finding], quick: bool) -> list[str]:
    """The audit of a claim: a line a finding, and beneath it the range of ours and the reason."""
    lines = [claim.name, *table.wrapped(f"{claim.title}. An article; ours: {claim.setting}.")]
    if claim.generations:
        lines += table.wrapped(f"Generations: {claim.generations}.")
    for text in unknowns(claim, quick):
        lines += table.wrapped(text, "  ")
    base, each = (int(size.of(quick)) for size in (claim.replicates.base, claim.replicates.each))
    others = "".join(
        f"; {card}: {sizes.base.of(quick):,.0f}, {sizes.each.of(quick):,.0f}" for card, sizes in claim.sizes.items()
    )
    lines += table.wrapped(f"Replicates: {base:,} at the preset, {each:,} at each other setting{others}.")
    lines += ["", _HEAD]
    for row in rows:
        lines += _line(row)
        if row.why:
            verdict = "" if row.verdict in ("", "agrees") else f"{row.verdict}: "
            lines += table.wrapped(f"{verdict}{row.why}{_theory(row)}", "    ")
        elif row.theory is not None:
            lines += table.wrapped(_theory(row).lstrip("; "), "    ")
    return lines


def unknowns(claim: Claim, quick: bool) -> list[str]:
    """What is turned, on which cards, through which values."""
    from lightcollapse.reproduce.audit import in_words

    out = []
    for one in claim.unknowns:
        values = ", ".join(in_words(((one.dial, value),)).removeprefix(f"{one.dial} ") for value in one.values(quick))
        cards = ", ".join(card or "the preset" for card in one.cards)
        out.append(f"{one.dial}{f' ({cards})' if cards else ''}: {values}")
    return ["Turned:", *out] if out else []


def _theory(row: Finding) -> str:
    return "" if row.theory is None else f"; exact {table.number(row.theory)}"


def _line(row: Finding) -> list[str]:
    """The line of a finding, its label on one of its own where that is long."""
    ours, half, span = "", "", ""
    if row.ours is not None:
        wide = max(row.ours.value - row.ours.low, row.ours.high - row.ours.value)
        decimals = table.decimals_of(wide)
        ours = table.number(row.ours.value, decimals)
        half = table.number(wide, decimals) if wide > 0.0 else ""
    if row.low is not None and row.high is not None:
        span = f"{_brief(row.low)}..{_brief(row.high)}"
    above, label = ([], row.label) if len(row.label) <= _LABEL else ([row.label], "")
    verdict = _SHORT.get(row.verdict, row.verdict)
    return [*above, f"{label:{_LABEL}} {row.article:>12} {ours:>8} {half:>7} {span:>13} {verdict}".rstrip()]


def _brief(value: float) -> str:
    """To two digits, or one with an exponent, so that a range is short."""
    if not math.isfinite(value) or abs(value) >= 100:
        return table.number(value, 0)
    return f"{value:.0e}".replace("e-0", "e-") if 0.0 < abs(value) < 0.01 else f"{value:.2g}"


def data(row: Finding) -> dict[str, Any]:
    """A finding as a row of JSON."""
    ours = row.ours
    return {
        "item": row.claim.name,
        "label": row.label,
        "article": row.article or None,
        "ours": None if ours is None else or_none(ours.value),
        "ci_low": None if ours is None else or_none(ours.low),
        "ci_high": None if ours is None else or_none(ours.high),
        "theory": None if row.theory is None else or_none(row.theory),
        "range_low": None if row.low is None else or_none(row.low),
        "range_high": None if row.high is None else or_none(row.high),
        "settings": row.settings or None,
        "settings_that_give_it": row.giving if row.settings else None,
        "nearest_setting": row.nearest or None,
        "verdict": row.verdict or None,
        "why": row.why or None,
    }


def restored(claim: Claim, rows: Sequence[dict[str, Any]]) -> list[Finding]:
    """Findings from what `data` made of them. Raises ValueError, KeyError or TypeError where they are others."""
    return [_restored(claim, row) for row in rows]


def _restored(claim: Claim, row: dict[str, Any]) -> Finding:
    from lightcollapse.reproduce import Estimate
    from lightcollapse.reproduce.audit import Finding

    value, low, high = (row[end] for end in ("ours", "ci_low", "ci_high"))
    known = value is not None and low is not None and high is not None
    return Finding(
        claim,
        row["label"],
        row["article"] or "",
        Estimate(value, low, high) if known else None,
        row["verdict"] or "",
        row["why"] or "",
        theory=row["theory"],
        low=row["range_low"],
        high=row["range_high"],
        settings=row["settings"] or 0,
        giving=row["settings_that_give_it"] or 0,
        nearest=row["nearest_setting"] or "",
    )
