"""What a symbol is. To add a unit: a class here, and a line in UNITS."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

_TOKEN = re.compile(r"\w+")


def letters(text: str) -> re.Pattern[str]:
    """A pattern for the words of a text: its maximal runs of letters (str.isalpha)."""
    found = "".join(re.escape(character) for character in sorted(set(text)) if character.isalpha())
    return re.compile(f"[{found}]+" if found else r"(?!)")


class Unit(Protocol):
    """A way to cut text into symbols.

    Attributes:
        spells: whether words are spelled by symbols; else a symbol is a word, or no word.
    """

    spells: ClassVar[bool]

    @staticmethod
    def encode(text: str) -> NDArray[Any]:
        """One sortable value a symbol, (symbols,)."""

    @staticmethod
    def words(text: str, pattern: re.Pattern[str]) -> list[str]:
        """The word tokens of a text."""

    @staticmethod
    def inside(text: str, pattern: re.Pattern[str], chosen: set[str]) -> NDArray[np.bool_]:
        """Which symbols lie inside the chosen words, (symbols,)."""

    @staticmethod
    def decode(values: NDArray[Any]) -> str:
        """Text of these symbols, for people to read."""


class Chars:
    """Code points."""

    spells: ClassVar[bool] = True

    @staticmethod
    def encode(text: str) -> NDArray[Any]:
        return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)

    @staticmethod
    def words(text: str, pattern: re.Pattern[str]) -> list[str]:
        return pattern.findall(text)

    @staticmethod
    def inside(text: str, pattern: re.Pattern[str], chosen: set[str]) -> NDArray[np.bool_]:
        mask = np.zeros(len(text), dtype=np.bool_)
        for match in pattern.finditer(text):
            if match.group() in chosen:
                mask[match.start() : match.end()] = True
        return mask

    @staticmethod
    def decode(values: NDArray[Any]) -> str:
        return values.astype("<u4").tobytes().decode("utf-32-le")


class Bytes:
    """Bytes of the UTF-8 encoding."""

    spells: ClassVar[bool] = True

    @staticmethod
    def encode(text: str) -> NDArray[Any]:
        return np.frombuffer(text.encode(), dtype=np.uint8)

    @staticmethod
    def words(text: str, pattern: re.Pattern[str]) -> list[str]:
        return pattern.findall(text)

    @staticmethod
    def inside(text: str, pattern: re.Pattern[str], chosen: set[str]) -> NDArray[np.bool_]:
        points = Chars.encode(text)
        width = 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000)
        return np.repeat(Chars.inside(text, pattern, chosen), width)

    @staticmethod
    def decode(values: NDArray[Any]) -> str:
        return values.astype(np.uint8).tobytes().decode("utf-8", errors="replace")


class Words:
    r"""Runs of \w; what lies between them is dropped. A word, for the rare ones, is a run that is all letters."""

    spells: ClassVar[bool] = False

    @staticmethod
    def encode(text: str) -> NDArray[Any]:
        return np.array(_TOKEN.findall(text), dtype=object)

    @staticmethod
    def words(text: str, pattern: re.Pattern[str]) -> list[str]:
        return [token for token in _TOKEN.findall(text) if token.isalpha()]

    @staticmethod
    def inside(text: str, pattern: re.Pattern[str], chosen: set[str]) -> NDArray[np.bool_]:
        return np.array([token in chosen for token in _TOKEN.findall(text)], dtype=np.bool_)

    @staticmethod
    def decode(values: NDArray[Any]) -> str:
        return " ".join(values)


UNITS: dict[str, type[Unit]] = {"chars": Chars, "bytes": Bytes, "words": Words}
