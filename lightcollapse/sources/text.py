"""Human text."""

from __future__ import annotations

import functools
from typing import ClassVar, Self

from lightcollapse.corpus import LEARNED, UNITS, Corpus, Human, part, read, stat
from lightcollapse.errors import CardError, nearest, require
from lightcollapse.sources.base import TextSource

_PIECES = 1000  # kinds of them, where a card names no number


class Text(TextSource, frozen=True):
    """Human text, parted by the seed into documents to learn from and documents held out.

    Plain text, or JSON lines `{"text": ...}`, as it is or compressed (.gz, .xz), in UTF-8. Documents are the records,
    else the paragraphs; fewer than 10 are cut into about 20 runs instead. A point of the recursion is a run of
    `document_length` symbols; sample sizes are in symbols.

    Args:
        path: the file; None takes the manual pages that come with Python (`pydoc_data.topics`).
        unit: what a symbol is: "chars" (code points), "bytes", "words" (runs of letters, digits and underscores), or
            "bpe" (pieces of byte-pair encoding, learned from this text; needs the extra `tokenizers`).
        lowercase: fold the text to lower case first.
        held_out: share of the symbols that are held out, in (0, 1): documents are set aside until it is reached.
        rare_share: rare words are the rarest word types that make up at most this share of all words, in (0, 1).
        document_length: symbols in a point.
        pieces: of unit "bpe", how many kinds there are, from 256 on; None takes 1000.
    """

    kind: ClassVar[str] = "text"
    path: str | None = None
    unit: str = "chars"
    lowercase: bool = False
    held_out: float = 0.1
    rare_share: float = 0.05
    document_length: int = 256
    pieces: int | None = None

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(), cls(unit="words", lowercase=True, held_out=0.98, document_length=25)

    def validate(self) -> None:
        if self.unit not in (*UNITS, LEARNED):
            raise CardError(f"unknown unit {self.unit!r}; {nearest(self.unit, (*UNITS, LEARNED))}")
        require(self.pieces is None or self.unit == LEARNED, f'pieces belong to unit "{LEARNED}"', self.pieces)
        known = self.pieces is None or 256 <= self.pieces <= 2**16
        require(known, "pieces must lie in 256..65536", self.pieces)
        require(0.0 < self.held_out < 1.0, "held_out must lie in (0, 1)", self.held_out)
        require(0.0 < self.rare_share < 1.0, "rare_share must lie in (0, 1)", self.rare_share)
        require(self.document_length >= 1, "document_length must be at least 1 symbol", self.document_length)

    def corpus(self) -> Corpus:
        """The text, read once a process while the file does not change.

        Raises DataError where it is missing, empty, or not UTF-8 text.
        """
        return read(self.path)

    def human(self, seed: int) -> Human:
        """The text as this seed parts it; the same for every replicate and regime."""
        if self.path is not None:
            stamp = stat(self.path)
            return _part(self, seed, stamp.st_mtime_ns, stamp.st_size)
        return _part(self, seed, 0, 0)


@functools.lru_cache(maxsize=4)
def _part(source: Text, seed: int, modified: int, size: int) -> Human:
    return part(
        source.corpus(),
        unit=source.unit,
        lowercase=source.lowercase,
        held_out=source.held_out,
        rare_share=source.rare_share,
        document_length=source.document_length,
        seed=seed,
        pieces=_PIECES if source.pieces is None else source.pieces,
    )
