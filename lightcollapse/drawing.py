"""A process that draws one figure: `python -m lightcollapse.drawing` reads what to draw and answers with the files.

It gets ready while nobody asks yet. The command line is not imported here, nor what simulates and predicts.
"""

from __future__ import annotations

import gc
import io
import os
import pickle
import select
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightcollapse.panels import Panel

FORMATS = ("png", "svg")


def draw(panels: Sequence[Panel], stem: Path, recipe: Mapping[str, Any]) -> list[Path]:
    """Draw panels as STEM.png and STEM.svg. Raises LightcollapseError where one cannot be written."""
    from lightcollapse import plot

    return plot.save(plot.draw(panels), stem, recipe, FORMATS)


def _prepare() -> None:
    """Import what a figure needs, and while nobody asks draw a small one: the first takes twice as long, by fonts that
    are looked for.

    A quarter of the import's time goes into documentation that matplotlib writes of itself, class by class: none here.
    """
    artist: Any = import_module("matplotlib.artist")
    if "kwdoc" in vars(artist) and hasattr(artist.Artist, "_update_set_signature_and_docstring"):
        artist.kwdoc = lambda of: ""
        artist.Artist._update_set_signature_and_docstring = classmethod(lambda of: None)
    from lightcollapse import plot

    if _asked():
        return
    with plot.sheet(height=1.0) as (figure, axes):
        axes[0, 0].semilogy([1.0, 1000.0], label="first")
        figure.legend()
        for kind in FORMATS:
            figure.savefig(io.BytesIO(), format=kind)


def _asked() -> bool:
    """Whether there is something to draw already; no where that cannot be seen, as of Windows' pipes."""
    try:
        return bool(select.select([sys.stdin], [], [], 0.0)[0])
    except (OSError, ValueError):
        return False


def _main() -> None:
    """Get ready, read what to draw, draw it, answer. Raises EOFError where nobody asks any more."""
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


if __name__ == "__main__":
    _main()
