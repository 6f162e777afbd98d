"""`lightcollapse theory`: the theorems, as a table."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import click

from lightcollapse.cli import table
from lightcollapse.cli.output import envelope, write

_EPILOG = """\b
Examples:
  lightcollapse theory
  lightcollapse theory --family gaussian
  lightcollapse theory --json
"""


@click.command(epilog=_EPILOG)
@click.option("--family", metavar="NAME", help="Only theorems about this family.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(family: str | None, as_json: bool) -> None:
    """List the theorems: what each predicts of which cards, of what kind, from whom, and the least p-value of the last
    `lightcollapse conform`.
    """
    from lightcollapse.errors import CardError, nearest
    from lightcollapse.theorems import THEOREMS

    families = list(dict.fromkeys(row.family for row in THEOREMS))
    if family is not None and family not in families:
        raise CardError(f"no theorem about family {family!r}; {nearest(family, families)}")
    known = recalled()
    rows = [_row(row, known.get(row.name)) for row in THEOREMS if family in (None, row.family)]
    write(envelope("theory", rows) if as_json else "\n".join([_HEAD, *map(_line, rows), "", _LEGEND]))


def _row(row: Any, worst: float | None) -> dict[str, Any]:
    return {
        "theorem": row.name,
        "family": row.family,
        "regimes": list(row.regimes),
        "curation": list(row.curation),
        "metric": row.metric,
        "kind": row.kind,
        "statement": row.statement,
        "source": row.source,
        "note": row.note,
        "ids": list(row.ids),
        "worst_p_value": worst,
    }


_HEAD = f"{'theorem':38} {'metric':18} {'kind':13} {'least p':>8}"
_LEGEND = "`lightcollapse explain NAME` says what it claims, when, and whose it is."


def _line(row: dict[str, Any]) -> str:
    worst = row["worst_p_value"]
    name = textwrap.shorten(row["theorem"], 38, placeholder="..")
    shown = "-" if worst is None else f"{worst:.2g}"
    return f"{name:38} {row['metric']:18} {row['kind']:13} {shown:>8}"[: table.WIDTH]


def _memory() -> Path:
    from lightcollapse.home import cache_home

    return cache_home() / "conform.json"


def remember(rows: list[dict[str, Any]]) -> None:
    """Keep the least p-values of a whole conformance run; where that cannot be written, they are just not kept."""
    try:
        _memory().parent.mkdir(parents=True, exist_ok=True)
        _memory().write_text(json.dumps({row["theorem"]: row["p_value"] for row in rows}), encoding="utf-8")
    except OSError:
        return


def recalled() -> dict[str, float | None]:
    """Least p-value of each theorem in the last whole conformance run; empty where there was none."""
    try:
        found = json.loads(_memory().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
