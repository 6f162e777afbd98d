"""A progress bar on stderr: on a terminal only, so that no log file is flooded."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from lightcollapse.cli.failure import talk


class Progress:
    """Context manager around a run. On a terminal it shows what is being done; elsewhere it does nothing."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, what: str) -> None:
        """What is being done now."""
        if self._bar is not None:
            self._bar.update(self._task, description=what)

    def announce(self, message: str) -> None:
        """Say something that stays, above the bar where there is one."""
        if self._bar is not None:
            self._bar.console.print(message, markup=False, highlight=False)
        else:
            talk(message)

    def count(self, done: int, asked: int) -> None:
        """Replicates done, of all; the first one done ends the compilation."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=asked)
            if done:
                self.say("simulating")
