"""All generations as one array of symbols, with the documents they are made of."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import permutation
from lightcollapse.errors import DataError, LimitError
from lightcollapse.text.inputs import BASELINE_SOURCE, Inputs, Name
from lightcollapse.text.reading import Budget, Document, File, Format, read
from lightcollapse.text.tokens import Symbols, Tokens

FEW_DOCUMENTS = 10  # fewer are cut into pieces, or nothing could be resampled
PIECES = 20
BLOCK = 2**15  # bytes that are compressed together
MOST_COMPRESSED = 2**24  # bytes of a generation, from its beginning
_MOST_SYMBOLS = 2**31 - 2**10
_APART = 5  # the generator's stream for parting the baseline


@dataclass
class Generation:
    """A generation as it was read.

    Attributes:
        documents: symbols of each, those without any left out.
        repeats: of each, whether the same text came before (told by its SHA-256).
        digests: SHA-256 of each text.
        empty: how many documents held no symbol.
        compressed: bytes of blocks of text before and after compression.
    """

    name: Name
    documents: list[Symbols] = field(default_factory=list)
    repeats: list[bool] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    empty: int = 0
    compressed: list[tuple[int, int]] = field(default_factory=list)
    pieces: bool = False
    _seen: set[bytes] = field(default_factory=set)
    _block: list[bytes] = field(default_factory=list)
    _waiting: list[Future[tuple[int, int]]] = field(default_factory=list)
    _held: int = 0
    _total: int = 0

    def add(self, text: str, symbols: Symbols, pool: ThreadPoolExecutor) -> None:
        """Take one more document."""
        if not len(symbols):
            self.empty += 1
            return
        raw = text.encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(raw).digest()
        self.documents.append(symbols)
        self.repeats.append(digest in self._seen)
        self.digests.append(digest)
        self._seen.add(digest)
        if self._total < MOST_COMPRESSED:
            self._block.append(raw)
            self._held += len(raw)
            self._total += len(raw)
            if self._held >= BLOCK:
                self._compress(pool)

    def _compress(self, pool: ThreadPoolExecutor) -> None:
        self._waiting.append(pool.submit(_compressed, b"\n".join(self._block)))
        self._block, self._held = [], 0

    def close(self, pool: ThreadPoolExecutor) -> None:
        """No document follows."""
        if self._block and not self._waiting:  # a shorter block at the end compresses worse: only where it is the first
            self._compress(pool)
        self.compressed = [job.result() for job in self._waiting]
        if len(self.documents) < FEW_DOCUMENTS:
            self.pieces = True
            size = sum(map(len, self.documents))
            self.documents = [
                piece
                for symbols in self.documents
                for piece in np.array_split(symbols, min(len(symbols), -(-PIECES * len(symbols) // size)))
            ]


def _compressed(raw: bytes) -> tuple[int, int]:
    return len(raw), len(zlib.compress(raw, 6))


@dataclass(frozen=True)
class Texts:
    """Generations side by side; generation 0 of the arrays is the baseline.

    Attributes:
        symbols: int32 (P,) padded documents of all generations in order, with `order` zeros more at the end.
        alphabet: symbols are 1 .. alphabet.
        document: int32 (P,) which document each symbol belongs to.
        generation: int64 (documents,).
        apart: uint8 (documents,) 1 in the second half of the baseline, a random half of its documents.
        lengths: int64 (documents,) symbols.
        generations: what was read of each.
        files: every file.
    """

    symbols: Symbols
    alphabet: int
    document: NDArray[np.int32]
    generation: NDArray[np.int64]
    apart: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    generations: tuple[Generation, ...]
    files: tuple[File, ...]

    @property
    def names(self) -> tuple[Name, ...]:
        """What the generations are called."""
        return tuple(generation.name for generation in self.generations)

    def padded(self, documents: NDArray[np.int64]) -> Symbols:
        """These documents by themselves, int32 `0 d1 0 d2 0`."""
        ends = np.cumsum(self.lengths + 1)
        begins = ends - self.lengths
        blocks = self.lengths[documents] + 1
        first = np.cumsum(blocks) - blocks
        index = np.arange(int(blocks.sum())) + np.repeat(begins[documents] - 1 - first, blocks)
        return np.concatenate([self.symbols[index], np.zeros(1, dtype=np.int32)])


def gather(inputs: Inputs, how: Format, cut: Tokens, order: int, seed: int) -> Texts:
    """Read all files. Raises DataError where one cannot be read, or there is no baseline or nothing in a generation."""
    files: list[File] = []
    found: dict[Name, Generation] = {}
    with ThreadPoolExecutor(1) as pool:
        for name, document in _named(inputs, how, files):
            if name not in found:
                found[name] = Generation(name)
            found[name].add(document.text, cut.encode(document.text), pool)
        for generation in found.values():
            generation.close(pool)
    return join([found[name] for name in _ordered(found, inputs)], files, cut, order, seed)


def join(generations: Sequence[Generation], files: Sequence[File], cut: Tokens, order: int, seed: int) -> Texts:
    """Generations that were read, the baseline first, as one array."""
    documents = [symbols for generation in generations for symbols in generation.documents]
    lengths = np.array([len(symbols) for symbols in documents], dtype=np.int64)
    if sum(map(len, generations[0].documents)) < 2:
        raise DataError(f"the baseline, generation {generations[0].name!r}, holds one symbol: too little to measure")
    if lengths.sum() + len(lengths) > _MOST_SYMBOLS:
        raise LimitError(f"more than {_MOST_SYMBOLS} symbols in all; give less text, or cut it into words")
    raw = np.zeros(int(lengths.sum()) + len(lengths) + order + 1, dtype=np.int32)
    place = 1
    for symbols in documents:
        raw[place : place + len(symbols)] = symbols
        place += len(symbols) + 1
    symbols, alphabet = cut.dense(raw)
    owner = np.zeros(len(raw), dtype=np.int32)
    owner[1 : 1 + int(lengths.sum()) + len(lengths)] = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths + 1)
    sizes = [len(generation.documents) for generation in generations]
    apart = np.zeros(len(lengths), dtype=np.uint8)
    apart[permutation(sizes[0], 0, 0, _APART, seed)[: sizes[0] // 2]] = 1
    return Texts(
        symbols,
        alphabet,
        owner,
        np.repeat(np.arange(len(sizes), dtype=np.int64), sizes),
        apart,
        lengths,
        tuple(generations),
        tuple(files),
    )


def _named(inputs: Inputs, how: Format, files: list[File]) -> Iterator[tuple[Name, Document]]:
    """Every document with the generation it belongs to."""
    budget = Budget(how.max_bytes)
    for path, given in inputs.files:
        file = File(path)
        files.append(file)
        said: dict[Name, int] = {}  # the generations that records name, and where first
        silent = 0
        for document in read(file, how, budget):
            said_here = _number(document.generation, file.path, document.line)
            if said_here is None:
                silent = silent or document.line
            else:
                said.setdefault(said_here, document.line)
            name = given
            if inputs.sole:
                name = given if said_here is None else said_here
            elif given is None:
                name = said_here if inputs.by == "generation" else document.source
            if name is None:
                wanted = how.generation_field if inputs.by == "generation" else how.source_field
                raise DataError(
                    f"{path!r}, line {document.line}: no field {wanted!r}, which --by {inputs.by} needs in every record"
                )
            yield name, document
        if file.documents == 0:
            lost = f"; {file.skipped} documents were left out" if file.skipped else ""
            raise DataError(f"{path!r} is empty: no text in it{lost}")
        if inputs.sole and said and silent:
            raise DataError(f"{path!r}, line {silent}: no field {how.generation_field!r}, which other lines have")
        if not inputs.sole and given is not None and len(said) > 1:
            one, other = list(said)[:2]
            raise DataError(
                f"{path!r}, line {said[other]}: generation {other}, but line {said[one]} says {one}; "
                "use --by generation for files that hold several"
            )


def _number(generation: int | str | None, path: str, line: int) -> int | None:
    if generation is None or (isinstance(generation, int) and generation >= 0):
        return generation
    if isinstance(generation, str) and generation.isascii() and generation.isdigit() and len(generation) < 10:
        return int(generation)
    raise DataError(f"{path!r}, line {line}: a generation must be a whole number from 0 up, got {generation!r:.40}")


def _ordered(found: dict[Name, Generation], inputs: Inputs) -> list[Name]:
    """Names of the generations, the baseline first. Raises DataError where it is missing or one holds no symbol."""
    for name, generation in found.items():
        if not generation.documents:
            raise DataError(f"generation {name!r} is empty: none of its {generation.empty} documents holds a symbol")
    if inputs.by == "source":
        if BASELINE_SOURCE not in found:
            raise DataError(f"no record has the source {BASELINE_SOURCE!r}, the baseline; found {_some(found)}")
        return [BASELINE_SOURCE, *sorted(str(name) for name in found if name != BASELINE_SOURCE)]
    if any(not isinstance(name, int) for name in found):
        return list(found)
    ordered = sorted(found, key=lambda name: int(name))
    if ordered[0] != 0:
        raise DataError(
            f"no text of generation 0, the human baseline; found {_some(ordered)}; give it with --baseline FILE"
        )
    return ordered


def _some(names: object) -> str:
    return ", ".join(repr(name) for name in list(names)[:8])  # type: ignore[call-overload]
