"""What goes to stdout: text without control characters, and the JSON envelope."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import click

_PACKAGES = ("lightcollapse", "numpy", "numba", "scipy", "matplotlib")
_NUMBERS = ("mean", "ci_low", "ci_high", "median", "predicted", "p_value", "simulated", "error")


def clean(text: str) -> str:
    """The text without control characters, so that nobody's file can steer a terminal; line ends and tabs stay."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else " " for c in text)


def write(text: str) -> None:
    """Data to stdout; a reader who has gone (`| head`) is no error, and what is still to do is done."""
    from lightcollapse.cli.failure import silence

    try:
        click.echo(text, color=False if "NO_COLOR" in os.environ else None)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        silence()


def envelope(verb: str, rows: Iterable[Mapping[str, Any]], recipe: Mapping[str, Any] | None = None, **more: Any) -> str:
    """One JSON object: schema, recipe, environment, warnings, rows. Never NaN or Infinity: null, and a reason."""
    return _dump(
        {
            "schema": f"lightcollapse/{verb}/1",
            "ok": True,
            "recipe": recipe,
            "environment": environment(),
            "warnings": more.pop("warnings", []),
            **more,
            "rows": [finite(row) for row in rows],
        }
    )


def failed(verb: str, kind: str, message: str) -> str:
    """The JSON object of a verb that failed."""
    return _dump(
        {
            "schema": f"lightcollapse/{verb or 'lightcollapse'}/1",
            "ok": False,
            "error": {"kind": kind, "message": clean(message)},
            "recipe": None,
            "environment": environment(),
            "warnings": [],
            "rows": [],
        }
    )


def _dump(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1)


def finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON holds it: a number that is none becomes null, and `reason` says why."""
    out = dict(row)
    reasons = []
    for name in _NUMBERS:
        value = out.get(name)
        if isinstance(value, float) and not math.isfinite(value):
            out[name] = None
            reasons.append(f"{name} is {'undefined' if math.isnan(value) else 'infinite'}")
    if out.get("predicted", 0.0) is None and "median" in out and not any("predicted" in reason for reason in reasons):
        reasons.append("no theorem predicts this metric on this card")
    if reasons:
        out["reason"] = "; ".join(reasons)
    return out


def environment() -> dict[str, str | None]:
    """Versions that decide the last digits of a result; no host, user or path."""
    from importlib.metadata import PackageNotFoundError, version

    def find(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    return {
        "python": platform.python_version(),
        "platform": sys.platform,
        "machine": platform.machine(),
        **{package: find(package) for package in _PACKAGES},
    }


def or_none(value: float) -> float | None:
    """A number as JSON holds it: None where it is none, or infinite."""
    return value if math.isfinite(value) else None
