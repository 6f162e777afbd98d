"""Generations of text as they are read: cut into symbols, dealt into blocks, sorted by n-grams.

Text is held as symbols up to a bound; beyond, sorted runs go to disk, so that files may be larger than memory. What
stays in memory is each word once, 17 bytes for each document, and a sample of documents for the n-gram models.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import DataError, LimitError
from lightcollapse.text.blocks import BLOCKS, deal, priorities
from lightcollapse.text.entries import Entries, Runs, Sorted, sort_text
from lightcollapse.text.inputs import BASELINE_SOURCE, Inputs, Name
from lightcollapse.text.reading import Budget, Document, File, Format, read
from lightcollapse.text.tokens import Symbols, Tokens

Int = NDArray[np.int64]

FEW_DOCUMENTS = 10  # fewer are cut into pieces, or nothing could be resampled
PIECES = 20
SQUEEZED = 2**15  # bytes that are compressed together
MOST_COMPRESSED = 2**24  # bytes of a generation, from its beginning
MOST_SAMPLED = 2**22  # symbols of each half of a generation that are kept for the n-gram models
CHUNK = 2**24  # symbols that are held before they go to disk
MOST_OWNERS = 2**13  # generations x BLOCKS
_BATCH = 2**20  # characters that are cut into symbols together
_DIGEST = 16


@dataclass
class Sample:
    """Documents with the smallest random numbers, until they hold `most` symbols: a random sample, however many come.

    Attributes:
        lengths: symbols of each; priorities: uint64; blocks: int64; symbols: each followed by 0.
    """

    most: int = MOST_SAMPLED
    symbols: Symbols = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    lengths: Int = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    blocks: Int = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    order: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    _waiting: list[tuple[Symbols, Int, Int, NDArray[np.uint64]]] = field(default_factory=list)
    _held: int = 0

    def add(self, symbols: Symbols, lengths: Int, blocks: Int, order: NDArray[np.uint64]) -> None:
        """Take more documents."""
        self._waiting.append((symbols, lengths, blocks, order))
        self._held += len(symbols)
        if self._held > 2 * self.most:
            self.settle()

    def settle(self) -> None:
        """Leave only those of the sample, in their random order."""
        parts = [(self.symbols, self.lengths, self.blocks, self.order), *self._waiting]
        symbols, lengths, blocks, order = (np.concatenate([part[k] for part in parts]) for k in range(4))
        by = np.argsort(order, kind="stable")
        kept = by[: int(np.searchsorted(np.cumsum(lengths[by]), self.most)) + 1]
        self.symbols = gathered(symbols, lengths, kept)
        self.lengths, self.blocks, self.order = lengths[kept], blocks[kept], order[kept]
        self._waiting, self._held = [], 0


def gathered(symbols: Symbols, lengths: Int, documents: Int) -> Symbols:
    """These documents of `d1 0 d2 0`, in this order."""
    begins = np.cumsum(lengths + 1) - lengths - 1
    sizes = lengths[documents] + 1
    first = np.cumsum(sizes) - sizes
    picked: Symbols = symbols[np.arange(int(sizes.sum())) + np.repeat(begins[documents] - first, sizes)]
    return picked


@dataclass
class Generation:
    """What is kept of a generation.

    Attributes:
        place: how many generations were met before it.
        documents, symbols: int64 (BLOCKS,) of each block; documents without a symbol are left out.
        ngrams: int64 (order, BLOCKS) n-grams.
        repeats, copies: int64 (BLOCKS,) documents that came before, and that are the baseline's.
        empty: how many documents held no symbol.
        compressed: bytes of blocks of text before and after compression.
        pieces: whether a few documents were cut into pieces.
        longest: symbols of the longest document.
        halves: samples of the documents in even and in odd blocks.
    """

    name: Name
    place: int
    order: int
    documents: Int = field(default_factory=lambda: np.zeros(BLOCKS, dtype=np.int64))
    symbols: Int = field(default_factory=lambda: np.zeros(BLOCKS, dtype=np.int64))
    ngrams: Int = field(init=False)
    repeats: Int = field(default_factory=lambda: np.zeros(BLOCKS, dtype=np.int64))
    copies: Int = field(default_factory=lambda: np.zeros(BLOCKS, dtype=np.int64))
    empty: int = 0
    read: int = 0
    compressed: list[tuple[int, int]] = field(default_factory=list)
    pieces: bool = False
    longest: int = 0
    halves: tuple[Sample, Sample] = field(default_factory=lambda: (Sample(), Sample()))
    texts: list[str] = field(default_factory=list)
    held: int = 0
    few: list[Symbols] = field(default_factory=list)
    digests: bytearray = field(default_factory=bytearray)
    blocks: list[Int] = field(default_factory=list)
    _squeezed: list[bytes] = field(default_factory=list)
    _squeezed_bytes: int = 0
    _offered: int = 0
    _jobs: list[Future[tuple[int, int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ngrams = np.zeros((self.order, BLOCKS), dtype=np.int64)

    @property
    def stream(self) -> int:
        """Its number in the generator: of its name, so that it does not matter when it was met."""
        return self.name % 2**31 if isinstance(self.name, int) else zlib.crc32(self.name.encode())

    def squeeze(self, raw: bytes, pool: ThreadPoolExecutor) -> None:
        """Compress one more text, with those before it."""
        if self._offered >= MOST_COMPRESSED:
            return
        self._squeezed.append(raw)
        self._squeezed_bytes += len(raw)
        self._offered += len(raw)
        if self._squeezed_bytes >= SQUEEZED:
            self._jobs.append(pool.submit(_compressed, b"\n".join(self._squeezed)))
            self._squeezed, self._squeezed_bytes = [], 0

    def close(self) -> None:
        """No document follows: wait until all is compressed."""
        if self._squeezed and not self._jobs:  # a shorter block at the end compresses worse: only where it is the first
            self.compressed = [_compressed(b"\n".join(self._squeezed))]
        else:
            self.compressed = [job.result() for job in self._jobs]

    def keys(self) -> tuple[NDArray[np.uint64], Int]:
        """Digests of the documents, uint64 (documents, 2), and their blocks; none where they were cut into pieces."""
        if self.pieces or not self.blocks:
            return np.empty((0, 2), dtype=np.uint64), np.empty(0, dtype=np.int64)
        return np.frombuffer(self.digests, dtype=np.uint64).reshape(-1, 2), np.concatenate(self.blocks)


def _compressed(raw: bytes) -> tuple[int, int]:
    return len(raw), len(zlib.compress(raw, 6))


@dataclass(frozen=True)
class Texts:
    """Generations that were read, the baseline first.

    Attributes:
        unit: what symbols are; whole: whether one is a piece of knowledge by itself.
        order: longest n-grams.
        alphabet: symbols are 1 .. alphabet.
        generations: what is kept of each.
        entries: the n-grams of all, owners generation x BLOCKS + block.
        repeated: int64 (order, owners) n-grams that came before in their document.
        names_of_symbols: bytes of what symbols stand for, and where each begins.
        files: every file.
        models: whether documents were kept for the n-gram models.
        by_source: whether generations are sources, of which `human` is the baseline.
    """

    unit: str
    whole: bool
    order: int
    alphabet: int
    generations: tuple[Generation, ...]
    entries: Sorted
    repeated: Int
    names_of_symbols: tuple[NDArray[np.uint8], Int]
    files: tuple[File, ...]
    models: bool = True
    by_source: bool = False

    @property
    def names(self) -> tuple[Name, ...]:
        """What the generations are called."""
        return tuple(generation.name for generation in self.generations)

    @property
    def based(self) -> bool:
        """Whether the first generation is the baseline: where counts are only saved, it may be elsewhere."""
        first = self.names[0]
        return first == BASELINE_SOURCE if self.by_source else not isinstance(first, int) or first == 0

    @property
    def documents(self) -> Int:
        """Documents, int64 (generations, BLOCKS)."""
        return np.stack([generation.documents for generation in self.generations])

    @property
    def symbols(self) -> Int:
        """Symbols, int64 (generations, BLOCKS)."""
        return np.stack([generation.symbols for generation in self.generations])

    @property
    def ngrams(self) -> Int:
        """N-grams, int64 (order, owners)."""
        return np.concatenate([generation.ngrams for generation in self.generations], axis=1)


class Sink(Protocol):
    """What takes the sorted parts of text that is no longer held."""

    def add(self, parts: Iterator[tuple[Entries, Symbols]]) -> None:
        """Take the sorted parts of a chunk of text, with the symbols of their entries."""


class Gatherer:
    """Takes documents one after another, and makes Texts of them."""

    def __init__(self, cut: Tokens, order: int, seed: int, chunk: int = CHUNK) -> None:
        self.cut = cut
        self.order = order
        self.seed = seed
        self.chunk = chunk
        self.generations: dict[Name, Generation] = {}
        self._symbols: list[Symbols] = []
        self._lengths: list[Int] = []
        self._groups: list[Int] = []
        self._held = 0
        self.runs: Sink | None = None
        self._repeated = np.zeros((order, MOST_OWNERS), dtype=np.int64)
        self._pool = ThreadPoolExecutor(1)

    def add(self, name: Name, text: str) -> None:
        """One more document of a generation."""
        generation = self.generations.get(name)
        if generation is None:
            if len(self.generations) >= MOST_OWNERS // BLOCKS:
                raise LimitError(f"more than {MOST_OWNERS // BLOCKS} generations; measure them in several runs")
            generation = self.generations[name] = Generation(name, len(self.generations), self.order)
        generation.texts.append(text)
        generation.held += len(text)
        if generation.held >= _BATCH:
            self._cut(generation)

    def _cut(self, generation: Generation) -> None:
        texts, generation.texts, generation.held = generation.texts, [], 0
        symbols = self.cut.encode(texts)
        ends = np.flatnonzero(symbols == 0)
        lengths = np.diff(ends, prepend=-1) - 1
        for text, length in zip(texts, lengths.tolist(), strict=True):
            if length:
                raw = text.encode()
                generation.digests += hashlib.sha256(raw).digest()[:_DIGEST]
                generation.squeeze(raw, self._pool)
        kept = lengths > 0
        generation.empty += int(np.sum(~kept))
        generation.read += int(np.sum(kept))
        if not np.all(kept):
            symbols = np.delete(symbols, ends[~kept])
            lengths = lengths[kept]
        if generation.read < FEW_DOCUMENTS:
            generation.few += np.split(symbols, np.cumsum(lengths + 1)[:-1]) if len(lengths) else []
            return
        if generation.few:
            lengths = np.concatenate([[len(one) - 1 for one in generation.few], lengths])
            symbols, generation.few = np.concatenate([*generation.few, symbols]), []
        self._take(generation, symbols, lengths)

    def _take(self, generation: Generation, symbols: Symbols, lengths: Int) -> None:
        if not len(lengths):
            return
        first = int(generation.documents.sum())
        blocks = deal(first, len(lengths), generation.stream, self.seed)
        generation.documents += np.bincount(blocks, minlength=BLOCKS)
        generation.symbols += np.bincount(blocks, weights=lengths, minlength=BLOCKS).astype(np.int64)
        for n in range(1, self.order + 1):
            ngrams = np.maximum(lengths - (n - 1), 0)
            generation.ngrams[n - 1] += np.bincount(blocks, weights=ngrams, minlength=BLOCKS).astype(np.int64)
        generation.blocks.append(blocks.astype(np.uint8))
        generation.longest = max(generation.longest, int(lengths.max()))
        order = priorities(first, len(lengths), generation.stream, self.seed)
        for side, half in enumerate(generation.halves):
            here = np.flatnonzero(blocks % 2 == side)
            half.add(gathered(symbols, lengths, here), lengths[here], blocks[here], order[here])
        self._symbols.append(symbols)
        self._lengths.append(lengths)
        self._groups.append(generation.place * BLOCKS + blocks)
        self._held += len(symbols)
        if self._held >= self.chunk:
            self.spill()

    def _text(self) -> tuple[Symbols, Symbols, Symbols]:
        """Padded symbols, the document of each, and the owner of each document: of what is held, which is let go."""
        end = np.zeros(self.order + 1, dtype=np.int32)
        text = np.concatenate([np.zeros(1, dtype=np.int32), *self._symbols, end])
        lengths = np.concatenate(self._lengths)
        groups = np.concatenate(self._groups).astype(np.int32)
        document = np.zeros(len(text), dtype=np.int32)
        document[1 : 1 + int(lengths.sum()) + len(lengths)] = np.repeat(
            np.arange(len(lengths), dtype=np.int32), lengths + 1
        )
        self._symbols, self._lengths, self._groups, self._held = [], [], [], 0
        return text, document, groups

    def spill(self) -> None:
        """Give what is held to the runs."""
        if not self._held:
            return
        if self.runs is None:
            self.runs = Runs(self.order, MOST_OWNERS)
        text, document, groups = self._text()
        self.runs.add(
            sort_text(text, document, groups, self.order, self.cut.alphabet, self._repeated, joined=True)
        )  # fmt: skip

    def close(self, order: Sequence[Name], files: Sequence[File], *, keep: bool = False) -> Texts:
        """No document follows. `order` names the generations, the baseline first; `keep` keeps symbols for saving."""
        generations = tuple(self.generations[name] for name in order)
        owners = np.zeros(MOST_OWNERS, dtype=np.int32)
        for g, generation in enumerate(generations):
            here = slice(generation.place * BLOCKS, (generation.place + 1) * BLOCKS)
            owners[here] = np.arange(g * BLOCKS, (g + 1) * BLOCKS)
        if int(generations[0].symbols.sum()) < 2 and not keep:
            raise DataError(f"the baseline, generation {order[0]!r}, holds one symbol: too little to measure")
        size = len(generations) * BLOCKS
        repeated = np.zeros((self.order, size), dtype=np.int64)
        if not isinstance(self.runs, Runs):
            text, document, groups = self._text()
            parts = [
                entries
                for entries, _ in sort_text(text, document, owners[groups], self.order, self.cut.alphabet, repeated,
                                            joined=keep, keep=keep)
            ]  # fmt: skip
            entries = Sorted(self.order, parts)
        else:
            self.spill()
            used = np.flatnonzero(self._repeated.any(axis=0))
            repeated[:, owners[used]] = self._repeated[:, used]
            entries = self.runs.merged(self.cut.alphabet, owners[:size], keep=keep)
        _copies(generations)
        for generation in generations:
            generation.close()
        self._pool.shutdown()
        return Texts(self.cut.unit, self.cut.whole, self.order, self.cut.alphabet, generations, entries, repeated,
                     self.cut.names(), tuple(files))  # fmt: skip

    def finish(self) -> None:
        """Cut what is still held; a generation of few documents is cut into pieces."""
        for generation in self.generations.values():
            self._cut(generation)
            if generation.few:
                generation.pieces = True
                size = sum(len(one) - 1 for one in generation.few)
                pieces = [
                    piece
                    for one in generation.few
                    for piece in np.array_split(one[:-1], min(len(one) - 1, -(-PIECES * (len(one) - 1) // size)))
                ]
                generation.few = []
                end = np.zeros(1, dtype=np.int32)
                padded = np.concatenate([part for piece in pieces for part in (piece, end)])
                self._take(generation, padded, np.array([len(piece) for piece in pieces], dtype=np.int64))
            for half in generation.halves:
                half.settle()


def _copies(generations: Sequence[Generation]) -> None:
    """Count documents that came before in their generation, and that are the baseline's, by their digests."""
    human = np.unique(_whole(generations[0].keys()[0]))
    for g, generation in enumerate(generations):
        keys, blocks = generation.keys()
        whole = _whole(keys)
        _, first = np.unique(whole, return_index=True)
        again = np.ones(len(whole), dtype=bool)
        again[first] = False
        generation.repeats = np.bincount(blocks[again], minlength=BLOCKS).astype(np.int64)
        if g:
            found = np.searchsorted(human, whole)
            same = found < len(human)
            same[same] = human[found[same]] == whole[same]
            generation.copies = np.bincount(blocks[same], minlength=BLOCKS).astype(np.int64)


