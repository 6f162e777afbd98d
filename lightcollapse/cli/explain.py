"""`lightcollapse explain`: formula, assumptions and source of a term."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
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


_ITEM = re.compile(r"\s*- |\s+\w[\w, ]*: ")  # where a line of a docstring starts anew


@dataclass(frozen=True)
class Entry:
    """What is said of a term; fields that do not apply are empty."""

    term: str
    what: str
    text: str
    formula: str = ""
    assumptions: str = ""
    source: str = ""
    theorems: str = ""
    ids: tuple[str, ...] = ()


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
    from lightcollapse.curation import CURATIONS
    from lightcollapse.families import FAMILIES
    from lightcollapse.regimes import REGIMES
    from lightcollapse.sources import SOURCES

    for name, term in METRICS.items():
        yield Entry(name, "metric", term.meaning, term.formula, theorems=_about(lambda row: row.metric, name))
    for axis, parts in (("source", SOURCES), ("family", FAMILIES), ("regime", REGIMES), ("curation", CURATIONS)):
        for part in parts:
            text = inspect.cleandoc(part.__doc__ or "")
            fields = {"regime": lambda row: row.regimes, "curation": lambda row: row.curation}
            about = _about(fields[axis], part.kind) if axis in fields else ""
            yield Entry(part.kind, axis, text, theorems=about)
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


def _about(field: Callable[[Any], Any], name: str) -> str:
    """Names of the theorems whose field is, or holds, that name."""
    return ", ".join(row.name for row in _theorems() if name == field(row) or name in _tuple(field(row)))


def _tuple(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _theorem(row: Any) -> Entry:
    regimes = ", ".join((*row.regimes, *row.curation)) or "every regime"
    return Entry(
        row.name,
        "theorem",
        f"{row.statement[:1].upper()}{row.statement[1:]}.",
        assumptions=f"family {row.family}, {regimes}; {row.kind} of {row.metric}",
        source=f"{row.source}. Derivation: theory/{row.note}",
        ids=row.ids,
    )


def _find(entries: list[Entry], term: str) -> list[Entry]:
    """The entries of that name; upper case, blanks, "-" and "_" do not matter."""
    found = [entry for entry in entries if _key(term) in map(_key, (entry.term, *entry.ids))]
    if not found:
        raise CardError(f"unknown term {term!r}; {_suggest(entries, term)}")
    return found


def _suggest(entries: list[Entry], term: str) -> str:
    clause = nearest(term.lower(), {entry.term for entry in entries})
    return clause.split("Known: ")[0].strip() + " `lightcollapse explain` lists all terms"


def _key(term: str) -> str:
    return term.strip().lower().replace("-", "").replace("_", "").replace(" ", "")


def _paragraphs(entry: Entry) -> str:
    lines = [click.style(f"{entry.term} ({entry.what})", bold=True), *map(_fill, _reflow(entry.text))]
    for name in ("formula", "assumptions", "source", "theorems"):
        if getattr(entry, name):
            lines.append(_fill(f"{name}: {getattr(entry, name)}"))
    return "\n".join(lines)


def _reflow(text: str) -> list[str]:
    """A docstring's paragraphs and items, each on one line with its indentation."""
    lines: list[str] = []
    for line in text.split("\n"):
        if lines and line.strip() and lines[-1].strip() and not lines[-1].endswith("Args:") and not _ITEM.match(line):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def _fill(line: str) -> str:
    """A line no wider than a terminal, its indentation kept."""
    indent = line[: len(line) - len(line.lstrip())]
    deeper = indent + ("  " if _ITEM.match(line) else "")
    return textwrap.fill(line, WIDTH, subsequent_indent=deeper, break_long_words=False, break_on_hyphens=False)


def _index(entries: list[Entry]) -> str:
    kinds = list(dict.fromkeys(entry.what for entry in entries))
    return "\n".join(
        _fill(f"{kind}: {', '.join(dict.fromkeys(entry.term for entry in entries if entry.what == kind))}")
        for kind in kinds
    )
