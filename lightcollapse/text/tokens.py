"""From documents to symbols that all generations share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import stat
from lightcollapse.errors import CardError, DataError, MissingExtra, nearest

Symbols = NDArray[np.int32]
UNITS = ("words", "chars", "bytes")
_WORD = re.compile(r"\w+")


class Tokens(Protocol):
    """A way to cut text into symbols.

    Attributes:
        whole: whether a symbol is a piece of knowledge by itself, as a word is; of characters it takes four.
    """

    whole: bool

    def encode(self, text: str) -> Symbols:
        """Symbols from 1 up, int32 (symbols,)."""

    def dense(self, text: Symbols) -> tuple[Symbols, int]:
        """Symbols renumbered 1 .. V, 0 kept, and V."""


class _Dense:
    def dense(self, text: Symbols) -> tuple[Symbols, int]:
        present = np.zeros(int(text.max(initial=0)) + 1, dtype=np.int32)
        present[text] = 1
        present[0] = 0
        numbers = np.cumsum(present, dtype=np.int32) * present
        return numbers[text], int(present.sum())


class Words(_Dense):
    r"""Runs of \w; what lies between them is dropped."""

    whole = True

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = lambda: len(self._numbers) + 1

    def encode(self, text: str) -> Symbols:
        found = _WORD.findall(text)
        return np.fromiter(map(self._numbers.__getitem__, found), dtype=np.int32, count=len(found))


class Chars(_Dense):
    """Code points."""

    whole = False

    def encode(self, text: str) -> Symbols:
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.int32) + np.int32(1)


class Bytes(_Dense):
    """Bytes of the UTF-8 encoding."""

    whole = False

    def encode(self, text: str) -> Symbols:
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32) + np.int32(1)


class Tokenizer(_Dense):
    """The tokens of a `tokenizer.json`."""

    whole = True

    def __init__(self, path: str) -> None:
        try:
            library = import_module("tokenizers")
        except ImportError:
            raise MissingExtra("--tokenizer needs the package tokenizers: pip install tokenizers") from None
        stat(path)
        try:
            self._reader = library.Tokenizer.from_file(path)
        except Exception as error:
            raise DataError(f"cannot read the tokenizer {path!r}: {error}") from None

    def encode(self, text: str) -> Symbols:
        ids = self._reader.encode(text, add_special_tokens=False).ids
        return np.asarray(ids, dtype=np.int32) + np.int32(1)


_MADE: dict[str, Callable[[], Tokens]] = {"words": Words, "chars": Chars, "bytes": Bytes}


def tokens(unit: str, tokenizer: str | None = None) -> Tokens:
    """What cuts text into `unit`, or into a tokenizer's tokens. Raises CardError on an unknown name."""
    if tokenizer is not None:
        return Tokenizer(tokenizer)
    if unit not in _MADE:
        raise CardError(f"unknown unit {unit!r}; {nearest(unit, UNITS)}")
    return _MADE[unit]()
