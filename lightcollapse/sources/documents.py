"""Documents whose law is known: what chains and grammars write, and the corpus that stands for human text."""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import Corpus, Human, part, uniforms
from lightcollapse.corpus.human import Law
from lightcollapse.errors import require
from lightcollapse.sources.base import TextSource

Float = NDArray[np.float64]
_SUM = 1e-9  # how far probabilities may be from summing to 1
_WRITE = 8  # the generator's stream for the corpus, and for laws drawn at random
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Documents(TextSource, frozen=True, kw_only=True):
    """Documents of a known law, over named symbols.

    The n-gram family learns from them as from human text: a corpus is written once by the law under the source's own
    seed, and the seed of the run parts it. Divergences and perplexities of generation 0 are then those of the law
    itself; model 1 differs from it even where it learned from all of the training part.

    Args:
        document_length: symbols of a document.
        documents: documents of the corpus.
        seed: decides the corpus, in [0, 2^64).
        held_out: share of the corpus that is held out, in (0, 1).
        rare_share: rare words are the rarest symbols that make up at most this share of the corpus, in (0, 1).
    """

    document_length: int = 20
    documents: int = 1000
    seed: int = 0
    held_out: float = 0.1
    rare_share: float = 0.05

    def validate(self) -> None:
        require(self.document_length >= 1, "document_length must be at least 1 symbol", self.document_length)
        require(self.documents >= 2, "documents must be at least 2", self.documents)
        require(0 <= self.seed < 2**64, "seed must lie in [0, 2^64)", self.seed)
        require(0.0 < self.held_out < 1.0, "held_out must lie in (0, 1)", self.held_out)
        require(0.0 < self.rare_share < 1.0, "rare_share must lie in (0, 1)", self.rare_share)

    @property
    def unit(self) -> str:
        """Symbols are words."""
        return "words"

    @property
    def lowercase(self) -> bool:
        return False

    def names(self) -> tuple[str, ...]:
        """The name of each symbol, letters and digits only."""
        raise NotImplementedError

    def written(self) -> NDArray[np.int64]:
        """The corpus as numbers of symbols, int64 (documents, document_length)."""
        raise NotImplementedError

    def law(self, groups: NDArray[np.int64]) -> Law:
        """The law of documents, symbol i gathered into group groups[i], numbered from 1."""
        raise NotImplementedError

    def corpus(self) -> Corpus:
        return _corpus(self)

    def human(self, seed: int) -> Human:
        return _human(self, seed)

    def uniforms(self, first: int, count: int) -> Float:
        """Numbers `first` .. of the corpus's own uniforms in (0, 1), float64 (count,)."""
        return uniforms(first, count, _WRITE, self.seed)


@functools.lru_cache(maxsize=4)
def _corpus(source: Documents) -> Corpus:
    names = np.array(source.names(), dtype=object)
    texts = tuple(" ".join(document) for document in names[source.written()])
    return Corpus(source.kind, hashlib.sha256("\n".join(texts).encode()).hexdigest(), texts)


@functools.lru_cache(maxsize=4)
def _human(source: Documents, seed: int) -> Human:
    human = part(
        source.corpus(),
        unit=source.unit,
        lowercase=source.lowercase,
        held_out=source.held_out,
        rare_share=source.rare_share,
        document_length=source.document_length,
        seed=seed,
    )
    place = {name: number for number, name in enumerate(human.values.tolist(), start=1)}
    groups = np.array([place.get(name, len(place) + 1) for name in source.names()], dtype=np.int64)
    return replace(human, law=source.law(groups))


def letters(symbols: int) -> tuple[str, ...]:
    """Names of so many symbols: a .. z, then aa, ab and so on."""
    return tuple(_spelled(number) for number in range(symbols))


def _spelled(number: int) -> str:
    word = ""
    while number >= 0:
        word = _LETTERS[number % 26] + word
        number = number // 26 - 1
    return word


def check_law(values: tuple[float, ...], name: str) -> None:
    """Raise CardError where these are no probabilities."""
    require(len(values) >= 1, f"{name} must hold at least one probability", list(values))
    for value in values:
        require(math.isfinite(value) and value >= 0.0, f"{name}: a probability must lie in [0, 1]", value)
    total = math.fsum(values)
    require(abs(total - 1.0) <= _SUM, f"{name}: probabilities must sum to 1", total, "divide each by the sum")


def check_rows(rows: tuple[tuple[float, ...], ...], name: str, columns: int) -> None:
    """Raise CardError where some row is no law over so many columns."""
    for number, row in enumerate(rows):
        require(len(row) == columns, f"{name} must hold {columns} numbers in each row", len(row))
        check_law(row, f"{name}, row {number}")


def normalised(rows: object) -> Float:
    """Rows that sum to 1 as nearly as floats can, float64."""
    array = np.asarray(rows, dtype=np.float64)
    return np.asarray(array / array.sum(axis=-1, keepdims=True))


def closed_classes(transitions: Float) -> list[NDArray[np.int64]]:
    """The sets of states that a chain never leaves once it is in, and moves about in."""
    reached = (transitions > 0.0) | np.eye(len(transitions), dtype=np.bool_)
    for _ in range(max(1, math.ceil(math.log2(len(transitions) + 1)))):
        reached = (reached.astype(np.float64) @ reached.astype(np.float64)) > 0.0
    final = [state for state in range(len(transitions)) if np.all(reached[reached[state], state])]
    return [np.flatnonzero(row) for row in np.unique(reached[final], axis=0)]


def stationary(transitions: Float) -> Float:
    """The stationary law of a chain with one closed class, float64 (states,)."""
    inside = closed_classes(transitions)[0]
    part = transitions[np.ix_(inside, inside)]
    equations = (np.eye(len(inside)) - part).T
    equations[-1] = 1.0
    law = np.zeros(len(transitions))
    law[inside] = np.maximum(np.linalg.solve(equations, np.eye(len(inside))[-1]), 0.0)
    return normalised(law)


def check_start(transitions: tuple[tuple[float, ...], ...], initial: tuple[float, ...] | None) -> None:
    """Raise CardError where neither an initial law is given nor a single stationary one exists."""
    if initial is not None:
        require(len(initial) == len(transitions), f"initial must hold {len(transitions)} probabilities", len(initial))
        check_law(initial, "initial")
        return
    classes = len(closed_classes(np.asarray(transitions, dtype=np.float64)))
    require(classes == 1, "a chain needs one stationary law to start from, or initial", f"{classes} stationary laws")


def pick(laws: Float, rows: NDArray[np.int64], numbers: Float) -> NDArray[np.int64]:
    """A draw from laws[rows[i]] by each uniform, int64 (draws,)."""
    upper = np.cumsum(laws, axis=1)
    upper /= upper[:, -1:]
    return np.asarray((numbers[:, None] >= upper[rows]).sum(axis=1), dtype=np.int64)


def walk(initial: Float, transitions: Float, numbers: Float) -> NDArray[np.int64]:
    """Paths of a chain from uniforms, float64 (paths, steps): int64 of that shape."""
    path: NDArray[np.int64] = np.empty(numbers.shape, dtype=np.int64)
    path[:, 0] = pick(initial[None, :], np.zeros(len(path), dtype=np.int64), numbers[:, 0])
    for step in range(1, path.shape[1]):
        path[:, step] = pick(transitions, path[:, step - 1], numbers[:, step])
    return path
