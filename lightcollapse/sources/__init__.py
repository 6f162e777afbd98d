"""Sources: laws of real data. To add one: a file beside this, and a line in SOURCES."""

from __future__ import annotations

from lightcollapse.sources.base import Source, SymbolSource
from lightcollapse.sources.normal import Normal
from lightcollapse.sources.symbols import Probabilities, Uniform, Zipf
from lightcollapse.sources.text import Text

SOURCES: tuple[type[Source], ...] = (
    Normal,
    Uniform,
    Zipf,
    Probabilities,
    Text,
)

__all__ = ["SOURCES", "Normal", "Probabilities", "Source", "SymbolSource", "Text", "Uniform", "Zipf"]
