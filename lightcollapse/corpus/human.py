"""The two parts of human text: what models are fitted on, and what they are judged by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus.padding import Symbols, pad
from lightcollapse.corpus.reading import Corpus
from lightcollapse.corpus.shuffle import permutation
from lightcollapse.corpus.units import Unit, cutter, letters
from lightcollapse.errors import DataError

_SPLIT = 4  # the generator's stream for parting documents
_EXCESS = 1.5  # a document that would bring the held-out part above this many times its share is left to learn from


class Law(Protocol):
    """A law of documents that is known exactly."""

    def log_probabilities(self, text: Symbols) -> NDArray[np.float64]:
        """Log-probability of each symbol of padded documents given those before it, nats; -inf for the impossible."""
        ...


@dataclass(frozen=True)
class Human:
    """Human text parted by a seed. Symbols are 1..V, sorted; V + 1 is any that the training part lacks.

    Attributes:
        unit: what a symbol is.
        values: (V,) the symbols' code points, bytes or words.
        training: padded documents of `document_length` symbols; all documents of the training part, joined, then cut.
        held_out: the same of the held-out part.
        rare: bool (held-out symbols,): inside a rare word.
        words: the word types of the training part, sorted; a word is a maximal run of letters.
        rare_words: the rare ones among them.
        counts: int64 (V,): occurrences in the training part.
        name, sha256: of the corpus.
        law: what wrote the text, where that is known.
    """

    unit: Unit
    values: NDArray[np.generic]
    training: Symbols
    held_out: Symbols
    rare: NDArray[np.bool_]
    words: tuple[str, ...]
    rare_words: frozenset[str]
    counts: NDArray[np.int64]
    name: str
    sha256: str
    law: Law | None = None

    @property
    def alphabet(self) -> int:
        """V: distinct symbols of the training part."""
        return len(self.values)

    @property
    def size(self) -> int:
        """N: symbols of the training part."""
        return int(self.counts.sum())

    def spelled_words(self) -> list[Symbols]:
        """The symbols of each word type of the training part, int32 each."""
        spelled = self.unit.encode if self.unit.spells else _itself
        encoded = [spelled(word) for word in self.words]
        if not encoded:
            return []
        cuts = np.cumsum([len(symbols) for symbols in encoded])[:-1]
        return np.split(_identify(np.concatenate(encoded), self.values), cuts)

    def decode(self, symbols: Symbols) -> str:
        """Text of these symbols, int32 (n,), pads and unknown ones left out."""
        known = symbols[(symbols > 0) & (symbols <= self.alphabet)]
        return self.unit.decode(self.values[known - 1])


def part(
    corpus: Corpus,
    *,
    unit: str,
    lowercase: bool,
    held_out: float,
    rare_share: float,
    document_length: int,
    seed: int,
    pieces: int = 0,
) -> Human:
    """Part a corpus by whole documents: in random order they are held out until `held_out` of the symbols are.

    A document that would make the held-out part half as large again as asked is passed over; where all would, the
    smallest is held out.

    Rare words are the word types of the training part from the rarest on, ties in alphabetical order, while together
    they are at most `rare_share` of its word tokens. Raises DataError where the text is too short to part.
    """
    texts = [document.lower() if lowercase else document for document in corpus.documents]
    cut = cutter(unit, texts, pieces)
    encoded = [cut.encode(text) for text in texts]
    kept = [i for i, symbols in enumerate(encoded) if len(symbols)]
    if len(kept) < 2:
        raise DataError(f"{corpus.name!r} is too short to hold a part of it out: it holds fewer than 2 pieces of text")
    aside = _held_out([len(encoded[i]) for i in kept], held_out, seed)
    learn = [i for i, out in zip(kept, aside, strict=True) if not out]
    judge = [i for i, out in zip(kept, aside, strict=True) if out]

    values, counts = np.unique(np.concatenate([encoded[i] for i in learn]), return_counts=True)
    pattern = letters("".join(texts[i] for i in learn))
    tokens = Counter(word for i in learn for word in cut.words(texts[i], pattern))
    chosen = rare_words(tokens, rare_share)
    wider = letters("".join(texts))  # a letter that only held-out text has is still part of a word
    return Human(
        unit=cut,
        values=values,
        training=pad(_identify(np.concatenate([encoded[i] for i in learn]), values), document_length),
        held_out=pad(_identify(np.concatenate([encoded[i] for i in judge]), values), document_length),
        rare=np.concatenate([cut.inside(texts[i], wider, chosen) for i in judge]),
        words=tuple(sorted(tokens)),
        rare_words=frozenset(chosen),
        counts=counts.astype(np.int64),
        name=corpus.name,
        sha256=corpus.sha256,
    )


def _itself(word: str) -> NDArray[np.generic]:
    """A word that is a symbol."""
    return np.array([word], dtype=object)


def _held_out(sizes: list[int], share: float, seed: int) -> list[bool]:
    """Which documents are held out: at least one is, and at least one is not."""
    aside = [False] * len(sizes)
    wanted = share * sum(sizes)
    held = 0
    for i in permutation(len(sizes), 0, 0, _SPLIT, seed):
        if held < wanted and held + sizes[i] <= _EXCESS * wanted and sum(aside) < len(sizes) - 1:
            aside[i] = True
            held += sizes[i]
    if held == 0:
        aside[int(np.argmin(sizes))] = True
    return aside


def rare_words(tokens: Counter[str], share: float) -> set[str]:
    """The rarest word types that together make up at most `share` of the tokens."""
    left = share * tokens.total()
    chosen = set()
    for word, count in sorted(tokens.items(), key=lambda item: (item[1], item[0])):
        left -= count
        if left < 0:
            break
        chosen.add(word)
    return chosen


def _identify(encoded: NDArray[np.generic], values: NDArray[np.generic]) -> Symbols:
    place = np.minimum(np.searchsorted(values, encoded), len(values) - 1)
    return np.where(values[place] == encoded, place + 1, len(values) + 1).astype(np.int32)
