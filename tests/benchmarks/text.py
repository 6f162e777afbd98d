"""Text that every machine has and nothing was tuned on: docstrings and sources of Python's standard library."""

from __future__ import annotations

import ast
import functools
import re
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lightcollapse.families import NGram
from lightcollapse.families.language_model import LanguageSimulation
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Text

_LEFT_OUT = ("site-packages", "test", "idlelib", "lib2to3", "pydoc_data", "encodings")
_LEAST = 80  # characters of a docstring that is more than a heading
_SCRATCH = tempfile.TemporaryDirectory(prefix="lightcollapse-benchmarks-")
SCRATCH = Path(_SCRATCH.name)


@functools.cache
def _modules() -> tuple[str, ...]:
    library = Path(sysconfig.get_path("stdlib"))
    paths = sorted(library.rglob("*.py"))
    kept = [path for path in paths if not any(part in path.relative_to(library).as_posix() for part in _LEFT_OUT)]
    return tuple(path.read_text(encoding="utf-8", errors="replace") for path in kept)


def _docstrings(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(module)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = ast.get_docstring(node)
            if found and len(found) >= _LEAST:
                yield re.sub(r"\s+", " ", found)


@functools.cache
def prose(characters: int) -> str:
    """So many characters of docstrings, at most 1.3 million."""
    return "\n\n".join(text for module in _modules() for text in _docstrings(module))[:characters]


@functools.cache
def sources(characters: int) -> str:
    """So many characters of sources, at most 8 million."""
    return re.sub(r"[^\S\n]+", " ", "\n\n".join(_modules()))[:characters]


@functools.cache
def words(count: int) -> str:
    """So many words of sources, in lower case, a space between two of them."""
    found = re.findall(r"\w+", "\n".join(_modules()).lower())
    return " ".join(found[:count])


@functools.cache
def simulation(text: str, order: int, smoothing: str, unit: str = "chars", length: int = 256) -> LanguageSimulation:
    """An n-gram card over a text, made ready to run: what `lc.run` calls."""
    path = SCRATCH / f"{abs(hash(text))}.txt"
    path.write_text(text, encoding="utf-8")
    source = Text(str(path), unit=unit, document_length=length)
    card = Scenario(source, NGram(order=order, smoothing=smoothing), generations=1).resolved(1)
    made = card.family.prepare(card.source, card.schedule(), 1)
    assert isinstance(made, LanguageSimulation)
    return made
