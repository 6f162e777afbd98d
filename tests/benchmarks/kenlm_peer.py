"""KenLM as a peer: `lmplz` on the path for its fits, the Python module for its scores."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .child import spent
from .race import Spent, missing
from .text import SCRATCH

_BUILD = "missing: lmplz; build github.com/kpu/kenlm with cmake and Boost"


def missing_lmplz() -> str:
    """How to get lmplz; empty where it is on the path."""
    return "" if shutil.which("lmplz") else _BUILD


def missing_module() -> str:
    return missing("kenlm") or missing_lmplz()


def spaced(text: str) -> str:
    """Characters as KenLM's words, a document a line; white space has names of its own."""
    return " ".join({" ": "<sp>", "\n": "<nl>"}.get(character, character) for character in text) + "\n"


def fit(spaced_text: Path, order: int, arpa: str = os.devnull) -> Spent:
    """lmplz on one core: interpolated modified Kneser-Ney; processor seconds, and memory at its peak."""
    line = ["lmplz", "-o", str(order), "--discount_fallback", "-S", "1G", "-T", str(SCRATCH), "--skip_symbols",
            "--text", str(spaced_text), "--arpa", arpa]  # fmt: skip
    found = spent(line, core=True)
    return Spent(found["processor"], found["memory"])
