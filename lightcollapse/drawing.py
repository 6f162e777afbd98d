"""A process that draws one figure: `main` reads what to draw and answers with the files.

It gets ready while nobody asks yet. The command line is not imported here, nor what simulates and predicts.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightcollapse.panels import Panel

FORMATS = ("png", "svg")
_UNUSED: dict[str, dict[str, Any]] = {  # by these pictures: what matplotlib imports for TeX, three dimensions and tests
    "fontTools": {},
    "fontTools.agl": {},
    "mpl_toolkits.mplot3d": {"Axes3D": None},
    "pyparsing.testing": {"pyparsing_test": None},
}


def draw(panels: Sequence[Panel], stem: Path, recipe: Mapping[str, Any]) -> list[Path]:
    """Draw panels as STEM.png and STEM.svg. Raises LightcollapseError where one cannot be written."""
    from lightcollapse import plot

    return plot.save(plot.draw(panels), stem, recipe, FORMATS)


def _prepare() -> None:
    """Import what a figure needs, without what it does not need.

    A quarter of the import's time goes into documentation that matplotlib writes of itself, class by class: none here.
    """
    for name, known in _UNUSED.items():
        vars(sys.modules.setdefault(name, ModuleType(name))).update(known)
    artist: Any = import_module("matplotlib.artist")
    if "kwdoc" in vars(artist) and hasattr(artist.Artist, "_update_set_signature_and_docstring"):
        artist.kwdoc = lambda of: ""
        artist.Artist._update_set_signature_and_docstring = classmethod(lambda of: None)
    for name in ("lightcollapse.plot", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"):
        import_module(name)


def main() -> None:
    """The process: get ready, read what to draw, draw it, answer. Raises EOFError where nobody asks any more."""
    gc.disable()  # a figure is soon drawn, and its process over
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # whose threads would wait for work, spinning
    _prepare()
    answer: list[Path] | Exception
    try:
        answer = draw(*pickle.load(sys.stdin.buffer))
    except Exception as error:
        answer = error
    sys.stdout.buffer.write(pickle.dumps(answer))
    sys.stdout.buffer.flush()
    os._exit(0)  # nothing is left to tidy up, and that takes time
