"""Figures drawn by a process of their own: matplotlib is imported there while the kernels run here.

That takes as long as a small run itself, and of two threads only one could import.
"""

from __future__ import annotations

import gc
import io
import os
import pickle
import select
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightcollapse.record import Record

_FORMATS = ("png", "svg")


class Drawer:
    """Draws one figure. On one core, or where no process can be started, it draws in this process.

    Ctrl-C does not reach the other process: it ends when its input ends, drawn or not.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if _cores() > 1 and sys.executable:
            with suppress(OSError):
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", __name__],  # -P: no file of the user's folder is imported
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )

    def begin(self, record: Record, stem: Path, recipe: Mapping[str, Any]) -> None:
        """Have a record drawn as STEM.png and STEM.svg."""
        self._task = record, stem, dict(recipe)
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                pickle.dump(self._task, self._process.stdin)
                self._process.stdin.close()

    def finish(self) -> list[Path]:
        """The files drawn. Raises LightcollapseError or OSError where one cannot be written."""
        answer = self._answer()
        if answer is None:
            return _draw(*self._task)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the other process, whatever it does."""
        if self._process is not None:
            with suppress(OSError), self._process:
                self._process.kill()

    def _answer(self) -> list[Path] | Exception | None:
        """What the other process answers, None where it gives no answer."""
        process, self._process = self._process, None
        if process is None or process.stdout is None:
            return None
        with suppress(OSError), process:
            answer = process.stdout.read()
            if answer and process.wait() == 0:
                found: list[Path] | Exception = pickle.loads(answer)
                return found
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _draw(record: Record, stem: Path, recipe: Mapping[str, Any]) -> list[Path]:
    from lightcollapse import plot

    return plot.save(plot.plot(record), stem, recipe, _FORMATS)


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
        for kind in _FORMATS:
            figure.savefig(io.BytesIO(), format=kind)


def _asked() -> bool:
    """Whether there is something to draw already; no where that cannot be seen, as of Windows' pipes."""
    try:
        return bool(select.select([sys.stdin], [], [], 0.0)[0])
    except (OSError, ValueError):
        return False


def _main() -> None:
    """The other process: get ready, read what to draw, draw it, answer. Raises EOFError where nobody asks any more."""
    _prepare()
    answer: list[Path] | Exception
    try:
        answer = _draw(*pickle.load(sys.stdin.buffer))
    except Exception as error:
        answer = error
    sys.stdout.buffer.write(pickle.dumps(answer))
    gc.freeze()  # nothing is looked through at the exit


if __name__ == "__main__":
    _main()
