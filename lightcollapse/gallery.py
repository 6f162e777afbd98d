"""The figures that come with the package: one script each, found by name, drawn at full or at quick size.

A script lies in `figures/`. Its docstring's first line says what it shows, `RECIPE` holds what decides it (cards,
seed, replicates), and `figure(quick)` returns a matplotlib Figure.
"""

from __future__ import annotations

import ast
import html
import importlib.util
import json
import os
import re
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lightcollapse.errors import CardError, DataError, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lightcollapse.record import Record
    from lightcollapse.scenario import Scenario

Recipe = dict[str, Any]


def folder() -> Path:
    """Where the scripts lie: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "figures"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "figures"


def names() -> list[str]:
    """The figures that can be drawn, in alphabetical order."""
    return sorted(path.stem for path in folder().glob("[!_]*.py"))


def load(name: str) -> ModuleType:
    """The script of one figure. Raises CardError for an unknown name."""
    if name not in names():
        raise CardError(f"no figure {name!r}; {nearest(name, names())}")
    spec = importlib.util.spec_from_file_location(f"lightcollapse_figure_{name}", folder() / f"{name}.py")
    assert spec is not None and spec.loader is not None  # a file that ends in .py has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses of a script look themselves up here
    spec.loader.exec_module(module)
    return module


def title(name: str) -> str:
    """What the figure shows: the first paragraph of its script's docstring, in one line. The script is not run."""
    tree = ast.parse((folder() / f"{name}.py").read_text(encoding="utf-8"))
    return " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split())


def draw(name: str, quick: bool = False) -> tuple[Figure, Recipe]:
    """The figure, and the recipe that draws it again. Raises CardError for an unknown name."""
    module = load(name)
    recipe = {"figure": name, "quick": quick, "version": version("lightcollapse"), **module.RECIPE}
    return module.figure(quick), recipe


def recipe(cards: Mapping[str, Scenario], seed: int, replicates: int) -> Recipe:
    """What decides a figure of several cards, as plain data."""
    return {"cards": {name: card.to_dict() for name, card in cards.items()}, "seed": seed, "replicates": replicates}


def preset(name: str, chosen: Mapping[str, str]) -> dict[str, Scenario]:
    """Cards of a preset, by the name that `chosen` gives each in a legend; the empty key is the preset's first one."""
    from lightcollapse.presets import preset_cards
    from lightcollapse.scenario import Scenario

    data = preset_cards(name)
    return {shown: Scenario.from_dict(data[card]) for card, shown in chosen.items()}


def runs(cards: Mapping[str, Scenario], seed: int, replicates: int) -> dict[str, Record]:
    """The records of several cards, by name."""
    from lightcollapse.loop import run

    return {name: run(card, seed=seed, replicates=replicates) for name, card in cards.items()}


def publish(script: str | os.PathLike[str]) -> None:
    """Draw a script's figure at full size and save PNG, SVG and PDF beside it: what the script does when run."""
    from lightcollapse.plot import save

    path = Path(script)
    figure, recipe = draw(path.stem)
    save(figure, path.with_suffix(""), recipe)


def redraw(recipe: Recipe) -> Figure:
    """The figure that a recipe describes: one of the gallery, or the small multiples of a run. Raises CardError."""
    if "figure" in recipe:
        return draw(str(recipe["figure"]), bool(recipe.get("quick", False)))[0]
    from lightcollapse.loop import run
    from lightcollapse.plot import plot
    from lightcollapse.scenario import Scenario

    if not {"card", "seed", "replicates"} <= recipe.keys():
        raise CardError("the recipe names neither a figure of the gallery nor a card with its seed and replicates")
    card = Scenario.from_dict(recipe["card"])
    return plot(run(card, seed=recipe["seed"], replicates=recipe["replicates"]))


def recipe_of(path: str | os.PathLike[str]) -> Recipe:
    """The recipe inside a PNG, SVG or PDF that this package saved.

    Raises DataError where the file cannot be read or carries no recipe.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    reader = next((read for mark, read in _READERS if data.lstrip().startswith(mark)), None)
    text = reader(data) if reader else None
    try:
        recipe = json.loads(text or "")
    except ValueError:
        recipe = None
    if not isinstance(recipe, dict):
        raise DataError(f"{path} carries no recipe; it must be a PNG, SVG or PDF that lightcollapse saved")
    return recipe


def _of_png(data: bytes) -> str | None:
    """The text chunk `Description` of a PNG. Chunks: length (4 bytes), kind (4), content, checksum (4)."""
    at = 8
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + length]
        if kind == b"tEXt" and content.startswith(b"Description\0"):
            return content.split(b"\0", 1)[1].decode("latin-1")
        at += 12 + length
    return None


def _of_svg(data: bytes) -> str | None:
    found = re.search(rb"<dc:description>(.*?)</dc:description>", data, re.DOTALL)
    return html.unescape(found[1].decode("utf-8", "replace")) if found else None


def _of_pdf(data: bytes) -> str | None:
    """The literal string `Subject` of a PDF, in which parentheses and backslashes are escaped."""
    found = re.search(rb"/Subject \(((?:[^()\\]|\\.)*)\)", data, re.DOTALL)
    return re.sub(r"\\(.)", r"\1", found[1].decode("latin-1"), flags=re.DOTALL) if found else None


_READERS = ((b"\x89PNG", _of_png), (b"<?xml", _of_svg), (b"%PDF", _of_pdf))
