"""`lightcollapse matrix`: which families, regimes and curations fit together, and where there is theory."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from lightcollapse.cli import table
from lightcollapse.cli.output import envelope, write

if TYPE_CHECKING:
    from lightcollapse.matrix import Cell

_EPILOG = """\b
Examples:
  lightcollapse matrix
  lightcollapse matrix gaussian
  lightcollapse matrix --json
"""
_SIGNS = {"theory": "T", "runs": "r", "refused": "-"}
Cells = Mapping[tuple[str, str, str], "Cell"]


@click.command(epilog=_EPILOG)
@click.argument("family", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, a row a combination.")
def command(family: str | None, as_json: bool) -> None:
    """Show which families, regimes and curations run together, and which of them have theory.

    With the name of a FAMILY: every combination of it, the metrics that are predicted, or why it is refused.
    """
    from lightcollapse.errors import CardError, nearest
    from lightcollapse.families import FAMILIES
    from lightcollapse.matrix import cells, matrix

    chosen = tuple(one for one in FAMILIES if family in (None, one.kind))
    if not chosen:
        raise CardError(f"unknown family {family!r}; {nearest(str(family), [one.kind for one in FAMILIES])}")
    if as_json:
        write(envelope("matrix", [_row(cell) for cell in cells(chosen)]))
    elif family is None:
        write(overview(matrix()))
    else:
        write(_of_family(matrix(chosen)))


def _row(cell: Cell) -> dict[str, object]:
    from lightcollapse.part import plain

    regime, step = cell.forms
    return {
        "family": cell.family,
        "regime": plain(regime),
        "curation": plain(step) if step else None,
        "status": cell.status,
        "predicted": list(cell.metrics),
        "message": cell.message or None,
    }


def overview(found: Cells) -> str:
    """Both tables: families by regimes without curation, and by curations under replace."""
    families = list(dict.fromkeys(family for family, _, _ in found))
    regimes = list(dict.fromkeys(regime for _, regime, _ in found))
    steps = [step for step in dict.fromkeys(step for _, _, step in found) if step]
    counts = {status: sum(cell.status == status for cell in found.values()) for status in _SIGNS}
    return "\n\n".join(
        (
            _grid("regime", families, regimes, lambda family, regime: found[family, regime, ""]),
            _grid("curation", families, steps, lambda family, step: found[family, "replace", step]),
            textwrap.fill(
                f"T: runs, and theory predicts some metric; r: runs; -: refused, with the reason. Of all {len(found)} "
                f"combinations of family, regime and at most one curation {counts['theory']} have theory, "
                f"{counts['runs']} more run, and {counts['refused']} are refused.",
                table.WIDTH,
            ),
        )
    )


def _grid(axis: str, families: Sequence[str], columns: Sequence[str], cell: Callable[[str, str], Cell]) -> str:
    wide = max(map(len, families))
    numbers = "  ".join(f"{number:2d}" for number in range(1, len(columns) + 1))
    lines = [f"{'':{wide}}  {numbers}"]
    for family in families:
        signs = "  ".join(f"{_SIGNS[cell(family, column).status]:>2}" for column in columns)
        lines.append(f"{family:{wide}}  {signs}")
    legend = ", ".join(f"{number} {name}" for number, name in enumerate(columns, start=1))
    return "\n".join([f"{axis}:", *lines, textwrap.fill(legend, table.WIDTH, break_on_hyphens=False)])


def _of_family(found: Cells) -> str:
    """Every combination in a paragraph: what is predicted, or why it is refused."""
    lines = []
    for (_, regime, step), cell in found.items():
        said = {"theory": ", ".join(cell.metrics), "runs": "runs", "refused": f"refused: {cell.message}"}[cell.status]
        name = f"{regime} + {step}" if step else regime
        lines.append(textwrap.fill(f"{name}: {said}", table.WIDTH, subsequent_indent="    ", break_on_hyphens=False))
    return "\n".join(lines)
