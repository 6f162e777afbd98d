"""Errors a user can see. Each message says the rule, the value and the help; each class knows its exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LightcollapseError(Exception):
    """Any error of ours that a user can see."""

    exit_code = 1


class CardError(LightcollapseError, ValueError):
    """A card, or an argument of a run, that breaks a rule."""

    exit_code = 2


class DataError(LightcollapseError, ValueError):
    """Input data that cannot be read."""

    exit_code = 4


class MissingExtra(LightcollapseError, ImportError):
    """An optional package is needed; the message gives the pip line."""

    exit_code = 5


class LimitError(LightcollapseError):
    """A limit on memory or time would be exceeded."""

    exit_code = 6


def nearest(name: str, known: Iterable[str]) -> str:
    """The clause that ends an error about an unknown name: the nearest known one, and all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}Known: {', '.join(names)}"


def require(condition: bool, rule: str, value: object, help: str = "") -> None:
    """Raise CardError `rule, got value; help` unless the condition holds."""
    if not condition:
        raise CardError(f"{rule}, got {value!r}" + (f"; {help}" if help else ""))
