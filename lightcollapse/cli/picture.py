"""`--figure FILE` of the verbs whose answer is also a curve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")


def check(path: str | None) -> None:
    """Raise CardError where no such figure can be written, before any work is done."""
    from lightcollapse.errors import require

    if path is not None:
        kind = Path(path).suffix.removeprefix(".").lower()
        require(kind in FORMATS, "a figure's name must end in .png, .svg or .pdf", path)


def draw(path: str | None, figure: Callable[[], Figure], recipe: Mapping[str, Any]) -> None:
    """Draw it and write it with its recipe, where a path is given, and say so on stderr."""
    import click

    from lightcollapse import plot

    if path is not None:
        place = Path(path)
        (written,) = plot.save(figure(), place.with_suffix(""), recipe, [place.suffix.removeprefix(".").lower()])
        click.echo(f"figure: {written}", err=True)
