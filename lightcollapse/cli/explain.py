"""`lightcollapse explain`: formula, assumptions and source of a term."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import click

from lightcollapse.cli import card as cards
from lightcollapse.cli.output import envelope, or_none, write
from lightcollapse.cli.table import WIDTH, number
from lightcollapse.errors import CardError, nearest
from lightcollapse.glossary import MEASURED, METRICS, WORDS

_EPILOG = """\b
Examples:
  lightcollapse explain
  lightcollapse explain heterozygosity
  lightcollapse explain fresh-fraction
  lightcollapse explain gaussian-replace-w2
  lightcollapse explain G2.m2
  lightcollapse explain G2
  lightcollapse explain rare_perplexity --json
"""


_SEED = 0  # by which human text is parted
_OF_LENGTH = re.compile(r"[_ -]\d+(-\d+)?$")
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
    functions: str = ""
    example: str = ""
    values: tuple[dict[str, Any], ...] = ()
    ids: tuple[str, ...] = ()


@click.command(epilog=_EPILOG)
@click.argument("term", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(term: str | None, as_json: bool) -> None:
    """Say what a metric, regime, family, source, preset, theorem or result is: formula, assumptions, source. Of a
    theorem also three values on a small card, of a result the functions that compute it.

    Without a TERM: all the terms that can be asked for.
    """
    entries = list(glossary())
    if term is not None:
        entries = [_detailed(entry) for entry in _find(entries, term)]
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
    for name, term in MEASURED.items():
        yield Entry(name, "measured text", term.meaning, term.formula)
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
    for name in _results():
        yield Entry(name, "result", "", theorems=_about(lambda row: row.ids, name))


def _theorems() -> Any:
    from lightcollapse.theorems import THEOREMS

    return THEOREMS


def _results() -> dict[str, tuple[str, ...]]:
    from lightcollapse.theorems.catalogue import RESULTS

    return RESULTS


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
        assumptions=f"family {row.family}, {regimes}; {row.kind} of {row.metric}{_condition(row)}",
        source=f"{row.source}. Derivation: theory/{row.note}",
        functions=", ".join(dict.fromkeys(name for entry in row.ids for name in _results().get(entry, ()))),
        ids=row.ids,
    )


def _condition(row: Any) -> str:
    """What else must hold of a card, as the row's condition says it."""
    first = " ".join((inspect.getdoc(row.condition) or "").split("\n\n")[0].split())
    return f"; where {first.removeprefix('Whether ').rstrip('.')}" if first.startswith("Whether ") else ""


def _detailed(entry: Entry) -> Entry:
    """The entry with what takes time to find: a theorem's values, a result's functions."""
    if entry.what == "theorem":
        return _with_values(entry, next(row for row in _theorems() if row.name == entry.term))
    if entry.what == "result":
        return _with_functions(entry, _results()[entry.term])
    return entry


def _with_values(entry: Entry, row: Any) -> Entry:
    """Three generations of the theorem's claim about a small card."""
    from lightcollapse.probes import probe

    try:
        card = probe(row)
    except LookupError:
        return entry
    claimed = row.values(card, _SEED)
    values = tuple({"generation": t, "value": or_none(claimed[t])} for t in range(1, min(4, len(claimed))))
    return replace(entry, example=cards.describe(card), values=values)


def _with_functions(entry: Entry, names: tuple[str, ...]) -> Entry:
    """How each function is called, what it says of itself, and where it is derived."""
    documented = [(name, *_function(name)) for name in names]
    text = "\n\n".join(f"{name}{signature}\n\n{doc}" for name, signature, doc in documented)
    return replace(entry, text=text, functions=", ".join(names))


def _function(name: str) -> tuple[str, str]:
    """Signature, by the names of the arguments, and docstring of a function of the predictions."""
    module, _, attribute = name.partition(".")
    function = getattr(importlib.import_module(f"lightcollapse.predictions.{module}"), attribute)
    signature = inspect.signature(function)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty)), inspect.getdoc(function) or ""


def _find(entries: list[Entry], term: str) -> list[Entry]:
    """The entries of that name, theorems last; upper case, blanks, "-" and "_" do not matter.

    G2 stands for all results whose names begin with "G2.".
    """
    found = [entry for entry in entries if _key(term) in map(_key, (entry.term, *entry.ids))]
    if not found and "." not in term:
        found = [entry for entry in entries if entry.what == "result" and _key(entry.term.split(".")[0]) == _key(term)]
    if not found and _OF_LENGTH.search(term):  # missing_mass_2: measured text, by the length of its n-grams
        base = _OF_LENGTH.sub("", term)
        found = [entry for entry in entries if entry.what == "measured text" and _key(entry.term) == _key(base)]
    if not found:
        raise CardError(f"unknown term {term!r}; {_suggest(entries, term)}")
    return sorted(found, key=lambda entry: entry.what == "theorem")


def _suggest(entries: list[Entry], term: str) -> str:
    clause = nearest(term if "." in term else term.lower(), {entry.term for entry in entries})
    return clause.split("Known: ")[0].strip() + " `lightcollapse explain` lists all terms"


def _key(term: str) -> str:
    return term.strip().lower().replace("-", "").replace("_", "").replace(" ", "")


def _paragraphs(entry: Entry) -> str:
    lines = [click.style(f"{entry.term} ({entry.what})", bold=True), *map(_fill, _reflow(entry.text))]
    for name in ("formula", "assumptions", "source", "theorems", "functions", "example"):
        if getattr(entry, name):
            lines.append(_fill(f"{name}: {getattr(entry, name)}"))
    lines += [_value(**value) for value in entry.values]
    return "\n".join(lines)


def _value(generation: int, value: float | None) -> str:
    return f"  generation {generation}: {'infinite' if value is None else number(value)}"


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