def _whole(keys: NDArray[np.uint64]) -> NDArray[np.bytes_]:
    """Digests as one key each; 16 bytes, of which NumPy's strings would drop zeros at the end: one more byte stands."""
    padded = np.ones((len(keys), _DIGEST + 1), dtype=np.uint8)
    padded[:, :_DIGEST] = keys.view(np.uint8).reshape(-1, _DIGEST)
    return padded.reshape(-1).view(f"S{_DIGEST + 1}")


def gather(
    inputs: Inputs, how: Format, cut: Tokens, order: int, seed: int, *, chunk: int = CHUNK, keep: bool = False
) -> Texts:
    """Read all files; `keep` keeps what saving needs, and lets the baseline be elsewhere.

    Raises DataError where one cannot be read, or there is no baseline or nothing in a generation.
    """
    gatherer = Gatherer(cut, order, seed, chunk)
    files, names = read_into(gatherer, inputs, how, partial=keep)
    return replace(gatherer.close(names, files, keep=keep), by_source=inputs.by == "source")


def read_into(
    gatherer: Gatherer, inputs: Inputs, how: Format, *, partial: bool = False
) -> tuple[list[File], list[Name]]:
    """Read all files; returns them, and the generations, the baseline first; where they are `partial` it may lack."""
    files: list[File] = []
    for name, document in documents_of(inputs, how, files):
        gatherer.add(name, document.text)
    gatherer.finish()
    return files, _ordered(gatherer.generations, inputs, partial)


