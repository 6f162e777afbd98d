"""From documents to symbols that all generations share, numbered by first sight."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import stat
from lightcollapse.errors import CardError, DataError, MissingExtra, nearest

Symbols = NDArray[np.int32]
UNITS = ("words", "chars", "bytes")
_LEADS = ((0x80, 0x80), (0xE3, 0x3000), (0xF0, 0x10000), (0x100, 0x110000))  # code points below, by the largest byte
_SMALLEST = 2**12


class Tokens(Protocol):
    """A way to cut text into symbols.

    Attributes:
        unit: its name; of a tokenizer, with the SHA-256 of its file.
        whole: whether a symbol is a piece of knowledge by itself, as a word is; of characters it takes four.
    """

    unit: str
    whole: bool

    def encode(self, texts: Sequence[str]) -> Symbols:
        """Symbols 1, 2, ... of each text, and a 0 behind each: int32 `d1 0 d2 0`. No text holds a NUL."""

    @property
    def alphabet(self) -> int:
        """How many symbols there are so far."""

    def names(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Bytes of what symbols 1, 2, ... stand for, joined, and where each begins, int64 (alphabet + 1,)."""


class Words:
    r"""Runs of \w; what lies between them is dropped."""

    unit = "words"
    whole = True

    def __init__(self) -> None:
        self._slots = np.zeros(_SMALLEST, dtype=np.int32)
        self._arena = np.zeros(_SMALLEST, dtype=np.uint8)
        self._starts = np.zeros(_SMALLEST, dtype=np.int64)
        self._words = 0

    def encode(self, texts: Sequence[str]) -> Symbols:
        from lightcollapse.kernels import words

        data = np.frombuffer(_joined(texts), dtype=np.uint8)
        wordlike = _wordlike(next(points for lead, points in _LEADS if data.max(initial=0) < lead))
        symbols = np.empty(len(data) // 2 + len(texts) + 1, dtype=np.int32)
        place = size = 0
        filled = np.zeros(2, dtype=np.int64)
        while place < len(data):
            place = words.number_words(
                data, place, wordlike, self._slots, self._arena, self._starts, self._words, symbols[size:], filled
            )
            self._words = int(filled[0])
            size += int(filled[1])
            if place < len(data):
                self._grow(len(data) - place)
        return symbols[:size].copy()

    def _grow(self, needed: int) -> None:
        from lightcollapse.kernels import words

        if self._starts[self._words] + needed > len(self._arena):
            self._arena = np.concatenate([self._arena, np.zeros(max(needed, len(self._arena)), dtype=np.uint8)])
        if 2 * (self._words + 2) > len(self._slots):
            self._slots = np.zeros(4 * len(self._slots), dtype=np.int32)
            words.fill_slots(self._arena, self._starts, self._words, self._slots)
        if self._words + 2 >= len(self._starts):
            self._starts = np.concatenate([self._starts, np.zeros(len(self._starts), dtype=np.int64)])

    @property
    def alphabet(self) -> int:
        return self._words

    def names(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        starts = self._starts[: self._words + 1]
        return self._arena[: starts[-1]], starts


def _joined(texts: Sequence[str]) -> bytearray:
    """Their bytes, a NUL behind each; kernels take arrays that could be written."""
    return bytearray().join(text.encode() + b"\x00" for text in texts)


@cache
def _wordlike(points: int) -> NDArray[np.uint8]:
    r"""Which code points \w takes: uint8 (points,)."""
    found = np.fromiter(map(str.isalnum, map(chr, range(points))), dtype=np.uint8, count=points)
    found[ord("_")] = 1
    return found


class _Numbered:
    """Whole numbers from 0 up, numbered 1, 2, ... by first sight."""

    def __init__(self, largest: int) -> None:
        self._numbers = np.zeros(largest + 1, dtype=np.int32)
        self._seen: list[NDArray[np.int64]] = []
        self.alphabet = 0

    def number(self, values: NDArray[np.int64]) -> Symbols:
        """Their numbers; -1 stays what it is: the end of a text, written as 0."""
        if values.max(initial=0) >= len(self._numbers):
            more = np.zeros(int(values.max()) + 1 - len(self._numbers), dtype=np.int32)
            self._numbers = np.concatenate([self._numbers, more])
        within = values[values >= 0]
        fresh = within[self._numbers[within] == 0]
        if len(fresh):
            fresh, first = np.unique(fresh, return_index=True)
            fresh = fresh[np.argsort(first, kind="stable")]
            self._numbers[fresh] = self.alphabet + 1 + np.arange(len(fresh), dtype=np.int32)
            self._seen.append(fresh)
            self.alphabet += len(fresh)
        return np.where(values >= 0, self._numbers[values], 0).astype(np.int32)

    def names(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        seen = np.concatenate(self._seen) if self._seen else np.empty(0, dtype=np.int64)
        return seen.astype("<u4").view(np.uint8), 4 * np.arange(len(seen) + 1, dtype=np.int64)


class Chars(_Numbered):
    """Code points."""

    unit = "chars"
    whole = False

    def __init__(self) -> None:
        super().__init__(0xFFFF)

    def encode(self, texts: Sequence[str]) -> Symbols:
        points = np.frombuffer("\x00".join([*texts, ""]).encode("utf-32-le"), dtype=np.int32).astype(np.int64)
        return self.number(np.where(points > 0, points, -1))


class Bytes(_Numbered):
    """Bytes of the UTF-8 encoding."""

    unit = "bytes"
    whole = False

    def __init__(self) -> None:
        super().__init__(0xFF)

    def encode(self, texts: Sequence[str]) -> Symbols:
        points = np.frombuffer(_joined(texts), dtype=np.uint8).astype(np.int64)
        return self.number(np.where(points > 0, points, -1))


class Tokenizer(_Numbered):
    """The tokens of a `tokenizer.json`."""

    whole = True

    def __init__(self, path: str) -> None:
        super().__init__(0xFFFF)
        try:
            library = import_module("tokenizers")
        except ImportError:
            raise MissingExtra(
                '--tokenizer needs the package tokenizers: pip install "lightcollapse[tokenizers]"'
            ) from None
        stat(path)
        try:
            self._reader: Any = library.Tokenizer.from_file(path)
            self.unit = f"tokens {hashlib.sha256(Path(path).read_bytes()).hexdigest()}"
        except Exception as error:
            raise DataError(f"cannot read the tokenizer {path!r}: {error}") from None

    def encode(self, texts: Sequence[str]) -> Symbols:
        found = self._reader.encode_batch(list(texts), add_special_tokens=False)
        values: list[int] = []
        for one in found:
            values += one.ids
            values.append(-1)
        return self.number(np.array(values, dtype=np.int64))


_MADE: dict[str, Callable[[], Tokens]] = {"words": Words, "chars": Chars, "bytes": Bytes}


def tokens(unit: str, tokenizer: str | None = None) -> Tokens:
    """What cuts text into `unit`, or into a tokenizer's tokens. Raises CardError on an unknown name."""
    if tokenizer is not None:
        return Tokenizer(tokenizer)
    if unit not in _MADE:
        raise CardError(f"unknown unit {unit!r}; {nearest(unit, UNITS)}")
    return _MADE[unit]()
