"""What a user sees when something goes wrong: one line, and the exit code that belongs to it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

import click

from lightcollapse.errors import CardError, DataError, LightcollapseError, LimitError, MissingExtra

INTERRUPTED = 130
_DEAF = ("llvmlite.binding", "weakref")  # modules through which native code and the end of an object call Python

_KINDS: tuple[tuple[type[BaseException], str, int], ...] = (
    (CardError, "card", 2),
    (DataError, "data", 4),
    (MissingExtra, "missing-extra", 5),
    (LimitError, "limit", 6),
    (LightcollapseError, "runtime", 1),
    (click.ClickException, "usage", 2),
    (MemoryError, "limit", 6),
    (KeyboardInterrupt, "interrupted", INTERRUPTED),
    (click.Abort, "interrupted", INTERRUPTED),
    (OSError, "runtime", 1),
)


class guarded:  # noqa: N801 - a context manager, named like one
    """Context manager around a verb: turns what it raises into one line and an exit code, kept in `code`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = list(arguments)
        self.code = 0
        self._interrupted = False
        self._warnings = warnings.catch_warnings()

    def __enter__(self) -> guarded:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")  # a terminal that cannot show a letter shows "?"
        self._warnings.__enter__()
        warnings.showwarning = _one_line
        self._patient = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        self._patient &= threading.current_thread() is threading.main_thread()
        if self._patient:
            signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._warnings.__exit__(kind, error, trace)
        if self._patient:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if error is None:
            return True
        if isinstance(error, BrokenPipeError | SystemExit):  # the reader of our output has gone: `| head`
            silence()
            return True
        if self._interrupted and describe(error)[0] == "unexpected":  # a lock that Ctrl-C left half released, say
            error = KeyboardInterrupt()
        self.code = self._report(error)
        return True

    def _interrupt(self, _: int, frame: FrameType | None) -> None:
        """Ctrl-C. Where it would be swallowed, or would leave what native code owns half freed, it is given again, a
        little later.
        """
        self._interrupted = True
        inside = frame
        while inside is not None:
            if inside.f_code.co_name == "__del__" or inside.f_globals.get("__name__", "").startswith(_DEAF):
                again = threading.Timer(0.05, _interrupt_again)
                again.daemon = True
                again.start()
                return
            inside = inside.f_back
        raise KeyboardInterrupt

    def _report(self, error: BaseException) -> int:
        kind, code, message = describe(error)
        if os.environ.get("LIGHTCOLLAPSE_DEBUG"):
            traceback.print_exception(error)
        if "--json" in self.arguments:
            from lightcollapse.cli.output import failed, write

            verb = next((argument for argument in self.arguments if not argument.startswith("-")), "")
            write(failed(verb, kind, message))
        talk(f"error: {message}" if kind != "interrupted" else message)
        if isinstance(error, click.UsageError) and error.ctx is not None:
            talk(f"help: {error.ctx.command_path} --help")
        return code


def _interrupt_again() -> None:
    """Ctrl-C for the main thread, which wakes from what it waits for."""
    main = threading.main_thread().ident
    if sys.platform == "win32" or main is None:
        signal.raise_signal(signal.SIGINT)
    else:
        signal.pthread_kill(main, signal.SIGINT)


def describe(error: BaseException) -> tuple[str, int, str]:
    """Kind, exit code and message of an error."""
    for known, kind, code in _KINDS:
        if isinstance(error, known):
            return kind, code, _message(error, kind)
    return (
        "unexpected",
        1,
        f"unexpected {type(error).__name__}: {error} (LIGHTCOLLAPSE_DEBUG=1 shows where; please report it)",
    )


def _message(error: BaseException, kind: str) -> str:
    if kind == "interrupted":
        return "interrupted; nothing was saved"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, MemoryError):
        return "out of memory; ask for fewer replicates, fewer generations or a smaller sample size"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def talk(message: str) -> None:
    """Say one thing on stderr."""
    from lightcollapse.cli.output import clean

    try:
        click.echo(clean(message), err=True, color=False if "NO_COLOR" in os.environ else None)
    except (BrokenPipeError, ValueError):
        return


def silence() -> None:
    """Send the rest of stdout nowhere, so that nothing complains at the end of the process either."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    talk(f"warning: {message}")