def documents_of(inputs: Inputs, how: Format, files: list[File]) -> Iterator[tuple[Name, Document]]:
    """Every document with the generation it belongs to."""
    budget = Budget(how.max_bytes)
    for path, given in inputs.files:
        file = File(path)
        files.append(file)
        said: dict[Name, str] = {}  # the generations that records name, and where first
        silent = ""
        for document in read(file, how, budget):
            said_here = _number(document.generation, file.path, document.place)
            if said_here is None:
                silent = silent or document.place
            else:
                said.setdefault(said_here, document.place)
            name = given
            if inputs.sole:
                name = given if said_here is None else said_here
            elif given is None:
                name = said_here if inputs.by == "generation" else document.source
            if name is None:
                wanted = how.generation_field if inputs.by == "generation" else how.source_field
                raise DataError(
                    f"{path!r}, {document.place}: no field {wanted!r}, which --by {inputs.by} needs in every record"
                )
            yield name, document
        if file.documents == 0:
            lost = f"; {file.skipped} documents were left out" if file.skipped else ""
            raise DataError(f"{path!r} is empty: no text in it{lost}")
        if inputs.sole and said and silent:
            what = silent.partition(" ")[0]
            raise DataError(f"{path!r}, {silent}: no field {how.generation_field!r}, which other {what}s have")
        if not inputs.sole and given is not None and len(said) > 1:
            one, other = list(said)[:2]
            raise DataError(
                f"{path!r}, {said[other]}: generation {other}, but {said[one]} says {one}; "
                "use --by generation for files that hold several"
            )


