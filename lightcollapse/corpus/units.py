"""What a symbol is. To add a unit: a class here, and a line in UNITS; one that is learned has its line in `cutter`."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import MissingExtra

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

    def encode(self, text: str) -> NDArray[Any]:
        """One sortable value a symbol, (symbols,)."""

    def words(self, text: str, pattern: re.Pattern[str]) -> list[str]:
        """The word tokens of a text."""

    def inside(self, text: str, pattern: re.Pattern[str], chosen: set[str]) -> NDArray[np.bool_]:
        """Which symbols lie inside the chosen words, (symbols,)."""

    def decode(self, values: NDArray[Any]) -> str:
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


class Pieces:
    """Pieces of byte-pair encoding, learned from the text that they cut; none crosses the space before a word.

    A word, for the rare ones, is a piece that is all letters, with the space before it or without. Source of the
    learning: the package tokenizers. Raises MissingExtra where it is not installed.
    """

    spells: ClassVar[bool] = False

    def __init__(self, texts: Sequence[str], pieces: int) -> None:
        try:
            library = import_module("tokenizers")
        except ImportError:
            raise MissingExtra(
                'unit "bpe" needs the package tokenizers: pip install "lightcollapse[tokenizers]"'
            ) from None
        self._cutter = library.Tokenizer(library.models.BPE())
        self._cutter.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        self._cutter.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=pieces,
            initial_alphabet=sorted(library.pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        self._cutter.train_from_iterator(texts, trainer)

    def encode(self, text: str) -> NDArray[Any]:
        return np.array(self._cutter.encode(text).tokens, dtype=object)

    def words(self, text: str, pattern: re.Pattern[str]) -> list[str]:
        return [piece for piece in self.encode(text) if self._is_word(piece)]

    def inside(self, text: str, pattern: re.Pattern[str], chosen: set[str]) -> NDArray[np.bool_]:
        return np.array([piece in chosen for piece in self.encode(text)], dtype=np.bool_)

    def decode(self, values: NDArray[Any]) -> str:
        return str(self._cutter.decoder.decode(values.tolist()))

    @functools.lru_cache(maxsize=2**16)  # noqa: B019 - pieces live as long as the text that they were learned from
    def _is_word(self, piece: str) -> bool:
        return str(self._cutter.decoder.decode([piece])).removeprefix(" ").isalpha()


UNITS: dict[str, type[Unit]] = {"chars": Chars, "bytes": Bytes, "words": Words}
LEARNED = "bpe"  # the unit that is learned from the text


def cutter(unit: str, texts: Sequence[str], pieces: int) -> Unit:
    """What cuts these texts into symbols; `pieces` is how many kinds of them byte-pair encoding makes."""
    return Pieces(texts, pieces) if unit == LEARNED else UNITS[unit]()
