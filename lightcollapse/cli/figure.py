"""`lightcollapse figure`: the gallery, one figure of it, or a saved figure again."""

from __future__ import annotations

import textwrap
from pathlib import Path

import click

from lightcollapse.cli.output import envelope, write

_EPILOG = """\b
Examples:
  lightcollapse figure --list
  lightcollapse figure first_look --quick -o pictures
  lightcollapse figure --regen saved.png -o again
"""

FORMATS = ("png", "svg", "pdf")


@click.command(epilog=_EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME...|all]")
@click.option("--list", "listed", is_flag=True, help="List the figures, and what each shows.")
@click.option("--regen", metavar="FILE", help="Draw FILE (PNG, SVG or PDF) again from the recipe inside it.")
@click.option("--quick", is_flag=True, help="Small sizes: seconds instead of minutes.")
@click.option("--format", "formats", multiple=True, type=click.Choice(FORMATS), help="Only these formats.")
@click.option("-o", "--output", default=".", metavar="DIR", show_default=True, help="Folder for the files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    names: tuple[str, ...],
    listed: bool,
    regen: str | None,
    quick: bool,
    formats: tuple[str, ...],
    output: str,
    as_json: bool,
) -> None:
    """Draw figures of the gallery: theory as lines, simulation as dots and bands. Each file carries its recipe, and has
    the same bytes whenever it is drawn.
    """
    chosen = sum((bool(names), listed, regen is not None))
    if chosen > 1:
        raise click.UsageError("give names, --list or --regen FILE, one of the three")
    if regen is not None:
        _again(regen, output, formats, as_json)
    elif listed or not names:
        _list(as_json)
    else:
        _draw(names, quick, output, formats or FORMATS, as_json)


def _list(as_json: bool) -> None:
    from lightcollapse import gallery

    rows = [{"name": name, "shows": gallery.title(name)} for name in gallery.names()]
    wide = max(len(row["name"]) for row in rows)
    lines = [
        textwrap.fill(row["shows"], 79, initial_indent=f"{row['name']:{wide}}  ", subsequent_indent=" " * (wide + 2))
        for row in rows
    ]
    write(envelope("figure", rows) if as_json else "\n".join(lines))


def _draw(names: tuple[str, ...], quick: bool, output: str, formats: tuple[str, ...], as_json: bool) -> None:
    from lightcollapse import gallery
    from lightcollapse.plot import save

    wanted = gallery.names() if names == ("all",) else list(dict.fromkeys(names))
    for name in wanted:
        gallery.load(name)  # an unknown name is said before anything is drawn
    target = _folder(output)
    rows = []
    for name in wanted:
        figure, recipe = gallery.draw(name, quick)
        paths = save(figure, target / name, recipe, formats)
        rows.append({"name": name, "files": [str(path) for path in paths], "recipe": recipe})
        if not as_json:
            write("\n".join(map(str, paths)))
    if as_json:
        write(envelope("figure", rows))


def _again(file: str, output: str, formats: tuple[str, ...], as_json: bool) -> None:
    from lightcollapse import gallery
    from lightcollapse.errors import CardError
    from lightcollapse.plot import save

    recipe = gallery.recipe_of(file)
    path = Path(file)
    target = _folder(output) / path.stem
    kinds = formats or (path.suffix.lstrip(".").lower(),)
    if any(Path(f"{target}.{kind}").resolve() == path.resolve() for kind in kinds):
        raise CardError(f"{file} would be overwritten; choose another folder with -o")
    paths = [str(path) for path in save(gallery.redraw(recipe), target, recipe, kinds)]
    write(envelope("figure", [{"files": paths, "recipe": recipe}]) if as_json else "\n".join(paths))


def _folder(name: str) -> Path:
    """The folder, made where it is missing. Raises LightcollapseError."""
    from lightcollapse.errors import LightcollapseError

    path = Path(name)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LightcollapseError(f"cannot write {path}: {error.strerror}") from None
    return path
