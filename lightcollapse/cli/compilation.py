"""What the compiler is doing, told while it does it; numba is imported when this is."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from numba.core import event

from lightcollapse.cli.progress import Progress
from lightcollapse.compiler import Kernel

_EVENTS: Any = event
_ROOM = "lightcollapse.kernels."


class Compilation(event.Listener):
    """Context manager: names each kernel that is compiled, and how many a first call needs.

    Attributes:
        compiled: names of the kernels compiled so far, in order.
    """

    def __init__(self, progress: Progress) -> None:
        self.compiled: list[str] = []
        self._progress = progress
        self._needed: set[Any] = set()
        self._begun: list[str] = []

    def __enter__(self) -> Compilation:
        _EVENTS.register("numba:compile", self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _EVENTS.unregister("numba:compile", self)

    def on_start(self, event: Any) -> None:
        dispatcher = event.data["dispatcher"]
        name = _name(dispatcher)
        if name is None:  # one of numba's own functions
            return
        _gather(dispatcher, self._needed)
        self._begun.append(name)
        self._progress.say(f"compiling {name}, kernel {len(self._begun)} of {max(len(self._needed), len(self._begun))}")

    def on_end(self, event: Any) -> None:
        name = _name(event.data["dispatcher"])
        if name is not None:
            self.compiled.append(name)


def _name(dispatcher: Any) -> str | None:
    """`gaussian.recursion` of a kernel of this package, else None."""
    function = dispatcher.py_func
    room = str(function.__module__)
    return f"{room.removeprefix(_ROOM)}.{function.__name__.lstrip('_')}" if room.startswith(_ROOM) else None


def _gather(dispatcher: Any, found: set[Any]) -> None:
    """Add a kernel that is not compiled, and those that it calls, whatever they call in turn."""
    if dispatcher in found:
        return
    found.add(dispatcher)
    names = dispatcher.py_func.__globals__
    for name in dispatcher.py_func.__code__.co_names:
        callee = names.get(name)
        if isinstance(callee, Kernel) and not callee.signatures:
            _gather(callee.dispatcher, found)
