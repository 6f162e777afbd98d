"""N-grams in sorted order with who holds them: from one sort in memory, or from sorted runs on disk.

An entry is an n-gram of `order` symbols (fewer at the end of a document), its owner (generation x BLOCKS + block) and
how often it counts. In a sorted part the entries of one n-gram stand side by side, for every n up to `order`: what all
counting starts from.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
One = TypeVar("One")
Other = TypeVar("Other")

PART = 2**22  # entries that are counted together
_SORTED = 2**17  # entries that are sorted together: their keys fit the cache, and their index leaves room for symbols
_SMALL = 2**16
_SAMPLED = 2**10  # every so many rows of a run are looked at to find where to cut


@dataclass(frozen=True)
class Entries:
    """A sorted part.

    Attributes:
        shared: uint8 how many symbols each entry shares with the one before.
        left: uint8 how many symbols it has.
        owner: int32; weight: int32 how often it counts.
        fresh: int32 the symbols it does not share, one after another; empty unless they are kept.
    """

    shared: Bytes
    left: Bytes
    owner: Ints
    weight: Ints
    fresh: Ints

    def __len__(self) -> int:
        return len(self.shared)


@dataclass(frozen=True)
class Sorted:
    """All entries: in `parts`, but n-grams of one symbol in `singles` where a part may end amid one."""

    order: int
    parts: Sequence[Entries]
    singles: Sequence[Entries] | None = None

    def of(self, n: int) -> Sequence[Entries]:
        """The parts in which n-grams of length n are whole."""
        return self.singles if n == 1 and self.singles is not None else self.parts


def threads() -> int:
    """How many threads count: as many as there are cores, two at most."""
    return min(2, os.cpu_count() or 1)


def on_threads(function: Callable[[One], Other], jobs: Sequence[One]) -> Iterator[Other]:
    """Results in the order of the jobs, at most one more than the threads at work in memory."""
    with ThreadPoolExecutor(threads()) as pool:
        waiting = [pool.submit(function, job) for job in jobs[: threads() + 1]]
        for i in range(len(jobs)):
            result = waiting[i].result()
            waiting[i] = None  # type: ignore[call-overload]
            if len(waiting) < len(jobs):
                waiting.append(pool.submit(function, jobs[len(waiting)]))
            yield result


def sort_text(
    text: Ints, document: Ints, group: Ints, order: int, alphabet: int, repeated: NDArray[np.int64],
    *, joined: bool, keep: bool = False, largest: int = PART,
) -> Iterator[tuple[Entries, Ints]]:  # fmt: skip
    """Sorted parts of padded documents, and the symbols of their entries, int32 (entries, order); none unless `joined`.

    `document` int32 (symbols,), `group` int32 (documents,) the owner of each; adds to `repeated` int64 (order, owners)
    the n-grams that came before in their document. `joined`: entries of one n-gram and owner are one.
    """
    from lightcollapse.kernels import packing

    size = int(np.count_nonzero(text))
    places, bounds = packing.cut_parts(text, min(largest, _SORTED))
    pieces = _joined(bounds.tolist(), min(largest, max(_SMALL, size // 4)))

    def one(cuts: list[int]) -> tuple[Entries, Ints, NDArray[np.int64]]:
        here = places[cuts[0] : cuts[-1]]
        shared = np.concatenate(
            [packing.sort_places(text, places[a:b], order, alphabet) for a, b in itertools.pairwise(cuts)]
        )
        left, owner = np.empty(len(here), dtype=np.uint8), np.empty(len(here), dtype=np.int32)
        packing.describe(text, here, order, document, left, owner)
        again = np.zeros_like(repeated)
        for n in range(1, order + 1):
            packing.repeats(shared, left, owner, n, group, again[n - 1])
        entries = Entries(shared, left, group[owner], np.ones(len(here), dtype=np.int32), np.empty(0, dtype=np.int32))
        return *_finish(entries, text, here, order, repeated.shape[1], joined, keep), again

    for entries, rows, again in on_threads(one, pieces):
        repeated += again
        yield entries, rows


def _joined(bounds: Sequence[int], size: int) -> list[list[int]]:
    """The bounds of parts in groups of about `size` entries; empty parts are left out."""
    groups: list[list[int]] = []
    for begin, end in itertools.pairwise(bounds):
        if begin == end:
            continue
        if groups and groups[-1][-1] - groups[-1][0] + (end - begin) <= size:
            groups[-1].append(end)
        else:
            groups.append([begin, end])
    return groups


def _finish(
    entries: Entries, text: Ints, places: Ints, order: int, owners: int, joined: bool, keep: bool
) -> tuple[Entries, Ints]:
    """The entries, those of one n-gram and owner as one where they are `joined`, and their symbols."""
    from lightcollapse.kernels import packing

    if not joined:
        return entries, np.empty((0, order), dtype=np.int32)
    shared, left, owner, weight = entries.shared, entries.left, entries.owner, entries.weight
    picked = np.empty(len(entries), dtype=np.int64)
    size = packing.aggregate(shared, left, owner, weight, order, owners, picked)
    shared, left = shared[:size].copy(), left[:size].copy()
    owner, weight = owner[:size].copy(), weight[:size].copy()
    places = places[picked[:size]]
    fresh = np.empty(0, dtype=np.int32)
    rows = np.empty((0 if keep else size, order), dtype=np.int32)
    if keep:
        fresh = np.empty(int(np.maximum(left.astype(np.int64) - shared, 0).sum()), dtype=np.int32)
        packing.fresh_symbols(text, places, shared, left, fresh)
    else:
        packing.copy_rows(text, places, order, rows)
    return Entries(shared, left, owner, weight, fresh), rows


class Runs:
    """Sorted runs of entries on disk, in a folder that goes when this does. Memory holds one part at a time.

    Source: the external merge sort of Knuth 1973, by ranges.
    """

    def __init__(self, order: int, owners: int) -> None:
        self.order = order
        self.owners = owners
        self.folder = Path(tempfile.mkdtemp(prefix="lightcollapse-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._runs: list[list[int]] = []
        self._singles: list[tuple[Ints, Ints, Ints]] = []
        self._kinds: dict[tuple[int, str], tuple[np.dtype[Any], tuple[int, ...]]] = {}
        self._names = itertools.count()  # whose next number is one thread's alone

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, parts: Iterator[tuple[Entries, Ints]]) -> None:
        """A run: sorted parts with the symbols of their entries, in order."""
        from lightcollapse.kernels import packing

        files = []
        for entries, rows in parts:
            if not len(entries):
                continue
            shared, left = entries.shared.copy(), entries.left.copy()
            owner, weight = entries.owner.copy(), entries.weight.copy()
            picked = np.empty(len(entries), dtype=np.int64)
            size = packing.aggregate(shared, left, owner, weight, 1, self.owners, picked)
            self._singles.append((rows[picked[:size], 0].copy(), owner[:size].copy(), weight[:size].copy()))
            files.append(self._write(rows=rows, owner=entries.owner, weight=entries.weight, lead=_lead(rows)))
        self._runs.append(files)

    def _write(self, **arrays: NDArray[np.generic]) -> int:
        file = next(self._names)
        for name, array in arrays.items():
            array.tofile(self.folder / f"{file}.{name}")
            self._kinds[file, name] = array.dtype, array.shape
        return file

    def _read(self, file: int, name: str) -> NDArray[Any]:
        """An array as it was written: without a header, for Python 3.11 may fail to parse two on two threads."""
        kind, shape = self._kinds[file, name]
        return np.asarray(np.memmap(self.folder / f"{file}.{name}", kind, "c", shape=shape))

    def merged(self, alphabet: int, owners: Ints, *, keep: bool = False, largest: int = PART) -> Sorted:
        """All runs as one. `owners` int32 gives each owner its new number; symbols are kept only where `keep` says."""
        files = list(itertools.chain.from_iterable(self._runs))
        leads = {file: self._read(file, "lead") for file in files}
        total = sum(map(len, leads.values()))
        sample = np.sort(np.concatenate([lead[::_SAMPLED] for lead in leads.values()] or [np.empty(0, np.uint64)]))
        cuts = np.unique(sample[:: max(1, largest // _SAMPLED)][1:]) if total > largest else sample[:0]
        edges = {
            file: np.concatenate([[0], np.searchsorted(lead, cuts), [len(lead)]]).astype(np.int64)
            for file, lead in leads.items()
        }

        def one(k: int) -> Entries:
            where = {file: slice(int(edge[k]), int(edge[k + 1])) for file, edge in edges.items()}
            where = {file: piece for file, piece in where.items() if piece.start < piece.stop}
            rows, owner, weight = (
                np.concatenate([self._read(file, name)[piece] for file, piece in where.items()] or [empty])
                for name, empty in (("rows", np.empty((0, self.order), np.int32)), *((n, np.empty(0, np.int32))
                                                                                     for n in ("owner", "weight")))
            )  # fmt: skip
            entries, _ = sort_rows(rows, owners[owner], weight, alphabet, len(owners), keep)
            return self._stored(entries, len(cuts) > 0)

        parts = list(on_threads(one, range(len(cuts) + 1)))
        return Sorted(self.order, parts, self._symbols(owners, alphabet) if len(cuts) else None)

    def _stored(self, entries: Entries, outside: bool) -> Entries:
        """The entries, their arrays on disk."""
        if not outside:
            return entries
        arrays = {name: getattr(entries, name) for name in ("shared", "left", "owner", "weight", "fresh")}
        file = self._write(**arrays)
        return Entries(*(self._read(file, name) if len(array) else array for name, array in arrays.items()))

    def _symbols(self, owners: Ints, alphabet: int) -> list[Entries]:
        symbol, owner, weight = (np.concatenate([each[k] for each in self._singles]) for k in range(3))
        return [sort_rows(symbol[:, None], owners[owner], weight, alphabet, len(owners), False)[0]]


def _lead(rows: Ints) -> NDArray[np.uint64]:
    """The first two symbols of each row as one number: n-grams that share them stay together."""
    second = rows[:, 1] if rows.shape[1] > 1 else np.zeros(len(rows), dtype=np.int32)
    return (rows[:, 0].astype(np.uint64) << np.uint64(32)) | second.astype(np.uint64)


def sort_rows(rows: Ints, owner: Ints, weight: Ints, alphabet: int, owners: int, keep: bool) -> tuple[Entries, Ints]:
    """Sorted entries of rows of symbols int32 (entries, order), 0 behind the last; one for an n-gram and owner.

    And their rows, unless symbols are kept.
    """
    from lightcollapse.kernels import packing

    order = rows.shape[1]
    if not len(rows):
        none = np.empty(0, dtype=np.uint8)
        return Entries(none, none, *(np.empty(0, dtype=np.int32) for _ in range(3))), rows
    text = np.concatenate([rows.reshape(-1), np.zeros(order, dtype=np.int32)])
    places = np.arange(0, rows.size, order, dtype=np.int32)
    shared = packing.sort_places(text, places, order, alphabet)
    index = places // order
    left = np.count_nonzero(rows, axis=1).astype(np.uint8)[index]
    entries = Entries(shared, left, owner[index], weight[index], np.empty(0, dtype=np.int32))
    return _finish(entries, text, places, order, owners, True, keep)