def _number(generation: int | str | None, path: str, place: str) -> int | None:
    if generation is None or (isinstance(generation, int) and generation >= 0):
        return generation
    if isinstance(generation, str) and generation.isascii() and generation.isdigit() and len(generation) < 10:
        return int(generation)
    raise DataError(f"{path!r}, {place}: a generation must be a whole number from 0 up, got {generation!r:.40}")


def _ordered(found: dict[Name, Generation], inputs: Inputs, partial: bool) -> list[Name]:
    """Names of the generations, the baseline first. Raises DataError where it is missing or one holds no symbol."""
    for name, generation in found.items():
        if not generation.documents.any():
            raise DataError(f"generation {name!r} is empty: none of its {generation.empty} documents holds a symbol")
    if inputs.by == "source":
        if BASELINE_SOURCE not in found:
            if partial:
                return sorted(found, key=str)
            raise DataError(f"no record has the source {BASELINE_SOURCE!r}, the baseline; found {_some(found)}")
        return [BASELINE_SOURCE, *sorted(str(name) for name in found if name != BASELINE_SOURCE)]
    if any(not isinstance(name, int) for name in found):
        return list(found)
    ordered = sorted(found, key=lambda name: int(name))
    if ordered[0] != 0 and not partial:
        raise DataError(
            f"no text of generation 0, the human baseline; found {_some(ordered)}; give it with --baseline FILE"
        )
    return ordered


def _some(names: object) -> str:
    return ", ".join(f"{name!r:.40}" for name in list(names)[:8])  # type: ignore[call-overload]
