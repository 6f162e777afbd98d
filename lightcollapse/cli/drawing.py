"""Figures drawn by a process of their own: matplotlib is imported there while the kernels run here.

That takes as long as a small run itself, and of two threads only one could import.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightcollapse.drawing import draw

if TYPE_CHECKING:
    from lightcollapse.panels import Panel

_PROGRAM = "from lightcollapse.drawing import main; main()"


class Drawer:
    """Draws one figure. On one core, or where no process can be started, it draws in this process.

    Ctrl-C does not reach the other process: it ends when its input ends, drawn or not.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if _cores() > 1 and sys.executable:
            with suppress(OSError):
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _PROGRAM],  # -P: no file of the user's folder is imported
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )

    def begin(self, panels: Sequence[Panel], stem: Path, recipe: Mapping[str, Any]) -> None:
        """Have panels drawn as STEM.png and STEM.svg."""
        self._task = panels, stem, dict(recipe)
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                pickle.dump(self._task, self._process.stdin)
                self._process.stdin.close()

    def finish(self) -> list[Path]:
        """The files drawn. Raises LightcollapseError or OSError where one cannot be written."""
        answer = self._answer()
        if answer is None:
            return draw(*self._task)
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
