"""`lightcollapse explain`: formula, assumptions and source of a term."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from lightcollapse.cli import card as cards
from lightcollapse.cli.output import envelope, write
from lightcollapse.cli.table import WIDTH
from lightcollapse.errors import CardError, nearest
from lightcollapse.glossary import METRICS, WORDS

_EPILOG = """\b
Examples:
  lightcollapse explain
  lightcollapse explain heterozygosity
  lightcollapse explain fresh-fraction
  lightcollapse explain rare_perplexity --json
"""


@dataclass(frozen=True)
class Entry:
    """What is said of a term; fields that do not apply are empty."""

    term: str
    what: str
    text: str
    formula: str = ""
    assumptions: str = ""
    source: str = ""


@click.command(epilog=_EPILOG)
@click.argument("term", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(term: str | None, as_json: bool) -> None:
    """Say what a metric, regime, family, source, preset or theorem is: formula, assumptions, source.

    Without a TERM: all the terms that can be asked for.
    """
    entries = list(glossary())
    if term is not None:
        entries = _find(entries, term)
    if as_json:
        write(envelope("explain", [vars(entry) for entry in entries]))
    else:
        write("\n\n".join(_paragraphs(entry) for entry in entries) if term is not None else _index(entries))


def glossary() -> Iterator[Entry]:
    """Every term, from the table of each axis, the glossary, the presets and the theorems."""
    from lightcollapse.families import FAMILIES
    from lightcollapse.regimes import REGIMES
    from lightcollapse.sources import SOURCES

    for name, term in METRICS.items():
        theorems = ", ".join(theorem.id for theorem in _theorems() if name == theorem.metric)
        yield Entry(name, "metric", term.meaning, term.formula, source=theorems and f"theorems {theorems}")
    for axis, parts in (("source", SOURCES), ("family", FAMILIES), ("regime", REGIMES)):
        for part in parts:
            yield Entry(part.kind, axis, inspect.cleandoc(part.__doc__ or ""))
    for name in cards.preset_names():
        card = cards.load(name)
        yield Entry(name, "preset", f"{card.title}.\n\n{cards.describe(card.scenario)}")
    for name, term in WORDS.items():
        yield Entry(name, "word", term.meaning, term.formula)
    for theorem in _theorems():
        yield _theorem(theorem)


def _theorems() -> Any:
    from lightcollapse.theorems import THEOREMS

    return THEOREMS


def _theorem(theorem: Any) -> Entry:
    return Entry(theorem.id, "theorem", theorem.statement)


def _find(entries: list[Entry], term: str) -> list[Entry]:
    """The entries of that name; upper case, blanks, "-" and "_" do not matter."""
    found = [entry for entry in entries if _key(entry.term) == _key(term)]
    if not found:
        raise CardError(f"unknown term {term!r}; {_suggest(entries, term)}")
    return found


def _suggest(entries: list[Entry], term: str) -> str:
    clause = nearest(term.lower(), {entry.term for entry in entries})
    return clause.split("Known: ")[0].strip() + " `lightcollapse explain` lists all terms"


def _key(term: str) -> str:
    return term.strip().lower().replace("-", "").replace("_", "").replace(" ", "")


def _paragraphs(entry: Entry) -> str:
    lines = [click.style(f"{entry.term} ({entry.what})", bold=True)]
    for name in ("formula", "assumptions", "source"):
        if getattr(entry, name):
            lines.append(_fill(f"{name}: {getattr(entry, name)}"))
    return "\n".join([*lines, *map(_fill, entry.text.split("\n"))])


def _fill(line: str) -> str:
    """A line no wider than a terminal, its indentation kept."""
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(line, WIDTH, subsequent_indent=indent + ("  " if indent else ""), break_on_hyphens=False)


def _index(entries: list[Entry]) -> str:
    kinds = list(dict.fromkeys(entry.what for entry in entries))
    return "\n".join(
        _fill(f"{kind}: {', '.join(dict.fromkeys(entry.term for entry in entries if entry.what == kind))}")
        for kind in kinds
    )
